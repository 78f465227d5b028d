//! The preload file as the container sees it, at one moment.
//!
//! The content is hashed at every look: a second store through a dirty mapping
//! and a same-size rewrite within one clock tick move no time stamp. Refuses to
//! open anything but a regular file, and to read past its caps.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, SystemTime};

use nix::fcntl::{OFlag, open};
use nix::sys::stat::{FileStat, Mode, SFlag};
use sha2::{Digest, Sha256};

use crate::model::{Content, FileKind, FileView, PRELOAD_PATH};
use crate::parse::preload::entries;
use crate::reach::{Reach, Root, open_on_host};
use crate::sys::clock::started;
use crate::sys::file::{attributes, birth, xattrs};
use crate::sys::walk::{End, Found, Walk, walk};

/// Bytes hashed; what lies beyond is told as `truncated`. The loader reads the
/// whole file, but a list of libraries is a few hundred bytes.
const HASH_CAP: u64 = 1024 * 1024;
/// Libraries listed.
const MAX_ENTRIES: usize = 64;

/// Why a look does not see a file on which somebody holds a lease (fcntl(2),
/// `F_SETLEASE`): it has to be given up first, and opening without waiting asks for that.
pub const LEASED: &str = "open: a lease on the file has to be given up first";

/// What a look at the path gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look {
    /// There is no such file.
    Absent,
    /// There is one.
    File(Box<FileView>),
    /// The root itself is gone: the container ended, or another mount is there now.
    Gone,
    /// It lies behind a filesystem that may never answer, which this process does not
    /// ask; in fixed words, which.
    Unasked(String),
    /// It could not be seen; in fixed words, why.
    Blind(String),
}

/// Looks at the file below `reach`. `upper` is the container's writable layer as
/// the host names it; `quote` bounds the content kept.
#[must_use]
pub fn look(reach: &Reach, upper: Option<&Path>, quote: usize) -> Look {
    if reach.closed {
        return Look::Unasked("the root filesystem's server may not answer".to_owned());
    }
    look_by(reach, upper, quote, Root::walk)
}

/// The same for a process that may be lost: asks every filesystem on the way.
#[must_use]
pub fn look_anywhere(reach: &Reach, quote: usize) -> Look {
    look_by(reach, None, quote, Root::walk_anywhere)
}

fn look_by(
    reach: &Reach,
    upper: Option<&Path>,
    quote: usize,
    walk: fn(&Root, &[u8]) -> io::Result<Walk>,
) -> Look {
    let root = match reach.open() {
        Ok(root) => root,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Look::Gone,
        Err(error) => return Look::Blind(format!("root: {error}")),
    };
    match walk(&root, PRELOAD_PATH.as_bytes()) {
        Ok(walk) => match seen(&root, walk, upper, quote) {
            Look::File(mut view) => {
                if view.in_upper.is_none() && view.mounted.is_none() && changed_since(reach, &view)
                {
                    view.in_upper = Some(true);
                }
                Look::File(view)
            }
            other => other,
        },
        Err(error) => Look::Blind(format!("walk: {error}")),
    }
}

/// Without a layer to tell by, what changed after the container's first process began did
/// not come with the image. A time of change is the kernel's word, whatever a process sets.
fn changed_since(reach: &Reach, view: &FileView) -> bool {
    let start = reach.init.and_then(|init| started(init.key.start_ticks));
    start.is_some_and(|start| view.ctime >= start)
}

fn seen(root: &Root, walk: Walk, upper: Option<&Path>, quote: usize) -> Look {
    let root_mount = walk.root_mount;
    let link = walk.link;
    let mut view = match walk.end {
        End::Absent => return Look::Absent,
        End::Untrusted { mount } if let Some(stat) = walk.link_stat => FileView {
            kind: FileKind::Symlink,
            ..facts(
                &stat,
                Err(format!(
                    "the link leads to {}, which is not asked",
                    root.type_of(mount)
                )),
            )
        },
        End::Untrusted { mount } => {
            return Look::Unasked(format!(
                "{} is not asked (mount {mount})",
                root.type_of(mount)
            ));
        }
        End::Dangling(stat) => {
            let content = Err("the link leads to no file".to_owned());
            FileView {
                kind: FileKind::Symlink,
                ..facts(&stat, content)
            }
        }
        End::Found(found) => match found_view(&found, root_mount, quote) {
            Some(view) => view,
            None => return Look::Blind(LEASED.to_owned()),
        },
    };
    view.target = link;
    view.in_upper = match view.mounted {
        None => upper.and_then(|upper| in_upper(upper, PRELOAD_PATH.as_bytes())),
        Some(_) => None,
    };
    Look::File(Box::new(view))
}

/// `None`: a lease keeps it closed for now.
fn found_view(found: &Found, root_mount: u64, quote: usize) -> Option<FileView> {
    let mounted = (found.mount != root_mount).then_some(found.mount);
    let kind = kind_of(found.stat.st_mode);
    if kind != FileKind::Regular {
        let view = facts(&found.stat, Err("not a regular file".to_owned()));
        return Some(FileView {
            kind,
            mounted,
            ..view
        });
    }
    let file = match reopen(&found.fd) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return None,
        Err(error) => {
            let view = facts(&found.stat, Err(format!("open: {error}")));
            return Some(FileView {
                kind,
                mounted,
                ..view
            });
        }
    };
    let content = read(&file, quote).map_err(|error| format!("read: {error}"));
    Some(FileView {
        kind,
        mounted,
        created: birth(file.as_fd()),
        attributes: attributes(file.as_fd()),
        xattrs: xattr_digest(&file),
        ..facts(&found.stat, content)
    })
}

/// The facts every object has; the rest is empty.
fn facts(stat: &FileStat, content: Result<Content, String>) -> FileView {
    FileView {
        kind: kind_of(stat.st_mode),
        device: stat.st_dev,
        inode: stat.st_ino,
        size: u64::try_from(stat.st_size).unwrap_or(0),
        mode: stat.st_mode,
        uid: stat.st_uid,
        gid: stat.st_gid,
        links: stat.st_nlink,
        mtime: time(stat.st_mtime, stat.st_mtime_nsec),
        ctime: time(stat.st_ctime, stat.st_ctime_nsec),
        created: None,
        attributes: Vec::new(),
        xattrs: None,
        target: None,
        mounted: None,
        in_upper: None,
        content,
    }
}

fn kind_of(mode: u32) -> FileKind {
    match SFlag::from_bits_truncate(mode & SFlag::S_IFMT.bits()) {
        SFlag::S_IFDIR => FileKind::Directory,
        SFlag::S_IFLNK => FileKind::Symlink,
        SFlag::S_IFIFO => FileKind::Fifo,
        SFlag::S_IFSOCK => FileKind::Socket,
        SFlag::S_IFCHR => FileKind::CharDevice,
        SFlag::S_IFBLK => FileKind::BlockDevice,
        _ => FileKind::Regular,
    }
}

/// A time stamp of the filesystem; one before 1970 or out of range is the epoch.
fn time(seconds: i64, nanos: i64) -> SystemTime {
    let since = u64::try_from(seconds).unwrap_or(0);
    let nanos = u32::try_from(nanos).unwrap_or(0);
    SystemTime::UNIX_EPOCH
        .checked_add(Duration::new(since, nanos))
        .unwrap_or(SystemTime::UNIX_EPOCH)
}

/// Opens for reading what a walk found, through its descriptor: the very object,
/// whatever the path names by now. Never blocks (`O_NONBLOCK`: leases).
pub(super) fn reopen(object: &OwnedFd) -> io::Result<File> {
    let path = format!("/proc/self/fd/{}", object.as_raw_fd());
    let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    Ok(File::from(open(path.as_str(), flags, Mode::empty())?))
}

fn read(file: &File, quote: usize) -> io::Result<Content> {
    let mut bytes = Vec::new();
    // One byte more than the cap tells whether there is more.
    file.take(HASH_CAP + 1).read_to_end(&mut bytes)?;
    let cap = usize::try_from(HASH_CAP).unwrap_or(usize::MAX);
    let truncated = bytes.len() > cap;
    bytes.truncate(cap);
    let sha256 = Sha256::digest(&bytes).into();
    let entries = entries(&bytes, MAX_ENTRIES);
    bytes.truncate(quote);
    bytes.shrink_to_fit();
    Ok(Content {
        head: bytes,
        sha256,
        truncated,
        entries,
    })
}

fn xattr_digest(file: &File) -> Option<[u8; 32]> {
    let found = xattrs(file.as_fd());
    if found.is_empty() {
        return None;
    }
    let mut digest = Sha256::new();
    for (name, value) in found {
        digest.update(name);
        digest.update([0]);
        digest.update(value.len().to_le_bytes());
        digest.update(value);
    }
    Some(digest.finalize().into())
}

/// What a child saw, with what this process finds in the writable layer.
#[must_use]
pub fn placed(look: Look, upper: Option<&Path>) -> Look {
    let Look::File(mut view) = look else {
        return look;
    };
    if view.mounted.is_none()
        && let Some(upper) = upper
    {
        view.in_upper = in_upper(upper, PRELOAD_PATH.as_bytes()).or(view.in_upper);
    }
    Look::File(view)
}

/// The path exists in the writable layer and is no whiteout (a character device
/// 0:0, overlayfs documentation, "whiteouts and opaque directories").
pub(super) fn in_upper(upper: &Path, path: &[u8]) -> Option<bool> {
    let root = open_on_host(upper).ok()?;
    let walk = walk(root.as_fd(), path, &mut |_| false).ok()?;
    Some(match walk.end {
        _ if walk.link.is_some() => true,
        End::Found(found) => {
            kind_of(found.stat.st_mode) != FileKind::CharDevice || found.stat.st_rdev != 0
        }
        End::Dangling(_) => true,
        End::Absent | End::Untrusted { .. } => false,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
