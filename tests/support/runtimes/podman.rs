//! Rootful podman with storage of its own.

use std::fs;
use std::process::Command;

use super::super::command::{bounded, run, try_run};
use super::super::image::{Files, NAME};
use super::super::scratch::Scratch;
use super::{Ids, Runtime};

/// The programs it needs.
pub const PROGRAMS: &[&str] = &["podman", "runc", "busybox"];

/// podman and its storage. Fields drop in this order.
pub struct Podman {
    ids: Ids,
    scratch: Scratch,
    /// Its directories within the scratch directory: storage, and what a boot clears.
    places: [&'static str; 2],
}

impl Podman {
    /// Makes the storage; the reason when podman cannot work here.
    pub fn start() -> Result<Self, String> {
        Self::start_in(["root", "run"])
    }

    /// The same with storage and run directory of these names.
    pub fn start_in(places: [&'static str; 2]) -> Result<Self, String> {
        let scratch = Scratch::new();
        let files = Files::new(&scratch)?;
        // Limits above the caller's would need CAP_SYS_RESOURCE.
        let limits = r#"default_ulimits=["nofile=1024:1024","nproc=4096:4096"]"#;
        let config = format!("[containers]\n{limits}\n");
        fs::write(scratch.join("containers.conf"), config).unwrap();
        let [root, run] = places.map(|name| scratch.join(name));
        let storage =
            format!("[storage]\ndriver=\"overlay\"\ngraphroot={root:?}\nrunroot={run:?}\n");
        fs::write(scratch.join("storage.conf"), storage).unwrap();
        let tar = scratch.join("image.tar");
        files.tar(&tar);
        let podman = Self {
            ids: Ids::default(),
            scratch,
            places,
        };
        try_run(podman.podman(&["import"]).arg(&tar).arg(NAME))?;
        Ok(podman)
    }

    /// `podman run` with options.
    pub fn run_with(&self, options: &[&str], name: &str, argv: &[&str]) -> String {
        let mut command = self.podman(&["run", "-d", "--network", "none", "--name", name]);
        self.ids
            .add(run(command.args(options).arg(NAME).args(argv)))
    }

    /// `podman cp` into a container.
    pub fn copy(&self, from: &str, id: &str, to: &str) {
        run(&mut self.podman(&["cp", from, &format!("{id}:{to}")]));
    }
}

/// Somebody's podman: what is asked of it is the same for all.
pub trait Client {
    /// The containers made.
    fn ids(&self) -> &Ids;
    /// Its command line.
    fn podman(&self, args: &[&str]) -> Command;
}

impl Client for Podman {
    fn ids(&self) -> &Ids {
        &self.ids
    }

    fn podman(&self, args: &[&str]) -> Command {
        let path = |name: &str| self.scratch.join(name).display().to_string();
        let mut command = bounded("podman", ["--storage-driver", "overlay"]);
        let [root, run] = self.places.map(path);
        command.args(["--root", &root, "--runroot", &run]);
        command.args(["--tmpdir", &path("tmp"), "--cgroup-manager", "cgroupfs"]);
        command.args(["--events-backend", "file", "--runtime", "runc"]);
        command.args(args);
        command.env("CONTAINERS_CONF", path("containers.conf"));
        command.env("CONTAINERS_STORAGE_CONF", path("storage.conf"));
        command
    }
}

impl<C: Client> Runtime for C {
    fn run(&self, name: &str, argv: &[&str]) -> String {
        let mut command = self.podman(&["run", "-d", "--network", "none", "--name", name, NAME]);
        self.ids().add(run(command.args(argv)))
    }

    fn exec(&self, id: &str, argv: &[&str]) {
        run(self.podman(&["exec", id]).args(argv));
    }

    fn stop(&self, id: &str) {
        run(&mut self.podman(&["stop", "-t", "0", id]));
    }

    fn start(&self, id: &str) {
        run(&mut self.podman(&["start", id]));
    }

    fn restart(&self, id: &str) {
        run(&mut self.podman(&["restart", "-t", "0", id]));
    }

    fn remove(&self, id: &str) {
        run(&mut self.podman(&["rm", "-f", "-t", "0", id]));
    }
}

impl Drop for Podman {
    fn drop(&mut self) {
        let _ = try_run(&mut self.podman(&["rm", "-f", "-a", "-t", "0"]));
    }
}
