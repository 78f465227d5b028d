//! A root filesystem as somebody else than its container sees it: mounted somewhere in
//! the host's namespace, or in one between (a user's pause process, the container
//! around a nested one).

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::process::MAX_TABLE;
use super::{HOST_TABLE, ProcessKey, pinned, read_of, read_table, root_of};
use crate::parse::mountinfo::by_id;
use crate::sys::file::{mount_ids, unique_mount_id};
use crate::sys::walk::{End, mount_id, open_dir};

/// A mount, named so that a later one on the same path is not taken for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostMount {
    /// Where it is mounted.
    pub path: PathBuf,
    /// Mount id: reused soon after an unmount.
    pub id: u64,
    /// Mount id that is never reused (Linux 6.8).
    pub unique: Option<u64>,
    /// The process in whose namespace, and below whose root, the path is; `None`: the
    /// host's.
    pub within: Option<ProcessKey>,
}

impl HostMount {
    /// The mount with that id on that path; `None` when it is gone or covered.
    #[must_use]
    pub fn find(path: &Path, id: u64) -> Option<Self> {
        let (here, unique) = match mount_ids(path) {
            Some(ids) => ids,
            None => (mount_id(open_dir(path).ok()?.as_fd()).ok()?, None),
        };
        (here == id).then(|| Self {
            path: path.to_owned(),
            id,
            unique,
            within: None,
        })
    }

    /// The same below the root of a process. The path is walked in-root, and what may
    /// never answer is not entered.
    #[must_use]
    pub fn find_within(key: ProcessKey, path: &Path, id: u64) -> Option<Self> {
        let fd = open_within(key, path, id).ok()?;
        Some(Self {
            path: path.to_owned(),
            id,
            unique: unique_mount_id(fd.as_fd()),
            within: Some(key),
        })
    }

    /// The same by the mount table alone: nothing is asked of what is mounted there.
    #[must_use]
    pub fn listed(key: ProcessKey, path: &Path, id: u64) -> Self {
        Self {
            path: path.to_owned(),
            id,
            unique: None,
            within: Some(key),
        }
    }

    /// The mount table still shows it.
    #[must_use]
    pub fn is_listed(&self) -> bool {
        let table = match self.within {
            Some(key) => pinned(key).and_then(|process| read_of(&process, "mountinfo", MAX_TABLE)),
            None => read_table(HOST_TABLE.as_ref()),
        };
        let path = self.path.as_os_str().as_bytes();
        table.is_ok_and(|table| by_id(&table, self.id).is_some_and(|is| &*is.mountpoint == path))
    }

    /// It is still there.
    #[must_use]
    pub fn is_there(&self) -> bool {
        let now = match self.within {
            Some(key) => Self::find_within(key, &self.path, self.id),
            None => Self::find(&self.path, self.id),
        };
        now.as_ref() == Some(self)
    }

    /// Opens its root.
    ///
    /// # Errors
    /// `NotFound` when another mount is there now.
    pub fn open(&self) -> io::Result<OwnedFd> {
        let fd = match self.within {
            Some(key) => open_within(key, &self.path, self.id)?,
            None => open_dir(&self.path)?,
        };
        if mount_id(fd.as_fd())? != self.id || unique_mount_id(fd.as_fd()) != self.unique {
            return Err(gone());
        }
        Ok(fd)
    }
}

fn open_within(key: ProcessKey, path: &Path, id: u64) -> io::Result<OwnedFd> {
    let walk = root_of(key)?.walk(path.as_os_str().as_bytes())?;
    match walk.end {
        End::Found(found) if found.mount == id => Ok(found.fd),
        End::Untrusted { .. } => Err(io::Error::other("its layers are not asked")),
        _ => Err(gone()),
    }
}

fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, "another mount is there now")
}
