//! Pods through the Container Runtime Interface of containerd, as a kubelet starts them.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::super::command::{bounded, run, try_run};
use super::super::image::{Files, NAME};
use super::super::scratch::{Scratch, nonce};
use super::containerd::{ctr, daemon};
use super::{Daemon, Ids, Runtime};

/// The programs it needs; and Python's grpc, which `start` asks for.
pub const PROGRAMS: &[&str] = &["containerd", "ctr", "runc", "busybox"];
/// Debian's own Python, which has Debian's own modules.
const PYTHON: &str = "/usr/bin/python3";
/// Where containerd has runc keep the states of pods.
const STATES: &str = "/run/containerd/runc/k8s.io";
/// Namespace of the pods.
pub const NAMESPACE: &str = "ldwt-ns";

/// A running containerd and its pods. Fields drop in this order.
pub struct Cri {
    ids: Ids,
    /// Sandbox and pod uid of each container.
    pods: RefCell<HashMap<String, (String, String)>>,
    daemon: Option<Daemon>,
    scratch: Scratch,
}

impl Cri {
    /// Starts it; the reason when it does not come up.
    pub fn start() -> Result<Self, String> {
        try_run(Command::new(PYTHON).args(["-c", "import grpc"]))
            .map_err(|_| "needs the package python3-grpcio".to_owned())?;
        let scratch = Scratch::new();
        let files = Files::new(&scratch)?;
        let config = configure(&scratch);
        let daemon = daemon(&scratch, &config)?;
        fs::write(scratch.join("cri.py"), include_str!("cri.py")).unwrap();
        let image = files.oci(&scratch);
        try_run(ctr(&scratch, &["-n", "k8s.io", "image", "import"]).arg(image))?;
        Ok(Self {
            ids: Ids::default(),
            pods: RefCell::default(),
            daemon: Some(daemon),
            scratch,
        })
    }

    /// The sandbox and the pod's uid of a container.
    pub fn pod(&self, id: &str) -> (String, String) {
        self.pods.borrow()[id].clone()
    }

    /// Ends containerd; containers and their shims go on.
    pub fn stop_daemon(&mut self) {
        self.daemon = None;
    }

    /// Runs a program in a container by runc alone.
    pub fn exec_without_daemon(&self, id: &str, argv: &[&str]) {
        run(bounded("runc", ["--root", STATES, "exec", id]).args(argv));
    }

    fn cri(&self, args: &[&str]) -> Command {
        let script = self.scratch.join("cri.py").display().to_string();
        let socket = self.scratch.join("s").display().to_string();
        let mut command = bounded(PYTHON, [script.as_str(), socket.as_str()]);
        command.args(args);
        command
    }

    fn ctr(&self, args: &[&str]) -> Command {
        let mut command = ctr(&self.scratch, &["-n", "k8s.io"]);
        command.args(args);
        command
    }
}

impl Runtime for Cri {
    fn run(&self, name: &str, argv: &[&str]) -> String {
        let seed = fs::read_to_string("/proc/sys/kernel/random/uuid").unwrap();
        let uid = seed.trim();
        let parent = format!("/kubepods/burstable/pod{uid}");
        let mut command = self.cri(&["run", name, NAMESPACE, uid, &parent, NAME, "main"]);
        let said = run(command.args(argv));
        let (sandbox, container) = said.split_once(' ').expect("two ids");
        self.ids.add(sandbox.to_owned());
        let known = (sandbox.to_owned(), uid.to_owned());
        self.pods.borrow_mut().insert(container.to_owned(), known);
        self.ids.add(container.to_owned())
    }

    fn exec(&self, id: &str, argv: &[&str]) {
        let exec = nonce();
        run(self
            .ctr(&["task", "exec", "--exec-id", &exec, id])
            .args(argv));
    }

    fn stop(&self, _id: &str) {
        unreachable!("a kubelet makes a new container");
    }

    fn start(&self, _id: &str) {
        unreachable!("a kubelet makes a new container");
    }

    fn remove(&self, id: &str) {
        let (sandbox, uid) = self.pods.borrow_mut().remove(id).unwrap();
        run(&mut self.cri(&["stop", &sandbox]));
        super::cgroup::remove_empty(format!("kubepods/burstable/pod{uid}"));
    }
}

impl Drop for Cri {
    fn drop(&mut self) {
        for (id, (sandbox, uid)) in self.pods.borrow().iter() {
            if self.daemon.is_some() {
                let _ = try_run(&mut self.cri(&["stop", sandbox]));
            }
            for id in [id, sandbox] {
                let state = ["--root", STATES, "delete", "--force", id];
                let _ = try_run(&mut bounded("runc", state));
            }
            super::cgroup::remove_empty(format!("kubepods/burstable/pod{uid}"));
        }
        super::cgroup::remove_empty("kubepods/burstable");
        super::cgroup::remove_empty("kubepods");
    }
}

fn configure(scratch: &Scratch) -> PathBuf {
    let path = |name: &str| scratch.join(name);
    let text = format!(
        "version = 2\nroot = {:?}\nstate = {:?}\n[grpc]\naddress = {:?}\n\
         [plugins.\"io.containerd.grpc.v1.cri\"]\nrestrict_oom_score_adj = true\n\
         sandbox_image = {NAME:?}\nstream_server_port = \"0\"\n\
         [plugins.\"io.containerd.internal.v1.opt\"]\npath = {:?}\n",
        path("root"),
        path("state"),
        path("s"),
        path("opt"),
    );
    fs::write(path("config.toml"), text).unwrap();
    path("config.toml")
}
