//! The executable of a writer: its digest, and whether it came with the image.
//!
//! It is found through the process while that lives, by an `O_PATH` descriptor, which
//! asks no filesystem; else by its path below the container's root, which may lead to
//! another file by now, and is told as such. It is opened for reading only where
//! `reach` lets this process go.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::fcntl::{OFlag, open, readlink};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat};
use sha2::{Digest, Sha256};

use crate::model::Program;
use crate::reach::{Ground, ProcessKey, Reach, ground, ground_on_host, pinned};
use crate::sys::walk::{End, mount_id};

use super::file::{in_upper, reopen};

/// Bytes of an executable that are read; a larger one has no digest.
const CAP: u64 = 16 * 1024 * 1024;
/// How long the reading may take: it is a moment, but disks and machines differ, and a
/// file held open keeps its filesystem from being unmounted.
const PATIENCE: Duration = Duration::from_secs(2);
/// Bytes read at a time.
const PIECE: usize = 64 * 1024;
/// Digests kept.
const KNOWN: usize = 16;
/// Seconds after a change in which a digest is not kept.
const FRESH: i64 = 2;

/// Whose executable, and what is known of the container around it.
#[derive(Debug, Clone)]
pub struct Query {
    /// The process.
    pub key: ProcessKey,
    /// What `/proc/PID/exe` said when it wrote.
    pub link: Vec<u8>,
    /// It sees the container's own mounts: its path means the same below `reach`.
    pub inside: bool,
    /// It sees the host's mounts.
    pub on_host: bool,
    /// The ways to the container's root.
    pub reach: Reach,
    /// Device of the container's root filesystem.
    pub device: (u32, u32),
    /// Its writable layer, as the host names it.
    pub upper: Option<PathBuf>,
}

/// Looks at the executable.
#[must_use]
pub fn look(query: &Query, digests: &mut Digests) -> Program {
    let why = match through_process(query, digests) {
        Ok(program) => return program,
        Err(why) => why,
    };
    match by_path(query, digests) {
        Ok(Some(program)) => program,
        Ok(None) => unread("process", &why),
        Err(why) => unread("path", &why),
    }
}

/// The executable of a process is the very file that has its path on the host; `link`
/// is a path on which the host has nothing that may never answer.
#[must_use]
pub fn is_of_the_host(key: ProcessKey, link: &[u8]) -> bool {
    let Ok(host) = std::fs::metadata(OsStr::from_bytes(link)) else {
        return false;
    };
    let proc = PathBuf::from(format!("/proc/{}", key.pid));
    let same = || {
        let fd = open_executable(&proc, key)?;
        let mount = mount_id(fd.as_fd())?;
        // One that left the host's mount namespace after it was executed shows its file's
        // mount no more.
        let ground = ground(&proc.join("mountinfo"), mount, None).or_else(|| ground_on_host(mount));
        if !ground.is_some_and(|ground| ground.trusted) {
            return Ok(false);
        }
        let stat = fstat(&fd)?;
        Ok::<_, io::Error>((stat.st_dev, stat.st_ino) == (host.dev(), host.ino()))
    };
    same().unwrap_or(false)
}

/// The link leads to the very file, whatever has its name by now.
fn open_executable(proc: &Path, key: ProcessKey) -> io::Result<OwnedFd> {
    let flags = OFlag::O_PATH | OFlag::O_CLOEXEC;
    let fd = open(&proc.join("exe"), flags, Mode::empty())?;
    pinned(key)?;
    Ok(fd)
}

fn through_process(query: &Query, digests: &mut Digests) -> io::Result<Program> {
    let proc = PathBuf::from(format!("/proc/{}", query.key.pid));
    let fd = open_executable(&proc, query.key)?;
    let link = readlink(format!("/proc/self/fd/{}", fd.as_raw_fd()).as_str())?;
    if link.as_bytes() != query.link {
        return Err(io::Error::other("the process runs another program by now"));
    }
    let mount = mount_id(fd.as_fd())?;
    if memfd_mount().is_ok_and(|memory| memory == mount) {
        return Ok(Program {
            layer: Some("memfd"),
            ..facts(&fd, "process", digests)
        });
    }
    let root = query.reach.init.map(|init| init.mount);
    let own = ground(&proc.join("mountinfo"), mount, root);
    let is_hosts = own.is_none();
    let Some(ground) = own.or_else(|| ground_on_host(mount)) else {
        // One that is ending has no mounts any more; its link went before them (do_exit()).
        readlink(&proc.join("exe"))?;
        return Ok(unread("process", &"its filesystem is mounted nowhere"));
    };
    if !ground.trusted {
        let why = format!("{} is not asked", ground.fstype);
        let layer = query.inside.then_some("volume");
        return Ok(Program {
            layer,
            ..unread("process", &why)
        });
    }
    let program = facts(&fd, "process", digests);
    let layer = match is_hosts {
        true => Some("host"),
        false => layer(query, &ground, &fstat(&fd)?),
    };
    Ok(Program { layer, ..program })
}

/// `None`: the path means nothing below the container's root.
fn by_path(query: &Query, digests: &mut Digests) -> io::Result<Option<Program>> {
    let plain = query.link.starts_with(b"/") && !query.link.ends_with(b" (deleted)");
    if !plain || !query.inside {
        return Ok(None);
    }
    let walk = query.reach.open()?.walk(&query.link)?;
    let End::Found(found) = walk.end else {
        return Err(io::Error::other("there is no such file now"));
    };
    let layer = if found.mount == walk.root_mount {
        of_the_image(query)
    } else {
        Some("volume")
    };
    Ok(Some(Program {
        layer,
        ..facts(&found.fd, "path", digests)
    }))
}

fn layer(query: &Query, ground: &Ground, stat: &FileStat) -> Option<&'static str> {
    if ground.device == query.device && ground.is_root {
        // Only while its name leads to it does the name say where it lies.
        let there = query.reach.open().ok()?.walk(&query.link).ok()?.end;
        return match there {
            End::Found(found) if found.stat.st_ino == stat.st_ino => of_the_image(query),
            _ => None,
        };
    }
    match (query.on_host, query.inside) {
        (true, _) => Some("host"),
        (_, true) => Some("volume"),
        _ => None,
    }
}

fn of_the_image(query: &Query) -> Option<&'static str> {
    let upper = query.upper.as_deref()?;
    let relative = query.link.strip_prefix(b"/")?;
    Some(if in_upper(upper, relative)? {
        "writable"
    } else {
        "image"
    })
}

fn unread(found: &'static str, why: &dyn std::fmt::Display) -> Program {
    Program {
        found,
        unread: Some(why.to_string()),
        ..Program::default()
    }
}

/// What can be said of an object that may be asked.
fn facts(object: &OwnedFd, found: &'static str, digests: &mut Digests) -> Program {
    let stat = match fstat(object) {
        Ok(stat) => stat,
        Err(error) => return unread(found, &error),
    };
    if stat.st_mode & SFlag::S_IFMT.bits() != SFlag::S_IFREG.bits() {
        return unread(found, &"not a regular file");
    }
    let size = u64::try_from(stat.st_size).unwrap_or(0);
    let (sha256, unread) = match digests.of(object, &stat) {
        Ok(sha256) => (Some(sha256), None),
        Err(why) => (None, Some(why.to_string())),
    };
    Program {
        sha256,
        size: Some(size),
        found,
        layer: None,
        deleted: Some(stat.st_nlink == 0),
        unread,
    }
}

/// Digests of programs read before: a flood of alerts comes from few.
#[derive(Debug, Default)]
pub struct Digests(VecDeque<(Identity, [u8; 32])>);

/// Device, inode, size, and both times of the last change: while a program runs nobody
/// can write to it, and whoever does so later moves the second.
type Identity = (u64, u64, i64, (i64, i64), (i64, i64));

impl Digests {
    fn of(&mut self, object: &OwnedFd, stat: &FileStat) -> io::Result<[u8; 32]> {
        let identity = (
            stat.st_dev,
            stat.st_ino,
            stat.st_size,
            (stat.st_mtime, stat.st_mtime_nsec),
            (stat.st_ctime, stat.st_ctime_nsec),
        );
        if let Some((_, sha256)) = self.0.iter().find(|(known, _)| *known == identity) {
            return Ok(*sha256);
        }
        let size = u64::try_from(stat.st_size).unwrap_or(0);
        let sha256 = digest(reopen(object)?, size)?;
        // Within a tick of the clock a second change would not show.
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = i64::try_from(now.unwrap_or_default().as_secs()).unwrap_or(i64::MAX);
        if now.saturating_sub(stat.st_ctime) > FRESH {
            self.0.truncate(KNOWN - 1);
            self.0.push_front((identity, sha256));
        }
        Ok(sha256)
    }
}

fn digest(mut file: File, size: u64) -> io::Result<[u8; 32]> {
    if size > CAP {
        return Err(io::Error::other("larger than 16 MiB"));
    }
    let until = Instant::now() + PATIENCE;
    let (mut digest, mut read, mut piece) = (Sha256::new(), 0, vec![0; PIECE]);
    loop {
        let length = file.read(&mut piece)?;
        if length == 0 {
            return Ok(digest.finalize().into());
        }
        read += length as u64;
        if read > CAP || Instant::now() > until {
            return Err(io::Error::other("the reading took too long"));
        }
        digest.update(piece.get(..length).unwrap_or_default());
    }
}

/// Mount of every file that memfd_create(2) makes: the kernel's own, in no table.
fn memfd_mount() -> io::Result<u64> {
    let own = memfd_create("ldwatch", MFdFlags::MFD_CLOEXEC)?;
    mount_id(own.as_fd())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
