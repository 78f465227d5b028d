//! What a process's mount table says of one mount, and whether it may be asked.

use std::path::Path;

use crate::parse::mountinfo::by_id;

use super::{HOST_TABLE, answers, read_table};

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
