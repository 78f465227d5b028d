//! Who acted: resolved at the first trigger of an act, told from a successor of its pid.

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant, SystemTime};

use crate::judge::settle::Act;
use crate::model::{Detection, Writer, WriterSource};
use crate::survey::processes::root_of;
use crate::sys::fanotify::mask;
use crate::sys::pidfd;
use crate::watch::budget::{Actor, Folded};
use crate::watch::jobs::Acted;
use crate::watch::lane::Source;
use crate::watch::watched::Watched;
use crate::who::boot::Boot;
use crate::who::trail::Trail;

/// A copy-up ends, and what it was for is done, within this time. Its writer is the
/// only one that the kernel tells of a change of attributes, and of a rename.
const COPY_UP: Duration = Duration::from_secs(2);
/// So long it may be a guess, when something else in `etc` changed, too.
const GUESSED: Duration = Duration::from_millis(100);
/// A file that loses a name tells of its attributes first, and within this time that the
/// name is gone: the writer is known of the first alone when the two come apart.
const UNLINK: Duration = Duration::from_millis(50);
/// Queues that are read one after the other within this time may be read in the wrong order.
const ONE_READ: Duration = Duration::from_millis(20);

/// Bits that a write under the file's own name leaves.
const WRITTEN: u64 = mask::CREATE | mask::MODIFY | mask::CLOSE_WRITE;

/// Who made an act that may be the beginning of another one.
#[derive(Debug)]
pub(super) struct Earlier {
    actor: Actor,
    at: Instant,
    /// Attributes were seen to change; else it was a reason to look and no more.
    attributes: bool,
}

impl Watched {
    /// The writer was resolved at an earlier trigger of this act.
    fn knows(&self, pid: i32, pidfd: Option<&OwnedFd>) -> bool {
        let Some(((writer, _), earlier)) = self.actor.as_deref() else {
            return false;
        };
        if writer.pid != Some(pid) || writer.source == WriterSource::Unknown {
            return false;
        }
        // A living process under the pid of one that is gone is another one.
        let lives = |pidfd: &OwnedFd| pidfd::exists(pidfd.as_fd());
        earlier.as_ref().is_none_or(lives) || !pidfd.is_some_and(lives)
    }

    /// Resolves who acts, unless it is known, or somebody is known by more.
    pub(super) fn meets(
        &mut self,
        who: (&Boot, &mut Trail),
        (pid, pidfd): (i32, Option<OwnedFd>),
        source: Source,
    ) {
        if source == Source::Way && self.actor.is_some() {
            return;
        }
        let knows = self.knows(pid, pidfd.as_ref());
        let is_more = matches!(source, Source::Name | Source::Layer);
        if !knows || is_more || self.known_by == Source::Way {
            self.known_by = source;
        }
        if !knows {
            let actor = self.resolve(who, pid, pidfd.as_ref());
            self.actor = Some(Box::new((actor, pidfd)));
        }
    }

    pub(super) fn resolve(
        &self,
        (boot, trail): (&Boot, &mut Trail),
        pid: i32,
        pidfd: Option<&OwnedFd>,
    ) -> Actor {
        let writer = trail.writer(boot, pid, pidfd);
        // Only a container that no file named needs to know whose root the writer has.
        let same_root = self.subject.container.id.is_none()
            && pidfd.is_some_and(|pidfd| root_of(pid, pidfd).as_ref() == Some(&self.subject.root));
        (writer, same_root)
    }

    pub(super) fn acted(&mut self, act: Act) -> Acted {
        let mut actor = self.actor.take().map(|known| known.0);
        if self.known_by == Source::Path
            && act.mask & WRITTEN == 0
            && let Some((writer, _)) = &mut actor
        {
            // It wrote the file, under this name or before another one gave it this name.
            writer.confirmed &= act.mask == 0;
        }
        if self.known_by == Source::Way
            && act.mask != 0
            && self.is_aside(act.first)
            && let Some((writer, _)) = &mut actor
        {
            // The copy-up may have been for the other thing in `etc`.
            guess(writer);
        }
        if self.known_by != Source::Path
            && act.mask & !mask::ATTRIB == 0
            && let Some(actor) = &actor
        {
            self.copied = Some(Box::new(Earlier {
                actor: actor.clone(),
                at: act.first,
                attributes: act.mask != 0,
            }));
        }
        let (writer, same_root) = actor
            .or_else(|| self.copied(&act))
            .unwrap_or_else(|| (Writer::unknown(act.pid), false));
        Acted {
            mask: act.mask,
            writer: Some(writer),
            same_root,
            folded: 0,
            closing: act.closing,
            at: at(act.first),
            detection: Detection::Event,
        }
    }

    /// One act of all that was gathered. Of several writers any may have made the
    /// difference that will be seen: the last is named, the first kept, none confirmed.
    pub(super) fn gathered(&self, who: (&Boot, &mut Trail), folded: Folded) -> Acted {
        if folded.acts == 0 {
            return Acted::look(at(folded.since), Detection::Event);
        }
        let (writer, same_root) = match (folded.first, folded.last) {
            (first, Some((pid, pidfd))) if folded.several => {
                let (last, same_root) = self.resolve(who, pid, pidfd.as_ref());
                let writer = Writer {
                    confirmed: false,
                    first: first.map(|(first, _)| Box::new(first)),
                    ..last
                };
                (writer, same_root)
            }
            (Some(first), _) => first,
            (None, last) => (Writer::unknown(last.map(|(pid, _)| pid)), false),
        };
        Acted {
            mask: folded.mask,
            writer: Some(writer),
            same_root,
            folded: folded.acts - 1,
            closing: false,
            at: at(folded.since),
            detection: Detection::Event,
        }
    }

    /// Something else in `etc` changed then or later.
    fn is_aside(&self, at: Instant) -> bool {
        self.aside.is_some_and(|aside| aside + ONE_READ > at)
    }

    /// The writer of a copy-up, for the act that it was made for: any other act has a
    /// writer of its own in the writable layer or by its descriptor. A guess, and only for
    /// a moment, when the copy-up may have been for something else in `etc`.
    fn copied(&mut self, act: &Act) -> Option<Actor> {
        let earlier = *self.copied.take()?;
        let at = earlier.at;
        let other = self.is_aside(at);
        let follows = match earlier.attributes {
            true => act.mask & mask::DELETE != 0 && act.first < at + UNLINK && !other,
            false => act.mask != 0 && at.elapsed() < COPY_UP,
        };
        let near = !other || act.first < at + GUESSED;
        let mut actor = earlier.actor;
        if other {
            guess(&mut actor.0);
        }
        (follows && near && act.pid.is_none()).then_some(actor)
    }
}

fn guess(writer: &mut Writer) {
    (writer.guess, writer.confirmed) = (true, false);
}

/// The time of day of a moment that has passed.
fn at(moment: Instant) -> SystemTime {
    let now = SystemTime::now();
    now.checked_sub(moment.elapsed()).unwrap_or(now)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::watch::watched::tests::watched;

    const SETTLE: Duration = Duration::from_millis(5);

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
        let written = mask::MODIFY | mask::CLOSE_WRITE;
        let mut bench = Bench::new();
        bench.trigger(own(), (0, Source::Path));
        assert!(bench.release(Instant::now()).is_none());
        bench.trigger(0, (written, Source::Name));
        let act = bench.release(Instant::now()).unwrap();
        assert_eq!((act.mask, act.pid()), (written, Some(own())));
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
}
