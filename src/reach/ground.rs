//! Whether what lies on a mount may be asked, by the mount table that shows it.

use std::path::Path;

use super::{HOST_TABLE, read_table};
use crate::parse::fstype::is_trusted;
use crate::parse::mountinfo::{Mount, by_id, mounts};

/// The mount answers by itself. An overlay answers as its layers do, and a container
/// may put one over a FUSE of its own: by itself only the root's own is trusted, and
/// what the host mounted.
pub(super) fn answers(table: &[u8], mount: u64, root: u64, host: &dyn Fn() -> Vec<u8>) -> bool {
    let Some(found) = by_id(table, mount) else {
        return false;
    };
    let same = |other: &Mount<'_>| other.is_overlay() && other.device == found.device;
    is_trusted(found.fstype)
        && (!found.is_overlay()
            || by_id(table, root).is_some_and(|root| same(&root))
            || mounts(&host()).0.iter().any(same))
}

/// What a mount table says of one mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ground {
    /// What lies on it may be asked.
    pub trusted: bool,
    /// Device of the filesystem.
    pub device: (u32, u32),
    /// It is mounted whole, and as the root of whoever has the table.
    pub is_root: bool,
    /// Filesystem type.
    pub fstype: String,
}

/// The mount in a process's table, where `root` is the mount of its container's root;
/// `None` when it is not in there.
#[must_use]
pub fn ground(table: &Path, mount: u64, root: Option<u64>) -> Option<Ground> {
    let text = read_table(table).ok()?;
    let found = by_id(&text, mount)?;
    let host = || read_table(HOST_TABLE.as_ref()).unwrap_or_default();
    Some(Ground {
        trusted: answers(&text, mount, root.unwrap_or(0), &host),
        device: found.device,
        is_root: &*found.root == b"/" && &*found.mountpoint == b"/",
        fstype: String::from_utf8_lossy(found.fstype).into_owned(),
    })
}

/// The mount in the host's table, in which no container's own mount is.
#[must_use]
pub fn ground_on_host(mount: u64) -> Option<Ground> {
    ground(HOST_TABLE.as_ref(), mount, None)
}
