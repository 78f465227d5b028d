//! The keeper's thread: all that is written to the directory of states. Whoever makes
//! the disk slow, and a container can, holds up this thread and no alert.

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

use crate::model::{Change, Gap, Record};
use crate::sys::limits;
use crate::watch::deliver::Delivery;
use crate::watch::pace::Pace;
use crate::watch::state::book::Book;
use crate::watch::state::identity::Key;
use crate::watch::state::store::Store;
use crate::watch::state::{Remember, not_written};
use crate::watch::vigil::Progress;

/// Errands that may wait.
const ROOM: usize = 512;
/// How long an alert waits for its note. Without it the alert is told all the same: should
/// this be killed now, the next run repeats it without saying that it does.
const PATIENCE: Duration = Duration::from_millis(10);
/// After containers went: by then those that go with them have gone, too.
const CALM: Duration = Duration::from_secs(1);

/// What is to be written, in the order of the telling.
#[derive(Debug)]
enum Errand {
    /// This is about to be told.
    Telling(Arc<Remember>, Vec<Change>),
    /// It was.
    Told(Arc<Remember>),
    /// Nothing was told about it.
    Later(Arc<Remember>),
    /// The container with this state is not watched any more.
    Forget(Key),
}

/// The delivery thread's end.
#[derive(Debug)]
pub struct Keeper {
    errands: Sender<Errand>,
    /// One for each note that was written.
    noted: Receiver<()>,
    /// Notes that were not waited for to the end.
    overdue: usize,
    /// An errand found no room; told once until one does.
    behind: bool,
    store: Arc<Store>,
    /// What its thread is at.
    pub progress: Arc<Progress>,
    thread: JoinHandle<()>,
}

impl Keeper {
    /// Starts the thread. What goes wrong is put among the `records`.
    ///
    /// # Errors
    /// When no thread can be made.
    pub fn start(store: Arc<Store>, records: Sender<Delivery>, realtime: bool) -> io::Result<Self> {
        let progress = Progress::of("keep");
        let own = Arc::clone(&progress);
        let (errands, work) = bounded(ROOM);
        let (done, noted) = bounded(ROOM + 1);
        let book = Book::new(Arc::clone(&store), Instant::now());
        let thread = thread::Builder::new()
            .name("keep".to_owned())
            .spawn(move || {
                // An alert waits for its note.
                let pace = Pace::of_alerts(realtime);
                keep((book, pace), (&work, &done), &own, &records);
            })?;
        Ok(Self {
            errands,
            noted,
            overdue: 0,
            behind: false,
            store,
            progress,
            thread,
        })
    }

    /// Before records go out: notes what is about to be told, in the time there is.
    pub fn telling(&mut self, remember: &Arc<Remember>, changes: Vec<Change>) -> Option<Gap> {
        self.overdue -= self.noted.try_iter().take(self.overdue).count();
        let trouble = self.send(Errand::Telling(Arc::clone(remember), changes));
        if self.behind {
            return trouble;
        }
        let end = Instant::now() + self.patience();
        // Notes are written in order: this one's word comes after those of earlier ones.
        self.overdue += 1;
        while self.overdue > 0 && self.noted.recv_deadline(end).is_ok() {
            self.overdue -= 1;
        }
        trouble
    }

    /// How long the next note is waited for: while an earlier one is overdue, not at all.
    fn patience(&self) -> Duration {
        if self.overdue == 0 {
            PATIENCE
        } else {
            Duration::ZERO
        }
    }

    /// After they went out: the state is to be stored.
    pub fn told(&mut self, remember: Arc<Remember>) -> Option<Gap> {
        self.send(Errand::Told(remember))
    }

    /// Stores a state that nothing was told about, a moment later.
    pub fn later(&mut self, remember: Arc<Remember>) -> Option<Gap> {
        self.send(Errand::Later(remember))
    }

    /// The container is not watched any more; its state stays.
    pub fn forget(&mut self, key: Key) -> Option<Gap> {
        self.send(Errand::Forget(key))
    }

    /// Has everything written that is pending, and waits for it.
    pub fn finish(self) {
        drop(self.errands);
        let _ = self.thread.join();
    }

    /// What to tell when the disk is so slow that not even the errands find room.
    fn send(&mut self, errand: Errand) -> Option<Gap> {
        let patience = if self.behind {
            Duration::ZERO
        } else {
            PATIENCE
        };
        let full = self.errands.send_timeout(errand, patience).is_err();
        let was = std::mem::replace(&mut self.behind, full);
        if full {
            self.store.failed();
        }
        (full && !was).then(|| not_written(&io::Error::from(io::ErrorKind::TimedOut)))
    }
}

/// Works until the delivery thread hangs up; what is pending is written before the end.
fn keep(
    (mut book, mut pace): (Book, Pace),
    (errands, noted): (&Receiver<Errand>, &Sender<()>),
    progress: &Progress,
    records: &Sender<Delivery>,
) {
    // When memory of what went is given back to the kernel.
    let mut calm: Option<Instant> = None;
    loop {
        progress.rests();
        let due = calm.map_or(book.due(), |calm| calm.min(book.due()));
        let next = pace.rest(|| errands.recv_deadline(due));
        progress.works(None);
        let now = Instant::now();
        match next {
            Ok(errand) => {
                if matches!(errand, Errand::Forget(_)) {
                    calm = Some(now + CALM);
                }
                run(&mut book, errand, noted, now);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        // A note that is waited for comes first.
        if errands.is_empty() && book.due() <= now {
            book.tick(now);
        }
        if calm.take_if(|calm| *calm <= now).is_some() {
            limits::give_back();
        }
        if let Some(gap) = book.trouble() {
            // Failures are counted, too: the status has them.
            let _ = records.try_send(Delivery::Record(Record::Gap(Box::new(gap))));
        }
    }
    book.finish();
    progress.rests();
}

fn run(book: &mut Book, errand: Errand, noted: &Sender<()>, now: Instant) {
    match errand {
        Errand::Telling(remember, changes) => {
            book.telling(&remember, changes, now);
            let _ = noted.try_send(());
        }
        Errand::Told(remember) => book.told(remember, now),
        Errand::Later(remember) => book.later(remember, now),
        Errand::Forget(key) => book.forget(&key, now),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::judge::restart::Last;
    use crate::watch::state::identity::Identity;
    use crate::watch::state::store::Loaded;

    fn remember() -> Arc<Remember> {
        Arc::new(Remember {
            key: Key::parse(&"a".repeat(64)).unwrap(),
            identity: Identity::default(),
            last: Last::Absent,
        })
    }

    #[test]
    fn what_is_told_is_noted_before_and_stored_at_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::new(Store::open(dir.path()).unwrap());
        let (records, _wanted) = bounded(1);
        let mut keeper = Keeper::start(Arc::clone(&store), records, false).unwrap();
        let stored = || match store.load(&remember().key) {
            Loaded::State(stored) => (stored.last.clone(), stored.doubt.is_some()),
            other => panic!("{other:?}"),
        };
        assert!(keeper.telling(&remember(), Vec::new()).is_none());
        if keeper.overdue == 0 {
            assert_eq!(stored(), (Last::Unseen, true));
        }
        assert!(keeper.told(remember()).is_none());
        keeper.finish();
        assert_eq!(stored(), (Last::Absent, false));
    }

    #[test]
    fn a_disk_that_hangs_holds_up_one_alert_a_moment_and_is_told_once() {
        let dir = tempfile::tempdir().unwrap();
        let (errands, hangs) = bounded(3);
        let (done, noted) = bounded(4);
        let mut keeper = Keeper {
            errands,
            noted,
            overdue: 0,
            behind: false,
            store: Arc::new(Store::open(dir.path()).unwrap()),
            progress: Progress::of("keep"),
            thread: thread::spawn(|| {}),
        };
        let mut tell = || {
            let patience = keeper.patience();
            let trouble = keeper.telling(&remember(), Vec::new());
            (patience == PATIENCE, trouble.is_some())
        };
        assert_eq!(tell(), (true, false), "the first is waited for");
        assert_eq!((tell(), tell()), ((false, false), (false, false)));
        assert_eq!((tell(), tell()), ((false, true), (false, false)));
        assert_eq!(hangs.try_iter().count(), 3);
        for _ in 0..3 {
            done.send(()).unwrap();
        }
        assert_eq!(tell(), (false, false), "their words are read");
        done.send(()).unwrap();
        keeper.overdue -= keeper.noted.try_iter().count();
        assert_eq!(keeper.patience(), PATIENCE, "and the next is waited for");
    }
}
