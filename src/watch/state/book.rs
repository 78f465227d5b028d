//! The delivery thread's side of the states: what is noted before a record goes
//! out, what is stored after it, and how often.
//!
//! A container that changes its file all the time must not make the disk busy. Of
//! each container so many writes are made in a second; then one last note says that
//! more was told than is stored, and the newest state is written when the second
//! is over, or at the end.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use crate::judge::restart::{Doubt, Last, digest};
use crate::model::{Change, Gap};
use crate::sys::limits::slim;
use crate::watch::state::form::{encode, encode_note};
use crate::watch::state::identity::Key;
use crate::watch::state::prune::Prune;
use crate::watch::state::store::Store;
use crate::watch::state::{Remember, not_written};

/// Writes for one container in one `WINDOW`, notes and states together.
const WRITES: u32 = 10;
const WINDOW: Duration = Duration::from_secs(1);
/// A state that no record waits for is written a moment later, with others.
const LATER: Duration = Duration::from_millis(200);
/// How soon a state that could not be written is tried again.
const AGAIN: Duration = Duration::from_secs(30);

/// How often one container's state was written.
#[derive(Debug)]
struct Pace {
    since: Instant,
    writes: u32,
    /// The file on disk says that it lags; no note adds to that.
    lagging: bool,
}

impl Pace {
    /// Whether one more write is allowed now.
    fn allows(&mut self, now: Instant) -> bool {
        if now.saturating_duration_since(self.since) >= WINDOW {
            (self.since, self.writes) = (now, 0);
        }
        self.writes += 1;
        self.writes <= WRITES
    }
}

/// The states of the containers that are watched.
#[derive(Debug)]
pub struct Book {
    store: Arc<Store>,
    paces: HashMap<Key, Pace>,
    pending: HashMap<Key, (Instant, Arc<Remember>)>,
    prune: Prune,
    /// The last write failed; told once until one works again.
    ill: bool,
    trouble: Option<Gap>,
}

impl Book {
    /// A book that has written nothing yet.
    #[must_use]
    pub fn new(store: Arc<Store>, now: Instant) -> Self {
        Self {
            store,
            paces: HashMap::new(),
            pending: HashMap::new(),
            prune: Prune::new(now),
            ill: false,
            trouble: None,
        }
    }

    /// Before records go out: notes what is about to be told.
    pub fn telling(&mut self, remember: &Remember, changes: Vec<Change>, now: Instant) {
        let pace = self.pace(&remember.key, now);
        if pace.lagging {
            return;
        }
        let doubt = if pace.allows(now) {
            Doubt::Telling {
                digest: digest(remember.last.file()),
                changes,
            }
        } else {
            pace.lagging = true;
            Doubt::Lagging
        };
        let noted = match self.store.note(&remember.key, &doubt) {
            Ok(false) => self.first_note(remember, &doubt),
            noted => noted.map(|_| ()),
        };
        self.outcome(noted);
    }

    /// There is no state yet that a note could stand behind.
    fn first_note(&self, remember: &Remember, doubt: &Doubt) -> io::Result<()> {
        let mut text = encode(&remember.identity, &Last::Unseen)?;
        text.extend(encode_note(doubt)?);
        self.store.save(&remember.key, &text)
    }

    /// After they went out: the state is to be stored, at once or when it may be.
    pub fn told(&mut self, remember: Arc<Remember>, now: Instant) {
        let pace = self.pace(&remember.key, now);
        let due = if pace.allows(now) {
            now
        } else {
            pace.since + WINDOW
        };
        self.pending.insert(remember.key.clone(), (due, remember));
    }

    /// Stores a state that nothing was told about, a moment later.
    pub fn later(&mut self, remember: Arc<Remember>, now: Instant) {
        self.pace(&remember.key, now);
        self.pending
            .insert(remember.key.clone(), (now + LATER, remember));
    }

    /// The container is not watched any more; its state stays.
    pub fn forget(&mut self, key: &Key, now: Instant) {
        if let Some((_, remember)) = self.pending.remove(key) {
            self.write(remember, now);
        }
        self.paces.remove(key);
        slim(&mut self.paces);
    }

    /// When `tick` has something to do.
    #[must_use]
    pub fn due(&self) -> Instant {
        let pending = self.pending.values().map(|(due, _)| *due);
        pending
            .min()
            .map_or_else(|| self.prune.due(), |due| due.min(self.prune.due()))
    }

    /// Writes one state that is due, and clears away what nobody uses. One: to replace
    /// a file may take a millisecond, and records come in between.
    pub fn tick(&mut self, now: Instant) {
        let first = self.pending.iter().min_by_key(|(_, (due, _))| *due);
        let due = first.filter(|(_, (due, _))| *due <= now);
        if let Some((key, _)) = due
            && let key = key.clone()
            && let Some((_, remember)) = self.pending.remove(&key)
        {
            self.write(remember, now);
            slim(&mut self.pending);
        }
        let paces = &self.paces;
        self.prune.step(
            &self.store,
            &|key| paces.contains_key(key),
            now,
            SystemTime::now(),
        );
    }

    /// Writes everything that is pending: the end.
    pub fn finish(&mut self) {
        for (_, (_, remember)) in std::mem::take(&mut self.pending) {
            let _ = self.save(&remember);
        }
    }

    /// What went wrong since the last question; told once.
    pub fn trouble(&mut self) -> Option<Gap> {
        self.trouble.take()
    }

    fn pace(&mut self, key: &Key, now: Instant) -> &mut Pace {
        self.paces.entry(key.clone()).or_insert(Pace {
            since: now,
            writes: 0,
            lagging: false,
        })
    }

    fn write(&mut self, remember: Arc<Remember>, now: Instant) {
        let written = self.save(&remember);
        let failed = written.is_err();
        // Until a state is stored no note is added either: the file would only grow.
        let lagged = std::mem::replace(&mut self.pace(&remember.key, now).lagging, failed);
        if failed {
            if !lagged {
                let _ = self.store.note(&remember.key, &Doubt::Lagging);
            }
            self.pending
                .insert(remember.key.clone(), (now + AGAIN, remember));
        } else {
            self.pending.remove(&remember.key);
        }
        self.outcome(written);
    }

    fn save(&self, remember: &Remember) -> io::Result<()> {
        let text = encode(&remember.identity, &remember.last)?;
        self.store.save(&remember.key, &text)
    }

    fn outcome(&mut self, outcome: io::Result<()>) {
        match outcome {
            Ok(()) => self.ill = false,
            Err(error) if !self.ill => {
                self.ill = true;
                self.trouble = Some(not_written(&error));
            }
            Err(_) => {}
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
