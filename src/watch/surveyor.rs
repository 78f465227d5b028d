//! The survey's thread: sleeps until the loop asks, reads the host, tells the
//! loop, rings its bell.
//!
//! A container that was just mounted has no init yet, and its files may still be
//! being written; a few more looks at growing intervals fill that in.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError, bounded};

use crate::model::RootfsId;
use crate::survey::sight::{News, Survey};
use crate::sys::epoll::Wake;
use crate::watch::vigil::Progress;

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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ask {
    /// Read the host.
    Pass,
    /// Look again at the way to one container's file.
    Again(RootfsId),
}

/// Asks the survey, without ever waiting. A question that finds no room becomes the
/// question for all: nothing asked is forgotten.
#[derive(Debug, Clone)]
pub struct Asker {
    asks: Sender<Ask>,
    all: Arc<AtomicBool>,
}

impl Asker {
    /// Asks nobody, for work without a survey.
    #[must_use]
    pub fn nobody() -> Self {
        Self {
            asks: bounded(0).0,
            all: Arc::default(),
        }
    }

    /// Asks.
    pub fn ask(&self, ask: Ask) {
        if let Err(TrySendError::Full(_)) = self.asks.try_send(ask) {
            self.all.store(true, Ordering::Relaxed);
        }
    }
}

/// The loop's end of the survey.
#[derive(Debug)]
pub struct Surveyor {
    asker: Asker,
    /// What the survey tells.
    pub news: Receiver<News>,
    /// What its thread is at.
    pub progress: Arc<Progress>,
}

impl Surveyor {
    /// Starts the thread. `bell` is rung after each piece of news.
    ///
    /// # Errors
    /// When no thread can be made.
    pub fn start(survey: Survey, bell: Arc<Wake>) -> std::io::Result<Self> {
        let (ask, asks) = bounded(ASKS);
        let (tell, news) = bounded(NEWS);
        let all = Arc::new(AtomicBool::new(false));
        let asker = Asker {
            asks: ask,
            all: Arc::clone(&all),
        };
        let progress = Progress::of("survey");
        let own = Arc::clone(&progress);
        thread::Builder::new()
            .name("survey".to_owned())
            .spawn(move || work(survey, (&asks, &all), (&tell, &bell), &own))?;
        Ok(Self {
            asker,
            news,
            progress,
        })
    }

    /// Asks, without ever waiting.
    pub fn ask(&self, ask: Ask) {
        self.asker.ask(ask);
    }

    /// A way for another thread to ask.
    #[must_use]
    pub fn asker(&self) -> Asker {
        self.asker.clone()
    }
}

/// The survey and its ends of the channels.
struct Work<'a> {
    survey: Survey,
    asks: &'a Receiver<Ask>,
    all: &'a AtomicBool,
}

fn work(
    survey: Survey,
    (asks, all): (&Receiver<Ask>, &AtomicBool),
    (news, bell): (&Sender<News>, &Wake),
    progress: &Progress,
) {
    let mut tell = |piece| {
        progress.works(None);
        if news.send(piece).is_ok() {
            bell.ring();
        }
    };
    let mut work = Work { survey, asks, all };
    let mut again = AGAIN.iter();
    let mut next = None;
    loop {
        progress.rests();
        let first = match next {
            Some(limit) => asks.recv_timeout(limit),
            None => asks.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        progress.works(None);
        let pass = match first {
            Ok(ask) => work.answer(ask, &mut tell),
            Err(RecvTimeoutError::Timeout) => true,
            Err(RecvTimeoutError::Disconnected) => return,
        };
        if pass {
            if first.is_ok() {
                again = AGAIN.iter();
            }
            work.survey.pass(&mut tell);
        }
        next = if work.survey.is_incomplete() {
            again.next().copied()
        } else {
            None
        };
    }
}

impl Work<'_> {
    /// Answers a question and all that came with it; whether a pass is asked for.
    fn answer(&mut self, first: Ask, tell: &mut dyn FnMut(News)) -> bool {
        thread::sleep(DEBOUNCE);
        let asked: HashSet<Ask> = std::iter::once(first).chain(self.asks.try_iter()).collect();
        let all = self.all.swap(false, Ordering::Relaxed);
        if all {
            self.survey.all_again(tell);
        }
        for ask in &asked {
            if let Ask::Again(id) = ask
                && !all
            {
                self.survey.again(*id, tell);
            }
        }
        all || asked.contains(&Ask::Pass)
    }
}
