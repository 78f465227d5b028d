//! LXC, over a plain directory or an overlay that it mounts in the container's own
//! namespace: the host's mount table shows neither.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::super::command::{bounded, run, try_run, wait_until};
use super::super::image::Files;
use super::super::scratch::Scratch;
use super::{Ids, Runtime};

/// The programs it needs.
pub const PROGRAMS: &[&str] = &["lxc-start", "lxc-attach", "lxc-stop", "lxc-info", "busybox"];

/// LXC with a path of its own. Fields drop in this order.
pub struct Lxc {
    ids: Ids,
    overlay: bool,
    scratch: Scratch,
    files: Files,
}

impl Lxc {
    /// Containers in plain directories.
    pub fn in_directories() -> Result<Self, String> {
        Self::start(false)
    }

    /// Containers on overlays.
    pub fn on_overlays() -> Result<Self, String> {
        Self::start(true)
    }

    fn start(overlay: bool) -> Result<Self, String> {
        let scratch = Scratch::new();
        let files = Files::new(&scratch)?;
        Ok(Self {
            ids: Ids::default(),
            overlay,
            scratch,
            files,
        })
    }

    fn lxc(&self, verb: &str, name: &str, args: &[&str]) -> Command {
        let path = self.scratch.join("lxc").display().to_string();
        let mut command = bounded(verb, ["-P", &path, "-n", name]);
        command.args(args);
        command
    }

    fn configure(&self, name: &str, argv: &[&str]) {
        let home = self.scratch.directory(&format!("lxc/{name}"));
        let rootfs = home.join("rootfs");
        let path = if self.overlay {
            let delta = self.scratch.directory(&format!("lxc/{name}/delta"));
            format!("overlay:{}:{}", self.files.root.display(), delta.display())
        } else {
            run(Command::new("cp")
                .arg("-a")
                .arg(&self.files.root)
                .arg(&rootfs));
            format!("dir:{}", rootfs.display())
        };
        let config = format!(
            "lxc.uts.name = {name}\nlxc.rootfs.path = {path}\nlxc.net.0.type = none\n\
             lxc.apparmor.profile = unconfined\nlxc.mount.auto = proc:mixed sys:ro\n\
             lxc.init.cmd = {}\n",
            argv.join(" ")
        );
        fs::write(home.join("config"), config).unwrap();
    }
}

impl Runtime for Lxc {
    fn run(&self, name: &str, argv: &[&str]) -> String {
        let name = self.ids.add(name.to_owned());
        self.configure(&name, argv);
        self.start(&name);
        name
    }

    fn exec(&self, id: &str, argv: &[&str]) {
        run(self.lxc("lxc-attach", id, &["--"]).args(argv));
    }

    fn stop(&self, id: &str) {
        run(&mut self.lxc("lxc-stop", id, &["-k"]));
        self.stop_is_over(id);
    }

    fn start(&self, id: &str) {
        // The monitor keeps the streams that it is given.
        let mut command = self.lxc("lxc-start", id, &[]);
        let log = fs::File::create(self.scratch.join("lxc").join(id).join("log")).unwrap();
        let done = command.stdout(Stdio::null()).stderr(log).status().unwrap();
        let said = fs::read_to_string(self.scratch.join("lxc").join(id).join("log"));
        assert!(done.success(), "{command:?}: {said:?}");
    }

    fn remove(&self, id: &str) {
        let _ = try_run(&mut self.lxc("lxc-stop", id, &["-k"]));
        self.stop_is_over(id);
        fs::remove_dir_all(self.scratch.join("lxc").join(id)).unwrap();
    }
}

impl Lxc {
    fn stop_is_over(&self, id: &str) {
        let stopped =
            || try_run(&mut self.lxc("lxc-info", id, &["-s"])).is_ok_and(|s| s.contains("STOPPED"));
        assert!(
            wait_until(Duration::from_secs(20), stopped),
            "{id} does not stop"
        );
    }
}

impl Drop for Lxc {
    fn drop(&mut self) {
        for id in self.ids.0.borrow().iter() {
            let _ = try_run(&mut self.lxc("lxc-stop", id, &["-k"]));
        }
    }
}
