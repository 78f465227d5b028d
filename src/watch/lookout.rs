//! What the survey's thread waits for by itself: new cgroups, the start of a runtime's
//! program, the mount tables of namespaces in which a container may be coming up.
//!
//! A new cgroup is asked for its processes at growing intervals for a second. The first
//! that has a mount namespace of its own gives the namespace; from then on its table
//! tells each step, until the root is there. All of it is bounded: a container makes
//! cgroups, namespaces and mounts as it likes.

mod follow;

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use self::follow::Followed;
use crate::reach::read_table;
use crate::survey::file::read_up_to;
use crate::survey::groups::{Born, Groups};
use crate::survey::sight::{News, Survey};
use crate::sys::epoll::{Interest, Waiter, Wake};

const KNOCK: u64 = 0;
const GROUPS: u64 = 1;
/// Between two readings of the cgroups' queue: the shortest, and the longest while they
/// are made without end.
const PAUSE: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(50));
/// What was quiet for this long starts with the shortest pause again.
const QUIET: Duration = Duration::from_secs(2);
/// Intervals at which a new cgroup is asked: doubling from the first to the last.
const ASKED: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(512));
/// New cgroups that are asked at a time, and processes of one.
const YOUNG: usize = 256;
const PIDS: usize = 16;
/// Bytes of a list of processes.
const LIST: u64 = 64 * 1024;
/// Passes after the start of a runtime's program.
const PASSES: [Duration; 5] = [
    Duration::from_millis(5),
    Duration::from_millis(25),
    Duration::from_millis(60),
    Duration::from_millis(150),
    Duration::from_millis(400),
];

/// What ended a wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// Somebody asks.
    Asked,
    /// The time is up, or there is something to look at.
    Else,
}

/// Descriptors and deadlines of the survey's thread.
#[derive(Debug)]
pub struct Lookout {
    waiter: Waiter,
    knock: Arc<Wake>,
    tokens: Vec<u64>,
    groups: Option<Groups>,
    /// The queue of cgroups has something.
    born: bool,
    last: Instant,
    pause: Duration,
    /// The queue is not waited for until then.
    resting: Option<Instant>,
    /// Cgroups that may get their first process: when to ask next, and the interval.
    young: HashMap<PathBuf, (Instant, Duration)>,
    followed: HashMap<u64, Followed>,
    /// Which of the passes after a start is next, and when.
    pass: Option<(usize, Instant)>,
}

impl Lookout {
    /// Waits for `knock`, and for cgroups where inotify can be had: without it the sweep
    /// finds what starts.
    ///
    /// # Errors
    /// The errno of epoll_create1(2).
    pub fn new(knock: Arc<Wake>) -> io::Result<Self> {
        let waiter = Waiter::new()?;
        waiter.add(&*knock, Interest::Readable, KNOCK)?;
        let table = read_table(Path::new("/proc/self/mountinfo")).unwrap_or_default();
        let groups = Groups::new(&table).ok();
        if let Some(groups) = &groups {
            waiter.add(groups, Interest::Readable, GROUPS)?;
        }
        Ok(Self {
            waiter,
            knock,
            tokens: Vec::new(),
            groups,
            born: false,
            last: Instant::now(),
            pause: PAUSE.0,
            resting: None,
            young: HashMap::new(),
            followed: HashMap::new(),
            pass: None,
        })
    }

    /// Waits until somebody asks, something is there to look at, or `due`.
    pub fn wait(&mut self, due: Option<Instant>) -> Call {
        let now = Instant::now();
        let young = self.young.values().map(|(due, _)| *due);
        let tables = self
            .followed
            .values()
            .filter_map(|followed| followed.resting);
        let pass = self.pass.map(|(_, due)| due);
        let fixed = [due, self.resting, pass].into_iter().flatten();
        let until = young.chain(tables).chain(fixed).min();
        let left = until.map(|until| until.saturating_duration_since(now));
        let mut tokens = std::mem::take(&mut self.tokens);
        // A wait that fails would spin; nothing but a bug makes it fail.
        if self.waiter.wait(left, &mut tokens).is_err() {
            std::thread::sleep(PAUSE.1);
        }
        let mut call = Call::Else;
        for &token in &tokens {
            match token {
                KNOCK => {
                    self.knock.clear();
                    call = Call::Asked;
                }
                GROUPS => self.born = true,
                token => self.table_moved(token),
            }
        }
        self.tokens = tokens;
        call
    }

    /// A pass is due: a runtime's program was started.
    pub fn takes_pass(&mut self) -> bool {
        let now = Instant::now();
        let Some((next, _)) = self.pass.filter(|(_, due)| *due <= now) else {
            return false;
        };
        self.pass = PASSES.get(next).map(|pause| (next + 1, now + *pause));
        true
    }

    /// Looks at all that is due.
    pub fn look(&mut self, survey: &mut Survey, tell: &mut dyn FnMut(News)) {
        let now = Instant::now();
        self.new_groups(now);
        self.ask_young(now, survey, tell);
        self.tables(now, survey, tell);
        self.follow(survey);
    }

    /// Watches again what is to be watched.
    pub fn refresh(&mut self) {
        if let Some(groups) = &mut self.groups {
            groups.refresh();
        }
    }

    /// Reads the queue of cgroups, after a pause that grows while they come without end.
    fn new_groups(&mut self, now: Instant) {
        let Some(groups) = &mut self.groups else {
            return;
        };
        if self.resting.is_some_and(|until| until <= now) {
            self.resting = None;
            let _ = self.waiter.add(&*groups, Interest::Readable, GROUPS);
        }
        if !std::mem::take(&mut self.born) {
            return;
        }
        let quiet = now.saturating_duration_since(self.last) > QUIET;
        self.pause = if quiet {
            PAUSE.0
        } else {
            (self.pause * 2).min(PAUSE.1)
        };
        self.last = now;
        let lost = Born {
            lost: true,
            ..Born::default()
        };
        let born = groups.read().unwrap_or(lost);
        // It is told at once when there is more; so it rests out of the wait.
        let _ = self.waiter.remove(&*groups);
        self.resting = Some(Instant::now() + self.pause);
        for group in born.groups {
            if self.young.len() < YOUNG {
                self.young.insert(group, (now, ASKED.0));
            } else {
                // Too many to ask each: what is in them shows in a pass.
                self.start_passes(now);
            }
        }
        if born.started || born.lost {
            self.start_passes(now);
        }
    }

    /// One row of passes at a time, whatever is started meanwhile.
    fn start_passes(&mut self, now: Instant) {
        let first = || (1, now + PASSES[0]);
        self.pass.get_or_insert_with(first);
    }

    /// Asks new cgroups for their processes.
    fn ask_young(&mut self, now: Instant, survey: &mut Survey, tell: &mut dyn FnMut(News)) {
        let due: Vec<PathBuf> = self
            .young
            .iter()
            .filter(|(_, (due, _))| *due <= now)
            .map(|(group, _)| group.clone())
            .collect();
        for group in due {
            let Some(found) = pids(&group).map(|pids| survey.processes_of(&pids, tell)) else {
                self.young.remove(&group);
                continue;
            };
            if let Some(namespace) = found {
                self.young.remove(&group);
                self.follow(survey);
                self.led_to(namespace, group);
            } else if let Some((due, pause)) = self.young.get_mut(&group) {
                *due = now + *pause;
                *pause *= 2;
                if *pause > ASKED.1 {
                    self.young.remove(&group);
                }
            }
        }
    }
}

/// The processes of a cgroup; `None` when it is gone.
fn pids(group: &Path) -> Option<Vec<i32>> {
    let text = read_up_to(&group.join("cgroup.procs"), LIST)?;
    let lines = text.split(|&byte| byte == b'\n').take(PIDS);
    let number = |line: &[u8]| std::str::from_utf8(line).ok()?.parse().ok();
    Some(lines.filter_map(number).collect())
}
