//! buildah with storage of its own.

use std::fs;
use std::process::Command;

use super::super::command::{bounded, run, try_run};
use super::super::image::{Files, NAME};
use super::super::scratch::Scratch;

/// The programs it needs.
pub const PROGRAMS: &[&str] = &["buildah", "runc", "busybox"];

/// buildah and its storage.
pub struct Buildah {
    scratch: Scratch,
}

impl Buildah {
    /// Makes the storage, with an image; the reason when buildah cannot work here.
    pub fn start() -> Result<Self, String> {
        let scratch = Scratch::new();
        let files = Files::new(&scratch)?;
        // Limits above the caller's would need CAP_SYS_RESOURCE.
        let limits = r#"default_ulimits=["nofile=1024:1024","nproc=4096:4096"]"#;
        fs::write(
            scratch.join("containers.conf"),
            format!("[containers]\n{limits}\n"),
        )
        .unwrap();
        files.tar(&scratch.directory("context").join("image.tar"));
        let buildah = Self { scratch };
        buildah.try_build("FROM scratch\nADD image.tar /\n", NAME, "chroot")?;
        Ok(buildah)
    }

    /// `buildah bud`, with the steps run by a runtime (`oci`) or by itself (`chroot`).
    pub fn build(&self, dockerfile: &str, name: &str, isolation: &str) {
        self.try_build(dockerfile, name, isolation).unwrap();
    }

    fn try_build(&self, dockerfile: &str, name: &str, isolation: &str) -> Result<String, String> {
        let context = self.scratch.directory("context");
        fs::write(context.join("Dockerfile"), dockerfile).unwrap();
        let mut command = self.buildah(&["bud", "--isolation", isolation, "-t", name]);
        command.args(["--runtime", "runc", "--pull-never"]);
        if isolation != "chroot" {
            // Steps that buildah runs by itself have the host's network.
            command.args(["--network", "none"]);
        }
        try_run(command.arg(&context))
    }

    fn buildah(&self, args: &[&str]) -> Command {
        let path = |name: &str| self.scratch.join(name).display().to_string();
        let mut command = bounded("buildah", ["--storage-driver", "overlay"]);
        command.args(["--root", &path("root"), "--runroot", &path("run")]);
        command.args(args);
        command.env("CONTAINERS_CONF", path("containers.conf"));
        command
    }
}

impl Drop for Buildah {
    fn drop(&mut self) {
        let _ = try_run(&mut self.buildah(&["rm", "--all"]));
        if !std::thread::panicking() {
            run(&mut self.buildah(&["umount", "--all"]));
        }
    }
}
