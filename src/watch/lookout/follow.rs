//! The mount tables of namespaces that are no known container's: those that are new, and
//! those in which containers are mounted before they run.

use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::{ASKED, Lookout};
use crate::survey::sight::{News, Survey, Table, table};
use crate::sys::epoll::Interest;

/// Between two readings of one table: doubling from the first to the last.
const REST: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(20));
/// What was quiet for this long starts with the shortest pause again.
const QUIET: Duration = Duration::from_millis(500);
/// How long a namespace may be coming up: its pause stays short.
const COMING_UP: Duration = Duration::from_secs(2);
const COMING_UP_REST: Duration = Duration::from_millis(3);
/// In its first moments a namespace may be given its root and its first program within a few
/// milliseconds: this long, and after pauses this short, its table is read whatever it costs;
/// all together so many times a second.
const START: Duration = Duration::from_millis(30);
const START_REST: Duration = Duration::from_micros(200);
pub(super) const START_READS: u32 = 300;
/// All tables together are read for no more than about this part of the time, one in so
/// many: a mount bomb costs its maker's pause, and the others' not much.
const PART: u32 = 8;
/// Namespaces whose tables are held open.
const FOLLOWED: usize = 512;

/// A namespace whose table is waited for.
#[derive(Debug)]
pub struct Followed {
    table: Table,
    since: Instant,
    last: Instant,
    pause: Duration,
    moved: bool,
    ended: bool,
    /// Not waited for until then.
    pub resting: Option<Instant>,
    /// The cgroup that led to it.
    group: Option<PathBuf>,
}

impl Lookout {
    /// A table moved, or its process ended.
    pub(super) fn table_moved(&mut self, namespace: u64, ended: bool) {
        if let Some(followed) = self.followed.get_mut(&namespace) {
            followed.moved |= !ended;
            followed.ended |= ended;
        }
    }

    /// Reads the tables that moved and have rested.
    pub(super) fn tables(&mut self, now: Instant, survey: &mut Survey, tell: &mut dyn FnMut(News)) {
        let mut ended = Vec::new();
        let moved = self
            .followed
            .values()
            .filter(|followed| followed.moved)
            .count();
        let part = PART * u32::try_from(moved).unwrap_or(u32::MAX / PART);
        for (&namespace, followed) in &mut self.followed {
            if followed.ended {
                ended.push(namespace);
                continue;
            }
            if followed.resting.is_some_and(|until| until <= now) {
                followed.resting = None;
            }
            if std::mem::take(&mut followed.moved) {
                let began = Instant::now();
                survey.table(namespace, tell);
                match began < followed.since + START && self.starts.take(began) {
                    true => followed.resting = Some(Instant::now() + START_REST),
                    false => followed.rest(began, part),
                }
            }
        }
        for namespace in ended {
            let group = self.drop_table(namespace);
            match group {
                // The first process of a start is not the one that stays.
                Some(group) if self.young.len() < super::YOUNG => {
                    self.young.insert(group, (now, ASKED.0));
                }
                _ => self.start_passes(now),
            }
        }
    }

    /// Follows the namespaces that the survey wants, and no others.
    pub fn follow(&mut self, survey: &Survey) {
        let wanted = survey.to_follow();
        let gone: Vec<u64> = self
            .followed
            .iter()
            .filter(|(namespace, followed)| {
                !followed.ended
                    && !wanted
                        .iter()
                        .any(|(n, key)| n == *namespace && followed.table.init == *key)
            })
            .map(|(namespace, _)| *namespace)
            .collect();
        for namespace in gone {
            self.drop_table(namespace);
        }
        for (namespace, key) in wanted {
            if self.followed.contains_key(&namespace) || self.followed.len() >= FOLLOWED {
                continue;
            }
            let Some(table) = table(key) else { continue };
            self.followed.insert(namespace, Followed::new(table));
        }
    }

    /// Notes which cgroup led to a namespace.
    pub(super) fn led_to(&mut self, namespace: u64, group: PathBuf) {
        if let Some(followed) = self.followed.get_mut(&namespace) {
            followed.group = Some(group);
        }
    }

    fn drop_table(&mut self, namespace: u64) -> Option<PathBuf> {
        self.followed.remove(&namespace)?.group
    }
}

impl Followed {
    /// Adds what is waited for, and what it is: namespace, and whether it is the end.
    pub(super) fn wait<'a>(
        &'a self,
        namespace: u64,
        fds: &mut Vec<(BorrowedFd<'a>, Interest)>,
        named: &mut Vec<(u64, bool)>,
    ) {
        if self.resting.is_none() {
            fds.push((self.table.mounts.as_fd(), Interest::Priority));
            named.push((namespace, false));
        }
        if !self.ended {
            fds.push((self.table.pidfd.as_fd(), Interest::Readable));
            named.push((namespace, true));
        }
    }

    /// What moved before the table was opened has to be read, too.
    fn new(table: Table) -> Self {
        let now = Instant::now();
        Self {
            table,
            since: now,
            last: now,
            pause: REST.0,
            moved: true,
            ended: false,
            resting: Some(now),
            group: None,
        }
    }

    /// It was read, from `began` until now.
    fn rest(&mut self, began: Instant, part: u32) {
        let now = Instant::now();
        let quiet = began.saturating_duration_since(self.last) > QUIET;
        self.pause = if quiet {
            REST.0
        } else {
            (self.pause * 2).min(REST.1)
        };
        if now.saturating_duration_since(self.since) < COMING_UP {
            self.pause = self.pause.min(COMING_UP_REST);
        }
        self.last = now;
        let cost = now.saturating_duration_since(began);
        self.resting = Some(now + self.pause.max(cost.saturating_mul(part)));
    }
}
