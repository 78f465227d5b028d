//! A process as a way in: named so that a reused pid is no other's, pinned, and what is
//! read below its directory.

use std::io;
use std::path::{Path, PathBuf};

use procfs::process::Process;

use crate::parse::stat::stat;

/// Largest mount table read for a trust question.
pub(super) const MAX_TABLE: u64 = 64 * 1024 * 1024;
/// Threads looked through for one that lives.
const MAX_THREADS: usize = 64;
/// Largest `stat` line.
pub(super) const MAX_STAT: u64 = 4096;
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
