//! The book of marks: which directory, under which key, stands for which root
//! filesystem and which name in it.
//!
//! Containers of one image report the same directory handle; the fsid tells them
//! apart, and on some hosts not even that. Events of two different directories
//! with one key could not be told apart in one group, so the second goes into a
//! group of its own: a lane. A filesystem without an id gets a lane to itself.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use nix::sys::stat::fstat;

use crate::model::RootfsId;
use crate::parse::fanotify::Stop;
use crate::sys::epoll::{Interest, Waiter};
use crate::sys::fanotify::{Group, Reports, mask};
use crate::sys::handle::HandleKey;
use crate::sys::walk::Dir;

/// Groups used at most; the kernel's own limit is 128 per user.
const MAX_LANES: usize = 100;

/// What is asked of a marked directory. Opening is not: it is no change.
const EVENTS: u64 = mask::CREATE
    | mask::DELETE
    | mask::MOVED_FROM
    | mask::MOVED_TO
    | mask::MODIFY
    | mask::CLOSE_WRITE
    | mask::ATTRIB
    | mask::DELETE_SELF
    | mask::MOVE_SELF
    | mask::ONDIR
    | mask::ON_CHILD;
/// What a directory tells about itself.
const SELF_EVENTS: u64 = mask::DELETE_SELF | mask::MOVE_SELF;

/// A name in a marked directory that matters to a root filesystem.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Watch {
    rootfs: RootfsId,
    name: Vec<u8>,
    leaf: bool,
}

/// A directory under its key.
#[derive(Debug)]
struct Marked {
    /// Device and inode number: the directory itself, whatever its key.
    object: (u64, u64),
    watches: Vec<Watch>,
}

/// One group and what is marked in it.
#[derive(Debug)]
struct Lane {
    group: Group,
    book: HashMap<Vec<u8>, Marked>,
    exclusive: bool,
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
    /// The buffer could not be understood to its end; why.
    pub broken: Option<Stop>,
}

/// All marks.
#[derive(Debug)]
pub struct Marks {
    lanes: Vec<Lane>,
    own_pid: i32,
}

impl Marks {
    /// The first lane.
    ///
    /// # Errors
    /// As `Group::new`: `EPERM` without the capability, `EINVAL` on kernels that
    /// report no names.
    pub fn new(waiter: &Waiter, first_token: u64) -> io::Result<Self> {
        let mut marks = Self {
            lanes: Vec::new(),
            own_pid: nix::unistd::getpid().as_raw(),
        };
        marks.open_lane(waiter, first_token, false)?;
        Ok(marks)
    }

    fn open_lane(
        &mut self,
        waiter: &Waiter,
        first_token: u64,
        exclusive: bool,
    ) -> io::Result<usize> {
        if self.lanes.len() >= MAX_LANES {
            return Err(io::Error::from_raw_os_error(libc::EMFILE));
        }
        let index = self.lanes.len();
        let group = Group::new(Reports::Names)?;
        waiter.add(&group, Interest::Readable, first_token + index as u64)?;
        self.lanes.push(Lane {
            group,
            book: HashMap::new(),
            exclusive,
        });
        Ok(index)
    }

    /// Events carry pidfds.
    #[must_use]
    pub fn has_pidfds(&self) -> bool {
        self.lanes
            .first()
            .is_some_and(|lane| lane.group.has_pidfds())
    }

    /// Number of groups in use.
    #[must_use]
    pub fn lanes(&self) -> usize {
        self.lanes.len()
    }

    /// Number of marked directories.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lanes.iter().map(|lane| lane.book.len()).sum()
    }

    /// Nothing is marked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Marks a directory for a root filesystem. Marking twice does no harm.
    ///
    /// # Errors
    /// The errno with which the kernel refused; the ladder decides what it means.
    pub fn add(
        &mut self,
        rootfs: RootfsId,
        dir: &Dir,
        waiter: &Waiter,
        first_token: u64,
    ) -> io::Result<()> {
        let key = HandleKey::of(dir.fd.as_fd())?;
        let stat = fstat(&dir.fd)?;
        let object = (stat.st_dev, stat.st_ino);
        let index = match self.lanes.iter().position(|lane| lane.takes(&key, object)) {
            Some(index) => index,
            None => self.open_lane(waiter, first_token, key.has_null_fsid())?,
        };
        let Some(lane) = self.lanes.get_mut(index) else {
            return Err(io::Error::from_raw_os_error(libc::EMFILE));
        };
        lane.group.mark_dir(dir.fd.as_fd(), EVENTS)?;
        let watch = Watch {
            rootfs,
            name: dir.next.clone(),
            leaf: dir.leaf,
        };
        let marked = lane
            .book
            .entry(key.bytes().to_vec())
            .or_insert_with(|| Marked {
                object,
                watches: Vec::new(),
            });
        marked.object = object;
        if !marked.watches.contains(&watch) {
            marked.watches.push(watch);
        }
        Ok(())
    }

    /// Forgets a root filesystem. The kernel's marks went with its superblock;
    /// one that did not gives events under a key that nobody knows.
    pub fn forget(&mut self, rootfs: RootfsId) {
        for lane in &mut self.lanes {
            lane.book.retain(|_, marked| {
                marked.watches.retain(|watch| watch.rootfs != rootfs);
                !marked.watches.is_empty()
            });
        }
    }

    /// Reads what is queued in one lane.
    ///
    /// # Errors
    /// The errno of read(2); `EMFILE` counts as lost sight.
    pub fn read(&mut self, lane: usize) -> io::Result<Reading> {
        let own_pid = self.own_pid;
        let Some(lane) = self.lanes.get_mut(lane) else {
            return Ok(Reading::default());
        };
        let batch = lane.group.read()?;
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
            let Some(marked) = lane.book.get(place.key) else {
                continue;
            };
            // A pidfd goes to the first root filesystem concerned; nearly always there is one.
            let mut pidfd = event.pidfd;
            for watch in marked
                .watches
                .iter()
                .filter(|watch| watch.concerns(place.name, event.mask))
            {
                reading.triggers.push(Trigger {
                    rootfs: watch.rootfs,
                    leaf: watch.leaf && place.name == watch.name,
                    mask: event.mask,
                    pid: event.pid,
                    pidfd: pidfd.take(),
                });
            }
        }
        Ok(reading)
    }
}

impl Lane {
    /// The directory can be marked here and its events told from all others.
    fn takes(&self, key: &HandleKey, object: (u64, u64)) -> bool {
        match self.book.get(key.bytes()) {
            Some(marked) => marked.object == object,
            None => !self.exclusive && !key.has_null_fsid(),
        }
    }
}

impl Watch {
    fn concerns(&self, name: &[u8], mask: u64) -> bool {
        name == self.name || mask & SELF_EVENTS != 0
    }
}
