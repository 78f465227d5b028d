//! One group and what is marked in it.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::model::RootfsId;
use crate::parse::fanotify::Stop;
use crate::survey::spots::{Kind, Spot};
use crate::sys::fanotify::{Group, Reports, mask};
use crate::sys::handle::HandleKey;

/// What a directory tells about itself.
const SELF_EVENTS: u64 = mask::DELETE_SELF | mask::MOVE_SELF;
/// A name in a marked directory, or a marked file, that matters to a root filesystem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watch {
    /// Which one.
    pub rootfs: RootfsId,
    /// The name; empty for a file.
    pub name: Vec<u8>,
    /// It is the file's own name.
    pub leaf: bool,
    /// What the mark is for.
    pub kind: Kind,
    /// The sighting that asked for it.
    pub round: u64,
}

/// An object under its key.
#[derive(Debug)]
struct Marked {
    /// Device and inode number: the object itself, whatever its key.
    object: (u64, u64),
    watches: Vec<Watch>,
}

/// An event that concerns a root filesystem.
#[derive(Debug)]
pub struct Trigger {
    /// Which one.
    pub rootfs: RootfsId,
    /// It is about the file's own name; else about a directory on the way to it.
    pub leaf: bool,
    /// `FAN_*` bits.
    pub mask: u64,
    /// Pid of the writer; 0 when the kernel could not give one.
    pub pid: i32,
    /// Its pidfd.
    pub pidfd: Option<OwnedFd>,
}

/// What reading one lane gave.
#[derive(Debug, Default)]
pub struct Reading {
    /// Events that concern a root filesystem, in order.
    pub triggers: Vec<Trigger>,
    /// Events read in all.
    pub events: usize,
    /// The queue overflowed: events were lost.
    pub overflow: bool,
    /// Events about files under a key that nobody knows: a copy-up between
    /// filesystems gives a file another one.
    pub strangers: bool,
    /// The buffer could not be understood to its end; why.
    pub broken: Option<Stop>,
}

/// A group and its book.
#[derive(Debug)]
pub struct Lane {
    group: Group,
    reports: Reports,
    book: HashMap<Vec<u8>, Marked>,
    exclusive: bool,
}

impl Lane {
    /// An empty lane; an exclusive one takes a single superblock.
    #[must_use]
    pub fn new(group: Group, reports: Reports, exclusive: bool) -> Self {
        Self {
            group,
            reports,
            book: HashMap::new(),
            exclusive,
        }
    }

    /// Events carry pidfds.
    #[must_use]
    pub fn has_pidfds(&self) -> bool {
        self.group.has_pidfds()
    }

    /// Number of marked objects.
    #[must_use]
    pub fn marked(&self) -> usize {
        self.book.len()
    }

    /// The object can be marked here and its events told from all others.
    #[must_use]
    pub fn takes(&self, reports: Reports, key: &HandleKey, object: (u64, u64)) -> bool {
        if self.reports != reports {
            return false;
        }
        match self.book.get(key.bytes()) {
            Some(marked) => marked.object == object,
            // All objects of one superblock fit into its group.
            None if self.exclusive => self.book.values().any(|marked| marked.object.0 == object.0),
            None => !key.has_null_fsid(),
        }
    }

    /// Sets the mark.
    ///
    /// # Errors
    /// The errno of fanotify_mark(2).
    pub fn mark(&self, spot: &Spot, events: u64) -> io::Result<()> {
        match self.reports {
            Reports::Names => self.group.mark_dir(spot.fd.as_fd(), events),
            _ => self.group.mark_object(spot.fd.as_fd(), events),
        }
    }

    /// Notes what a mark is for; tells whether that is new.
    pub fn note(&mut self, key: HandleKey, object: (u64, u64), watch: Watch) -> bool {
        let empty = || Marked {
            object,
            watches: Vec::new(),
        };
        let marked = self.book.entry(key.into_bytes()).or_insert_with(empty);
        let same = |known: &&mut Watch| {
            (known.rootfs, &known.name, known.leaf) == (watch.rootfs, &watch.name, watch.leaf)
        };
        match marked.watches.iter_mut().find(same) {
            Some(known) => {
                known.round = watch.round;
                false
            }
            None => {
                marked.watches.push(watch);
                true
            }
        }
    }

    /// Keeps of the book what `keep` wants.
    pub fn retain(&mut self, keep: impl Fn(&Watch) -> bool) {
        self.book.retain(|_, marked| {
            marked.watches.retain(&keep);
            !marked.watches.is_empty()
        });
    }

    /// Takes the kernel's mark off an object that is not in the book.
    pub fn unmark(&mut self, key: &HandleKey, spot: &Spot, events: u64) {
        if self.reports == Reports::Names && !self.book.contains_key(key.bytes()) {
            // No mark there is as good as one taken off.
            let _ = self.group.unmark_dir(spot.fd.as_fd(), events);
        }
    }

    /// Reads what is queued.
    ///
    /// # Errors
    /// The errno of read(2).
    pub fn read(&mut self, own_pid: i32) -> io::Result<Reading> {
        let batch = self.group.read()?;
        let mut reading = Reading {
            events: batch.events.len(),
            broken: (batch.stop != Stop::End).then_some(batch.stop),
            ..Reading::default()
        };
        for event in batch.events {
            reading.overflow |= event.mask & mask::OVERFLOW != 0;
            let Some(place) = event.place.filter(|_| event.pid != own_pid) else {
                continue;
            };
            let Some(marked) = self.book.get(place.key) else {
                reading.strangers |= self.reports == Reports::Objects;
                continue;
            };
            // A pidfd goes to the first root filesystem concerned; nearly always there is one.
            let mut pidfd = event.pidfd;
            for watch in marked
                .watches
                .iter()
                .filter(|watch| watch.concerns(place.name, event.mask))
            {
                let (mask, pid, pidfd) = (watch.believed(event.mask), event.pid, pidfd.take());
                let leaf = watch.leaf && place.name == watch.name;
                reading.triggers.push(Trigger {
                    rootfs: watch.rootfs,
                    leaf,
                    mask,
                    pid,
                    pidfd,
                });
            }
        }
        Ok(reading)
    }
}

impl AsFd for Lane {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.group.as_fd()
    }
}

impl Watch {
    fn concerns(&self, name: &[u8], mask: u64) -> bool {
        name == self.name || mask & SELF_EVENTS != 0
    }

    /// A copy-up makes and renames files in the writable layer that the container did
    /// not make or rename, so an event there is a reason to look and no more.
    fn believed(&self, mask: u64) -> u64 {
        if self.kind == Kind::Upper { 0 } else { mask }
    }
}
