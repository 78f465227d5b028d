//! What a process holds: descriptors and memory, as `/proc` tells.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use nix::unistd::Pid;

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
    let is_mark = |line: &&str| line.starts_with("fanotify ino:") && line.contains(&on_it);
    let entries = fs::read_dir(format!("/proc/{pid}/fdinfo"));
    let entries = entries.into_iter().flatten().flatten();
    let texts = entries.map(|entry| fs::read_to_string(entry.path()).unwrap_or_default());
    texts.map(|text| text.lines().filter(is_mark).count()).sum()
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
