//! A fanotify group that reports descriptors: on every kernel it tells who wrote to
//! a file in a marked directory, or to a marked file.
//!
//! The event names the file, not the mark. A file in `etc` is known by its name and
//! by the device of its root filesystem; where a layer lies on another filesystem
//! the device is another one, and the loop places the event by its writer. Reading
//! an event opens the file, so only objects on trusted filesystems are marked.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use nix::sys::stat::fstat;

use crate::model::PRELOAD_NAME;
use crate::survey::spots::{Kind, Spot};
use crate::sys::fanotify::{Group, mask};
use crate::watch::lane::{Marked, Reading, Watch};

/// What is asked for: opening is no change, and says nothing of who writes.
const WRITES: u64 = mask::MODIFY | mask::CLOSE_WRITE;

/// A group and its book.
#[derive(Debug)]
pub struct Opened {
    group: Group,
    /// Marked files by device and inode number.
    files: HashMap<(u64, u64), Marked>,
    /// Marked directories by device.
    devices: HashMap<u64, Marked>,
}

impl Opened {
    /// An empty lane.
    #[must_use]
    pub fn new(group: Group) -> Self {
        Self {
            group,
            files: HashMap::new(),
            devices: HashMap::new(),
        }
    }

    /// Events carry pidfds.
    #[must_use]
    pub fn has_pidfds(&self) -> bool {
        self.group.has_pidfds()
    }

    /// Marks, and notes what for.
    ///
    /// # Errors
    /// The errno of fanotify_mark(2).
    pub fn add(&mut self, spot: &Spot, object: (u64, u64), watch: Watch) -> io::Result<()> {
        if spot.kind == Kind::File {
            self.group.mark_object(spot.fd.as_fd(), WRITES)?;
            self.files
                .entry(object)
                .or_insert_with(|| Marked::new(object))
                .note(watch);
        } else {
            self.group
                .mark_dir(spot.fd.as_fd(), WRITES | mask::ON_CHILD)?;
            self.devices
                .entry(object.0)
                .or_insert_with(|| Marked::new(object))
                .note(watch);
        }
        Ok(())
    }

    /// Keeps of the book what `keep` wants.
    pub fn retain(&mut self, keep: &impl Fn(&Watch) -> bool) {
        self.files.retain(|_, marked| marked.retain(keep));
        self.devices.retain(|_, marked| marked.retain(keep));
    }

    /// Reads what is queued; the descriptors of its events are closed before the end.
    ///
    /// # Errors
    /// The errno of read(2); `EMFILE`: no room for a descriptor.
    pub fn read(&mut self, own_pid: i32) -> io::Result<Reading> {
        let batch = self.group.read()?;
        let mut reading = Reading::of(&batch);
        for event in batch.events {
            let Some(object) = event.object.filter(|_| event.pid != own_pid) else {
                continue;
            };
            let Ok(stat) = fstat(&object) else { continue };
            let who = (event.pid, event.pidfd);
            if let Some(marked) = self.files.get(&(stat.st_dev, stat.st_ino)) {
                marked.trigger(b"", event.mask, who, &mut reading.triggers);
            } else if is_preload(&object) {
                // Volumes of several containers may lie on one filesystem.
                match self
                    .devices
                    .get(&stat.st_dev)
                    .filter(|marked| marked.is_of_one())
                {
                    Some(marked) => {
                        marked.trigger(PRELOAD_NAME, event.mask, who, &mut reading.triggers)
                    }
                    None => reading.unplaced.push((who.0, who.1, event.mask)),
                }
            }
        }
        Ok(reading)
    }
}

/// The file was opened under the name that matters. The path is the writer's own and
/// proves no more than that.
fn is_preload(object: &OwnedFd) -> bool {
    let link = format!("/proc/self/fd/{}", object.as_raw_fd());
    fs::read_link(link).is_ok_and(|path| {
        let path = path.as_os_str().as_bytes();
        let path = path.strip_suffix(b" (deleted)").unwrap_or(path);
        path.rsplit(|&byte| byte == b'/').next() == Some(PRELOAD_NAME)
    })
}

impl AsFd for Opened {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.group.as_fd()
    }
}
