//! A throw-away container: an overlay on a tmpfs, in a mount namespace of our own,
//! with a cgroup of its own. Nothing of it is visible to the host, and all of it
//! goes away with the process, however it ends; the cgroup is removed on drop.
//!
//! Where the kernel gives a tmpfs no id (before 5.16), it takes no named marks, and
//! containers on a disk would be watched otherwise: the overlay lies on a disk then, in a
//! directory that is removed on drop.

use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use nix::sys::statfs::{CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC, statfs};

use crate::model::RootfsId;
use crate::reach::{HostMount, Reach, read_table};
use crate::survey::mounts::overlays;
use crate::survey::spots::{Spot, spots};
use crate::sys::handle::HandleKey;
use crate::sys::namespace::{detach, overlay, private_mounts, tmpfs};
use crate::sys::walk::open_dir;

/// Where the tmpfs goes: a directory every host has.
const PLACE: &str = "/run";
/// Where the overlay goes instead, the first that can be written to and has an id.
const ON_DISK: [&str; 3] = ["/var/lib", "/var/tmp", "/tmp"];

/// Where a hierarchy may be mounted: the unified one, alone or beside the first version's,
/// and of those the one that counts processes.
const CGROUPS: [&str; 3] = [
    "/sys/fs/cgroup",
    "/sys/fs/cgroup/unified",
    "/sys/fs/cgroup/pids",
];

/// The container.
#[derive(Debug)]
pub struct Sandbox {
    base: PathBuf,
    container: String,
    cgroups: Vec<PathBuf>,
}

impl Sandbox {
    /// Makes it. The process is in another mount namespace from here on, so this
    /// comes before any thread.
    ///
    /// # Errors
    /// `EPERM` without the capability, the errno of mount(2) otherwise.
    pub fn enter() -> io::Result<Self> {
        private_mounts()?;
        tmpfs(PLACE.as_ref())?;
        let base = base();
        for name in [
            "lower/etc",
            "lower/tmp",
            "lower/opt/etc",
            "upper",
            "work",
            "merged",
        ] {
            fs::create_dir_all(base.join(name))?;
        }
        let container: String = [uuid::Uuid::now_v7(), uuid::Uuid::now_v7()]
            .map(|id| id.simple().to_string())
            .concat();
        let made = Self {
            base,
            container,
            cgroups: Vec::new(),
        };
        let path = |name: &str| made.base.join(name);
        overlay(
            &path("lower"),
            &path("upper"),
            &path("work"),
            &path("merged"),
        )?;
        Ok(made)
    }

    /// Makes its cgroups, in every hierarchy that lets us.
    pub fn make_cgroups(&mut self) {
        let name = format!("docker/{}", self.container);
        let trees = CGROUPS.iter().map(Path::new);
        for path in trees.filter(is_cgroup).map(|tree| tree.join(&name)) {
            if fs::create_dir_all(&path).is_ok() {
                self.cgroups.push(path);
            }
        }
    }

    /// Its root, as the host sees it.
    #[must_use]
    pub fn merged(&self) -> PathBuf {
        self.base.join("merged")
    }

    /// Its container ID.
    #[must_use]
    pub fn container(&self) -> &str {
        &self.container
    }

    /// Its cgroups.
    #[must_use]
    pub fn cgroups(&self) -> &[PathBuf] {
        &self.cgroups
    }

    /// Its name in a book of marks.
    #[must_use]
    pub fn id(&self) -> RootfsId {
        RootfsId(0)
    }

    /// What the watcher would mark of it.
    #[must_use]
    pub fn spots(&self) -> Vec<Spot> {
        let found = read_table("/proc/self/mountinfo".as_ref()).unwrap_or_default();
        let (mounts, _) = overlays(&found);
        let merged = self.merged();
        let host = mounts
            .iter()
            .find(|mount| mount.mountpoint == merged)
            .and_then(|mount| HostMount::find(&merged, mount.mount));
        spots(&Reach::by_host(host), Some(&self.base.join("upper"))).0
    }
}

/// Whether it is a cgroup, not a directory like any other (as `/sys/fs/cgroup` is with the
/// first version): there a file may have the name of a cgroup's.
fn is_cgroup(tree: &&Path) -> bool {
    let kinds = [CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC];
    statfs(*tree).is_ok_and(|found| kinds.contains(&found.filesystem_type()))
}

/// An empty directory's path, on the filesystem where the overlay is to lie.
fn base() -> PathBuf {
    let has_id = |place: &Path| {
        let key = open_dir(place).and_then(|dir| HandleKey::of(dir.as_fd()));
        key.is_ok_and(|key| !key.has_null_fsid())
    };
    let name = format!("ldwatch-selftest.{}", std::process::id());
    let on_disk = || {
        let mut paths = ON_DISK.iter().map(|place| Path::new(place).join(&name));
        paths.find(|path| {
            let made = fs::create_dir(path).is_ok();
            let good = made && has_id(path);
            if made && !good {
                let _ = fs::remove_dir(path);
            }
            good
        })
    };
    let found = if has_id(PLACE.as_ref()) {
        None
    } else {
        on_disk()
    };
    found.unwrap_or_else(|| Path::new(PLACE).join(name))
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // What is mounted is not to be emptied.
        let gone = detach(&self.merged())
            .map_or_else(|e| e.raw_os_error() == Some(libc::EINVAL), |()| true);
        if gone && !self.base.starts_with(PLACE) {
            let _ = fs::remove_dir_all(&self.base);
        }
        for cgroup in &self.cgroups {
            let _ = fs::remove_dir(cgroup);
            // Only when nobody else uses it: a directory with children stays.
            let _ = cgroup.parent().map(fs::remove_dir);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_with_a_file_of_that_name_is_no_cgroup() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("cgroup.procs"), "").unwrap();
        assert!(!is_cgroup(&directory.path()));
    }
}
