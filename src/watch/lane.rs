//! Lanes: one queue of events each, and the book of what its marks are for.
//!
//! `keyed` lanes are fanotify groups that report handles; they tell who and what at
//! once. Where a kernel refuses those, `notify` (inotify) tells what happened to a
//! name, and `opened` (a fanotify group that reports descriptors) who wrote.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::model::RootfsId;
use crate::parse::fanotify::Stop;
use crate::survey::spots::Kind;
use crate::sys::fanotify::{Batch, mask};

pub mod keyed;
pub mod notify;
pub mod opened;

use self::keyed::Keyed;
use self::notify::Notify;
use self::opened::Opened;

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
    /// Nothing is watched for here any more, and the kernel's mark could not be taken
    /// off: its events are known, and passed over.
    pub ghost: bool,
}

/// A marked object and whom it concerns.
#[derive(Debug)]
struct Marked {
    /// Device and inode number: the object itself, whatever its key.
    object: (u64, u64),
    watches: Vec<Watch>,
    /// Events since the lane last counted.
    seen: u32,
}

impl Marked {
    fn new(object: (u64, u64)) -> Self {
        Self {
            object,
            // Nearly always there is one.
            watches: Vec::with_capacity(1),
            seen: 0,
        }
    }

    fn note(&mut self, watch: Watch) {
        let same = |known: &&mut Watch| {
            (known.rootfs, &known.name, known.leaf) == (watch.rootfs, &watch.name, watch.leaf)
        };
        match self.watches.iter_mut().find(same) {
            Some(known) => *known = watch,
            None => self.watches.push(watch),
        }
    }

    /// All it concerns is one root filesystem.
    fn is_of_one(&self) -> bool {
        let mut of = self.watches.iter().map(|watch| watch.rootfs);
        of.next()
            .is_some_and(|first| of.all(|other| other == first))
    }

    /// The root filesystem in whose `etc` another name than the one that matters changed.
    fn aside(&self, name: &[u8]) -> Option<RootfsId> {
        let is_beside = |watch: &&Watch| watch.kind == Kind::Etc && watch.name != name;
        self.watches.iter().find(is_beside).map(|one| one.rootfs)
    }

    /// Drops what earlier rounds watched for a root filesystem. The last watch becomes a
    /// ghost, since the kernel's mark stays. Number of ghosts of that root filesystem.
    fn prune(&mut self, rootfs: RootfsId, round: u64) -> usize {
        let is_stale = |watch: &Watch| watch.rootfs == rootfs && watch.round != round;
        let all = self.watches.iter().all(is_stale);
        if all {
            self.watches.truncate(1);
            for watch in &mut self.watches {
                watch.ghost = true;
            }
            return self.watches.len();
        }
        self.watches.retain(|watch| !is_stale(watch));
        0
    }

    /// Keeps what `keep` wants; whether anything is left.
    fn retain(&mut self, keep: &impl Fn(&Watch) -> bool) -> bool {
        self.watches.retain(keep);
        !self.watches.is_empty()
    }

    /// Triggers for all whom an event on `name` concerns. Each has a pidfd of its own;
    /// nearly always there is one.
    fn trigger(
        &self,
        name: &[u8],
        mask: u64,
        (pid, mut pidfd): (i32, Option<OwnedFd>),
        into: &mut Vec<Trigger>,
    ) {
        let shared = self.watches.len() > 1;
        for watch in self
            .watches
            .iter()
            .filter(|watch| watch.concerns(name, mask))
        {
            into.push(Trigger {
                rootfs: watch.rootfs,
                leaf: watch.leaf && name == watch.name,
                source: match (watch.kind, watch.leaf && name == watch.name) {
                    (Kind::Upper, true) => Source::Layer,
                    (Kind::Upper, false) => Source::Way,
                    _ => Source::Name,
                },
                mask: watch.believed(mask),
                pid,
                pidfd: match &pidfd {
                    Some(one) if shared => one.try_clone().ok(),
                    _ => pidfd.take(),
                },
            });
        }
    }
}

/// What tells that an event is about the file's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The event itself, or the marked object.
    Name,
    /// The same in the writable layer.
    Layer,
    /// The writable layer, of a directory on the way: most likely a copy-up, for this file
    /// or for any other below it. It says who it may have been.
    Way,
    /// The path of a descriptor, read after the event: a file that was written under
    /// another name may have been renamed since. It says who, and not what.
    Path,
}

/// An event that concerns a root filesystem.
#[derive(Debug)]
pub struct Trigger {
    /// Which one.
    pub rootfs: RootfsId,
    /// It is about the file's own name; else about a directory on the way to it.
    pub leaf: bool,
    /// What the name is known from.
    pub source: Source,
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
    /// Root filesystems in whose `etc` something else changed.
    pub aside: Vec<RootfsId>,
    /// Events read in all.
    pub events: usize,
    /// The queue overflowed: events were lost.
    pub overflow: bool,
    /// Events about files under a key that nobody knows: a copy-up between
    /// filesystems gives a file another one.
    pub strangers: bool,
    /// Writes to a file of the right name whose root filesystem the lane cannot tell:
    /// pid and pidfd of the writer.
    pub unplaced: Vec<(i32, Option<OwnedFd>)>,
    /// The buffer could not be understood to its end; why.
    pub broken: Option<Stop>,
    /// Most of very many events came from this root filesystem.
    pub crowd: Option<RootfsId>,
}

impl Reading {
    /// What a batch tells before its events are looked at.
    fn of(batch: &Batch<'_>) -> Self {
        Self {
            events: batch.events.len(),
            overflow: batch
                .events
                .iter()
                .any(|event| event.mask & mask::OVERFLOW != 0),
            broken: (batch.stop != Stop::End).then_some(batch.stop),
            ..Self::default()
        }
    }
}

/// A queue of events and its book.
#[derive(Debug)]
pub enum Lane {
    /// Handles: who and what.
    Keyed(Keyed),
    /// inotify: what.
    Notify(Notify),
    /// Descriptors: who.
    Opened(Opened),
}

impl Lane {
    /// Number of marked objects.
    #[must_use]
    pub fn marked(&self) -> usize {
        match self {
            Self::Keyed(lane) => lane.marked(),
            Self::Notify(lane) => lane.marked(),
            // What is marked there is in a notify lane, too.
            Self::Opened(_) => 0,
        }
    }

    /// Keeps of the book what `keep` wants.
    pub fn retain(&mut self, keep: &impl Fn(&Watch) -> bool) {
        match self {
            Self::Keyed(lane) => lane.retain(keep),
            Self::Notify(lane) => lane.retain(keep),
            Self::Opened(lane) => lane.retain(keep),
        }
    }

    /// Drops from the book what earlier rounds watched for a root filesystem. Number of
    /// its marks that stay in the kernel for nothing.
    pub fn prune(&mut self, rootfs: RootfsId, round: u64) -> usize {
        match self {
            Self::Keyed(lane) => lane.prune(rootfs, round),
            Self::Notify(lane) => {
                lane.retain(&|watch| watch.rootfs != rootfs || watch.round == round);
                0
            }
            Self::Opened(lane) => lane.prune(rootfs, round),
        }
    }

    /// Takes all marks off and empties the book.
    pub fn clear(&mut self) {
        match self {
            Self::Keyed(lane) => lane.clear(),
            Self::Notify(lane) => lane.retain(&|_| false),
            Self::Opened(lane) => lane.clear(),
        }
    }

    /// Reads what is queued.
    ///
    /// # Errors
    /// The errno of read(2).
    pub fn read(&mut self, own_pid: i32) -> io::Result<Reading> {
        match self {
            Self::Keyed(lane) => lane.read(own_pid),
            Self::Notify(lane) => lane.read(),
            Self::Opened(lane) => lane.read(own_pid),
        }
    }
}

impl AsFd for Lane {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Keyed(lane) => lane.as_fd(),
            Self::Notify(lane) => lane.as_fd(),
            Self::Opened(lane) => lane.as_fd(),
        }
    }
}

impl Watch {
    fn concerns(&self, name: &[u8], mask: u64) -> bool {
        !self.ghost && (name == self.name || mask & SELF_EVENTS != 0)
    }

    /// A copy-up makes and renames files in the writable layer that the container did
    /// not make or rename, so an event there is a reason to look and no more.
    fn believed(&self, mask: u64) -> u64 {
        if self.kind == Kind::Upper { 0 } else { mask }
    }
}
