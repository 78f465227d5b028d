//! The delivery thread: records to the outlet, which knows the sinks, and states to the
//! keeper, each after the records that it follows from. The loop and the examiner never
//! write anything themselves.

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

use crate::model::{Change, Gap, Record, Told};
use crate::sys::epoll::Wake;
use crate::sys::limits;
use crate::watch::pace::Pace;
use crate::watch::run::Options;
use crate::watch::state::identity::Key;
use crate::watch::state::keeper::Keeper;
use crate::watch::state::store::Store;
use crate::watch::state::{Opened, Remember};
use crate::watch::status::Status;
use crate::watch::vigil::Progress;

/// Records that may wait for the sinks.
const ROOM: usize = 4096;
/// After containers went: what the other threads still free of theirs is free by then.
const CALM: Duration = Duration::from_secs(1);

/// What is to be delivered.
#[derive(Debug)]
pub enum Delivery {
    /// A finding or a gap.
    Record(Record),
    /// What one act of a container caused; `remember` is stored once it is told.
    Act {
        /// In the order in which they are told; none: there is only something to store.
        records: Vec<Record>,
        /// What is known of the file now; `None`: no state of this container is kept.
        remember: Option<Arc<Remember>>,
    },
    /// The container with this state is not watched any more.
    Forget(Key),
    /// The state of the watcher, for the status file.
    Status(Box<Status>),
    /// The same, for the sinks: a sign of life.
    Heartbeat(Box<Status>),
    /// The first survey is marked; that many root filesystems are watched.
    Ready(usize),
    /// `SIGHUP`: read the configuration again.
    Reload,
    /// The last one, whoever may still hold the other end.
    End,
}

/// What the delivery thread tells the loop.
#[derive(Debug)]
pub enum Word {
    /// A new configuration is in force.
    Reloaded(Options),
    /// Nobody reads the records any more; why.
    ReaderGone(String),
}

/// Where records go. Called from the delivery thread only.
pub trait Outlet: Send {
    /// Delivers one record.
    ///
    /// # Errors
    /// Why there is nobody left to deliver to; the watcher then ends. A sink that
    /// merely fails is the outlet's own affair.
    fn record(&mut self, record: &Record) -> Result<(), String>;

    /// The state of the watcher changed.
    fn status(&mut self, _status: &Status) {}

    /// What was told since the start.
    fn told(&self) -> Told {
        Told::default()
    }

    /// The first survey is marked.
    fn ready(&mut self, _watched: usize) {}

    /// Reads the configuration again; `None` keeps the old one.
    fn reload(&mut self) -> Option<Options> {
        None
    }
}

/// The loop's end of the delivery thread.
#[derive(Debug)]
pub struct Deliverer {
    /// Where records are put.
    pub queue: Sender<Delivery>,
    /// What the thread tells.
    pub words: Receiver<Word>,
    /// Where states are kept; `None`: nowhere.
    pub store: Option<Arc<Store>>,
    /// What its thread and the keeper of states are at.
    pub progress: Vec<Arc<Progress>>,
    thread: JoinHandle<()>,
}

impl Deliverer {
    /// Starts the thread. `bell` is rung after each word.
    ///
    /// # Errors
    /// When no thread can be made.
    pub fn start(
        outlet: Box<dyn Outlet>,
        bell: Arc<Wake>,
        states: Opened,
        realtime: bool,
    ) -> io::Result<Self> {
        let (queue, deliveries) = bounded(ROOM);
        let (tell, words) = bounded(16);
        let (store, trouble) = (states.store, states.trouble);
        let keeper = store
            .as_ref()
            .map(|store| Keeper::start(Arc::clone(store), queue.clone(), realtime))
            .transpose()?;
        let progress = Progress::of("deliver");
        let keeping = keeper.iter().map(|keeper| Arc::clone(&keeper.progress));
        let all = keeping.chain([Arc::clone(&progress)]).collect();
        let work = Work {
            outlet,
            containers: 0,
            progress,
            give_back: None,
            keeper,
        };
        let thread = thread::Builder::new()
            .name("deliver".to_owned())
            .spawn(move || {
                let pace = Pace::of_alerts(realtime);
                work.run(trouble, (&deliveries, pace), &tell, &bell);
            })?;
        Ok(Self {
            queue,
            words,
            store,
            progress: all,
            thread,
        })
    }

    /// States that could not be read or written since the start.
    #[must_use]
    pub fn state_failures(&self) -> u64 {
        self.store.as_ref().map_or(0, |store| store.failures())
    }

    /// Hangs up; the thread delivers what is queued and ends.
    #[must_use]
    pub fn finish(self) -> JoinHandle<()> {
        // An examiner that is stuck keeps its end.
        let _ = self.queue.try_send(Delivery::End);
        self.thread
    }
}

/// What the thread works with.
struct Work {
    outlet: Box<dyn Outlet>,
    /// Containers in the last status.
    containers: usize,
    /// When freed memory goes back to the kernel.
    give_back: Option<Instant>,
    /// Where states are kept; `None`: nowhere.
    keeper: Option<Keeper>,
    progress: Arc<Progress>,
}

impl Work {
    fn run(
        mut self,
        trouble: Option<Gap>,
        (deliveries, mut pace): (&Receiver<Delivery>, Pace),
        tell: &Sender<Word>,
        bell: &Wake,
    ) {
        let mut word = trouble.and_then(|gap| self.gap(gap));
        loop {
            if let Some(word) = word.take() {
                let gone = matches!(word, Word::ReaderGone(_));
                let _ = tell.try_send(word);
                bell.ring();
                if gone {
                    break;
                }
            }
            self.progress.rests();
            let due = self.give_back;
            let next = pace.rest(|| match due {
                Some(due) => deliveries.recv_deadline(due),
                None => deliveries
                    .recv()
                    .map_err(|_| RecvTimeoutError::Disconnected),
            });
            self.progress.works(None);
            word = match next {
                Ok(Delivery::End) => break,
                Ok(delivery) => self.deliver(delivery),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => break,
            };
            self.tidy();
        }
        if let Some(keeper) = self.keeper {
            keeper.finish();
        }
    }

    fn deliver(&mut self, delivery: Delivery) -> Option<Word> {
        match delivery {
            Delivery::Record(record) => return self.record(&record),
            Delivery::Act { records, remember } => return self.act(&records, remember),
            Delivery::Forget(key) => {
                let trouble = self.keeper.as_mut()?.forget(key);
                return trouble.and_then(|gap| self.gap(gap));
            }
            Delivery::Heartbeat(mut status) => {
                status.counters.tell(self.outlet.told());
                return self.record(&Record::Heartbeat(Box::new(
                    status.heartbeat(SystemTime::now()),
                )));
            }
            Delivery::Status(mut status) => {
                status.counters.tell(self.outlet.told());
                let containers = status.containers.len();
                self.outlet.status(&status);
                if containers < std::mem::replace(&mut self.containers, containers) {
                    self.give_back = Some(Instant::now() + CALM);
                }
            }
            Delivery::Ready(watched) => self.outlet.ready(watched),
            Delivery::Reload => return self.outlet.reload().map(Word::Reloaded),
            Delivery::End => {}
        }
        None
    }

    fn record(&mut self, record: &Record) -> Option<Word> {
        self.outlet.record(record).err().map(Word::ReaderGone)
    }

    fn gap(&mut self, gap: Gap) -> Option<Word> {
        self.record(&Record::Gap(Box::new(gap)))
    }

    /// Noted, told, stored, in this order: whenever this ends halfway, the next run
    /// tells it again, and knows that it may be for the second time.
    fn act(&mut self, records: &[Record], remember: Option<Arc<Remember>>) -> Option<Word> {
        let mut kept = self.keeper.as_mut().zip(remember);
        let mut trouble = None;
        if let Some((keeper, remember)) = &mut kept
            && !records.is_empty()
        {
            trouble = keeper.telling(remember, changes(records));
        }
        for record in records {
            if let Err(why) = self.outlet.record(record) {
                return Some(Word::ReaderGone(why));
            }
        }
        if let Some((keeper, remember)) = kept {
            let later = if records.is_empty() {
                keeper.later(remember)
            } else {
                keeper.told(remember)
            };
            trouble = trouble.or(later);
        }
        self.gap(trouble?)
    }

    /// Gives memory back, once what went is freed.
    fn tidy(&mut self) {
        if self.give_back.is_some_and(|due| due <= Instant::now()) {
            self.give_back = None;
            limits::give_back();
        }
    }
}

fn changes(records: &[Record]) -> Vec<Change> {
    let change = |record: &Record| match record {
        Record::Finding(finding) => Some(finding.change),
        Record::Gap(_) | Record::Enrichment(_) | Record::Heartbeat(_) => None,
    };
    records.iter().filter_map(change).collect()
}
