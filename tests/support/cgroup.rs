//! A cgroup of a chosen name in every hierarchy, v1 and v2, as a runtime makes it.

use std::fs;
use std::io::{Error, ErrorKind, Result};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::command::wait_until;
use super::scratch::pids;

/// The directories of one cgroup path; its processes end with it.
pub struct Cgroup {
    directories: Vec<PathBuf>,
}

impl Cgroup {
    /// Makes `path` (as in `/docker/<id>`) below each hierarchy.
    pub fn new(path: &str) -> Result<Self> {
        let mut made = Self {
            directories: Vec::new(),
        };
        // A cpuset of v1 takes no process before its cpus are set.
        let usable = |root: &PathBuf| !root.ends_with("cpuset");
        for root in hierarchies().into_iter().filter(usable) {
            let directory = root.join(path.trim_start_matches('/'));
            make(&directory)?;
            made.directories.push(directory);
        }
        Ok(made)
    }

    /// The directories whose `cgroup.procs` a process must enter.
    pub fn directories(&self) -> &[PathBuf] {
        &self.directories
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        for directory in &self.directories {
            remove(directory);
        }
    }
}

/// Ends every process of the containers that `id` names and removes their cgroups.
pub fn remove_all(id: &str) {
    for root in hierarchies() {
        for directory in below(&root, id) {
            remove(&directory);
        }
    }
}

/// Removes a parent that a runtime made for its containers, where it is empty.
pub fn remove_empty(name: impl AsRef<Path>) {
    for root in hierarchies() {
        let _ = fs::remove_dir(root.join(&name));
    }
}

/// Removes what a runtime made below the cgroup of this process, where it is empty.
pub fn remove_own(name: &str) {
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    for path in own.lines().filter_map(|line| line.splitn(3, ':').nth(2)) {
        remove_empty(Path::new(path.trim_start_matches('/')).join(name));
    }
}

/// Whether a hierarchy still has the cgroup `path`.
pub fn exists(path: &str) -> bool {
    let path = path.trim_start_matches('/');
    hierarchies().iter().any(|root| root.join(path).exists())
}

/// Pids of the living processes whose cgroup path holds `id`.
pub fn members(id: &str) -> Vec<i32> {
    pids()
        .filter(|pid| {
            let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            text.contains(id) && !stat.contains(") Z ")
        })
        .filter_map(|pid| pid.parse().ok())
        .collect()
}

/// Where the hierarchies are mounted.
fn hierarchies() -> Vec<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    mounts
        .lines()
        .filter_map(|line| {
            let mut words = line.split(' ').skip(1);
            let (point, kind) = (words.next()?, words.next()?);
            kind.starts_with("cgroup").then(|| PathBuf::from(point))
        })
        .collect()
}

/// Another test may remove the parent in between.
fn make(directory: &Path) -> Result<()> {
    for _ in 0..50 {
        match fs::create_dir_all(directory) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            done => return done,
        }
    }
    Err(Error::other(format!("{}: no parent", directory.display())))
}

fn remove(directory: &Path) {
    let gone = wait_until(Duration::from_secs(5), || {
        let members = fs::read_to_string(directory.join("cgroup.procs")).unwrap_or_default();
        for pid in members.lines().filter_map(|line| line.parse().ok()) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        fs::remove_dir(directory).is_ok() || !directory.exists()
    });
    if !gone {
        eprintln!("left behind: {}", directory.display());
    }
    // Parents go with their last child; the hierarchy itself is busy and stays.
    for parent in directory.ancestors().skip(1) {
        if fs::remove_dir(parent).is_err() {
            break;
        }
    }
}

/// Directories below `root` whose name holds `id`, deepest first.
fn below(root: &Path, id: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root).into_iter().flatten().flatten() {
        if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            continue;
        }
        let path = entry.path();
        found.extend(below(&path, id));
        if path.to_string_lossy().contains(id) {
            found.push(path);
        }
    }
    found
}
