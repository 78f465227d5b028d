//! What the survey's thread waits for by itself: new cgroups, the start of a runtime's
//! program, the mount tables of namespaces in which a container may be coming up.
//!
//! A new cgroup is asked for its processes at growing intervals for a second. The first
//! that has a mount namespace of its own gives the namespace; from then on its table
//! tells each step, until the root is there. All of it is bounded: a container makes
//! cgroups, namespaces and mounts as it likes.

mod follow;
mod quota;

use std::collections::HashMap;
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use self::follow::{Followed, START_READS};
use self::quota::Quota;
use crate::reach::read_table;
use crate::survey::file::read_up_to;
use crate::survey::groups::{Born, Groups};
use crate::survey::sight::{News, Survey};
use crate::sys::epoll::{Interest, Wake};
use crate::sys::poll;

/// Between two readings of the cgroups' queue: as a rule, and while they are made without
/// end: LXC gives a container its root a few milliseconds after its cgroup.
const PAUSE: (Duration, Duration) = (Duration::from_micros(500), Duration::from_millis(50));
/// Readings in a second after which they come without end.
const READINGS: u32 = 100;
/// Intervals at which a new cgroup is asked: doubling from the first to the last.
const ASKED: (Duration, Duration) = (Duration::from_micros(250), Duration::from_millis(512));
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
    knock: Arc<Wake>,
    groups: io::Result<Groups>,
    /// That not all cgroups are watched was told.
    told: bool,
    /// The queue of cgroups has something.
    born: bool,
    readings: Quota,
    /// The queue is not waited for until then.
    resting: Option<Instant>,
    /// Cgroups that may get their first process: when to ask next, and the interval.
    young: HashMap<PathBuf, (Instant, Duration)>,
    followed: HashMap<u64, Followed>,
    /// Readings of tables in a hurry.
    starts: Quota,
    /// Which of the passes after a start is next, and when.
    pass: Option<(usize, Instant)>,
}

impl Lookout {
    /// Waits for `knock`, and for cgroups where inotify can be had: without it the sweep
    /// finds what starts, which is told.
    #[must_use]
    pub fn new(knock: Arc<Wake>) -> Self {
        Self {
            knock,
            groups: cgroups(),
            told: false,
            born: false,
            readings: Quota::new(READINGS, Instant::now()),
            resting: None,
            young: HashMap::new(),
            followed: HashMap::new(),
            starts: Quota::new(START_READS, Instant::now()),
            pass: None,
        }
    }

    /// Waits until somebody asks, something is there to look at, or `due`.
    pub fn wait(&mut self, due: Option<Instant>) -> Call {
        let now = Instant::now();
        let mut fds = vec![(self.knock.as_fd(), Interest::Readable)];
        let awake = self.groups.as_ref().ok().filter(|_| self.resting.is_none());
        fds.extend(awake.map(|groups| (groups.as_fd(), Interest::Readable)));
        let first = fds.len();
        let mut named = Vec::new();
        for (&namespace, followed) in &self.followed {
            followed.wait(namespace, &mut fds, &mut named);
        }
        let left = self
            .next(due)
            .map(|until| until.saturating_duration_since(now));
        // A wait that fails would spin; nothing but a bug makes it fail.
        let ready = poll::wait(&fds, left).unwrap_or_else(|_| {
            std::thread::sleep(PAUSE.1);
            Vec::new()
        });
        let mut call = Call::Else;
        for index in ready {
            match index.checked_sub(first) {
                Some(index) => {
                    if let Some(&(namespace, ended)) = named.get(index) {
                        self.table_moved(namespace, ended);
                    }
                }
                None if index == 0 => call = Call::Asked,
                None => self.born = true,
            }
        }
        if call == Call::Asked {
            self.knock.clear();
        }
        call
    }

    /// When something is due next.
    fn next(&self, due: Option<Instant>) -> Option<Instant> {
        let young = self.young.values().map(|(due, _)| *due);
        let tables = self
            .followed
            .values()
            .filter_map(|followed| followed.resting);
        let pass = self.pass.map(|(_, due)| due);
        let fixed = [due, self.resting, pass].into_iter().flatten();
        young.chain(tables).chain(fixed).min()
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
        self.tell_unwatched(tell);
        self.ask_young(now, survey, tell);
        self.tables(now, survey, tell);
        self.follow(survey);
    }

    /// Watches again what is to be watched.
    pub fn refresh(&mut self) {
        match &mut self.groups {
            Ok(groups) => groups.refresh(),
            Err(_) => self.groups = cgroups(),
        }
    }

    /// Tells that not all cgroups are watched: once, until all are.
    fn tell_unwatched(&mut self, tell: &mut dyn FnMut(News)) {
        let why = match &self.groups {
            Ok(groups) if !groups.is_full() => {
                self.told = false;
                return;
            }
            Ok(_) => "not all cgroups can be watched".to_owned(),
            Err(error) => format!("cgroups cannot be watched: {error}"),
        };
        if !std::mem::replace(&mut self.told, true) {
            let detail = "a container that the host does not mount may be found by the sweep alone";
            tell(News::Blind(format!("{why}; {detail}")));
        }
    }

    /// Reads the queue of cgroups, after a pause that is longer while they come without end.
    fn new_groups(&mut self, now: Instant) {
        let Ok(groups) = &mut self.groups else {
            return;
        };
        if self.resting.is_some_and(|until| until <= now) {
            self.resting = None;
        }
        if !std::mem::take(&mut self.born) {
            return;
        }
        let lost = Born {
            lost: true,
            ..Born::default()
        };
        let born = groups.read().unwrap_or(lost);
        let pause = match self.readings.take(now) {
            true => PAUSE.0,
            false => PAUSE.1,
        };
        self.resting = Some(Instant::now() + pause);
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

/// The cgroups of this host, watched.
fn cgroups() -> io::Result<Groups> {
    Groups::new(&read_table(Path::new("/proc/self/mountinfo"))?)
}

/// The processes of a cgroup; `None` when it is gone.
fn pids(group: &Path) -> Option<Vec<i32>> {
    let text = read_up_to(&group.join("cgroup.procs"), LIST)?;
    let lines = text.split(|&byte| byte == b'\n').take(PIDS);
    let number = |line: &[u8]| std::str::from_utf8(line).ok()?.parse().ok();
    Some(lines.filter_map(number).collect())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn cgroups_that_are_not_watched_are_told_once() {
        let mut lookout = Lookout::new(Arc::new(Wake::new().unwrap()));
        lookout.groups = Err(io::Error::from_raw_os_error(libc::EMFILE));
        let mut told = Vec::new();
        for _ in 0..2 {
            lookout.tell_unwatched(&mut |news| told.push(news));
        }
        assert!(matches!(told.as_slice(), [News::Blind(why)] if why.contains("cgroups")));
        // Those of this host are tried again.
        lookout.refresh();
        assert!(lookout.groups.is_ok());
    }
}
