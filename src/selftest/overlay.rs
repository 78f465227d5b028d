//! A throw-away container: an overlay on a tmpfs, in a mount namespace of our own,
//! with a cgroup of its own. Nothing of it is visible to the host, and all of it
//! goes away with the process, however it ends; the cgroup is removed on drop.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::model::RootfsId;
use crate::reach::{HostMount, Reach, read_table};
use crate::survey::mounts::overlays;
use crate::survey::spots::{Spot, spots};
use crate::sys::namespace::{overlay, private_mounts, tmpfs};

/// Where the tmpfs goes: a directory every host has.
const PLACE: &str = "/run";

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
        let base = Path::new(PLACE).join("ldwatch-selftest");
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
        let path = |name: &str| base.join(name);
        overlay(
            &path("lower"),
            &path("upper"),
            &path("work"),
            &path("merged"),
        )?;
        let container: String = [uuid::Uuid::now_v7(), uuid::Uuid::now_v7()]
            .map(|id| id.simple().to_string())
            .concat();
        Ok(Self {
            base,
            container,
            cgroups: Vec::new(),
        })
    }

    /// Makes its cgroups, in every hierarchy that lets us.
    pub fn make_cgroups(&mut self) {
        let name = format!("docker/{}", self.container);
        let mut trees = vec![
            PathBuf::from("/sys/fs/cgroup"),
            PathBuf::from("/sys/fs/cgroup/unified"),
        ];
        trees.push(PathBuf::from("/sys/fs/cgroup/pids"));
        for tree in trees
            .into_iter()
            .filter(|tree| tree.join("cgroup.procs").exists())
        {
            let path = tree.join(&name);
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
        spots(&Reach { host, init: None }, Some(&self.base.join("upper"))).0
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        for cgroup in &self.cgroups {
            let _ = fs::remove_dir(cgroup);
            // Only when nobody else uses it: a directory with children stays.
            let _ = cgroup.parent().map(fs::remove_dir);
        }
    }
}
