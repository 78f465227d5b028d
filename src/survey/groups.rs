//! New cgroups, told by inotify: nearly every runtime makes one for a container before
//! the container's first process has its root. And the programs of runtimes that make
//! none (podman for a user without systemd): when one is opened, something may start.
//!
//! A container with a writable cgroup tree makes cgroups at will, so there are bounds:
//! of watches in all, of those below containers, and of those below any one of them.
//! Beyond, and on a host without cgroups, the sweep finds what starts.

use std::collections::{HashMap, HashSet};
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

/// What is asked of a cgroup. That one ends is told where it was and not by itself: the
/// kernel keeps a watch on a removed cgroup until it is taken off.
const OF_GROUP: AddWatchFlags = AddWatchFlags::IN_CREATE
    .union(AddWatchFlags::IN_DELETE)
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
        self.drop_ended();
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
                    let path = group.path.join(name);
                    if event.mask.contains(AddWatchFlags::IN_DELETE) {
                        self.end(&path);
                        continue;
                    }
                    let group = self.below(group, &path);
                    born.groups.push(path);
                    // What was made in it before the watch comes with it.
                    self.watch(group);
                } else {
                    born.started |= event.mask.contains(AddWatchFlags::IN_OPEN);
                }
            }
        }
        Ok(born)
    }

    /// A cgroup was removed.
    fn end(&mut self, path: &Path) {
        let of = |(&descriptor, group): (&WatchDescriptor, &Group)| {
            (group.path == path).then_some(descriptor)
        };
        let ended: Vec<_> = self.watched.iter().filter_map(of).collect();
        for descriptor in ended {
            self.unwatch(descriptor);
        }
    }

    /// Takes the watches off what is no more: the word of its end may have been lost. Of two
    /// of one name the younger lives.
    fn drop_ended(&mut self) {
        let mut last: HashMap<&Path, WatchDescriptor> = HashMap::new();
        for (&descriptor, group) in &self.watched {
            let slot = last.entry(&group.path).or_insert(descriptor);
            *slot = descriptor.max(*slot);
        }
        let lives = |path: &Path| fs::symlink_metadata(path).is_ok();
        let living = last.into_iter().filter(|(path, _)| lives(path));
        let living: HashSet<WatchDescriptor> = living.map(|(_, descriptor)| descriptor).collect();
        let ended: Vec<_> = self.watched.keys().copied().collect();
        for descriptor in ended.into_iter().filter(|one| !living.contains(one)) {
            self.unwatch(descriptor);
        }
    }

    /// Where the kernel took it off itself, that is told, too.
    fn unwatch(&mut self, descriptor: WatchDescriptor) {
        let _ = self.inotify.rm_watch(descriptor);
        self.forget(descriptor);
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
mod tests;
