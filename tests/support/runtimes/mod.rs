//! Real container runtimes, each with daemons, sockets and storage of its own below a
//! scratch directory, so that nothing of the machine's own runtimes is touched.

pub mod buildah;
pub mod containerd;
pub mod cri;
pub mod docker;
pub mod lxc;
pub mod nested;
pub mod nspawn;
pub mod podman;
pub mod rootless;
pub mod runc;

use std::cell::RefCell;
use std::fs;
use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::cgroup;
use super::command::wait_until;

/// What the tests ask of a runtime. Every call waits until it is done, or panics with
/// what the runtime said.
pub trait Runtime {
    /// What the product must be told to find this runtime's private directories.
    fn config(&self) -> String {
        String::new()
    }
    /// Starts a container; gives its full ID.
    fn run(&self, name: &str, argv: &[&str]) -> String;
    /// Runs a program in it.
    fn exec(&self, id: &str, argv: &[&str]);
    /// Ends its processes; the container stays.
    fn stop(&self, id: &str);
    /// Starts it again.
    fn start(&self, id: &str);
    /// Removes it.
    fn remove(&self, id: &str);
    /// Starts it again in the runtime's shortest way.
    fn restart(&self, id: &str) {
        self.stop(id);
        self.start(id);
    }
}

/// Cgroups under which the runtimes put their containers.
const PARENTS: &[&str] = &[
    "docker/buildkit",
    "docker",
    "libpod_parent/conmon",
    "libpod_parent",
    "default",
    "lxc.pivot",
    "ldwt",
];

/// IDs handed out, so that nothing of them outlives the test.
#[derive(Default)]
pub struct Ids(RefCell<Vec<String>>);

impl Ids {
    fn add(&self, id: String) -> String {
        self.0.borrow_mut().push(id.clone());
        id
    }
}

impl Drop for Ids {
    fn drop(&mut self) {
        for id in self.0.borrow().iter() {
            cgroup::remove_all(id);
            let left = cgroup::members(id);
            let quiet = left.is_empty() || std::thread::panicking();
            assert!(quiet, "{id}: processes {left:?}");
        }
        for parent in PARENTS {
            cgroup::remove_empty(parent);
        }
    }
}

/// A daemon that ends with the value.
pub struct Daemon(Child);

impl Daemon {
    /// Starts it with a log, and waits until it answers; else the end of its log.
    pub fn start(
        command: &mut Command,
        log: &Path,
        answers: impl Fn() -> bool,
    ) -> Result<Self, String> {
        let file = fs::File::create(log).unwrap();
        let child = command
            .stdin(std::process::Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file)
            .spawn()
            .map_err(|error| format!("{command:?}: {error}"))?;
        let mut daemon = Self(child);
        let mut ended = false;
        let up = wait_until(Duration::from_secs(60), || {
            ended = daemon.0.try_wait().is_ok_and(|status| status.is_some());
            ended || answers()
        });
        if up && !ended {
            return Ok(daemon);
        }
        let text = fs::read_to_string(log).unwrap_or_default();
        let from = text.len().saturating_sub(600);
        let tail = text.get(from..).unwrap_or(&text);
        Err(format!("{command:?} does not come up: {tail}"))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let pid = Pid::from_raw(i32::try_from(self.0.id()).unwrap_or(0));
        let _ = kill(pid, Signal::SIGTERM);
        wait_until(Duration::from_secs(20), || {
            self.0.try_wait().is_ok_and(|status| status.is_some())
        });
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
