//! A fanotify group that reports handles: of a directory with the name in it, or
//! of a file. Every event carries the writer.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use crate::survey::spots::Spot;
use crate::sys::fanotify::{Group, Reports};
use crate::sys::handle::HandleKey;
use crate::sys::limits::slim;
use crate::watch::lane::{Marked, Reading, Watch};

/// A group and its book.
#[derive(Debug)]
pub struct Keyed {
    group: Group,
    reports: Reports,
    book: HashMap<Vec<u8>, Marked>,
    exclusive: bool,
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
        events: u64,
        (key, object): (HandleKey, (u64, u64)),
        watch: Watch,
    ) -> io::Result<()> {
        match self.reports {
            Reports::Names => self.group.mark_dir(spot.fd.as_fd(), events)?,
            _ => self.group.mark_object(spot.fd.as_fd(), events)?,
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
        let mut reading = Reading::of(&batch);
        for event in batch.events {
            let Some(place) = event.place.filter(|_| event.pid != own_pid) else {
                continue;
            };
            match self.book.get(place.key) {
                Some(marked) => {
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
        Ok(reading)
    }
}

impl AsFd for Keyed {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.group.as_fd()
    }
}
