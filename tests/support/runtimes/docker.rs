//! dockerd with its own containerd, without a bridge, so that it neither needs nor
//! changes the machine's network.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;

use super::super::command::{bounded, run, try_run, wait_until};
use super::super::image::Files;
use super::super::scratch::Scratch;
use super::{Daemon, Ids, Runtime};

/// The programs it needs.
pub const PROGRAMS: &[&str] = &["docker", "dockerd", "containerd", "runc", "busybox"];
const IMAGE: &str = "ldwt/box:1";

/// A running dockerd and its images. Fields drop in this order.
pub struct Docker {
    ids: Ids,
    _daemon: Daemon,
    /// Its directory.
    pub scratch: Scratch,
    /// The files of its image.
    pub files: Files,
}

impl Docker {
    /// Starts it; the reason when it does not come up.
    pub fn start() -> Result<Self, String> {
        Self::start_with("data", false)
    }

    /// The same with its data in this directory; `restores`: its containers outlive it.
    pub fn start_with(data: &str, restores: bool) -> Result<Self, String> {
        let scratch = Scratch::new();
        let files = Files::new(&scratch)?;
        let daemon = daemon(&scratch, data, restores)?;
        let docker = Self {
            ids: Ids::default(),
            _daemon: daemon,
            scratch,
            files,
        };
        let tar = docker.scratch.join("image.tar");
        docker.files.tar(&tar);
        docker.import(&tar, IMAGE);
        Ok(docker)
    }

    /// `docker import`.
    pub fn import(&self, tar: &Path, name: &str) {
        run(self.client(&["import"]).arg(tar).arg(name));
    }

    /// `docker build` with the classic builder, which needs no network and no plugin.
    pub fn build(&self, dockerfile: &str, name: &str) {
        let context = self.scratch.directory("context");
        fs::write(context.join("Dockerfile"), dockerfile).unwrap();
        fs::write(context.join("other.conf"), "an honest file\n").unwrap();
        run(self
            .client(&["build", "--network", "none", "-t", name])
            .arg(&context)
            .env("DOCKER_BUILDKIT", "0"));
    }

    /// The same with BuildKit, which is in the daemon; asked by hand, since the client wants
    /// a plugin of its own for it.
    pub fn build_by_buildkit(&self, dockerfile: &str, name: &str) {
        let context = self.scratch.directory("context");
        fs::write(context.join("Dockerfile"), dockerfile).unwrap();
        let tar = self.scratch.join("context.tar");
        run(Command::new("tar")
            .arg("-C")
            .arg(&context)
            .args(["-cf"])
            .arg(&tar)
            .arg("."));
        let mut command = bounded("curl", ["--silent", "--show-error", "--fail"]);
        command.arg("--unix-socket").arg(self.scratch.join("s"));
        command.args(["-X", "POST", "-H", "Content-Type: application/x-tar"]);
        command
            .arg("--data-binary")
            .arg(format!("@{}", tar.display()));
        command.arg(format!(
            "http://d/v1.41/build?version=2&networkmode=none&t={name}"
        ));
        let said = run(&mut command);
        assert!(said.contains("Successfully tagged"), "{said}");
    }

    /// `docker run` of any image.
    pub fn run_image(&self, image: &str, name: &str, argv: &[&str]) -> String {
        let mut command = self.client(&["run", "-d", "--network", "none", "--name", name]);
        self.ids.add(run(command.arg(image).args(argv)))
    }

    /// `docker run` with options.
    pub fn run_with(&self, options: &[&str], name: &str, argv: &[&str]) -> String {
        let mut command = self.client(&["run", "-d", "--network", "none", "--name", name]);
        self.ids
            .add(run(command.args(options).arg(IMAGE).args(argv)))
    }

    /// `docker cp` into a container.
    pub fn copy(&self, from: &str, id: &str, to: &str) {
        run(&mut self.client(&["cp", from, &format!("{id}:{to}")]));
    }

    /// The first process of a container.
    pub fn init(&self, id: &str) -> i32 {
        let format = ["inspect", "--format", "{{.State.Pid}}", id];
        run(&mut self.client(&format)).parse().unwrap()
    }

    /// Ends dockerd and its containerd as a crash does.
    pub fn crash(&self) {
        for file in ["exec/containerd/containerd.pid", "pid"] {
            let text = fs::read_to_string(self.scratch.join(file)).unwrap();
            let pid = text.trim().parse().unwrap();
            kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
        }
        let dead = || try_run(&mut self.client(&["version"])).is_err();
        assert!(wait_until(Duration::from_secs(5), dead), "dockerd answers");
    }

    /// A call of its client.
    pub fn client(&self, args: &[&str]) -> Command {
        client(&self.scratch, args)
    }
}

impl Runtime for Docker {
    fn run(&self, name: &str, argv: &[&str]) -> String {
        self.run_image(IMAGE, name, argv)
    }

    fn exec(&self, id: &str, argv: &[&str]) {
        run(self.client(&["exec", id]).args(argv));
    }

    fn stop(&self, id: &str) {
        run(&mut self.client(&["stop", "-t", "0", id]));
    }

    fn start(&self, id: &str) {
        run(&mut self.client(&["start", id]));
    }

    fn remove(&self, id: &str) {
        run(&mut self.client(&["rm", "-f", id]));
    }
}

impl Drop for Docker {
    fn drop(&mut self) {
        let ids = try_run(&mut self.client(&["ps", "-aq"])).unwrap_or_default();
        if !ids.is_empty() {
            let _ = try_run(self.client(&["rm", "-f"]).args(ids.lines()));
        }
    }
}

fn client(scratch: &Scratch, args: &[&str]) -> Command {
    let mut command = bounded("docker", args);
    command
        .env(
            "DOCKER_HOST",
            format!("unix://{}", scratch.join("s").display()),
        )
        .env("DOCKER_CONFIG", scratch.join("client"));
    command
}

fn daemon(scratch: &Scratch, data: &str, restores: bool) -> Result<Daemon, String> {
    let mut command = Command::new("dockerd");
    command.arg("--data-root").arg(scratch.join(data));
    command.arg("--exec-root").arg(scratch.join("exec"));
    command.arg("--pidfile").arg(scratch.join("pid"));
    command.arg(format!("--host=unix://{}", scratch.join("s").display()));
    command.args([
        "--iptables=false",
        "--ip6tables=false",
        "--ip-forward=false",
    ]);
    command.args([
        "--ip-masq=false",
        "--bridge=none",
        "--storage-driver=overlay2",
    ]);
    // cgroupfs works with and without systemd, on v1 and on v2.
    command.args(["--exec-opt", "native.cgroupdriver=cgroupfs"]);
    // The machine's own /etc/docker/daemon.json would contradict these.
    let config = scratch.join("daemon.json");
    fs::write(&config, json!({"live-restore": restores}).to_string()).unwrap();
    command.arg("--config-file").arg(config);
    Daemon::start(&mut command, &scratch.join("dockerd.log"), || {
        try_run(&mut client(scratch, &["version"])).is_ok()
    })
}
