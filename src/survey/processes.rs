//! The containers' inits, from `/proc`: for each mount namespace other than the
//! host's, the oldest process of each root in it.
//!
//! A process that unshared its namespace inside a container has the same root
//! and a later start, so it never stands in for the init.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::parse::cgroup::{Member, Runtime, member};
use crate::parse::stat::{stat, status};
use crate::reach::{InitRoot, ProcessKey, living, mount_ns, pinned, read_of, read_table};
use crate::survey::mounts::{RootKey, RootMount, inner, lxc_root, root};
use crate::sys::pidfd;

/// A process first seen this long ago has the root that it will keep, mostly.
const UNSETTLED: Duration = Duration::from_secs(2);
/// A table that nobody waits for is read again after this long.
const STALE: Duration = Duration::from_secs(20);
/// Bytes of a writer's mount table in which its root is looked for.
const MAX_ROOT_TABLE: u64 = 256 * 1024;

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
    /// Its user namespace is not the host's.
    pub own_users: bool,
    /// Its cgroup is one of LXC's.
    pub by_lxc: bool,
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
    /// Overlays in tables that were read since they were last asked for.
    inner: Vec<Inner>,
    /// Devices of the overlays that the host mounts: a namespace may show all of them.
    pub hosts: HashSet<(u32, u32)>,
}

/// The overlays in the table of one namespace, elsewhere than on its root, and what LXC is
/// about to make a root.
#[derive(Debug)]
pub struct Inner {
    /// Whose table it was.
    pub init: Init,
    /// All of them.
    pub overlays: Vec<RootMount>,
}

/// What a table said, and whether it is read again at the next scan.
#[derive(Debug)]
struct Read {
    init: Init,
    first: Instant,
    last: Instant,
}

impl Read {
    /// A runtime's init has its namespace before it has its root; an overlay is kept.
    fn is_settled(&self, now: Instant) -> bool {
        let since = |then| now.saturating_duration_since(then);
        since(self.first) > UNSETTLED && (self.init.root.is_overlay() || since(self.last) < STALE)
    }
}

impl Inits {
    /// Scans `proc_root` and gives the oldest process for each root filesystem seen
    /// in a namespace other than `host_ns`.
    pub fn scan(&mut self, proc_root: &Path, host_ns: u64) -> HashMap<RootKey, Init> {
        let oldest = oldest_by_namespace(proc_root, host_ns);
        self.known
            .retain(|namespace, read| oldest.get(namespace) == Some(&read.init.key));
        let now = Instant::now();
        for (&namespace, &key) in &oldest {
            if !self
                .known
                .get(&namespace)
                .is_some_and(|read| read.is_settled(now))
            {
                self.read(proc_root, namespace, key);
            }
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

    /// Looks at one process that may be new: its namespace, when it is not `host_ns`.
    pub fn look(&mut self, proc_root: &Path, pid: i32, host_ns: u64) -> Option<u64> {
        let home = proc_root.join(pid.to_string());
        let namespace = mount_ns(&home.join("ns/mnt")).filter(|&ns| ns != host_ns)?;
        let key = key_of(&home, pid)?;
        let elder = self.known.get(&namespace).map(|read| read.init.key);
        if elder.is_none_or(|elder| key.age() < elder.age() || pinned(elder).is_err()) {
            self.known.remove(&namespace);
            self.read(proc_root, namespace, key);
        }
        Some(namespace)
    }

    /// The table of a namespace changed. `None`: its process is gone.
    pub fn refresh(&mut self, proc_root: &Path, namespace: u64) -> Option<()> {
        let key = self.known.get(&namespace)?.init.key;
        self.read(proc_root, namespace, key)
    }

    /// What is known of a namespace.
    #[must_use]
    pub fn get(&self, namespace: u64) -> Option<&Init> {
        self.known.get(&namespace).map(|read| &read.init)
    }

    /// All that is known, and whether it is new.
    pub fn all(&self) -> impl Iterator<Item = (&Init, bool)> {
        let young = |read: &Read| read.first.elapsed() < UNSETTLED;
        self.known
            .values()
            .map(move |read| (&read.init, young(read)))
    }

    /// The overlays in tables read since this was last asked.
    pub fn take_inner(&mut self) -> Vec<Inner> {
        std::mem::take(&mut self.inner)
    }

    /// Reads a table.
    fn read(&mut self, proc_root: &Path, namespace: u64, key: ProcessKey) -> Option<()> {
        let (init, overlays) = read_init(proc_root, namespace, key, &self.hosts)?;
        let last = Instant::now();
        let first = self.known.get(&namespace).map_or(last, |read| read.first);
        self.inner.push(Inner {
            init: init.clone(),
            overlays,
        });
        self.known.insert(namespace, Read { init, first, last });
        Some(())
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
        let Some(key) = key_of(&entry.path(), pid) else {
            continue;
        };
        let slot = oldest.entry(namespace).or_insert(key);
        if key.age() < slot.age() {
            *slot = key;
        }
    }
    oldest
}

fn key_of(home: &Path, pid: i32) -> Option<ProcessKey> {
    let line = fs::read(home.join("stat")).ok()?;
    Some(ProcessKey {
        pid,
        start_ticks: stat(&line)?.start_ticks,
    })
}

/// Which root filesystem a process has as its root; the pidfd confirms whose answer
/// it was.
#[must_use]
pub fn root_of(pid: i32, pidfd: &OwnedFd) -> Option<RootKey> {
    let table = read_table(Path::new(&format!("/proc/{pid}/mountinfo"))).ok()?;
    let key = root(&table)?.key;
    pidfd::exists(pidfd.as_fd()).then_some(key)
}

/// What a process has as its root now, found again by its key.
#[must_use]
pub fn root_now(key: ProcessKey) -> Option<RootMount> {
    let table = read_of(&pinned(key).ok()?, "mountinfo", MAX_ROOT_TABLE).ok()?;
    root(&table)
}

fn read_init(
    proc_root: &Path,
    namespace: u64,
    key: ProcessKey,
    hosts: &HashSet<(u32, u32)>,
) -> Option<(Init, Vec<RootMount>)> {
    let home = proc_root.join(key.pid.to_string());
    let table = read_table(&home.join("mountinfo"))
        .or_else(|error| read_table(&living(&home).ok_or(error)?.join("mountinfo")))
        .ok()?;
    let root = root(&table)?;
    let text = |name: &str| fs::read(home.join(name)).unwrap_or_default();
    let member = member(&text("cgroup"));
    let by_lxc = |member: &Member| member.runtime == Runtime::Lxc && member.id.is_some();
    let by_lxc = member.as_ref().is_some_and(by_lxc);
    let contained = status(&text("status")).ns_pids.len() > 1
        || member.is_some_and(|member| member.id.is_some());
    let users = |home: &Path| fs::read_link(home.join("ns/user")).ok();
    let init = Init {
        key,
        mount_ns: namespace,
        root,
        contained,
        own_users: users(&home) != users(&proc_root.join("self")),
        by_lxc,
    };
    let mut overlays = inner(&table, hosts);
    overlays.extend(lxc_root(&table).filter(|_| by_lxc));
    Some((init, overlays))
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
