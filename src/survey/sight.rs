//! The survey's own book: which root filesystems exist now, against what it last
//! told. One pass reads the host's mount table, then `/proc`; what is new or
//! changed goes to the watch loop as `News`, with directories held open to mark.
//!
//! A root filesystem is a superblock, not a path: a docker restart brings the
//! same path, device and often mount id back for another mount. The unique mount
//! id tells them apart (Linux 6.8); without it, every overlay is sighted anew at
//! every pass, and marking twice does no harm.

use std::collections::HashMap;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::model::{Container, RootfsId};
use crate::reach::{ProcessKey, Reach, read_table};
use crate::survey::departed::Departed;
use crate::survey::guard::Guard;
use crate::survey::known::{Known, sighting, take_init};
use crate::survey::mounts::{RootKey, root};
use crate::survey::processes::{Init, Inits};
use crate::survey::runtime::{Papers, Readers};
use crate::survey::spots::{Spot, upper_spots};

pub use crate::survey::known::table;

/// A root filesystem to watch, or one to watch anew.
#[derive(Debug)]
pub struct Sighting {
    /// Its name within this run.
    pub id: RootfsId,
    /// Whose it is.
    pub container: Container,
    /// The files that say so.
    pub papers: Papers,
    /// The ways in.
    pub reach: Reach,
    /// The container's mount namespace, once its init is known.
    pub mount_ns: Option<u64>,
    /// Which root filesystem.
    pub root: RootKey,
    /// Its writable layer, as the host names it.
    pub upper: Option<PathBuf>,
    /// What to mark on every way in.
    pub spots: Vec<Spot>,
    /// The mount table of the container's namespace, to be told of changes; `None`
    /// when the loop has it already, or there is none.
    pub table: Option<Table>,
    /// What could not be looked at, in words.
    pub trouble: Vec<String>,
    /// It is an overlay whose layers all answer: the programs in it may be opened.
    pub layers_answer: bool,
}

/// The mount table of a container's namespace, held open, and the process that
/// keeps the namespace: a table held open would keep a dead namespace's mounts.
#[derive(Debug)]
pub struct Table {
    /// Whose table it is.
    pub init: ProcessKey,
    /// `/proc/PID/mountinfo`.
    pub mounts: File,
    /// Readable when the process ends.
    pub pidfd: OwnedFd,
}

/// What a pass tells the loop.
#[derive(Debug)]
pub enum News {
    /// Mark this.
    Sighted(Box<Sighting>),
    /// Forget this, and take the marks off what outlives it.
    Gone(RootfsId, Vec<Spot>),
    /// It was looked at again, which took so long.
    Took(RootfsId, Duration),
    /// The pass is over; that many root filesystems exist.
    Done(usize),
    /// The host could not be read, in words.
    Blind(String),
}

/// Reads the host and keeps the book.
#[derive(Debug)]
pub struct Survey {
    pub(super) readers: Readers,
    pub(super) inits: Inits,
    pub(super) host_ns: u64,
    pub(super) host_root: RootKey,
    pub(super) known: Vec<Known>,
    pub(super) guard: Guard,
    pub(super) departed: Departed,
    next: u64,
}

impl Survey {
    /// A survey that knows nothing yet. `host_ns` is the host's mount namespace.
    #[must_use]
    pub fn new(readers: Readers, host_ns: u64) -> Self {
        let table = read_table("/proc/self/mountinfo".as_ref()).unwrap_or_default();
        let nowhere = RootKey {
            device: (0, 0),
            directory: Vec::new(),
        };
        Self {
            readers,
            inits: Inits::default(),
            host_ns,
            host_root: root(&table).map_or(nowhere, |root| root.key),
            known: Vec::new(),
            guard: Guard::new(),
            departed: Departed::default(),
            next: 1,
        }
    }

    /// One pass over the host. `tell` is called as soon as something is known:
    /// a new container may run any moment.
    pub fn pass(&mut self, tell: &mut dyn FnMut(News)) {
        self.host(tell);
        self.processes(tell);
        tell(News::Done(self.known.len()));
    }

    /// Looks again at the directories on the way to one container's file.
    pub fn again(&mut self, id: RootfsId, tell: &mut dyn FnMut(News)) {
        let Some(known) = self.known.iter_mut().find(|known| known.id == id) else {
            return;
        };
        let begun = Instant::now();
        known.read_again(&mut self.readers);
        sighting(known, tell);
        // What made its table move may be a container in the container.
        if let Some(namespace) = known.mount_ns {
            self.table(namespace, tell);
        }
        tell(News::Took(id, begun.elapsed()));
    }

    /// Takes up what was written anew of the files that describe containers.
    pub fn papers_again(&mut self, tell: &mut dyn FnMut(News)) {
        for known in &mut self.known {
            if known.read_again(&mut self.readers) {
                sighting(known, tell);
            }
        }
    }

    /// Looks again at the ways to every container's file.
    pub fn all_again(&mut self, tell: &mut dyn FnMut(News)) {
        for known in &self.known {
            sighting(known, tell);
        }
    }

    /// Some root filesystem still waits for its init or its name.
    #[must_use]
    pub fn is_incomplete(&self) -> bool {
        self.known.iter().any(|known| {
            known.reach.init.is_none() || known.container.id.is_none() || known.waits_for_papers()
        })
    }

    fn processes(&mut self, tell: &mut dyn FnMut(News)) {
        let inits = self.inits.scan("/proc".as_ref(), self.host_ns);
        self.inner_mounts(tell);
        self.drop_moved(&inits, tell);
        let is_new = |key: &RootKey| !self.known.iter().any(|known| known.root == *key);
        if inits
            .iter()
            .any(|(key, init)| init.root.is_overlay() && is_new(key))
        {
            // It may have been mounted since the table was read.
            self.host(tell);
        }
        for known in &mut self.known {
            let init = inits.get(&known.root);
            if init.map(Init::way) == known.reach.init && known.container.id.is_some() {
                continue;
            }
            if take_init(known, init, &mut self.readers) || known.untold {
                known.untold = false;
                sighting(known, tell);
            }
        }
        self.drop_ended(tell);
        for (key, init) in inits {
            if !self.known.iter().any(|known| known.root == key) {
                self.hidden(&init, tell);
            }
        }
    }

    /// Forgets what another process stands for now, unless it is the same that it was.
    fn drop_moved(&mut self, inits: &HashMap<RootKey, Init>, tell: &mut dyn FnMut(News)) {
        let moved = |known: &&Known| inits.get(&known.root).map(Init::way) != known.reach.init;
        let moved: Vec<RootKey> = self
            .known
            .iter()
            .filter(moved)
            .filter(|known| known.reach.host_path().is_none())
            .map(|known| known.root.clone())
            .collect();
        for key in moved {
            self.drop_stale(&key, tell);
        }
    }

    /// Forgets what the host does not mount and whose last process ended.
    pub(super) fn drop_ended(&mut self, tell: &mut dyn FnMut(News)) {
        self.known.retain(|known| {
            let there = known.reach.host.is_some() || known.reach.init.is_some();
            if !there {
                self.guard.forget(known.id);
                tell(News::Gone(known.id, upper_spots(known.upper.as_deref())));
            }
            there
        });
    }

    pub(super) fn fresh(&mut self) -> RootfsId {
        self.next += 1;
        RootfsId(self.next)
    }
}

/// A container of which nothing is known yet.
pub(super) fn unnamed() -> Container {
    Container {
        missing: vec!["id"],
        ..Container::default()
    }
}
