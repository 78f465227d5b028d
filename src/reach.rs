//! FLOOR 2: how to come to a container's root from outside, and how far the
//! process may go there.
//!
//! Two ways lead in: the merged mount as the host sees it (there before the first
//! process), and the root of the container's init (which also shows what the
//! container mounted over it). Each is checked when it is opened: a mount point
//! or a pid may be another's by now. Refuses to enter what `parse::fstype` does
//! not trust.

mod ground;
mod host;

pub use ground::{Ground, ground, ground_on_host};
pub use host::open_on_host;

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;

use crate::parse::fstype::is_kernel;
use crate::parse::mountinfo::{Mount, by_id};
use crate::sys::file::is_mount_root;
use crate::sys::walk::{End, Walk, mount_id, open_dir, walk};

use self::ground::answers;
pub use self::mount::HostMount;
pub use self::process::{ProcessKey, home, living, mount_ns, pinned, read_of, read_table};

mod mount;
mod process;

/// The host's mount table.
const HOST_TABLE: &str = "/proc/self/mountinfo";
/// Most layers of an overlay that are looked for.
const MAX_LAYERS: usize = 128;

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
    /// The root filesystem has a server that may never answer: nobody but an outpost goes
    /// in by these ways.
    pub closed: bool,
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
        Self {
            host,
            init: None,
            closed: false,
        }
    }

    /// Opens the root: through the init when it still lives, else through the host.
    ///
    /// # Errors
    /// The errno of the last way tried, or "another mount is there now"; always when closed.
    pub fn open(&self) -> io::Result<Root> {
        if self.closed {
            return Err(closed());
        }
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
        self.init.map(|init| match self.closed {
            true => Err(closed()),
            false => open_init(init),
        })
    }

    /// One of the ways still leads there. While it does, the device is no other's.
    #[must_use]
    pub fn is_open(&self) -> bool {
        if self.closed {
            return self.host.as_ref().is_some_and(HostMount::is_listed)
                || self.init.is_some_and(|init| has_root(init).is_ok());
        }
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
            Some(mount) if !self.closed => open_host(mount),
            _ => self.open(),
        }
    }
}

fn closed() -> io::Error {
    io::Error::other("nobody but an outpost goes there")
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

/// The process has that mount as its root, by its mount table alone.
fn has_root(InitRoot { key, mount }: InitRoot) -> io::Result<()> {
    let table = read_table(&home(key.pid).join("mountinfo"))?;
    pinned(key)?;
    match by_id(&table, mount).filter(|found| &*found.mountpoint == b"/") {
        Some(_) => Ok(()),
        None => Err(io::Error::other("the container's init left its root")),
    }
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
