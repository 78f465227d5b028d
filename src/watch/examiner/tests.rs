//! The examiner over a directory that stands for a container. No root is needed.

mod moved;
mod others;
mod parts;

use std::fs;
use std::os::fd::AsFd;
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, bounded, unbounded};

use super::hold::HOLD;
use super::known::WRITING;
use super::*;
use crate::model::{Action, Container, Coverage, Rung, Writer};
use crate::reach::{HostMount, Reach};
use crate::survey::mounts::RootKey;
use crate::survey::runtime::Papers;
use crate::sys::fanotify::mask;
use crate::sys::walk::{mount_id, open_dir};
use crate::watch::queue::{Jobs, Pace as Queue};

const WRITER: i32 = 4711;

struct Bench {
    dir: tempfile::TempDir,
    subject: Arc<Subject>,
    jobs: Jobs,
    records: Receiver<Delivery>,
    thread: JoinHandle<()>,
}

/// An examiner that has had its first look at a container without the file.
fn bench() -> Bench {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("etc")).unwrap();
    let id = mount_id(open_dir(dir.path()).unwrap().as_fd()).unwrap();
    let subject = Arc::new(Subject {
        id: RootfsId(1),
        container: Container::default(),
        papers: Papers::default(),
        reach: Reach::by_host(HostMount::find(dir.path(), id)),
        mount_ns: None,
        root: RootKey {
            device: (0, 0),
            directory: Vec::new(),
        },
        upper: None,
        coverage: Coverage {
            rung: Rung::Named,
            gaps: Vec::new(),
        },
        trail: String::new(),
    });
    let ((records_in, records), (jobs, work)) = (unbounded(), Jobs::new(100));
    let examiner = Examiner::new(records_in, Arc::default(), 100, None, None, Asker::nobody());
    let thread = std::thread::spawn(move || {
        let pace = Pace::new(None, Instant::now());
        examiner.work((&work, pace), &Progress::of("examine"), Vec::new());
    });
    let over = Arc::new(());
    let first = Job::First(Arc::clone(&subject), SystemTime::now(), Arc::clone(&over));
    jobs.offer(first, Queue::Swift).unwrap();
    wait_for(&over);
    Bench {
        dir,
        subject,
        jobs,
        records,
        thread,
    }
}

/// Until the job with that ticket was worked off.
fn wait_for(ticket: &Arc<()>) {
    while Arc::strong_count(ticket) > 1 {
        std::thread::yield_now();
    }
}

impl Bench {
    fn write(&self, text: &str) {
        fs::write(self.dir.path().join("etc/ld.so.preload"), text).unwrap();
    }

    fn act(&self, pid: i32, mask: u64) {
        let acted = Acted {
            mask,
            writer: Some(Writer::unknown(Some(pid))),
            ..Acted::look(SystemTime::now(), Detection::Event)
        };
        self.send(acted);
    }

    fn send(&self, acted: Acted) {
        let look = Job::Look(Arc::clone(&self.subject), Box::new(acted), Arc::default());
        self.jobs.offer(look, Queue::Swift).unwrap();
    }

    /// Waits until what was sent is worked off: the first look is had once.
    fn is_done(&self) {
        let over = Arc::new(());
        let first = Job::First(
            Arc::clone(&self.subject),
            SystemTime::now(),
            Arc::clone(&over),
        );
        self.jobs.offer(first, Queue::Swift).unwrap();
        wait_for(&over);
    }

    /// Ends the examiner; what it told, as action and pid of the writer.
    fn told(self) -> Vec<(Action, Option<i32>)> {
        drop(self.jobs);
        self.thread.join().unwrap();
        let records = |delivery| match delivery {
            Delivery::Act { records, .. } => records,
            _ => Vec::new(),
        };
        let finding = |record| match record {
            Record::Finding(finding) => Some((
                finding.change.action,
                finding.writer.and_then(|writer| writer.pid),
            )),
            Record::Gap(_) | Record::Enrichment(_) | Record::Heartbeat(_) => None,
        };
        let all = self.records.try_iter().flat_map(records);
        all.filter_map(finding).collect()
    }
}

#[test]
fn a_write_that_outlives_the_deadline_is_told_once() {
    let bench = bench();
    bench.write("");
    bench.act(WRITER, mask::CREATE);
    bench.write("/x.so\n");
    bench.act(WRITER, mask::MODIFY | mask::CLOSE_WRITE);
    assert_eq!(bench.told(), [(Action::Creation, Some(WRITER))]);
}

#[test]
fn the_close_of_what_was_told_is_none_though_its_time_stamps_are_others() {
    for (closer, more) in [(WRITER, None), (WRITER + 1, Some(Action::Touched))] {
        let bench = bench();
        bench.write("/x.so\n");
        bench.act(WRITER, mask::CREATE | mask::MODIFY);
        // Long enough to be looked at, and for another time stamp.
        std::thread::sleep(HOLD / 2);
        bench.write("/x.so\n");
        bench.act(closer, mask::CLOSE_WRITE);
        let told: Vec<Action> = bench.told().iter().map(|(action, _)| *action).collect();
        let want: Vec<Action> = [Some(Action::Creation), more]
            .into_iter()
            .flatten()
            .collect();
        assert_eq!(told, want, "closed by {closer}");
    }
}

#[test]
fn a_touch_of_what_no_act_made_is_told_whoever_did_it() {
    let bench = bench();
    bench.write("/x.so\n");
    bench.send(Acted::look(SystemTime::now(), Detection::Sweep));
    std::thread::sleep(HOLD * 2);
    bench.write("/x.so\n");
    bench.act(WRITER, mask::ATTRIB | mask::CLOSE_WRITE);
    let told: Vec<Action> = bench.told().iter().map(|(action, _)| *action).collect();
    assert_eq!(told, [Action::Creation, Action::Touched]);
}

#[test]
fn the_close_of_what_a_look_told_is_none_whoever_acted_before() {
    let bench = bench();
    bench.write("/w.so\n");
    bench.act(WRITER + 1, mask::CREATE | mask::CLOSE_WRITE);
    bench.is_done();
    bench.write("/x.so\n");
    bench.send(Acted::look(SystemTime::now(), Detection::Sweep));
    std::thread::sleep(HOLD * 2);
    bench.act(WRITER, mask::CLOSE_WRITE);
    let told: Vec<Action> = bench.told().iter().map(|(action, _)| *action).collect();
    assert_eq!(told, [Action::Creation, Action::Modification]);
}

#[test]
fn a_look_that_comes_before_the_event_leaves_the_telling_to_it() {
    let bench = bench();
    bench.write("/x.so\n");
    bench.send(Acted::look(SystemTime::now(), Detection::Mount));
    bench.act(WRITER, mask::CREATE | mask::MODIFY | mask::CLOSE_WRITE);
    assert_eq!(bench.told(), [(Action::Creation, Some(WRITER))]);
}

#[test]
fn a_look_that_no_event_explains_is_told() {
    let bench = bench();
    bench.write("/x.so\n");
    bench.send(Acted::look(SystemTime::now(), Detection::Sweep));
    assert_eq!(bench.told(), [(Action::Creation, None)]);
    // Who then takes the container away with all that is in it did not make it.
    let bench = self::bench();
    bench.write("/x.so\n");
    bench.send(Acted::look(SystemTime::now(), Detection::Sweep));
    bench.is_done();
    fs::remove_dir_all(bench.dir.path()).unwrap();
    bench.act(WRITER, 0);
    assert_eq!(bench.told(), [(Action::Creation, None)]);
}

#[test]
fn an_empty_file_is_told_when_nothing_follows() {
    let bench = bench();
    bench.write("");
    bench.act(WRITER, mask::CREATE);
    assert_eq!(bench.told(), [(Action::Creation, Some(WRITER))]);
}

#[test]
fn the_late_event_of_an_act_that_was_seen_whole_says_nothing_more() {
    let bench = bench();
    bench.write("/x.so\n");
    bench.act(WRITER, mask::CREATE | mask::MODIFY);
    bench.act(WRITER, mask::MODIFY | mask::CLOSE_WRITE);
    assert_eq!(bench.told(), [(Action::Creation, Some(WRITER))]);
}

#[test]
fn an_act_in_a_container_that_is_gone_is_told_without_the_file() {
    let bench = bench();
    fs::remove_dir_all(bench.dir.path()).unwrap();
    bench.act(WRITER, mask::CREATE | mask::MODIFY | mask::CLOSE_WRITE);
    bench.act(WRITER, mask::DELETE);
    assert_eq!(bench.told(), [(Action::Creation, Some(WRITER))]);
}

#[test]
fn an_act_that_goes_on_and_on_is_told_when_the_first_hold_ends() {
    let bench = bench();
    bench.write("");
    let end = Instant::now() + HOLD * 3;
    let mut told = 0;
    while Instant::now() < end {
        bench.act(WRITER, mask::CREATE | mask::ATTRIB);
        std::thread::sleep(HOLD / 10);
        let acts = bench.records.try_iter();
        told += acts
            .filter(
                |delivery| matches!(delivery, Delivery::Act { records, .. } if !records.is_empty()),
            )
            .count();
    }
    assert!(told > 0);
    bench.told();
}

#[test]
fn a_queue_that_stays_full_is_waited_for_once() {
    let (records, _reader) = bounded(0);
    let nobody = Asker::nobody();
    let mut examiner = Examiner::new(records, Arc::default(), 100, None, None, nobody);
    let subject = bench().subject;
    let start = Instant::now();
    for _ in 0..20 {
        let acted = Acted {
            mask: mask::CREATE,
            ..Acted::look(SystemTime::now(), Detection::Event)
        };
        examiner.tell_unseen(&subject, acted);
    }
    assert!(start.elapsed() < Duration::from_secs(3));
}

/// The container has the file, and that was told.
fn with_a_file() -> Bench {
    let bench = bench();
    bench.write("/old.so\n");
    let acted = Acted {
        mask: WRITING & !mask::DELETE,
        writer: Some(Writer::unknown(Some(1))),
        ..Acted::look(SystemTime::now(), Detection::Event)
    };
    let over = Arc::new(());
    let look = Job::Look(
        Arc::clone(&bench.subject),
        Box::new(acted),
        Arc::clone(&over),
    );
    bench.jobs.offer(look, Queue::Swift).unwrap();
    while Arc::strong_count(&over) > 1 {
        std::thread::yield_now();
    }
    bench
}

#[test]
fn removed_and_made_anew_by_one_is_one_creation_however_it_is_read() {
    let bench = with_a_file();
    bench.write("/x.so\n");
    bench.act(WRITER, mask::DELETE);
    bench.act(WRITER, WRITING & !mask::DELETE);
    let told = [Some(1), Some(WRITER)].map(|pid| (Action::Creation, pid));
    assert_eq!(bench.told(), told);
}

#[test]
fn who_removed_it_did_not_make_what_another_made_since() {
    let bench = with_a_file();
    bench.write("/x.so\n");
    bench.act(WRITER, mask::DELETE);
    bench.act(WRITER + 1, WRITING & !mask::DELETE);
    let told = [
        (Action::Creation, Some(1)),
        (Action::Deletion, Some(WRITER)),
        (Action::Creation, Some(WRITER + 1)),
    ];
    assert_eq!(bench.told(), told);
}
