//! The survey's thread: sleeps until the loop asks, reads the host, tells the
//! loop, rings its bell.
//!
//! A container that was just mounted has no init yet, and its files may still be
//! being written; a few more looks at growing intervals fill that in. What the host's
//! mount table does not show is waited for by the lookout, on the same thread.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TryRecvError, TrySendError, bounded};

use crate::model::RootfsId;
use crate::survey::sight::{News, Survey};
use crate::sys::epoll::Wake;
use crate::sys::sched;
use crate::watch::lookout::{Call, Lookout};
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
    /// The same, and see whether all that is to be watched still is.
    Sweep,
    /// Look again at the way to one container's file.
    Again(RootfsId),
}

/// Asks the survey, without ever waiting. A question that finds no room becomes the
/// question for all: nothing asked is forgotten.
#[derive(Debug, Clone)]
pub struct Asker {
    asks: Sender<Ask>,
    all: Arc<AtomicBool>,
    /// Wakes the survey; nobody has none.
    knock: Option<Arc<Wake>>,
}

impl Asker {
    /// Asks nobody, for work without a survey.
    #[must_use]
    pub fn nobody() -> Self {
        Self {
            asks: bounded(0).0,
            all: Arc::default(),
            knock: None,
        }
    }

    /// Asks.
    pub fn ask(&self, ask: Ask) {
        if let Err(TrySendError::Full(_)) = self.asks.try_send(ask) {
            self.all.store(true, Ordering::Relaxed);
        }
        if let Some(knock) = &self.knock {
            knock.ring();
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
        let knock = Arc::new(Wake::new()?);
        let asker = Asker {
            asks: ask,
            all: Arc::clone(&all),
            knock: Some(Arc::clone(&knock)),
        };
        let lookout = Lookout::new(knock);
        let progress = Progress::of("survey");
        let own = Arc::clone(&progress);
        thread::Builder::new()
            .name("survey".to_owned())
            .spawn(move || {
                let work = Work {
                    survey,
                    lookout,
                    asks: &asks,
                    all: &all,
                };
                work.run((&tell, &bell), &own);
            })?;
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

/// The survey, its lookout and its ends of the channels.
struct Work<'a> {
    survey: Survey,
    lookout: Lookout,
    asks: &'a Receiver<Ask>,
    all: &'a AtomicBool,
}

impl Work<'_> {
    fn run(mut self, (news, bell): (&Sender<News>, &Wake), progress: &Progress) {
        // A container comes up meanwhile. What the thread does is bounded.
        let _ = sched::favoured();
        let mut tell = |piece| {
            progress.works(None);
            if news.send(piece).is_ok() {
                bell.ring();
            }
        };
        let mut again = AGAIN.iter();
        let mut next: Option<Instant> = None;
        loop {
            progress.rests();
            let call = self.lookout.wait(next);
            progress.works(None);
            let Some(asked) = self.look(call, &mut tell) else {
                return;
            };
            let due = next.is_some_and(|due| due <= Instant::now());
            let fresh = asked | self.lookout.takes_pass();
            if fresh {
                // What came up late is to be looked for as long as what came at once.
                again = AGAIN.iter();
            }
            if fresh || due {
                self.survey.pass(&mut tell);
                let left = self.survey.is_incomplete().then(|| again.next()).flatten();
                next = left.map(|pause| Instant::now() + *pause);
                self.lookout.follow(&self.survey);
            }
        }
    }

    /// First what cannot wait: answers and a pass over many processes take their time.
    fn look(&mut self, call: Call, tell: &mut dyn FnMut(News)) -> Option<bool> {
        self.lookout.look(&mut self.survey, tell);
        if call == Call::Else {
            return Some(false);
        }
        let asked = self.answer(tell);
        self.lookout.look(&mut self.survey, tell);
        asked
    }

    /// Answers all questions; whether a pass is asked for. `None`: nobody asks any more.
    fn answer(&mut self, tell: &mut dyn FnMut(News)) -> Option<bool> {
        thread::sleep(DEBOUNCE);
        let mut asked = HashSet::new();
        loop {
            match self.asks.try_recv() {
                Ok(ask) => asked.insert(ask),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => return None,
            };
        }
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
        if asked.contains(&Ask::Sweep) {
            self.lookout.refresh();
            self.survey.papers_again(tell);
        }
        Some(all || asked.contains(&Ask::Pass) || asked.contains(&Ask::Sweep))
    }
}
