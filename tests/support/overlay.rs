//! A container by hand: an overlay mount, a private mount namespace with it as root,
//! a cgroup named like a runtime's, and a first process that sleeps in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::mount::{MsFlags, mount};

use super::cgroup::Cgroup;
use super::command::wait_until;
use super::program::{self, Outcome, act};
use super::scratch::{Scratch, container_id};

/// A lower layer that several containers share, as those of one image do.
pub struct Image {
    scratch: Scratch,
}

impl Image {
    /// Makes the layer: the attack program and the few directories it needs.
    pub fn new() -> Self {
        let scratch = Scratch::new();
        for name in ["bin", "etc", "tmp", "proc", "opt/etc"] {
            scratch.directory(&format!("lower/{name}"));
        }
        fs::copy(program::attack(), scratch.join("lower/bin/attack")).unwrap();
        fs::write(scratch.join("lower/etc/hostname"), "box\n").unwrap();
        Self { scratch }
    }

    /// The layer's directory, to be filled before a container starts.
    pub fn lower(&self) -> PathBuf {
        self.scratch.join("lower")
    }

    /// Starts a container named as docker names them; the reason when it cannot be made.
    pub fn start(&self) -> Result<Overlay, String> {
        let id = container_id();
        let cgroup = format!("/docker/{id}");
        self.start_in(id, &cgroup)
    }

    /// Starts a container in a cgroup of any name.
    pub fn start_in(&self, id: String, cgroup: &str) -> Result<Overlay, String> {
        let made = |name: &str| self.scratch.directory(&format!("{id}/{name}"));
        let (upper, work, merged) = (made("upper"), made("work"), made("merged"));
        let options = format!(
            "lowerdir={},upperdir={},workdir={}",
            self.lower().display(),
            upper.display(),
            work.display()
        );
        let flags = MsFlags::empty();
        mount(
            Some("overlay"),
            &merged,
            Some("overlay"),
            flags,
            Some(options.as_str()),
        )
        .map_err(|error| format!("no overlay mount on {}: {error}", merged.display()))?;
        let cgroup = Cgroup::new(cgroup).map_err(|error| format!("no cgroup: {error}"))?;
        let init = contain(&merged, &cgroup);
        let container = Overlay {
            id,
            merged,
            upper,
            cgroup,
            init,
        };
        container.wait_for_its_root();
        Ok(container)
    }
}

/// One such container; it ends with the value, its mount with the image.
pub struct Overlay {
    /// What its cgroup calls it.
    pub id: String,
    /// Its root on the host.
    pub merged: PathBuf,
    /// Its writable layer.
    pub upper: PathBuf,
    cgroup: Cgroup,
    init: Child,
}

impl Overlay {
    /// Runs the attack program inside, in a process that has just come.
    pub fn attack(&self, args: &[&str]) -> Outcome {
        act(self.command("/bin/attack").args(args))
    }

    /// A command that will run a program of the image inside.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program::attack());
        command.arg("enter").arg(self.pid().to_string());
        command.args(self.cgroup.directories());
        command.args(["--", program]);
        command
    }

    /// Its first process.
    pub fn pid(&self) -> u32 {
        self.init.id()
    }

    /// The path is there, seen from inside. Reads nothing in `etc` itself.
    pub fn has(&self, path: &str) -> bool {
        let inside = self.merged.join(path.trim_start_matches('/'));
        fs::symlink_metadata(inside).is_ok()
    }

    fn wait_for_its_root(&self) {
        let exe = format!("/proc/{}/exe", self.pid());
        let inside = || fs::read_link(&exe).is_ok_and(|path| path == Path::new("/bin/attack"));
        assert!(
            wait_until(Duration::from_secs(10), inside),
            "the container {} did not start",
            self.id
        );
    }
}

impl Drop for Overlay {
    fn drop(&mut self) {
        let _ = self.init.kill();
        let _ = self.init.wait();
        let _ = nix::mount::umount2(&self.merged, nix::mount::MntFlags::MNT_DETACH);
    }
}

fn contain(merged: &Path, cgroup: &Cgroup) -> Child {
    Command::new(program::attack())
        .arg("contain")
        .arg(merged)
        .args(cgroup.directories())
        .args(["--", "/bin/attack", "sleep"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .expect("the attack program starts")
}
