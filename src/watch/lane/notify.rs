//! inotify: sees every change of a name on every kernel, and never who made it
//! (inotify(7)). Its bits have the values of fanotify's.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, WatchDescriptor};

use crate::survey::spots::{Kind, Spot};
use crate::sys::fanotify::mask;
use crate::watch::lane::{Marked, Reading, Watch};

/// What is asked of a directory.
const OF_DIRECTORY: AddWatchFlags = AddWatchFlags::IN_CREATE
    .union(AddWatchFlags::IN_DELETE)
    .union(AddWatchFlags::IN_MOVED_FROM)
    .union(AddWatchFlags::IN_MOVED_TO)
    .union(AddWatchFlags::IN_MODIFY)
    .union(AddWatchFlags::IN_CLOSE_WRITE)
    .union(AddWatchFlags::IN_ATTRIB)
    .union(AddWatchFlags::IN_DELETE_SELF)
    .union(AddWatchFlags::IN_MOVE_SELF);
/// What is asked of a file.
const OF_FILE: AddWatchFlags = AddWatchFlags::IN_MODIFY
    .union(AddWatchFlags::IN_CLOSE_WRITE)
    .union(AddWatchFlags::IN_ATTRIB);

/// An inotify instance and its book.
#[derive(Debug)]
pub struct Notify {
    inotify: Inotify,
    book: HashMap<WatchDescriptor, Marked>,
}

impl Notify {
    /// An empty lane.
    ///
    /// # Errors
    /// `EMFILE` at the limit of instances (`fs.inotify.max_user_instances`).
    pub fn new() -> io::Result<Self> {
        let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)?;
        Ok(Self {
            inotify,
            book: HashMap::new(),
        })
    }

    /// Number of watched objects.
    #[must_use]
    pub fn marked(&self) -> usize {
        self.book.len()
    }

    /// Watches an object held open, and notes what for.
    ///
    /// # Errors
    /// `ENOSPC` at the limit of watches (`fs.inotify.max_user_watches`).
    pub fn add(&mut self, spot: &Spot, object: (u64, u64), watch: Watch) -> io::Result<()> {
        let path = format!("/proc/self/fd/{}", spot.fd.as_raw_fd());
        let events = if spot.kind == Kind::File {
            OF_FILE
        } else {
            OF_DIRECTORY
        };
        let descriptor = self.inotify.add_watch(path.as_str(), events)?;
        self.book
            .entry(descriptor)
            .or_insert_with(|| Marked::new(object))
            .note(watch);
        Ok(())
    }

    /// Keeps of the book, and of the kernel's watches, what `keep` wants.
    pub fn retain(&mut self, keep: &impl Fn(&Watch) -> bool) {
        let inotify = &self.inotify;
        self.book.retain(|&descriptor, marked| {
            let kept = marked.retain(keep);
            if !kept {
                // Gone with its filesystem is as good as removed.
                let _ = inotify.rm_watch(descriptor);
            }
            kept
        });
    }

    /// Reads what is queued.
    ///
    /// # Errors
    /// The errno of read(2).
    pub fn read(&mut self) -> io::Result<Reading> {
        let events = match self.inotify.read_events() {
            Ok(events) => events,
            Err(Errno::EAGAIN | Errno::EINTR) => return Ok(Reading::default()),
            Err(errno) => return Err(errno.into()),
        };
        let mut reading = Reading {
            events: events.len(),
            ..Reading::default()
        };
        for event in events {
            let bits = u64::from(event.mask.bits());
            reading.overflow |= bits & mask::OVERFLOW != 0;
            if event.mask.contains(AddWatchFlags::IN_IGNORED) {
                self.book.remove(&event.wd);
                continue;
            }
            let name = event.name.unwrap_or_default();
            if let Some(marked) = self.book.get(&event.wd) {
                let aside = marked.aside(name.as_encoded_bytes());
                if aside.is_some() && aside.as_ref() != reading.aside.last() {
                    reading.aside.extend(aside);
                }
                marked.trigger(
                    name.as_encoded_bytes(),
                    bits,
                    (0, None),
                    &mut reading.triggers,
                );
            }
        }
        Ok(reading)
    }
}

impl AsFd for Notify {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inotify.as_fd()
    }
}
