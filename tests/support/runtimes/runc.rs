//! runc and crun by hand: the harness mounts the overlay and writes the bundle.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use serde_json::{Value, json};

use super::super::command::{bounded, run, try_run, wait_until};
use super::super::image::Files;
use super::super::scratch::{Scratch, container_id};
use super::{Ids, Runtime};

/// The programs that runc needs.
pub const PROGRAMS: &[&str] = &["runc", "busybox"];
/// The programs that crun needs.
pub const CRUN_PROGRAMS: &[&str] = &["crun", "busybox", "unshare"];
/// Where a machine of both versions of cgroups has the second.
const UNIFIED: &str = "/sys/fs/cgroup/unified";

/// runc, or crun, with a state directory of its own. Fields drop in this order.
pub struct Runc {
    program: &'static str,
    ids: Ids,
    scratch: Scratch,
    files: Files,
}

impl Runc {
    /// Makes the lower layer; the reason when it cannot be had.
    pub fn start() -> Result<Self, String> {
        Self::of("runc")
    }

    /// The same for crun.
    pub fn start_crun() -> Result<Self, String> {
        Self::of("crun")
    }

    fn of(program: &'static str) -> Result<Self, String> {
        let scratch = Scratch::new();
        let files = Files::new(&scratch)?;
        Ok(Self {
            program,
            ids: Ids::default(),
            scratch,
            files,
        })
    }

    fn runc(&self, args: &[&str]) -> Command {
        let state = self.scratch.join("state").display().to_string();
        let mut command = alone(self.program);
        command.args(["--root", &state]).args(args);
        command
    }

    fn mount(&self, id: &str) {
        let made = |name: &str| self.scratch.directory(&format!("{id}/{name}"));
        let (upper, work, rootfs) = (made("upper"), made("work"), made("rootfs"));
        let options = format!(
            "lowerdir={},upperdir={},workdir={}",
            self.files.root.display(),
            upper.display(),
            work.display()
        );
        let flags = MsFlags::empty();
        mount(
            Some("overlay"),
            &rootfs,
            Some("overlay"),
            flags,
            Some(options.as_str()),
        )
        .unwrap();
    }
}

impl Runtime for Runc {
    fn config(&self) -> String {
        format!(
            "[runtimes]\nstate-roots = [{:?}]\n",
            self.scratch.join("state")
        )
    }

    fn run(&self, _name: &str, argv: &[&str]) -> String {
        let id = self.ids.add(container_id());
        self.mount(&id);
        let group = format!("/ldwt/{id}");
        specify(self.program, &self.scratch.join(&id), argv, &group);
        self.launch(&id);
        id
    }

    fn exec(&self, id: &str, argv: &[&str]) {
        run(self.runc(&["exec", id]).args(argv));
    }

    fn stop(&self, id: &str) {
        end(|args| self.runc(args), id);
        // A watcher may have the file open for a moment, but it must not hold it.
        let rootfs = self.scratch.join(id).join("rootfs");
        let gone = || umount2(&rootfs, MntFlags::empty()).is_ok();
        assert!(
            wait_until(Duration::from_secs(2), gone),
            "{id} stays mounted"
        );
    }

    fn start(&self, id: &str) {
        self.mount(id);
        self.launch(id);
    }

    fn remove(&self, id: &str) {
        self.stop(id);
        fs::remove_dir_all(self.scratch.join(id)).unwrap();
    }
}

impl Runc {
    /// The container keeps the standard streams it is given, so they are not pipes.
    fn launch(&self, id: &str) {
        let bundle = self.scratch.join(id);
        let mut command = self.runc(&["run", "-d", "--bundle"]);
        command.arg(&bundle).arg(id).stdout(Stdio::null());
        let log = fs::File::create(bundle.join("log")).unwrap();
        let done = command.stderr(log).status().unwrap();
        let said = fs::read_to_string(bundle.join("log")).unwrap_or_default();
        assert!(done.success(), "{command:?}: {said}");
    }
}

impl Drop for Runc {
    fn drop(&mut self) {
        let list = try_run(&mut self.runc(&["list", "-q"])).unwrap_or_default();
        for id in list.lines() {
            let _ = try_run(&mut self.runc(&["delete", "-f", id]));
        }
    }
}

/// A command of the runtime. crun refuses machines where some controllers are of the first
/// version of cgroups and some of the second: there it sees those of the first alone.
fn alone(program: &'static str) -> Command {
    let hybrid = Path::new(UNIFIED).join("cgroup.procs").exists();
    if program != "crun" || !hybrid {
        return bounded(program, [""; 0]);
    }
    let line = format!("umount {UNIFIED} && exec crun \"$@\"");
    let private = ["-m", "--propagation", "private"];
    let mut command = bounded("unshare", private);
    command.args(["sh", "-c", &line, "crun"]);
    command
}

/// Writes the default specification of a bundle with this program, a writable root and
/// this cgroup.
pub fn specify(runtime: &str, bundle: &Path, argv: &[&str], group: &str) {
    run(bounded(runtime, ["spec", "--bundle"]).arg(bundle));
    let path = bundle.join("config.json");
    let mut spec: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    spec["process"]["terminal"] = json!(false);
    spec["process"]["args"] = json!(argv);
    // Limits above the caller's would need CAP_SYS_RESOURCE.
    spec["process"]["rlimits"] = json!([]);
    spec["root"]["readonly"] = json!(false);
    spec["linux"]["cgroupsPath"] = json!(group);
    fs::write(path, spec.to_string()).unwrap();
}

/// Ends a container, and has runc forget it; `runc` makes its command line.
pub fn end(runc: impl Fn(&[&str]) -> Command, id: &str) {
    run(&mut runc(&["kill", id, "KILL"]));
    let stopped = || {
        let state = try_run(&mut runc(&["state", id])).unwrap_or_default();
        state.contains("\"stopped\"")
    };
    assert!(
        wait_until(Duration::from_secs(20), stopped),
        "{id} does not stop"
    );
    run(&mut runc(&["delete", id]));
}
