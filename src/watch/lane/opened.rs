//! A fanotify group that reports descriptors: on every kernel it tells who wrote to
//! a file in a marked directory, or to a marked file.
//!
//! The event names the file, not the mark. A file in an overlay's `etc` is known by its
//! name and by the overlay's device. A volume shares its device with others, so its
//! directory has a group to itself; what finds none left is placed by its writer. Reading
//! an event opens the file, so only objects on trusted filesystems are marked.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use nix::sys::stat::fstat;
use nix::sys::statfs::{OVERLAYFS_SUPER_MAGIC, fstatfs};

use crate::model::{PRELOAD_NAME, RootfsId};
use crate::survey::spots::{Kind, Spot};
use crate::sys::fanotify::{Group, mask};
use crate::sys::file::superblock;
use crate::watch::lane::{Marked, Reading, Source, Watch};

/// What is asked for: opening is no change, and says nothing of who writes.
const WRITES: u64 = mask::MODIFY | mask::CLOSE_WRITE;

/// A group and its book.
#[derive(Debug)]
pub struct Opened {
    group: Group,
    /// Marked files by device and inode number.
    files: HashMap<(u64, u64), Marked>,
    directories: Directories,
}

/// Marked directories by device.
#[derive(Debug)]
struct Directories {
    /// There is a single one: whatever has the name and is written, is in there.
    alone: bool,
    by_device: HashMap<u64, Marked>,
}

impl Directories {
    /// The one in which a file with the right name lies.
    fn of(&self, device: u64, object: &OwnedFd) -> Option<&Marked> {
        if self.alone {
            return self.by_device.values().next();
        }
        let of = |device| {
            let marked = self.by_device.get(&device);
            marked.filter(|marked| marked.is_of_one())
        };
        // A layer on another filesystem gives its files another device than the overlay's.
        of(device).or_else(|| of(superblock(object.as_fd()).ok()?))
    }
}

impl Opened {
    /// An empty lane, for many overlays or for a single directory.
    #[must_use]
    pub fn new(group: Group, alone: bool) -> Self {
        Self {
            group,
            files: HashMap::new(),
            directories: Directories {
                alone,
                by_device: HashMap::new(),
            },
        }
    }

    /// Events carry pidfds.
    #[must_use]
    pub fn has_pidfds(&self) -> bool {
        self.group.has_pidfds()
    }

    /// Events of the object can be told from all others here.
    #[must_use]
    pub fn takes(&self, alone: bool, object: (u64, u64)) -> bool {
        let is_it = |marked: &Marked| marked.object == object;
        self.directories.alone == alone
            && (!alone || self.directories.by_device.values().all(is_it))
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
            return Ok(());
        }
        self.group
            .mark_dir(spot.fd.as_fd(), WRITES | mask::ON_CHILD)?;
        // A volume that found no group to itself is placed by the writers.
        if self.directories.alone || is_overlay(&spot.fd) {
            self.directories
                .by_device
                .entry(object.0)
                .or_insert_with(|| Marked::new(object))
                .note(watch);
        }
        Ok(())
    }

    /// Keeps of the book what `keep` wants.
    pub fn retain(&mut self, keep: &impl Fn(&Watch) -> bool) {
        self.files.retain(|_, marked| marked.retain(keep));
        let Directories { alone, by_device } = &mut self.directories;
        let had = !by_device.is_empty();
        by_device.retain(|_, marked| marked.retain(keep));
        if had && *alone && by_device.is_empty() {
            // A volume outlives its container; the next one here is not to get its events.
            let _ = self.group.flush();
        }
    }

    /// As `Lane::prune`.
    pub fn prune(&mut self, rootfs: RootfsId, round: u64) -> usize {
        let ghosts = self.files.values_mut();
        let ghosts = ghosts.map(|marked| marked.prune(rootfs, round)).sum();
        let files = std::mem::take(&mut self.files);
        self.retain(&|watch| watch.rootfs != rootfs || watch.round == round);
        self.files = files;
        ghosts
    }

    /// As `Lane::clear`.
    pub fn clear(&mut self) {
        // A group that cannot be flushed gives events that nobody knows.
        let _ = self.group.flush();
        self.files = HashMap::new();
        self.directories.by_device = HashMap::new();
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
                match self.directories.of(stat.st_dev, &object) {
                    Some(marked) => {
                        let first = reading.triggers.len();
                        marked.trigger(PRELOAD_NAME, 0, who, &mut reading.triggers);
                        for trigger in reading.triggers.iter_mut().skip(first) {
                            trigger.source = Source::Path;
                        }
                    }
                    None => reading.unplaced.push(who),
                }
            }
        }
        Ok(reading)
    }
}

/// The directory lies on an overlay, whose device nothing else has.
#[must_use]
pub fn is_overlay(directory: &OwnedFd) -> bool {
    fstatfs(directory).is_ok_and(|stat| stat.filesystem_type() == OVERLAYFS_SUPER_MAGIC)
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
