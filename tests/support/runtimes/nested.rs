//! runc in a docker container. The inner container's root filesystem is mounted in the
//! outer one's namespace, and its cgroup is below the outer one's.

use std::fs;
use std::process::Command;
use std::time::Duration;

use super::super::command::{run, try_run, wait_until};
use super::super::scratch::nonce;
use super::docker::Docker;
use super::{Ids, Runtime, runc};

/// The programs it needs.
pub const PROGRAMS: &[&str] = &["docker", "dockerd", "containerd", "runc", "busybox"];

/// An outer container that runs runc. Fields drop in this order.
pub struct Nested {
    ids: Ids,
    outer: String,
    docker: Docker,
}

impl Nested {
    /// Starts the outer container; the reason when it cannot be.
    pub fn start() -> Result<Self, String> {
        let docker = Docker::start()?;
        let n = docker.scratch.directory("n");
        run(Command::new("cp")
            .arg("-a")
            .arg(&docker.files.root)
            .arg(n.join("lower")));
        let mut command = docker.client(&["run", "-d", "--network", "none"]);
        for capability in ["SYS_ADMIN", "SYS_PTRACE", "NET_ADMIN"] {
            command.args(["--cap-add", capability]);
        }
        for option in [
            "seccomp=unconfined",
            "apparmor=unconfined",
            "systempaths=unconfined",
        ] {
            command.args(["--security-opt", option]);
        }
        command.args(["-v", &format!("{}:/n", n.display())]);
        // runc and its libraries are the machine's.
        for directory in ["/usr", "/lib", "/lib64"] {
            command.args(["-v", &format!("{directory}:{directory}:ro")]);
        }
        command.args(["-v", "/sys/fs/cgroup:/sys/fs/cgroup", "--cgroupns", "host"]);
        command.args(["ldwt/box:1", "/bin/sleep", "600"]);
        let outer = try_run(&mut command)?;
        Ok(Self {
            ids: Ids::default(),
            outer,
            docker,
        })
    }

    fn inside(&self, args: &[&str]) -> Command {
        self.docker
            .client(&[&["exec", self.outer.as_str()], args].concat())
    }

    fn runc(&self, args: &[&str]) -> Command {
        self.inside(&[&["/usr/sbin/runc", "--root", "/n/state"], args].concat())
    }
}

impl Runtime for Nested {
    fn run(&self, _name: &str, argv: &[&str]) -> String {
        let id = self.ids.add(nonce());
        let bundle = self.docker.scratch.directory(&format!("n/{id}"));
        for name in ["upper", "work", "rootfs"] {
            fs::create_dir_all(bundle.join(name)).unwrap();
        }
        let group = format!("/docker/{}/{id}", self.outer);
        runc::specify("runc", &bundle, argv, &group);
        self.start(&id);
        id
    }

    fn exec(&self, id: &str, argv: &[&str]) {
        run(self.runc(&["exec", id]).args(argv));
    }

    fn stop(&self, id: &str) {
        runc::end(|args| self.runc(args), id);
        let rootfs = format!("/n/{id}/rootfs");
        let gone = || try_run(&mut self.inside(&["/bin/busybox", "umount", &rootfs])).is_ok();
        assert!(
            wait_until(Duration::from_secs(2), gone),
            "{id} stays mounted"
        );
    }

    fn start(&self, id: &str) {
        let line = format!(
            "/bin/busybox mount -t overlay o -o \
             lowerdir=/n/lower,upperdir=/n/{id}/upper,workdir=/n/{id}/work /n/{id}/rootfs && \
             exec /usr/sbin/runc --root /n/state run -d --bundle /n/{id} {id} >/n/{id}/log 2>&1"
        );
        run(&mut self.inside(&["/bin/sh", "-c", &line]));
    }

    fn remove(&self, id: &str) {
        self.stop(id);
    }
}
