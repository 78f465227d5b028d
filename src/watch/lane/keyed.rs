//! A fanotify group that reports handles: of a directory with the name in it, or
//! of a file. Every event carries the writer.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use crate::model::RootfsId;
use crate::survey::spots::Spot;
use crate::sys::fanotify::{Group, Reports, mask};
use crate::sys::handle::HandleKey;
use crate::sys::limits::slim;
use crate::watch::lane::{Marked, Reading, Watch};

/// What is asked of a directory. Opening is not: it is no change.
const OF_DIRECTORY: u64 = mask::CREATE
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
/// What is asked of a file.
const OF_FILE: u64 = mask::MODIFY | mask::CLOSE_WRITE | mask::ATTRIB;

/// A group and its book.
#[derive(Debug)]
pub struct Keyed {
    group: Group,
    reports: Reports,
    book: HashMap<Vec<u8>, Marked>,
    exclusive: bool,
    /// Events since the last count, and when that was.
    seen: (u32, Instant),
}

impl Keyed {
    /// An empty lane; an exclusive one takes a single superblock.
    #[must_use]
    pub fn new(group: Group, reports: Reports, exclusive: bool) -> Self {
        Self {
            group,
            reports,
            book: HashMap::new(),
            exclusive,
            seen: (0, Instant::now()),
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

    /// Marks, and notes what for.
    ///
    /// # Errors
    /// The errno of fanotify_mark(2).
    pub fn add(
        &mut self,
        spot: &Spot,
        (key, object): (HandleKey, (u64, u64)),
        watch: Watch,
    ) -> io::Result<()> {
        match self.reports {
            Reports::Names => self.group.mark_dir(spot.fd.as_fd(), OF_DIRECTORY)?,
            _ => self.group.mark_object(spot.fd.as_fd(), OF_FILE)?,
        }
        let marked = self
            .book
            .entry(key.into_bytes())
            .or_insert_with(|| Marked::new(object));
        marked.note(watch);
        Ok(())
    }

    /// Keeps of the book what `keep` wants.
    pub fn retain(&mut self, keep: &impl Fn(&Watch) -> bool) {
        self.book.retain(|_, marked| marked.retain(keep));
        slim(&mut self.book);
    }

    /// As `Lane::prune`.
    pub fn prune(&mut self, rootfs: RootfsId, round: u64) -> usize {
        let all = self.book.values_mut();
        all.map(|marked| marked.prune(rootfs, round)).sum()
    }

    /// Takes the kernel's marks of a root filesystem that left this lane off what is at
    /// hand.
    pub fn leave(&mut self, rootfs: RootfsId, spots: &[Spot]) {
        for spot in spots {
            let Ok(key) = HandleKey::of(spot.fd.as_fd()) else {
                continue;
            };
            let is_its = |watch: &Watch| watch.ghost && watch.rootfs == rootfs;
            let known = self.book.get(key.bytes());
            if !known.is_some_and(|marked| marked.watches.iter().all(is_its)) {
                continue;
            }
            let done = match self.reports {
                Reports::Names => self.group.unmark_dir(spot.fd.as_fd(), OF_DIRECTORY),
                _ => self.group.unmark_object(spot.fd.as_fd(), OF_FILE),
            };
            if done.is_ok() {
                self.book.remove(key.bytes());
            }
        }
    }

    /// As `Lane::clear`.
    pub fn clear(&mut self) {
        // A group that cannot be flushed gives events that nobody knows.
        let _ = self.group.flush();
        self.book = HashMap::new();
    }

    /// Takes the kernel's mark off an object that is not in the book.
    pub fn unmark(&mut self, key: &HandleKey, spot: &Spot) {
        if self.reports == Reports::Names && !self.book.contains_key(key.bytes()) {
            // No mark there is as good as one taken off.
            let _ = self.group.unmark_dir(spot.fd.as_fd(), OF_DIRECTORY);
        }
    }

    /// Reads what is queued.
    ///
    /// # Errors
    /// The errno of read(2).
    pub fn read(&mut self, own_pid: i32) -> io::Result<Reading> {
        let batch = self.group.read()?;
        let mut reading = Reading::of(&batch);
        for event in batch.events {
            let Some(place) = event.place.filter(|_| event.pid != own_pid) else {
                continue;
            };
            match self.book.get_mut(place.key) {
                Some(marked) => {
                    marked.seen += 1;
                    marked.trigger(
                        place.name,
                        event.mask,
                        (event.pid, event.pidfd),
                        &mut reading.triggers,
                    );
                }
                None => reading.strangers |= self.reports == Reports::Objects,
            }
        }
        self.seen.0 += u32::try_from(reading.events).unwrap_or(u32::MAX);
        reading.crowd = self.crowd();
        Ok(reading)
    }

    /// The root filesystem from which most of very many events came.
    fn crowd(&mut self) -> Option<RootfsId> {
        let (seen, since) = self.seen;
        if seen < CROWD {
            return None;
        }
        let fast = since.elapsed() < IN;
        let mut by_rootfs: HashMap<RootfsId, u32> = HashMap::new();
        for marked in self.book.values_mut() {
            let seen = std::mem::take(&mut marked.seen);
            if let Some(watch) = marked.watches.first() {
                *by_rootfs.entry(watch.rootfs).or_default() += seen;
            }
        }
        self.seen = (0, Instant::now());
        let most = by_rootfs.into_iter().max_by_key(|(_, seen)| *seen)?;
        (fast && most.1 > seen / 2).then_some(most.0)
    }
}

/// So many events of one lane in so short a time are a crowd: the kernel's queue holds
/// sixteen thousand.
const CROWD: u32 = 4096;
const IN: Duration = Duration::from_millis(500);

impl AsFd for Keyed {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.group.as_fd()
    }
}
