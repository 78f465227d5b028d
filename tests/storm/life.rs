//! One container of the storm, from its mount to its end.
//!
//! Half of them are made as docker makes them, with its files first and a moment between
//! the mount and the first process. The other half are made by hand, with nothing but a
//! cgroup to name them, one after the other on the same few mount points: path, device and
//! mount id of one are soon those of another.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::sleep;
use std::time::Duration;

use nix::fcntl::{OFlag, open};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::stat::Mode;
use serde_json::json;

use crate::support::cgroup::Cgroup;
use crate::support::command::wait_until;
use crate::support::overlay::Image;
use crate::support::scratch::{Scratch, container_id, nonce};
use crate::support::{PRELOAD, program};

/// Least time that a runtime with files takes from the mount to the first process.
const LEAD: Duration = Duration::from_millis(25);
/// How long the others live.
const MOMENT: Duration = Duration::from_millis(300);
const STAY: Duration = Duration::from_secs(3);
/// The image of those that are docker's.
pub const IMAGE: &str = "ldwt/storm";

/// Who makes the container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Maker {
    /// Docker's files name it before anything runs.
    Docker,
    /// Its cgroup alone names it.
    Hand,
}

/// How long the container lives after its first act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// It ends with the act, and its mount goes at once.
    Ends,
    /// A third of a second.
    Moment,
    /// Three seconds.
    Stays,
}

/// A container that was.
#[derive(Debug, Clone)]
pub struct Was {
    pub id: String,
    pub nonce: String,
    pub maker: Maker,
    pub life: Life,
    /// Its mount had path and device of another container's before it.
    pub takes_after: bool,
    /// And the mount id.
    pub is_like: bool,
}

/// Where the containers are made.
pub struct Ground {
    image: Image,
    scratch: Scratch,
    /// Mount points that are free, the last one used on top.
    free: Mutex<Vec<PathBuf>>,
    points: AtomicU32,
    /// Mount ids seen, by path and device.
    mounts: Mutex<HashMap<(PathBuf, u64), HashSet<String>>>,
}

impl Ground {
    pub fn new() -> Self {
        Self {
            image: Image::new(),
            scratch: Scratch::new(),
            free: Mutex::default(),
            points: AtomicU32::new(0),
            mounts: Mutex::default(),
        }
    }

    /// The directory of all mount points.
    pub fn path(&self) -> &Path {
        self.scratch.path()
    }

    /// Lives one container's life; the reason when it cannot be made.
    pub fn live(&self, maker: Maker, life: Life) -> Result<Was, String> {
        let (id, own) = (container_id(), nonce());
        let error = |error| format!("{id}: {error}");
        let merged = match maker {
            Maker::Docker => self.as_docker(&id, &own),
            Maker::Hand => self.point(),
        };
        self.mount(&id, &merged).map_err(error)?;
        let (takes_after, is_like) = self.is_known(&merged);
        if maker == Maker::Docker {
            sleep(LEAD);
        }
        let cgroup = Cgroup::new(&format!("/docker/{id}")).map_err(|e| format!("{id}: {e}"))?;
        let init = first(&merged, &cgroup, life, &own);
        let lived = rest(init, life);
        unmount(&merged);
        drop(cgroup);
        self.clear(&id, maker, merged);
        lived.map_err(|error| format!("{id}: {error}"))?;
        Ok(Was {
            id,
            nonce: own,
            maker,
            life,
            takes_after,
            is_like,
        })
    }

    /// A mount point that was used before, if there is one.
    fn point(&self) -> PathBuf {
        if let Some(point) = lock(&self.free).pop() {
            return point;
        }
        let number = self.points.fetch_add(1, Ordering::Relaxed);
        self.scratch.directory(&format!("hand/{number}/rootfs"))
    }

    /// Writes what dockerd writes before it mounts; gives the mount point.
    fn as_docker(&self, id: &str, name: &str) -> PathBuf {
        let home = self.scratch.directory(&format!("data/containers/{id}"));
        let config = json!({
            "Name": format!("/{name}"), "Image": format!("sha256:{id}"),
            "Config": {"Image": format!("{IMAGE}:1"), "Labels": {}},
        });
        fs::write(home.join("config.v2.json"), config.to_string()).unwrap();
        fs::write(home.join("hostconfig.json"), r#"{"Privileged":false}"#).unwrap();
        let entry = format!("data/image/overlay2/layerdb/mounts/{id}");
        fs::write(self.scratch.directory(&entry).join("mount-id"), name).unwrap();
        self.scratch
            .directory(&format!("data/overlay2/{name}/merged"))
    }

    fn mount(&self, id: &str, merged: &Path) -> Result<(), String> {
        let made = |name: &str| self.scratch.directory(&format!("layers/{id}/{name}"));
        let (upper, work) = (made("upper"), made("work"));
        let options = format!(
            "lowerdir={},upperdir={},workdir={}",
            self.image.lower().display(),
            upper.display(),
            work.display()
        );
        let (kind, flags) = (Some("overlay"), MsFlags::empty());
        mount(kind, merged, kind, flags, Some(options.as_str()))
            .map_err(|error| format!("no overlay mount: {error}"))
    }

    /// Whether a mount before had path and device of this one, and the mount id, too.
    fn is_known(&self, merged: &Path) -> (bool, bool) {
        let device = fs::metadata(merged).unwrap().dev();
        let flags = OFlag::O_PATH | OFlag::O_CLOEXEC;
        let root: OwnedFd = open(merged, flags, Mode::empty()).unwrap();
        let facts = fs::read_to_string(format!("/proc/self/fdinfo/{}", root.as_raw_fd())).unwrap();
        let id = facts.lines().find(|line| line.starts_with("mnt_id:"));
        let id = id.expect("a mount id").to_owned();
        let mut mounts = lock(&self.mounts);
        let before = mounts.entry((merged.to_owned(), device)).or_default();
        (!before.is_empty(), !before.insert(id))
    }

    fn clear(&self, id: &str, maker: Maker, merged: PathBuf) {
        fs::remove_dir_all(self.scratch.join(format!("layers/{id}"))).unwrap();
        if maker == Maker::Hand {
            return lock(&self.free).push(merged);
        }
        for entry in ["containers", "image/overlay2/layerdb/mounts"] {
            fs::remove_dir_all(self.scratch.join(format!("data/{entry}/{id}"))).unwrap();
        }
        fs::remove_dir_all(merged.parent().unwrap()).unwrap();
    }
}

/// The first process: it writes, and stays or not.
fn first(merged: &Path, cgroup: &Cgroup, life: Life, nonce: &str) -> Child {
    let mut command = Command::new(program::attack());
    command.arg("contain").arg(merged);
    command
        .args(cgroup.directories())
        .args(["--", "/bin/attack"]);
    match life {
        Life::Ends => command.args(["create", PRELOAD, nonce]),
        Life::Moment | Life::Stays => command.args(["first", nonce]),
    };
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command.spawn().expect("the attack program starts")
}

/// Waits for its end, or ends it in time.
fn rest(mut init: Child, life: Life) -> Result<(), String> {
    if life == Life::Ends {
        let status = init.wait().map_err(|error| error.to_string())?;
        return if status.success() {
            Ok(())
        } else {
            Err(format!("the act: {status}"))
        };
    }
    sleep(if life == Life::Stays { STAY } else { MOMENT });
    let early = init.try_wait().ok().flatten();
    let _ = init.kill();
    let _ = init.wait();
    early.map_or(Ok(()), |status| Err(format!("it ended early: {status}")))
}

/// A watcher may have the file open for a moment, but it must not hold it.
fn unmount(merged: &Path) {
    let gone = || umount2(merged, MntFlags::empty()).is_ok();
    let gone = wait_until(Duration::from_secs(5), gone);
    assert!(gone, "{} stays mounted", merged.display());
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
