//! The containers' inits, from `/proc`: for each mount namespace other than the
//! host's, the oldest process of each root in it.
//!
//! A process that unshared its namespace inside a container has the same root
//! and a later start, so it never stands in for the init.

use std::collections::HashMap;
use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::parse::cgroup::member;
use crate::parse::stat::{stat, status};
use crate::reach::{InitRoot, ProcessKey, living, mount_ns, read_table};
use crate::survey::mounts::{RootKey, RootMount, root};
use crate::sys::pidfd;

/// A process first seen this long ago has the root that it will keep.
const UNSETTLED: Duration = Duration::from_secs(2);

/// A process that stands for a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Init {
    /// The process.
    pub key: ProcessKey,
    /// Its mount namespace.
    pub mount_ns: u64,
    /// What is mounted as its root.
    pub root: RootMount,
    /// It is in a pid namespace of its own, or in a container's cgroup: more than a
    /// service with private mounts.
    pub contained: bool,
}

impl Init {
    /// The way in through it.
    #[must_use]
    pub fn way(&self) -> InitRoot {
        InitRoot {
            key: self.key,
            mount: self.root.mount,
        }
    }
}

/// What a scan remembers, so that the next one reads only what is new.
#[derive(Debug, Default)]
pub struct Inits {
    /// Oldest process of each namespace, with what its table said.
    known: HashMap<u64, Read>,
}

/// What a table said, and whether it is read again at the next scan.
#[derive(Debug)]
struct Read {
    init: Init,
    first: Instant,
    settled: bool,
}

impl Inits {
    /// Scans `proc_root` and gives the oldest process for each root filesystem seen
    /// in a namespace other than `host_ns`.
    pub fn scan(&mut self, proc_root: &Path, host_ns: u64) -> HashMap<RootKey, Init> {
        let oldest = oldest_by_namespace(proc_root, host_ns);
        self.known
            .retain(|namespace, read| oldest.get(namespace) == Some(&read.init.key));
        for (&namespace, &key) in &oldest {
            self.read(proc_root, namespace, key);
        }
        let mut by_root: HashMap<RootKey, Init> = HashMap::new();
        for Read { init, .. } in self.known.values() {
            let slot = by_root
                .entry(init.root.key.clone())
                .or_insert_with(|| init.clone());
            if init.key.age() < slot.key.age() {
                slot.clone_from(init);
            }
        }
        by_root
    }

    /// Reads a table, again while it may still change: a runtime's init has its
    /// namespace before it has its root.
    fn read(&mut self, proc_root: &Path, namespace: u64, key: ProcessKey) {
        let first = match self.known.get(&namespace) {
            Some(read) if read.settled => return,
            Some(read) => read.first,
            None => Instant::now(),
        };
        let settled = first.elapsed() > UNSETTLED;
        if let Some(init) = read_init(proc_root, namespace, key) {
            let settled = settled && init.root.is_overlay();
            self.known.insert(
                namespace,
                Read {
                    init,
                    first,
                    settled,
                },
            );
        }
    }
}

fn oldest_by_namespace(proc_root: &Path, host_ns: u64) -> HashMap<u64, ProcessKey> {
    let mut oldest: HashMap<u64, ProcessKey> = HashMap::new();
    let Ok(entries) = fs::read_dir(proc_root) else {
        return oldest;
    };
    for entry in entries.flatten() {
        let Some(pid) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse::<i32>().ok())
        else {
            continue;
        };
        let own = mount_ns(&entry.path().join("ns/mnt"));
        let namespace = own.or_else(|| mount_ns(&living(&entry.path())?.join("ns/mnt")));
        let Some(namespace) = namespace.filter(|&ns| ns != host_ns) else {
            continue;
        };
        let Some(stat) = fs::read(entry.path().join("stat"))
            .ok()
            .and_then(|line| stat(&line))
        else {
            continue;
        };
        let key = ProcessKey {
            pid,
            start_ticks: stat.start_ticks,
        };
        let slot = oldest.entry(namespace).or_insert(key);
        if key.age() < slot.age() {
            *slot = key;
        }
    }
    oldest
}

/// Which root filesystem a process has as its root; the pidfd confirms whose answer
/// it was.
#[must_use]
pub fn root_of(pid: i32, pidfd: &OwnedFd) -> Option<RootKey> {
    let table = read_table(Path::new(&format!("/proc/{pid}/mountinfo"))).ok()?;
    let key = root(&table)?.key;
    pidfd::exists(pidfd.as_fd()).then_some(key)
}

fn read_init(proc_root: &Path, namespace: u64, key: ProcessKey) -> Option<Init> {
    let home = proc_root.join(key.pid.to_string());
    let table = read_table(&home.join("mountinfo"))
        .or_else(|error| read_table(&living(&home).ok_or(error)?.join("mountinfo")));
    let root = root(&table.ok()?)?;
    let text = |name: &str| fs::read(home.join(name)).unwrap_or_default();
    let contained = status(&text("status")).ns_pids.len() > 1
        || member(&text("cgroup")).is_some_and(|member| member.id.is_some());
    Some(Init {
        key,
        mount_ns: namespace,
        root,
        contained,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn process(proc_root: &Path, pid: i32, namespace: u64, start: u64, root: &str) {
        let dir = proc_root.join(pid.to_string());
        fs::create_dir_all(dir.join("ns")).unwrap();
        symlink(format!("mnt:[{namespace}]"), dir.join("ns/mnt")).unwrap();
        let line = format!("{pid} (x) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 {start} 0 0\n");
        fs::write(dir.join("stat"), line).unwrap();
        fs::write(dir.join("mountinfo"), root).unwrap();
    }

    const OVERLAY: &str = "9 1 0:39 / / rw - overlay o rw,upperdir=/u\n";

    #[test]
    fn the_oldest_process_of_a_root_is_its_init() {
        let dir = tempfile::tempdir().unwrap();
        process(dir.path(), 50, 100, 7000, OVERLAY);
        process(dir.path(), 40, 100, 7001, OVERLAY);
        process(dir.path(), 30, 101, 9000, OVERLAY);
        process(dir.path(), 20, 1, 10, OVERLAY);
        let found = Inits::default().scan(dir.path(), 1);
        assert_eq!(found.len(), 1);
        let init = found.values().next().unwrap();
        assert_eq!((init.key.pid, init.root.is_overlay()), (50, true));
    }

    #[test]
    fn a_table_is_read_once_and_again_when_the_init_changes() {
        let dir = tempfile::tempdir().unwrap();
        process(dir.path(), 50, 100, 7000, OVERLAY);
        let mut inits = Inits::default();
        inits.scan(dir.path(), 1);
        fs::write(dir.path().join("50/mountinfo"), "garbage").unwrap();
        assert_eq!(inits.scan(dir.path(), 1).len(), 1);
        fs::remove_dir_all(dir.path().join("50")).unwrap();
        assert!(inits.scan(dir.path(), 1).is_empty());
    }

    #[test]
    fn an_init_seen_before_it_has_its_root_is_read_again() {
        let dir = tempfile::tempdir().unwrap();
        process(
            dir.path(),
            50,
            100,
            7000,
            "9 1 8:1 / / rw - ext4 /dev/sda rw\n",
        );
        let mut inits = Inits::default();
        let mut overlays = || {
            let found = inits.scan(dir.path(), 1).into_values();
            found.filter(|init| init.root.is_overlay()).count()
        };
        assert_eq!(overlays(), 0);
        fs::write(dir.path().join("50/mountinfo"), OVERLAY).unwrap();
        assert_eq!(overlays(), 1);
    }

    #[test]
    fn of_two_namespaces_that_are_as_old_the_lower_pid_counts() {
        let dir = tempfile::tempdir().unwrap();
        process(dir.path(), 50, 100, 7000, OVERLAY);
        for pid in 51..70 {
            process(
                dir.path(),
                pid,
                u64::from(pid.unsigned_abs()) + 100,
                7000,
                OVERLAY,
            );
        }
        let found = Inits::default().scan(dir.path(), 1);
        assert_eq!(found.values().next().unwrap().key.pid, 50);
    }

    #[test]
    fn garbage_in_proc_is_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("77/ns")).unwrap();
        fs::write(dir.path().join("12"), "x").unwrap();
        assert!(Inits::default().scan(dir.path(), 1).is_empty());
    }
}
