//! What a process holds: descriptors, threads, marks and memory, as `/proc` tells.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use nix::unistd::Pid;

/// What a process holds at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    pub fds: usize,
    pub threads: usize,
    /// Marks of fanotify and watches of inotify.
    pub marks: usize,
    /// `VmRSS`.
    pub kib: u64,
}

impl Held {
    /// What the process holds now.
    pub fn by(pid: Pid) -> Self {
        let kinds = [
            "fanotify ino:",
            "fanotify sdev:",
            "fanotify mnt_id:",
            "inotify wd:",
        ];
        Self {
            fds: descriptors(pid),
            threads: threads(pid),
            marks: count(pid, |line| kinds.iter().any(|kind| line.starts_with(kind))),
            kib: memory(pid, "VmRSS"),
        }
    }

    /// It is no more than that, but for so much memory. Fewer is no leak: elsewhere on this
    /// machine a container may have ended.
    pub fn is_within(self, before: Self, more_kib: u64) -> bool {
        self.fds <= before.fds
            && self.threads <= before.threads
            && self.marks <= before.marks
            && self.kib <= before.kib + more_kib
    }
}

/// Number of open descriptors.
pub fn descriptors(pid: Pid) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count)
}

/// Number of threads.
pub fn threads(pid: Pid) -> usize {
    fs::read_dir(format!("/proc/{pid}/task")).map_or(0, Iterator::count)
}

/// Marks that a process has in the kernel on objects of the filesystem at `path`.
pub fn marks(pid: Pid, path: &Path) -> usize {
    let device = fs::metadata(path).map_or(0, |facts| facts.dev());
    // The kernel's own way to write a device number in one.
    let device = (libc::major(device) << 20) | libc::minor(device);
    let on_it = format!(" sdev:{device:x} ");
    count(pid, |line| {
        line.starts_with("fanotify ino:") && line.contains(&on_it)
    })
}

/// Lines like that of all that the kernel tells of the descriptors.
fn count(pid: Pid, fits: impl Fn(&str) -> bool) -> usize {
    let entries = fs::read_dir(format!("/proc/{pid}/fdinfo"));
    let entries = entries.into_iter().flatten().flatten();
    let texts = entries.map(|entry| fs::read_to_string(entry.path()).unwrap_or_default());
    texts
        .map(|text| text.lines().filter(|line| fits(line)).count())
        .sum()
}

/// Processor time used so far.
pub fn processor(pid: Pid) -> Duration {
    let line = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let after = line.rsplit(')').next().unwrap_or_default();
    let ticks = |at| {
        after
            .split_whitespace()
            .nth(at)
            .and_then(|word| word.parse::<u64>().ok())
    };
    // utime and stime, in hundredths on every Linux there is.
    Duration::from_millis((ticks(11).unwrap_or(0) + ticks(12).unwrap_or(0)) * 10)
}

/// A line of `/proc/PID/status` in KiB: `VmRSS` now, `VmHWM` the most so far.
pub fn memory(pid: Pid, line: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    text.lines()
        .find_map(|one| one.strip_prefix(line)?.strip_prefix(':'))
        .and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        .unwrap_or(0)
}
