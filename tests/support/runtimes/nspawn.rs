//! systemd-nspawn over a plain directory, without systemd: no registration, no unit.

use std::cell::RefCell;
use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::super::cgroup;
use super::super::command::{run, wait_until};
use super::super::image::Files;
use super::super::scratch::Scratch;
use super::{Ids, Runtime};

/// The programs it needs.
pub const PROGRAMS: &[&str] = &["systemd-nspawn", "nsenter", "busybox"];

/// Machines and their supervisors. Fields drop in this order.
pub struct Nspawn {
    ids: Ids,
    machines: RefCell<Vec<(String, Child, Vec<String>)>>,
    scratch: Scratch,
    files: Files,
}

impl Nspawn {
    /// Makes the files; the reason when they cannot be had.
    pub fn start() -> Result<Self, String> {
        let scratch = Scratch::new();
        let files = Files::new(&scratch)?;
        fs::create_dir_all(files.root.join("usr/lib")).unwrap();
        fs::write(files.root.join("usr/lib/os-release"), "ID=ldwt\n").unwrap();
        Ok(Self {
            ids: Ids::default(),
            machines: RefCell::default(),
            scratch,
            files,
        })
    }

    fn launch(&self, name: &str, argv: &[String]) -> Child {
        let mut command = Command::new("systemd-nspawn");
        command.args(["--register=no", "--keep-unit", "-q", "-M", name, "-D"]);
        command.arg(self.scratch.join(name)).args(argv);
        let log = fs::File::create(self.scratch.join(format!("{name}.log"))).unwrap();
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        let child = child.expect("systemd-nspawn");
        let up = || leader(&child).is_some();
        let up = wait_until(Duration::from_secs(20), up);
        let said = fs::read_to_string(self.scratch.join(format!("{name}.log")));
        assert!(up, "{name} does not come up: {said:?}");
        child
    }

    fn ended(&self, id: &str) -> Vec<String> {
        let mut machines = self.machines.borrow_mut();
        let at = machines.iter().position(|(name, ..)| name == id).unwrap();
        let (_, mut child, argv) = machines.remove(at);
        if let Some(pid) = leader(&child) {
            let _ = Command::new("kill").args(["-KILL", &pid]).status();
        }
        let over = wait_until(Duration::from_secs(20), || {
            child.try_wait().is_ok_and(|status| status.is_some())
        });
        assert!(over, "{id} does not stop");
        argv
    }
}

/// The first process of the machine: a child of the supervisor, in a pid namespace of
/// its own.
fn leader(supervisor: &Child) -> Option<String> {
    let pid = supervisor.id();
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
    let inside = |pid: &&str| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let line = status.lines().find(|line| line.starts_with("NSpid:"));
        line.is_some_and(|line| line.split_whitespace().count() > 2)
    };
    children.split_whitespace().find(inside).map(str::to_owned)
}

impl Runtime for Nspawn {
    fn run(&self, name: &str, argv: &[&str]) -> String {
        run(Command::new("cp")
            .arg("-a")
            .arg(&self.files.root)
            .arg(self.scratch.join(name)));
        let argv: Vec<String> = argv.iter().map(|&word| word.to_owned()).collect();
        let child = self.launch(name, &argv);
        self.machines
            .borrow_mut()
            .push((name.to_owned(), child, argv));
        self.ids.add(name.to_owned())
    }

    fn exec(&self, id: &str, argv: &[&str]) {
        let machines = self.machines.borrow();
        let (_, child, _) = machines.iter().find(|(name, ..)| name == id).unwrap();
        let leader = leader(child).expect("it runs");
        let mut command = Command::new("nsenter");
        command.args(["-t", &leader, "-m", "-u", "-i", "-p", "-r"]);
        run(command.args(argv));
    }

    fn stop(&self, id: &str) {
        let argv = self.ended(id);
        let child = Command::new("true").spawn().unwrap();
        self.machines
            .borrow_mut()
            .push((id.to_owned(), child, argv));
    }

    fn start(&self, id: &str) {
        let argv = self.ended(id);
        let child = self.launch(id, &argv);
        self.machines
            .borrow_mut()
            .push((id.to_owned(), child, argv));
    }

    fn remove(&self, id: &str) {
        self.ended(id);
        fs::remove_dir_all(self.scratch.join(id)).unwrap();
    }
}

impl Drop for Nspawn {
    fn drop(&mut self) {
        for (_, child, _) in self.machines.borrow_mut().iter_mut() {
            let _ = child.kill();
            let _ = child.wait();
        }
        for name in ["payload", "supervisor"] {
            cgroup::remove_own(name);
        }
    }
}
