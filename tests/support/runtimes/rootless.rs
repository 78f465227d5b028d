//! Podman for an ordinary user, without systemd and without ranges of subordinate ids:
//! the user alone is mapped. Its mounts are in the namespace of its pause process, which
//! the host's mount table does not show, and its containers have no cgroup of their own.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::process::Command;

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, User};

use super::super::command::{bounded, try_run};
use super::super::gate;
use super::super::image::{Files, NAME};
use super::super::scratch::{Scratch, pids};
use super::Ids;
use super::podman::Client;

/// The programs it needs.
pub const PROGRAMS: &[&str] = &["podman", "runc", "busybox", "setpriv", "conmon"];
/// The same on an overlay by FUSE.
pub const ON_FUSE: &[&str] = &[
    "podman",
    "runc",
    "busybox",
    "setpriv",
    "conmon",
    "fuse-overlayfs",
];
/// Whose containers they are.
const USER: &str = "nobody";

/// podman and its storage. Fields drop in this order.
pub struct Rootless {
    ids: Ids,
    uid: u32,
    gid: u32,
    scratch: Scratch,
    _device: Option<Lent>,
}

/// The device of FUSE open to everybody, as distributions have it; put back in the end.
struct Lent(fs::Permissions);

const DEVICE: &str = "/dev/fuse";

impl Lent {
    fn take() -> Result<Self, String> {
        let found = fs::metadata(DEVICE).map_err(|error| format!("{DEVICE}: {error}"))?;
        let open = fs::Permissions::from_mode(0o666);
        fs::set_permissions(DEVICE, open).map_err(|error| format!("{DEVICE}: {error}"))?;
        Ok(Self(found.permissions()))
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let _ = fs::set_permissions(DEVICE, self.0.clone());
    }
}

impl Rootless {
    /// Makes the storage, on the kernel's overlay; the reason when it cannot work here.
    pub fn start() -> Result<Self, String> {
        Self::with("", None)
    }

    /// The same on an overlay by FUSE.
    pub fn on_fuse() -> Result<Self, String> {
        let program = gate::find("fuse-overlayfs").ok_or("needs fuse-overlayfs")?;
        Self::with(&format!("mount_program={program:?}\n"), Some(Lent::take()?))
    }

    /// The servers of the overlays that are mounted.
    pub fn servers(&self) -> Vec<Pid> {
        let home = self.scratch.join("home").display().to_string();
        let server = |pid: String| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
            let line = String::from_utf8_lossy(&line).into_owned();
            let is_server = line.contains("fuse-overlayfs") && line.contains("upperdir=");
            let pid = pid.parse().ok().map(Pid::from_raw);
            pid.filter(|_| is_server && line.contains(&home))
        };
        pids().filter_map(server).collect()
    }

    fn with(options: &str, device: Option<Lent>) -> Result<Self, String> {
        let scratch = Scratch::new();
        let files = Files::new(&scratch)?;
        let user = User::from_name(USER).ok().flatten();
        let user = user.ok_or(format!("needs the user {USER}"))?;
        let (uid, gid) = (user.uid.as_raw(), user.gid.as_raw());
        for name in ["home", "run"] {
            let directory = scratch.directory(name);
            chown(&directory, Some(uid), Some(gid)).unwrap();
            fs::set_permissions(&directory, fs::Permissions::from_mode(0o700)).unwrap();
        }
        configure(&scratch, options);
        let tar = scratch.join("home/image.tar");
        files.tar(&tar);
        fs::set_permissions(&tar, fs::Permissions::from_mode(0o644)).unwrap();
        let podman = Self {
            ids: Ids::default(),
            uid,
            gid,
            scratch,
            _device: device,
        };
        try_run(podman.podman(&["import"]).arg(&tar).arg(NAME))?;
        Ok(podman)
    }
}

fn configure(scratch: &Scratch, options: &str) {
    // Limits above the caller's would need CAP_SYS_RESOURCE.
    let limits = r#"default_ulimits=["nofile=1024:1024","nproc=4096:4096"]"#;
    let engine = "[engine]\ncgroup_manager=\"cgroupfs\"\nevents_logger=\"file\"\n";
    let config = format!("[containers]\n{limits}\n{engine}");
    fs::write(scratch.join("containers.conf"), config).unwrap();
    let (root, run) = (scratch.join("home/storage"), scratch.join("run/containers"));
    let storage = format!(
        "[storage]\ndriver=\"overlay\"\nrootless_storage_path={root:?}\nrunroot={run:?}\n\
         [storage.options.overlay]\nignore_chown_errors=\"true\"\n{options}"
    );
    fs::write(scratch.join("storage.conf"), storage).unwrap();
}

impl Client for Rootless {
    fn ids(&self) -> &Ids {
        &self.ids
    }

    fn podman(&self, args: &[&str]) -> Command {
        let path = |name: &str| self.scratch.join(name).display().to_string();
        let mut command = bounded("setpriv", ["--reuid", &self.uid.to_string()]);
        command.args(["--regid", &self.gid.to_string(), "--clear-groups"]);
        command.args(["podman", "--runtime", "runc"]).args(args);
        command.env_clear();
        command.env(
            "PATH",
            "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        );
        command.env("HOME", path("home")).env("USER", USER);
        command.env("XDG_RUNTIME_DIR", path("run"));
        command.env("CONTAINERS_CONF", path("containers.conf"));
        command.env("CONTAINERS_STORAGE_CONF", path("storage.conf"));
        command.current_dir(self.scratch.join("home"));
        command
    }
}

impl Drop for Rootless {
    fn drop(&mut self) {
        let _ = try_run(&mut self.podman(&["rm", "-f", "-a", "-t", "0"]));
        // The process that keeps the user's namespaces, with all mounts in them.
        let file = self.scratch.join("run/libpod/tmp/pause.pid");
        let pid = fs::read_to_string(file)
            .ok()
            .and_then(|text| text.trim().parse().ok());
        if let Some(pid) = pid {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
}
