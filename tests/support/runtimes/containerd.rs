//! containerd on a socket of its own, driven by `ctr`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::super::command::{bounded, run, try_run, wait_until};
use super::super::image::{Files, NAME};
use super::super::scratch::{Scratch, nonce};
use super::{Daemon, Ids, Runtime};

/// The programs it needs.
pub const PROGRAMS: &[&str] = &["containerd", "ctr", "runc", "busybox"];

/// A running containerd and its image. Fields drop in this order.
pub struct Containerd {
    ids: Ids,
    _daemon: Daemon,
    scratch: Scratch,
}

impl Containerd {
    /// Starts it; the reason when it does not come up.
    pub fn start() -> Result<Self, String> {
        let scratch = Scratch::new();
        let files = Files::new(&scratch)?;
        let config = configure(&scratch);
        let daemon = daemon(&scratch, &config)?;
        let image = files.oci(&scratch);
        try_run(ctr(&scratch, &["image", "import"]).arg(image))?;
        Ok(Self {
            ids: Ids::default(),
            _daemon: daemon,
            scratch,
        })
    }

    fn ctr(&self, args: &[&str]) -> Command {
        ctr(&self.scratch, args)
    }

    fn status(&self, id: &str) -> String {
        let list = try_run(&mut self.ctr(&["task", "ls"])).unwrap_or_default();
        let line = list.lines().find(|line| line.starts_with(id));
        let status = line.and_then(|line| line.split_whitespace().nth(2));
        status.unwrap_or_default().to_owned()
    }
}

impl Runtime for Containerd {
    fn run(&self, name: &str, argv: &[&str]) -> String {
        let id = self.ids.add(name.to_owned());
        run(self.ctr(&["run", "-d", "--null-io", NAME, &id]).args(argv));
        id
    }

    fn exec(&self, id: &str, argv: &[&str]) {
        let exec = nonce();
        run(self
            .ctr(&["task", "exec", "--exec-id", &exec, id])
            .args(argv));
    }

    fn stop(&self, id: &str) {
        run(&mut self.ctr(&["task", "kill", "-s", "KILL", id]));
        let stopped = wait_until(Duration::from_secs(20), || self.status(id) != "RUNNING");
        assert!(stopped, "{id} does not stop");
        run(&mut self.ctr(&["task", "rm", id]));
    }

    fn start(&self, id: &str) {
        run(&mut self.ctr(&["task", "start", "-d", "--null-io", id]));
    }

    fn remove(&self, id: &str) {
        if !self.status(id).is_empty() {
            self.stop(id);
        }
        run(&mut self.ctr(&["container", "rm", id]));
    }
}

impl Drop for Containerd {
    fn drop(&mut self) {
        let list = try_run(&mut self.ctr(&["task", "ls", "-q"])).unwrap_or_default();
        for id in list.lines() {
            let _ = try_run(&mut self.ctr(&["task", "rm", "-f", id]));
        }
    }
}

/// A daemon with this configuration, once it answers.
pub fn daemon(scratch: &Scratch, config: &Path) -> Result<Daemon, String> {
    let mut command = Command::new("containerd");
    command.arg("--config").arg(config);
    let log = scratch.join("containerd.log");
    let answers = || try_run(&mut ctr(scratch, &["version"])).is_ok();
    Daemon::start(&mut command, &log, answers)
}

/// `ctr` at the daemon of this directory.
pub fn ctr(scratch: &Scratch, args: &[&str]) -> Command {
    let socket = scratch.join("s").display().to_string();
    let mut command = bounded("ctr", ["--address", &socket]);
    command.args(args);
    command
}

fn configure(scratch: &Scratch) -> PathBuf {
    let path = |name: &str| scratch.join(name);
    let text = format!(
        "version = 2\nroot = {:?}\nstate = {:?}\n\
         disabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n\
         [grpc]\naddress = {:?}\n\
         [plugins.\"io.containerd.internal.v1.opt\"]\npath = {:?}\n",
        path("root"),
        path("state"),
        path("s"),
        path("opt"),
    );
    fs::write(path("config.toml"), text).unwrap();
    path("config.toml")
}
