//! New cgroups, told by inotify: nearly every runtime makes one for a container before
//! the container's first process has its root. And the programs of runtimes that make
//! none (podman for a user without systemd): when one is opened, something may start.
//!
//! A container with a writable cgroup tree makes cgroups at will, so there are bounds:
//! of watches in all, of those below containers, and of those below any one of them.
//! Beyond, and on a host without cgroups, the sweep finds what starts.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, WatchDescriptor};

use crate::parse::cgroup::member;
use crate::parse::mountinfo::{Mount, mounts};

/// Watches in all; the part of them below containers; below one container.
const WATCHES: usize = 4096;
const INNER: usize = 2048;
const OF_ONE: usize = 256;
/// How deep below the top a cgroup is watched.
const DEPTH: usize = 16;
/// Reads of the queue in one turn.
const READS: usize = 64;
/// Where the programs of runtimes are, and their names: those that start containers
/// without a cgroup.
const BINS: [&str; 4] = ["/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin"];
const PROGRAMS: [&str; 3] = ["podman", "crun", "buildah"];

/// What is asked of a cgroup.
const OF_GROUP: AddWatchFlags = AddWatchFlags::IN_CREATE
    .union(AddWatchFlags::IN_ONLYDIR)
    .union(AddWatchFlags::IN_DONT_FOLLOW);

/// What came to be.
#[derive(Debug, Default)]
pub struct Born {
    /// New cgroups.
    pub groups: Vec<PathBuf>,
    /// The program of a runtime was started.
    pub started: bool,
    /// Not all was told: everything has to be looked at.
    pub lost: bool,
}

/// A watched cgroup.
#[derive(Debug, Clone)]
struct Group {
    path: PathBuf,
    depth: usize,
    /// The container that it is in, by the cgroup that is the container's own.
    container: Option<PathBuf>,
}

/// The watched cgroups and programs.
#[derive(Debug)]
pub struct Groups {
    inotify: Inotify,
    tops: Vec<PathBuf>,
    watched: HashMap<WatchDescriptor, Group>,
    /// Watches below each container.
    inner: HashMap<PathBuf, usize>,
    full: bool,
}

impl Groups {
    /// Watches the trees that the host's mount table shows, and the programs.
    ///
    /// # Errors
    /// `EMFILE` at the limit of instances (`fs.inotify.max_user_instances`).
    pub fn new(table: &[u8]) -> io::Result<Self> {
        let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)?;
        let mut groups = Self {
            inotify,
            tops: trees(table),
            watched: HashMap::new(),
            inner: HashMap::new(),
            full: false,
        };
        groups.refresh();
        Ok(groups)
    }

    /// Watches what is not watched yet: a program that was replaced, a cgroup that was
    /// missed. Watching twice is one watch.
    pub fn refresh(&mut self) {
        self.full = false;
        for directory in BINS {
            for program in PROGRAMS {
                let path = Path::new(directory).join(program);
                let flags = AddWatchFlags::IN_OPEN | AddWatchFlags::IN_DONT_FOLLOW;
                // Not installed, mostly.
                let _ = self.inotify.add_watch(&path, flags);
            }
        }
        for top in self.tops.clone() {
            self.watch(Group {
                path: top,
                depth: 0,
                container: None,
            });
        }
    }

    /// Not every cgroup could be watched.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.full
    }

    /// Number of watched cgroups.
    #[must_use]
    pub fn watched(&self) -> usize {
        self.watched.len()
    }

    /// Watches a cgroup and those below it.
    fn watch(&mut self, group: Group) {
        let mut todo = vec![group];
        while let Some(group) = todo.pop() {
            let Some(path) = self.add(&group) else {
                continue;
            };
            for entry in fs::read_dir(&path).into_iter().flatten().flatten() {
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    todo.push(self.below(&group, &entry.path()));
                }
            }
        }
    }

    /// Watches one cgroup; its path when it is watched, now or before.
    fn add(&mut self, group: &Group) -> Option<PathBuf> {
        if !self.has_room(group) {
            self.full = true;
            return None;
        }
        let descriptor = match self.inotify.add_watch(&group.path, OF_GROUP) {
            Ok(descriptor) => descriptor,
            // Gone again.
            Err(Errno::ENOENT) => return None,
            Err(_) => {
                self.full = true;
                return None;
            }
        };
        let before = self.watched.insert(descriptor, group.clone());
        if let (None, Some(container)) = (before, &group.container) {
            *self.inner.entry(container.clone()).or_default() += 1;
        }
        Some(group.path.clone())
    }

    fn has_room(&self, group: &Group) -> bool {
        let inner = group.container.as_ref().is_none_or(|container| {
            let of_one = self.inner.get(container).copied().unwrap_or_default();
            of_one < OF_ONE && self.inner.values().sum::<usize>() < INNER
        });
        inner && group.depth < DEPTH && self.watched.len() < WATCHES
    }

    /// The group of a directory in a group.
    fn below(&self, group: &Group, path: &Path) -> Group {
        Group {
            path: path.to_owned(),
            depth: group.depth + 1,
            container: group.container.clone().or_else(|| self.own(path)),
        }
    }

    /// The path, when it is the cgroup of a container.
    fn own(&self, path: &Path) -> Option<PathBuf> {
        let inner = self
            .tops
            .iter()
            .find_map(|top| path.strip_prefix(top).ok())?;
        let line = [b"0::/".as_slice(), inner.as_os_str().as_bytes()].concat();
        member(&line)?.id?;
        Some(path.to_owned())
    }

    /// Reads what is queued, a bounded part of it.
    ///
    /// # Errors
    /// The errno of read(2).
    pub fn read(&mut self) -> io::Result<Born> {
        let mut born = Born::default();
        for _ in 0..READS {
            let events = match self.inotify.read_events() {
                Ok(events) => events,
                Err(Errno::EAGAIN | Errno::EINTR) => break,
                Err(errno) => return Err(errno.into()),
            };
            for event in events {
                if event.mask.contains(AddWatchFlags::IN_IGNORED) {
                    self.forget(event.wd);
                } else if event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW) {
                    born.lost = true;
                } else if let Some(group) = self.watched.get(&event.wd)
                    && let Some(name) = event.name
                {
                    let group = self.below(group, &group.path.join(name));
                    born.groups.push(group.path.clone());
                    // What was made in it before the watch comes with it.
                    self.watch(group);
                } else {
                    born.started |= event.mask.contains(AddWatchFlags::IN_OPEN);
                }
            }
        }
        Ok(born)
    }

    fn forget(&mut self, descriptor: WatchDescriptor) {
        let Some(container) = self.watched.remove(&descriptor).and_then(|g| g.container) else {
            return;
        };
        if let Some(count) = self.inner.get_mut(&container) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.inner.remove(&container);
            }
        }
    }
}

impl AsFd for Groups {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inotify.as_fd()
    }
}

/// The trees in which containers show: the unified one, and of the first version systemd's
/// own and the one that counts processes.
fn trees(table: &[u8]) -> Vec<PathBuf> {
    let (all, _) = mounts(table);
    let first = |is: &dyn Fn(&Mount<'_>) -> bool| {
        let found = all.iter().find(|mount| &*mount.root == b"/" && is(mount))?;
        Some(PathBuf::from(std::ffi::OsStr::from_bytes(
            &found.mountpoint,
        )))
    };
    let first_version = |mount: &Mount<'_>| mount.fstype == b"cgroup";
    let systemd = |mount: &Mount<'_>| {
        first_version(mount) && mount.option(b"name").as_deref() == Some(b"systemd")
    };
    let pids = |mount: &Mount<'_>| first_version(mount) && mount.has_option(b"pids");
    let unified = first(&|mount| mount.fstype == b"cgroup2");
    // A runtime may leave out either of the first version.
    let trees = [unified, first(&systemd), first(&pids)];
    trees.into_iter().flatten().collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// The watches do not care what kind of directory it is.
    fn over(top: &Path) -> Groups {
        let mut groups = Groups::new(b"").unwrap();
        groups.tops.push(top.to_owned());
        groups.refresh();
        groups
    }

    #[test]
    fn the_trees_are_those_of_containers() {
        let table = b"32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n\
            39 31 0:36 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n\
            40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd\n\
            41 31 0:38 /x /elsewhere rw - cgroup2 cgroup2 rw\n\
            42 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
        let all = ["unified", "systemd", "pids"];
        let all = all.map(|name| Path::new("/sys/fs/cgroup").join(name));
        assert_eq!(trees(table), all);
        let first: Vec<u8> = table
            .split(|&b| b == b'\n')
            .take(2)
            .collect::<Vec<_>>()
            .join(&b'\n');
        assert_eq!(trees(&first), [PathBuf::from("/sys/fs/cgroup/pids")]);
    }

    #[test]
    fn a_new_cgroup_is_told_and_what_is_made_in_it() {
        let top = tempfile::tempdir().unwrap();
        fs::create_dir(top.path().join("old")).unwrap();
        let mut groups = over(top.path());
        assert_eq!(groups.watched(), 2);
        fs::create_dir_all(top.path().join("old/new")).unwrap();
        let born = groups.read().unwrap();
        assert_eq!(born.groups, [top.path().join("old/new")]);
        fs::create_dir(top.path().join("old/new/inner")).unwrap();
        assert_eq!(
            groups.read().unwrap().groups,
            [top.path().join("old/new/inner")]
        );
        fs::remove_dir_all(top.path().join("old")).unwrap();
        groups.read().unwrap();
        assert_eq!(groups.watched(), 1);
    }

    #[test]
    fn one_container_does_not_use_up_the_watches() {
        let top = tempfile::tempdir().unwrap();
        let own = top.path().join("docker").join("ab".repeat(32));
        for number in 0..OF_ONE + 10 {
            fs::create_dir_all(own.join(number.to_string())).unwrap();
        }
        let mut groups = over(top.path());
        assert!(groups.is_full());
        assert_eq!(groups.watched(), OF_ONE + 2);
        fs::remove_dir_all(&own).unwrap();
        while !groups.read().unwrap().groups.is_empty() || groups.watched() > 2 {}
        assert!(groups.inner.is_empty());
    }
}
