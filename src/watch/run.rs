//! THE LOOP. It waits for events, a changed mount table, the survey's answer, a
//! signal, a deadline or the sweep, and hands on what follows from each.
//!
//! It owns all watching state and makes every mark. It never walks a path that a
//! container controls, never parses a mount table, never writes to a sink: those
//! who do work on threads of their own, and it never waits for them.

use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::model::{Detection, RootfsId, Rung};
use crate::sys::epoll::{Interest, Waiter, Wake};
use crate::sys::limits;
use crate::sys::sched::Priority;
use crate::sys::signals::Arrivals;
use crate::watch::crew::{Crew, Hired, Seat};
use crate::watch::deliver::{Deliverer, Delivery, Outlet, Word};
use crate::watch::jobs::Job;
use crate::watch::losses::Losses;
use crate::watch::marks::Marks;
use crate::watch::pace::Pace;
use crate::watch::queue::{Jobs, Pace as Queue};
use crate::watch::service::Service;
use crate::watch::status::Counters;
use crate::watch::surveyor::{Ask, Surveyor};
use crate::watch::vigil::Vigil;
use crate::watch::watched::Watched;
use crate::who::boot::Boot;
use crate::who::trail::Trail;

const STOP: u64 = 0;
const RELOAD: u64 = 1;
const MOUNTS: u64 = 2;
const BELL: u64 = 3;
pub(super) const TRAIL: u64 = 4;
/// Tokens from here on are lanes of marks.
pub(super) const LANES: u64 = 16;

/// Tokens from here on are mount tables, and inits, by root filesystem.
pub(super) const TABLES: u64 = 1 << 32;
pub(super) const INITS: u64 = 1 << 48;

/// How soon an act that found no room is offered again.
const RETRY: Duration = Duration::from_millis(5);
/// How long the threads may take to end.
const FAREWELL: Duration = Duration::from_millis(1500);

/// What the loop is told to do.
#[derive(Debug, Clone)]
pub struct Options {
    /// How long an act without a close is waited for.
    pub settle: Duration,
    /// How often everything is looked at; `None`: never.
    pub sweep: Option<Duration>,
    /// How often a sign of life is told; `None`: never.
    pub heartbeat: Option<Duration>,
    /// Run under `SCHED_FIFO` when allowed.
    pub realtime: bool,
    /// Keep a trail of the programs that containers execute.
    pub exec_trail: bool,
    /// The one rung to use; `None`: the best for each root filesystem.
    pub rung: Option<Rung>,
    /// Bytes of content kept.
    pub quote: usize,
    /// Further directories with runc or crun states.
    pub state_roots: Vec<std::path::PathBuf>,
    /// Where the last known states are kept, as of the start; `None`: nowhere.
    pub state_dir: Option<std::path::PathBuf>,
}

/// Why the loop ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Ended {
    /// It was asked to.
    Asked,
    /// Nobody reads the records any more; why.
    ReaderGone(String),
}

/// The watcher.
#[derive(Debug)]
pub struct Watch {
    pub(super) options: Options,
    pub(super) waiter: Waiter,
    pub(super) marks: Marks,
    pub(super) trail: Trail,
    pub(super) watched: HashMap<RootfsId, Watched>,
    pub(super) surveyor: Surveyor,
    pub(super) deliverer: Deliverer,
    pub(super) counters: Counters,
    pub(super) dropped: Arc<AtomicU64>,
    pub(super) left_out: Arc<AtomicU64>,
    pub(super) started: Instant,
    pub(super) pace: Pace,
    pub(super) ready: bool,
    pub(super) status_due: Option<Instant>,
    pub(super) beat_due: Option<Instant>,
    /// The service manager; nobody, unless the verb says otherwise.
    pub service: Service,
    pub(super) jobs: Jobs,
    pub(super) examiner: Hired,
    pub(super) seat: Seat,
    pub(super) vigil: Vigil,
    pub(super) bell: Arc<Wake>,
    _mounts: File,
    stop: Arrivals,
    reload: Arrivals,
    pub(super) boot: Boot,
    pub(super) acting: Vec<RootfsId>,
    pub(super) owing: bool,
    /// Jobs that are never folded and found no room yet.
    pub(super) late: VecDeque<(Job, Queue)>,
    /// Containers whose mount table is not waited for at the moment.
    pub(super) resting: Vec<RootfsId>,
    next_sweep: Option<Instant>,
    pub(super) losses: Losses,
}

impl Watch {
    /// Makes the group, the threads and everything else that can fail.
    ///
    /// # Errors
    /// `EPERM`: no `CAP_SYS_ADMIN`; `ENOSYS`: this kernel has no fanotify.
    pub fn new(options: Options, outlet: Box<dyn Outlet>) -> io::Result<Self> {
        let (waiter, boot) = (Waiter::new()?, Boot::read());
        // As many files as allowed; fewer are told when they run out.
        let _ = limits::raise_files();
        limits::stay_small();
        let marks = Marks::new(LANES, options.rung)?;
        let (stop, reload) = (Arrivals::of_stop()?, Arrivals::of_reload()?);
        let mounts = File::open("/proc/self/mountinfo")?;
        let bell = Arc::new(Wake::new()?);
        for (arrivals, token) in [(&stop, STOP), (&reload, RELOAD)] {
            waiter.add(arrivals, Interest::Readable, token)?;
        }
        waiter.add(&mounts, Interest::Priority, MOUNTS)?;
        waiter.add(&*bell, Interest::Readable, BELL)?;
        let trail = Trail::new(options.exec_trail);
        if let Some(queue) = trail.queue() {
            waiter.add(queue, Interest::Once, TRAIL)?;
        }
        let crew = Crew::start(&options, outlet, &boot, &bell)?;
        let now = Instant::now();
        Ok(Self {
            next_sweep: options.sweep.map(|sweep| now + sweep),
            beat_due: options.heartbeat.map(|_| now),
            pace: Pace::new(options.realtime.then_some(Priority::Loop), now),
            options,
            waiter,
            marks,
            trail,
            watched: HashMap::new(),
            surveyor: crew.surveyor,
            deliverer: crew.deliverer,
            counters: Counters::default(),
            dropped: crew.dropped,
            left_out: crew.left_out,
            started: now,
            ready: false,
            status_due: None,
            service: Service::default(),
            jobs: crew.jobs,
            examiner: crew.examiner,
            seat: crew.seat,
            vigil: crew.vigil,
            bell,
            _mounts: mounts,
            stop,
            reload,
            boot,
            acting: Vec::new(),
            owing: false,
            late: VecDeque::new(),
            resting: Vec::new(),
            losses: Losses::default(),
        })
    }

    /// The loop, until it is asked to end or nobody reads any more.
    ///
    /// # Errors
    /// The errno of epoll_wait(2): nothing can be waited for any more.
    pub fn run(mut self) -> io::Result<Ended> {
        self.pace.begin();
        self.surveyor.ask(Ask::Pass);
        let mut tokens = Vec::new();
        let ended = loop {
            self.pace.sleeps(Instant::now());
            self.waiter.wait(self.time_left(), &mut tokens)?;
            self.pace.wakes(Instant::now());
            // The lane of a container that has one to itself comes last.
            tokens.sort_by_key(|token| {
                let lane = token.checked_sub(LANES).filter(|_| *token < TABLES);
                let lane = lane.and_then(|lane| usize::try_from(lane).ok());
                lane.is_some_and(|lane| self.marks.owner(lane).is_some())
            });
            for &token in &tokens {
                match token {
                    STOP if self.stop.take() => {
                        self.finish();
                        self.farewell();
                        return Ok(Ended::Asked);
                    }
                    RELOAD if self.reload.take() => self.deliver(Delivery::Reload),
                    // The poll itself clears the condition; the table is read elsewhere.
                    MOUNTS => self.surveyor.ask(Ask::Pass),
                    BELL => self.bell.clear(),
                    init if init >= INITS => self.init_ended(RootfsId(init - INITS)),
                    table if table >= TABLES => self.table_moved(RootfsId(table - TABLES)),
                    lane if lane >= LANES => self.events(lane - LANES),
                    _ => {}
                }
            }
            if tokens.contains(&TRAIL) {
                self.trail_rings(Instant::now());
            }
            self.news();
            if let Some(gone) = self.words() {
                break gone;
            }
            let now = Instant::now();
            self.read_the_rest(now);
            self.release(Some(now));
            self.pay_debts();
            self.tick();
        };
        self.farewell();
        Ok(ended)
    }

    /// How long to sleep at most.
    fn time_left(&self) -> Option<Duration> {
        let acting = self
            .acting
            .iter()
            .filter_map(|id| self.watched.get(id)?.deadline());
        let fixed = [
            self.next_sweep,
            self.losses.due,
            // Not written before the first survey is over: waiting for it would spin.
            self.status_due.filter(|_| self.ready),
            self.service.due(),
            self.beat_alone(),
            self.next_rested(),
            self.trail.due(),
            self.vigil.due(),
        ]
        .into_iter()
        .flatten();
        let due = acting
            .chain(fixed)
            .min()
            .map(|due| due.saturating_duration_since(Instant::now()));
        if self.owing {
            Some(due.map_or(RETRY, |due| due.min(RETRY)))
        } else {
            due
        }
    }

    /// What the delivery thread has to say.
    fn words(&mut self) -> Option<Ended> {
        while let Ok(word) = self.deliverer.words.try_recv() {
            match word {
                Word::Reloaded(options) => {
                    self.next_sweep = options.sweep.map(|sweep| Instant::now() + sweep);
                    self.beat_due = options.heartbeat.map(|_| Instant::now());
                    self.options = options;
                }
                Word::ReaderGone(why) => return Some(Ended::ReaderGone(why)),
            }
        }
        None
    }

    /// What is due by the clock.
    fn tick(&mut self) {
        let now = Instant::now();
        self.read_trail(now);
        self.wake_tables(now);
        if self.losses.is_due(now) {
            self.tell_losses(now);
        }
        if self.next_sweep.is_some_and(|due| due <= now) {
            self.next_sweep = self.options.sweep.map(|sweep| now + sweep);
            self.surveyor.ask(Ask::Sweep);
            self.read_all();
            self.look_at_all(Detection::Sweep);
            self.mark_again();
            self.status_due.get_or_insert(now);
        }
        self.report(now);
    }

    pub(super) fn look_at_all(&mut self, detection: Detection) {
        let all: Vec<RootfsId> = self.watched.keys().copied().collect();
        for id in all {
            self.look(id, detection);
        }
    }

    /// Lets the threads finish what is queued, for a bounded time.
    fn farewell(self) {
        let Self {
            jobs,
            examiner,
            deliverer,
            surveyor,
            seat,
            ..
        } = self;
        drop((jobs, seat));
        let end = Instant::now() + FAREWELL;
        // The sinks have a part of the time, whatever the examiner does.
        wait_for(&examiner.thread, end - FAREWELL / 2);
        let deliver = deliverer.finish();
        wait_for(&deliver, end);
        drop(surveyor);
    }
}

fn wait_for(thread: &JoinHandle<()>, end: Instant) {
    while !thread.is_finished() && Instant::now() < end {
        thread::sleep(Duration::from_millis(2));
    }
}
