//! A throw-away container: an overlay on a tmpfs, in a mount namespace of our own,
//! with a cgroup of its own. Nothing of it is visible to the host, and all of it
//! goes away with the process, however it ends; the cgroup is removed on drop.

use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use crate::model::{PRELOAD_PATH, RootfsId};
use crate::sys::namespace::{overlay, private_mounts, tmpfs};
use crate::sys::walk::{Dir, open_dir, walk};

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

    /// The directories on the way to its file.
    ///
    /// # Errors
    /// As `sys::walk::walk`.
    pub fn dirs(&self) -> io::Result<Vec<Dir>> {
        let root = open_dir(&self.merged())?;
        Ok(walk(root.as_fd(), PRELOAD_PATH.as_bytes(), &mut |_| false)?.dirs)
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
