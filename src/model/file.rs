//! The file the product is about, as seen at one moment.

use std::time::SystemTime;

use crate::parse::preload::Entry;

/// The one path the product is about, as a container sees it.
pub const PRELOAD_PATH: &str = "/etc/ld.so.preload";

/// Its last component, as fanotify reports it.
pub const PRELOAD_NAME: &[u8] = b"ld.so.preload";

/// Type of the object found at the preload path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// Regular file.
    Regular,
    /// Directory.
    Directory,
    /// Symbolic link that leads nowhere, or was not followed.
    Symlink,
    /// FIFO.
    Fifo,
    /// Socket.
    Socket,
    /// Character device.
    CharDevice,
    /// Block device.
    BlockDevice,
}

/// What reading the file gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// The first bytes of the file, at most the configured cap.
    pub head: Vec<u8>,
    /// SHA-256 over everything that was read (up to the hash cap).
    pub sha256: [u8; 32],
    /// The file was longer than what was hashed.
    pub truncated: bool,
    /// Libraries named, as `ld.so` would read them.
    pub entries: Vec<Entry>,
}

/// The file as the container sees it, at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileView {
    /// Type of the object (of the target, when a symlink was resolved).
    pub kind: FileKind,
    /// Device number (`st_dev`).
    pub device: u64,
    /// Inode number.
    pub inode: u64,
    /// Size in bytes.
    pub size: u64,
    /// Permission bits and file type (`st_mode`).
    pub mode: u32,
    /// Owner, as the host sees it.
    pub uid: u32,
    /// Group, as the host sees it.
    pub gid: u32,
    /// Number of hard links.
    pub links: u64,
    /// Last modification.
    pub mtime: SystemTime,
    /// Last status change.
    pub ctime: SystemTime,
    /// Birth, where the filesystem keeps it.
    pub created: Option<SystemTime>,
    /// `immutable`, `append` … (chattr flags, `FS_IOC_GETFLAGS`).
    pub attributes: Vec<&'static str>,
    /// Digest of all extended attribute names and values, `None` when there are none.
    pub xattrs: Option<[u8; 32]>,
    /// Where the name points to, when it is a symbolic link (bytes of the link).
    pub target: Option<Vec<u8>>,
    /// The file lies on another mount than the directory `etc` (bind mount), or `etc`
    /// itself lies on another mount than the root: id of that mount.
    pub mounted: Option<u64>,
    /// Lies in the container's writable layer, or changed after the container's first
    /// process began where no layer is known; `None` when it cannot be told.
    pub in_upper: Option<bool>,
    /// Content of a regular file; `Err` says in fixed words why it was not read.
    pub content: Result<Content, String>,
}

impl FileView {
    /// What marks on the file and on the way to it hang on: when it changes, they are
    /// set anew.
    #[must_use]
    pub fn way(&self) -> (u64, u64, Option<&[u8]>) {
        (self.device, self.inode, self.target.as_deref())
    }
}
