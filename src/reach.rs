//! FLOOR 2: how to come to a container's root from outside, and how far the
//! process may go there.
//!
//! Two ways lead in: the merged mount as the host sees it (there before the first
//! process), and the root of the container's init (which also shows what the
//! container mounted over it). Each is checked when it is opened: a mount point
//! or a pid may be another's by now. Refuses to enter what `parse::fstype` does
//! not trust.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;
use procfs::process::Process;

use crate::parse::fstype::is_kernel;
use crate::parse::mountinfo::{Mount, by_id};
use crate::parse::stat::stat;
use crate::sys::file::is_mount_root;
use crate::sys::walk::{End, Walk, mount_id, open_dir, walk};

use self::ground::answers;
pub use self::ground::{Ground, ground};
pub use self::mount::HostMount;

mod ground;
mod mount;

/// The host's mount table.
const HOST_TABLE: &str = "/proc/self/mountinfo";
/// Largest mount table read for a trust question.
const MAX_TABLE: u64 = 64 * 1024 * 1024;
/// Threads looked through for one that lives.
const MAX_THREADS: usize = 64;
/// Most layers of an overlay that are looked for.
const MAX_LAYERS: usize = 128;
/// Largest `stat` line.
const MAX_STAT: u64 = 4096;

/// Bytes that a file below `/proc/PID` rarely exceeds.
const ROOM: usize = 2048;

/// A process, named so that a reused pid is not taken for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ProcessKey {
    /// Pid on the host.
    pub pid: i32,
    /// Start time in clock ticks since boot.
    pub start_ticks: u64,
}

impl ProcessKey {
    /// Orders by age. Start ticks tie within one tick (10 ms); the lower pid is
    /// then the elder.
    #[must_use]
    pub fn age(&self) -> (u64, i32) {
        (self.start_ticks, self.pid)
    }
}

/// A container's init, and the mount that was its root when it was judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InitRoot {
    /// The process.
    pub key: ProcessKey,
    /// Mount id of its root, in its own namespace. A process that moves its root to
    /// another filesystem is not followed there.
    pub mount: u64,
}

/// The ways to one container's root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    /// The mount in the host's namespace, or in another one than the container's own.
    pub host: Option<HostMount>,
    /// The container's init, once known.
    pub init: Option<InitRoot>,
}

/// A root held open, and where its mount table is.
#[derive(Debug)]
pub struct Root {
    fd: OwnedFd,
    table: PathBuf,
}

impl Reach {
    /// The way by the host's mount alone.
    #[must_use]
    pub fn by_host(host: Option<HostMount>) -> Self {
        Self { host, init: None }
    }

    /// Opens the root: through the init when it still lives, else through the host.
    ///
    /// # Errors
    /// The errno of the last way tried, or "another mount is there now".
    pub fn open(&self) -> io::Result<Root> {
        let through_init = self.open_init();
        match (through_init, &self.host) {
            (Some(Ok(root)), _) => Ok(root),
            (_, Some(mount)) => open_host(mount),
            (Some(Err(error)), None) => Err(error),
            (None, None) => Err(io::Error::from(io::ErrorKind::NotFound)),
        }
    }

    /// Opens the root through the init alone, when one is known.
    ///
    /// # Errors
    /// `NotFound` when the init is gone; another kind when it left its root.
    #[must_use]
    pub fn open_init(&self) -> Option<io::Result<Root>> {
        self.init.map(open_init)
    }

    /// One of the ways still leads there. While it does, the device is no other's.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.host.as_ref().is_some_and(HostMount::is_there)
            || self.open_init().is_some_and(|root| root.is_ok())
    }

    /// The path of the root on the host, where the host sees it.
    #[must_use]
    pub fn host_path(&self) -> Option<&Path> {
        let mount = self.host.as_ref().filter(|mount| mount.within.is_none())?;
        Some(mount.path.as_path())
    }

    /// Opens the root as the host sees it, without anything the container mounted.
    ///
    /// # Errors
    /// As `open`.
    pub fn open_host(&self) -> io::Result<Root> {
        match &self.host {
            Some(mount) => open_host(mount),
            None => self.open(),
        }
    }
}

fn open_host(mount: &HostMount) -> io::Result<Root> {
    let table = match mount.within {
        Some(key) => PathBuf::from(format!("/proc/{}/mountinfo", key.pid)),
        None => PathBuf::from(HOST_TABLE),
    };
    Ok(Root {
        fd: mount.open()?,
        table,
    })
}

/// The root of any process, whatever it is the root of.
fn root_of(key: ProcessKey) -> io::Result<Root> {
    let path = PathBuf::from(format!("/proc/{}/root", key.pid));
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let fd = open(&path, flags, Mode::empty())?;
    pinned(key)?;
    Ok(Root {
        fd,
        table: PathBuf::from(format!("/proc/{}/mountinfo", key.pid)),
    })
}

/// The path leads to the same object for that process as on the host. What a process
/// mounted over a path of the host makes the path its own.
#[must_use]
pub fn same_on_host(key: ProcessKey, path: &Path) -> bool {
    let there = root_of(key).ok().and_then(|root| root.object(path));
    there.is_some() && there == host_root().and_then(|root| root.object(path))
}

/// The path leads to something on the host that can be asked.
#[must_use]
pub fn is_on_host(path: &Path) -> bool {
    host_root().and_then(|root| root.object(path)).is_some()
}

fn host_root() -> Option<Root> {
    Some(Root {
        fd: open_dir(Path::new("/")).ok()?,
        table: PathBuf::from(HOST_TABLE),
    })
}

fn open_init(InitRoot { key, mount }: InitRoot) -> io::Result<Root> {
    let home = home(key.pid);
    // The link itself is the way in, so it is followed; its target is a directory
    // the kernel holds, no path is walked.
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let fd = open(&home.join("root"), flags, Mode::empty())?;
    if mount_id(fd.as_fd())? != mount || is_mount_root(fd.as_fd()) == Some(false) {
        return Err(io::Error::other("the container's init left its root"));
    }
    // Checked afterwards: a process that is still the one meant was it then, too.
    pinned(key)?;
    Ok(Root {
        fd,
        table: home.join("mountinfo"),
    })
}

/// A thread of a process that lives, as its directory below `home` (`/proc/PID`): when
/// the main thread has ended, root, namespaces and mount table are to be had of the
/// others alone. `None` when there is none.
#[must_use]
pub fn living(home: &Path) -> Option<PathBuf> {
    let tasks = std::fs::read_dir(home.join("task")).ok()?;
    let mut homes = tasks.take(MAX_THREADS).flatten().map(|entry| entry.path());
    homes.find(|task| std::fs::read_link(task.join("ns/mnt")).is_ok())
}

/// The directory below `/proc` that a process's root and mount table are read from.
#[must_use]
pub fn home(pid: i32) -> PathBuf {
    let home = PathBuf::from(format!("/proc/{pid}"));
    match std::fs::read_link(home.join("ns/mnt")) {
        Ok(_) => home,
        Err(_) => living(&home).unwrap_or(home),
    }
}

/// `/proc/PID` held open, when it is still the process meant.
///
/// # Errors
/// `NotFound` when the process is gone or the pid is another's.
pub fn pinned(key: ProcessKey) -> io::Result<Process> {
    let gone = || io::Error::new(io::ErrorKind::NotFound, "the process is gone");
    let process = Process::new(key.pid).map_err(|_| gone())?;
    let line = read_of(&process, "stat", MAX_STAT).map_err(|_| gone())?;
    match stat(&line) {
        // A zombie has no root any more, and stands for nothing.
        Some(stat) if stat.start_ticks == key.start_ticks && !stat.is_dead() => Ok(process),
        _ => Err(gone()),
    }
}

/// A file of a pinned `/proc/PID`, at most `limit` bytes of it.
///
/// # Errors
/// The errno of open or read: the process may vanish at any moment.
pub fn read_of(process: &Process, name: &str, limit: u64) -> io::Result<Vec<u8>> {
    use std::io::Read;
    let file = process.open_relative(name).map_err(io::Error::other)?;
    // Room for most of these files at once: growing from nothing is a read(2) for
    // each doubling, and a writer may be vanishing meanwhile.
    let mut text = Vec::with_capacity(ROOM);
    file.take(limit).read_to_end(&mut text)?;
    Ok(text)
}

impl Root {
    /// Walks to `path` below this root; mounts on the way are entered only when
    /// their type is trusted.
    ///
    /// # Errors
    /// As `sys::walk::walk`.
    pub fn walk(&self, path: &[u8]) -> io::Result<Walk> {
        let mut table: Option<Vec<u8>> = None;
        let root = mount_id(self.fd.as_fd())?;
        walk(self.fd.as_fd(), path, &mut |mount| {
            let text = table.get_or_insert_with(|| read_table(&self.table).unwrap_or_default());
            answers(text, mount, root, &|| {
                read_table(HOST_TABLE.as_ref()).unwrap_or_default()
            }) || self.is_plain_overlay(text, mount, root)
        })
    }

    /// Device and inode of what a path leads to.
    fn object(&self, path: &Path) -> Option<(u64, u64)> {
        match self.walk(path.as_os_str().as_bytes()).ok()?.end {
            End::Found(found) => Some((found.stat.st_dev, found.stat.st_ino)),
            _ => None,
        }
    }

    /// Walks to `path` through whatever is mounted: it may never come back.
    ///
    /// # Errors
    /// As `sys::walk::walk`.
    pub fn walk_anywhere(&self, path: &[u8]) -> io::Result<Walk> {
        walk(self.fd.as_fd(), path, &mut |mount| {
            let table = read_table(&self.table).unwrap_or_default();
            by_id(&table, mount).is_some_and(|found| !is_kernel(found.fstype))
        })
    }

    /// An overlay of the container's own making, all of whose layers lie where this
    /// root can be asked. Layers are names, and what was mounted under a name may be
    /// taken away: this keeps out of an overlay that is openly made over a FUSE.
    fn is_plain_overlay(&self, table: &[u8], mount: u64, root: u64) -> bool {
        let Some(found) = by_id(table, mount).filter(Mount::is_overlay) else {
            return false;
        };
        let plain = |layer: &[u8]| {
            if layer == &*found.mountpoint {
                // The overlay covers its own layer, which lies on the mount below.
                return answers(table, found.parent, root, &Vec::new);
            }
            let trust = &mut |mount| answers(table, mount, root, &Vec::new);
            layer.first() == Some(&b'/')
                && walk(self.fd.as_fd(), layer, trust)
                    .is_ok_and(|walk| matches!(walk.end, End::Found(_)))
        };
        let layers = found.layers();
        !layers.is_empty() && layers.len() <= MAX_LAYERS && layers.iter().all(|layer| plain(layer))
    }

    /// The root directory itself.
    #[must_use]
    pub fn fd(&self) -> &OwnedFd {
        &self.fd
    }

    /// Filesystem type of a mount of this root's namespace, for a message.
    #[must_use]
    pub fn type_of(&self, mount: u64) -> String {
        let text = read_table(&self.table).unwrap_or_default();
        by_id(&text, mount).map_or_else(
            || "unknown".to_owned(),
            |mount| String::from_utf8_lossy(mount.fstype).into_owned(),
        )
    }
}

/// A mount table, bounded.
///
/// # Errors
/// The errno of open or read.
pub fn read_table(path: &Path) -> io::Result<Vec<u8>> {
    use std::io::Read;
    let mut text = Vec::new();
    std::fs::File::open(path)?
        .take(MAX_TABLE)
        .read_to_end(&mut text)?;
    Ok(text)
}

/// Inode number of a mount namespace, from its link `mnt:[4026531841]`.
#[must_use]
pub fn mount_ns(link: &Path) -> Option<u64> {
    let target = std::fs::read_link(link).ok()?;
    target
        .to_str()?
        .strip_prefix("mnt:[")?
        .strip_suffix(']')?
        .parse()
        .ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
