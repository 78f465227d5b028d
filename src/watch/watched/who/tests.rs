use std::sync::Arc;

use super::*;
use crate::watch::watched::tests::watched;

const SETTLE: Duration = Duration::from_millis(5);
const WROTE: u64 = mask::MODIFY | mask::CLOSE_WRITE;

struct Bench {
    watched: Watched,
    boot: Boot,
    trail: Trail,
}

impl Bench {
    fn new() -> Self {
        Self {
            watched: watched(),
            boot: Boot::read(),
            trail: Trail::new(false),
        }
    }

    fn trigger(&mut self, pid: i32, seen: (u64, Source)) {
        let who = (&self.boot, &mut self.trail);
        let earlier = self.watched.trigger(who, (pid, None), seen, SETTLE);
        assert!(earlier.is_none());
    }

    fn release(&mut self, now: Instant) -> Option<Acted> {
        let who = (&self.boot, &mut self.trail);
        self.watched.release(who, now, SETTLE)
    }

    /// Who is told of a write that comes without a writer, and whether that is a guess.
    fn named_next(&mut self) -> (Option<i32>, bool) {
        self.trigger(0, (WROTE, Source::Name));
        let far = Instant::now() + Duration::from_secs(3600);
        let writer = self.release(far).unwrap().writer.unwrap();
        (writer.pid, writer.guess)
    }

    /// The pid of all that is pending.
    fn told(&mut self) -> Option<i32> {
        let far = Instant::now() + Duration::from_secs(3600);
        self.release(far).unwrap().pid()
    }
}

fn own() -> i32 {
    nix::unistd::getpid().as_raw()
}

#[test]
fn the_writer_of_a_copy_up_is_the_one_of_the_change_it_was_for() {
    for (aside, want) in [(None, Some(own())), (Some(Instant::now()), None)] {
        let mut bench = Bench::new();
        bench.trigger(own(), (0, Source::Layer));
        assert_eq!(bench.told(), Some(own()));
        bench.watched.aside = aside.map(|_| Instant::now());
        bench.trigger(0, (mask::ATTRIB, Source::Name));
        let far = Instant::now() + Duration::from_secs(3600);
        let told = bench.release(far).unwrap();
        assert_eq!(told.pid(), want, "for another file: {}", aside.is_some());
        let shown = told.writer.unwrap();
        assert_eq!((shown.pid, shown.guess), (Some(own()), aside.is_some()));
    }
}

#[test]
fn what_a_write_leaves_in_the_layer_names_nobody_else() {
    // Another one writes before it is read, or nobody does.
    let other = nix::unistd::getppid().as_raw();
    for between in [None, Some(other)] {
        let mut bench = Bench::new();
        bench.trigger(own(), (WROTE, Source::Name));
        assert_eq!(bench.told(), Some(own()));
        if let Some(pid) = between {
            bench.trigger(pid, (WROTE, Source::Name));
            assert_eq!(bench.told(), between);
        }
        bench.trigger(own(), (0, Source::Layer));
        bench.told();
        assert_eq!(bench.named_next(), (None, false));
    }
}

#[test]
fn where_a_layer_tells_no_write_what_one_left_is_a_guess() {
    for (rung, guess) in [(Rung::Named, false), (Rung::Split, true)] {
        let mut bench = Bench::new();
        let mut subject = (*bench.watched.subject).clone();
        subject.coverage.rung = rung;
        bench.watched.subject = Arc::new(subject);
        bench.trigger(own(), (WROTE, Source::Name));
        bench.told();
        bench.trigger(own(), (0, Source::Layer));
        let far = Instant::now() + Duration::from_secs(3600);
        let writer = bench.release(far).unwrap().writer.unwrap();
        assert_eq!((writer.pid, writer.guess), (Some(own()), guess), "{rung:?}");
    }
}

#[test]
fn what_a_write_without_a_writer_leaves_in_the_layer_is_a_guess() {
    let mut bench = Bench::new();
    bench.trigger(0, (WROTE, Source::Name));
    assert_eq!(bench.told(), None);
    bench.trigger(own(), (0, Source::Layer));
    bench.told();
    assert_eq!(bench.named_next(), (Some(own()), true));
}

#[test]
fn what_a_write_leaves_whose_writer_the_layer_told_names_nobody_else() {
    let mut bench = Bench::new();
    bench.trigger(own(), (0, Source::Layer));
    bench.told();
    assert_eq!(bench.named_next(), (Some(own()), false));
    bench.trigger(own(), (0, Source::Layer));
    bench.told();
    assert_eq!(bench.named_next(), (None, false));
}

#[test]
fn what_folded_writes_leave_in_the_layer_is_a_guess() {
    for (before, want) in [(true, (None, false)), (false, (Some(own()), true))] {
        let mut bench = Bench::new();
        let layer = |bench: &mut Bench| {
            bench.trigger(own(), (0, Source::Layer));
            bench.told();
        };
        if before {
            layer(&mut bench);
        }
        bench.watched.folded = Some(Box::new(Folded::new(Instant::now(), None)));
        bench.trigger(own(), (WROTE, Source::Name));
        bench.told();
        if !before {
            layer(&mut bench);
        }
        assert_eq!(bench.named_next(), want, "before: {before}");
    }
}

#[test]
fn a_copy_up_whose_change_was_told_names_nobody_else() {
    let mut bench = Bench::new();
    bench.trigger(own(), (0, Source::Layer));
    bench.told();
    bench.trigger(own(), (WROTE, Source::Name));
    assert_eq!(bench.told(), Some(own()));
    assert_eq!(bench.named_next(), (None, false));
}

#[test]
fn a_copy_up_that_another_writer_overtook_is_a_guess() {
    let mut bench = Bench::new();
    bench.trigger(own(), (0, Source::Layer));
    bench.told();
    let other = nix::unistd::getppid().as_raw();
    bench.trigger(other, (WROTE, Source::Name));
    assert_eq!(bench.told(), Some(other));
    assert_eq!(bench.named_next(), (Some(own()), true));
}

#[test]
fn the_writers_that_are_remembered_are_bounded() {
    let mut bench = Bench::new();
    for _ in 0..WRITERS + 9 {
        bench.watched.note_write(Some(own()), Instant::now());
    }
    assert_eq!(bench.watched.wrote.len(), WRITERS);
}

#[test]
fn the_writer_of_an_unlink_is_the_one_whose_attributes_came_before() {
    // A modification is a change of its own.
    for (later, want) in [(mask::DELETE, Some(own())), (mask::MODIFY, None)] {
        let mut bench = Bench::new();
        bench.trigger(own(), (mask::ATTRIB, Source::Name));
        bench.told();
        bench.trigger(0, (later, Source::Name));
        assert_eq!(bench.told(), want);
    }
}

#[test]
fn who_is_known_by_a_path_waits_for_what_was_done() {
    let mut bench = Bench::new();
    bench.trigger(own(), (0, Source::Path));
    assert!(bench.release(Instant::now()).is_none());
    bench.trigger(0, (WROTE, Source::Name));
    let act = bench.release(Instant::now()).unwrap();
    assert_eq!((act.mask, act.pid()), (WROTE, Some(own())));
    // And is not taken for the writer of what comes next.
    bench.trigger(own(), (0, Source::Path));
    bench.told();
    bench.trigger(0, (mask::ATTRIB, Source::Name));
    assert_eq!(bench.told(), None);
}

#[test]
fn over_the_budget_who_copied_up_a_directory_is_not_the_writer() {
    let mut bench = Bench::new();
    let now = Instant::now();
    bench.watched.folded = Some(Box::new(Folded::new(now, None)));
    bench.trigger(0, (WRITTEN, Source::Name));
    bench.trigger(own(), (0, Source::Way));
    assert_eq!(bench.told(), None);
    bench.watched.folded = Some(Box::new(Folded::new(now, None)));
    bench.trigger(own(), (WRITTEN, Source::Name));
    assert_eq!(bench.told(), Some(own()));
}

#[test]
fn who_copied_up_a_directory_is_the_writer_of_what_nobody_else_claims() {
    for (aside, other, want) in [
        (false, 0, Some(own())),
        (true, 0, None),
        (false, own() + 1, Some(own() + 1)),
    ] {
        let mut bench = Bench::new();
        bench.trigger(own(), (0, Source::Way));
        bench.watched.aside = aside.then(Instant::now);
        bench.trigger(0, (mask::CREATE, Source::Name));
        bench.trigger(other, (0, Source::Path));
        assert_eq!(bench.told(), want);
    }
}

#[test]
fn who_wrote_a_file_before_it_was_renamed_is_no_certain_writer() {
    let certain = |source| {
        let mut bench = Bench::new();
        bench.trigger(own(), (0, Source::Path));
        bench.trigger(0, (mask::MOVED_TO, Source::Name));
        bench.trigger(own(), (0, source));
        let (actor, _) = bench.watched.actor.as_deref_mut().unwrap();
        actor.0.confirmed = true;
        let far = Instant::now() + SETTLE * 2;
        bench.release(far).unwrap().writer.unwrap().confirmed
    };
    assert!(!certain(Source::Path));
    assert!(certain(Source::Layer), "it renamed it itself");
}
