//! Clears the directory of states of what nobody uses any more: an hour after its
//! last use the state of a container whose writable layer is gone, after thirty
//! days any state, and the oldest ones when there are too many. A container that is
//! merely stopped keeps its state.

use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use crate::watch::state::identity::Key;
use crate::watch::state::store::{Entry, Store, is_aside};

/// When the directory is looked through after the start: containers that run have
/// used their states by then.
const FIRST: Duration = Duration::from_secs(60);
const EVERY: Duration = Duration::from_secs(3600);
/// Before this the layer of a container may be on a disk that is not mounted yet.
const FRESH: Duration = Duration::from_secs(3600);
/// A state in use says so once a day.
const DAY: Duration = Duration::from_secs(24 * 3600);
const OLD: Duration = Duration::from_secs(30 * 24 * 3600);
/// States of containers that do not run.
const MOST: usize = 4096;
/// Names looked at in one step.
const SLICE: usize = 16;

/// The clearing, a few names at a time.
#[derive(Debug)]
pub struct Prune {
    due: Instant,
    names: VecDeque<Entry>,
    /// So many of the first names go whatever they are.
    excess: usize,
}

impl Prune {
    /// Nothing looked at yet.
    pub fn new(now: Instant) -> Self {
        Self {
            due: now + FIRST,
            names: VecDeque::new(),
            excess: 0,
        }
    }

    /// When the next step is due.
    pub fn due(&self) -> Instant {
        self.due
    }

    /// The next few names, when it is time. `live`: in use by a watched container.
    pub fn step(
        &mut self,
        store: &Store,
        live: &dyn Fn(&Key) -> bool,
        now: Instant,
        clock: SystemTime,
    ) {
        if now < self.due {
            return;
        }
        if self.names.is_empty() {
            self.list(store, live, clock);
        }
        for _ in 0..SLICE {
            let Some(entry) = self.names.pop_front() else {
                self.due = now + EVERY;
                return;
            };
            let excess = self.excess > 0;
            self.excess = self.excess.saturating_sub(1);
            let unused = entry.key().is_none_or(|key| !live(&key));
            if unused && (excess || is_over(store, &entry, clock)) {
                let _ = store.remove(&entry.name);
            }
        }
    }

    fn list(&mut self, store: &Store, live: &dyn Fn(&Key) -> bool, clock: SystemTime) {
        let (used, mut unused): (Vec<_>, Vec<_>) = store
            .entries()
            .unwrap_or_default()
            .into_iter()
            .partition(|entry| entry.key().is_some_and(|key| live(&key)));
        for key in used
            .iter()
            .filter(|entry| age(entry, clock) > DAY)
            .filter_map(Entry::key)
        {
            store.touch(&key);
        }
        unused.sort_by_key(|entry| entry.used);
        self.excess = unused.len().saturating_sub(MOST);
        self.names = unused.into();
    }
}

/// Nobody is going to use it again.
fn is_over(store: &Store, entry: &Entry, clock: SystemTime) -> bool {
    let age = age(entry, clock);
    match entry.key() {
        Some(key) => age > OLD || (age > FRESH && is_gone(store, &key)),
        None if is_aside(&entry.name) => age > OLD,
        // A temporary file that a crash left behind. Anything else is not ours.
        None => age > FRESH && is_temporary(&entry.name),
    }
}

fn is_temporary(name: &str) -> bool {
    let key = name.strip_prefix('.').and_then(|rest| rest.split_once('.'));
    key.is_some_and(|(key, _)| Key::parse(key).is_some())
}

/// Its writable layer is gone: the container was removed.
fn is_gone(store: &Store, key: &Key) -> bool {
    let gone = |layer: &Path| {
        layer
            .symlink_metadata()
            .is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
    };
    let layer = store.peek(key).and_then(|stored| stored.identity.layer);
    layer.as_deref().is_some_and(gone)
}

fn age(entry: &Entry, clock: SystemTime) -> Duration {
    clock.duration_since(entry.used).unwrap_or_default()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
