//! The survey's thread: sleeps until the loop asks, reads the host, tells the
//! loop, rings its bell.
//!
//! A container that was just mounted has no init yet, and its files may still be
//! being written; a few more looks at growing intervals fill that in.

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError, bounded};

use crate::model::RootfsId;
use crate::survey::sight::{News, Survey};
use crate::sys::epoll::Wake;

/// Wake-ups come in bursts (a start mounts several times); this long they gather.
const DEBOUNCE: Duration = Duration::from_millis(1);
/// Further looks after a pass that left something incomplete.
const AGAIN: [Duration; 5] = [
    Duration::from_millis(30),
    Duration::from_millis(100),
    Duration::from_millis(300),
    Duration::from_secs(1),
    Duration::from_secs(3),
];
/// Room for news; the survey waits when the loop is behind.
const NEWS: usize = 256;
/// Room for questions; a question that is already waiting need not be asked twice.
const ASKS: usize = 64;

/// What the loop asks of the survey.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// Read the host.
    Pass,
    /// Look again at the way to one container's file.
    Again(RootfsId),
}

/// The loop's end of the survey.
#[derive(Debug)]
pub struct Surveyor {
    asks: Option<Sender<Ask>>,
    /// What the survey tells.
    pub news: Receiver<News>,
    thread: Option<JoinHandle<()>>,
}

impl Surveyor {
    /// Starts the thread. `bell` is rung after each piece of news.
    ///
    /// # Errors
    /// When no thread can be made.
    pub fn start(survey: Survey, bell: Arc<Wake>) -> std::io::Result<Self> {
        let (ask, asks) = bounded(ASKS);
        let (tell, news) = bounded(NEWS);
        let thread = thread::Builder::new()
            .name("survey".to_owned())
            .spawn(move || work(survey, &asks, &tell, &bell))?;
        Ok(Self {
            asks: Some(ask),
            news,
            thread: Some(thread),
        })
    }

    /// Asks, without ever waiting. Whether the question was taken: with the queue
    /// full, a pass is waiting in it anyway.
    pub fn ask(&self, ask: Ask) -> bool {
        match self.asks.as_ref().map(|asks| asks.try_send(ask)) {
            Some(Err(TrySendError::Full(_))) | None => false,
            Some(_) => true,
        }
    }

    /// Ends the thread after its current pass.
    pub fn stop(mut self) {
        self.asks = None;
        // The survey may be waiting for room in a queue nobody reads any more.
        let (_, nobody) = bounded(0);
        self.news = nobody;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn work(mut survey: Survey, asks: &Receiver<Ask>, tell: &Sender<News>, bell: &Wake) {
    let mut tell = |news| {
        if tell.send(news).is_ok() {
            bell.ring();
        }
    };
    let mut again = AGAIN.iter();
    let mut next = None;
    loop {
        let first = match next {
            Some(limit) => asks.recv_timeout(limit),
            None => asks.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        let mut pass = false;
        match first {
            Ok(ask) => {
                thread::sleep(DEBOUNCE);
                for ask in std::iter::once(ask).chain(asks.try_iter()) {
                    match ask {
                        Ask::Pass => pass = true,
                        Ask::Again(id) => survey.again(id, &mut tell),
                    }
                }
                if pass {
                    again = AGAIN.iter();
                }
            }
            Err(RecvTimeoutError::Timeout) => pass = true,
            Err(RecvTimeoutError::Disconnected) => return,
        }
        if pass {
            survey.pass(&mut tell);
        }
        next = if survey.is_incomplete() {
            again.next().copied()
        } else {
            None
        };
    }
}
