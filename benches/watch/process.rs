//! What `/proc` says of a running process.

use std::collections::BTreeMap;
use std::fs;

/// A number of `/proc/PID/status`, in its own unit; 0 where there is none.
pub fn status(path: &str, key: &str) -> u64 {
    let text = fs::read_to_string(format!("{path}/status")).unwrap_or_default();
    text.lines()
        .find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))
        .and_then(|value| value.split_whitespace().next()?.parse().ok())
        .unwrap_or(0)
}

/// Open descriptors.
pub fn descriptors(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count)
}

/// Nanoseconds of CPU taken so far, by name of the thread.
pub fn cpu(pid: u32) -> BTreeMap<String, u64> {
    let all = threads(pid).into_iter();
    all.map(|(name, path)| (name, taken(&path))).collect()
}

/// Nanoseconds of CPU that a thread took so far; 0 when it is gone.
pub fn taken(thread: &str) -> u64 {
    let text = fs::read_to_string(format!("{thread}/schedstat")).unwrap_or_default();
    let first = text.split(' ').next();
    first.and_then(|word| word.parse().ok()).unwrap_or(0)
}

/// Name and directory of each thread.
pub fn threads(pid: u32) -> Vec<(String, String)> {
    let entries = fs::read_dir(format!("/proc/{pid}/task")).into_iter();
    entries
        .flatten()
        .flatten()
        .map(|entry| {
            let path = entry.path().display().to_string();
            let name = fs::read_to_string(format!("{path}/comm")).unwrap_or_default();
            (name.trim().to_owned(), path)
        })
        .collect()
}

/// Context switches of a thread, of its own will and not.
pub fn switches(thread: &str) -> u64 {
    status(thread, "voluntary_ctxt_switches") + status(thread, "nonvoluntary_ctxt_switches")
}
