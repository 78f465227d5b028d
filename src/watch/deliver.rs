//! The delivery thread: records to the outlet, which knows the sinks. The loop
//! and the examiner never write anything themselves.

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::model::Record;
use crate::sys::epoll::Wake;
use crate::watch::run::Options;
use crate::watch::status::Status;

/// Records that may wait for the sinks.
const ROOM: usize = 4096;

/// What is to be delivered.
#[derive(Debug)]
pub enum Delivery {
    /// A finding or a gap.
    Record(Record),
    /// The state of the watcher, for the status file.
    Status(Box<Status>),
    /// The first survey is marked; that many root filesystems are watched.
    Ready(usize),
    /// `SIGHUP`: read the configuration again.
    Reload,
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
    thread: JoinHandle<()>,
}

impl Deliverer {
    /// Starts the thread. `bell` is rung after each word.
    ///
    /// # Errors
    /// When no thread can be made.
    pub fn start(outlet: Box<dyn Outlet>, bell: Arc<Wake>) -> io::Result<Self> {
        let (queue, deliveries) = bounded(ROOM);
        let (tell, words) = bounded(16);
        let thread = thread::Builder::new()
            .name("deliver".to_owned())
            .spawn(move || work(outlet, &deliveries, &tell, &bell))?;
        Ok(Self {
            queue,
            words,
            thread,
        })
    }

    /// Hangs up; the thread delivers what is queued and ends.
    #[must_use]
    pub fn finish(self) -> JoinHandle<()> {
        self.thread
    }
}

fn work(
    mut outlet: Box<dyn Outlet>,
    deliveries: &Receiver<Delivery>,
    tell: &Sender<Word>,
    bell: &Wake,
) {
    for delivery in deliveries {
        let word = match delivery {
            Delivery::Record(record) => outlet.record(&record).err().map(Word::ReaderGone),
            Delivery::Status(status) => {
                outlet.status(&status);
                None
            }
            Delivery::Ready(watched) => {
                outlet.ready(watched);
                None
            }
            Delivery::Reload => outlet.reload().map(Word::Reloaded),
        };
        if let Some(word) = word {
            let gone = matches!(word, Word::ReaderGone(_));
            let _ = tell.try_send(word);
            bell.ring();
            if gone {
                return;
            }
        }
    }
}
