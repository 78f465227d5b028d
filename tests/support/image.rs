//! One small image for every runtime: busybox and the attack program. As a directory,
//! as a tar of it, and as an OCI image layout, made without network or registry.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::command::{run, try_run};
use super::scratch::Scratch;
use super::{gate, program};

/// Name under which the image is known to a runtime.
pub const NAME: &str = "localhost/ldwt/box:1";
const APPLETS: &[&str] = &[
    "sh", "sleep", "cat", "rm", "echo", "true", "mv", "ln", "touch",
];

/// The root filesystem of the image, below a scratch directory.
pub struct Files {
    /// The directory.
    pub root: PathBuf,
}

impl Files {
    /// Makes it; the reason when this machine's busybox does not run alone.
    pub fn new(scratch: &Scratch) -> Result<Self, String> {
        let root = scratch.directory("image");
        for name in ["bin", "etc", "tmp", "proc", "sys", "dev", "root", "opt/etc"] {
            fs::create_dir_all(root.join(name)).unwrap();
        }
        fs::set_permissions(root.join("tmp"), fs::Permissions::from_mode(0o1777)).unwrap();
        fs::write(root.join("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n").unwrap();
        fs::write(root.join("etc/group"), "root:x:0:\n").unwrap();
        let busybox = gate::find("busybox").ok_or("needs the program busybox")?;
        fs::copy(busybox, root.join("bin/busybox")).unwrap();
        fs::copy(program::attack(), root.join("bin/attack")).unwrap();
        for applet in APPLETS {
            symlink("busybox", root.join("bin").join(applet)).unwrap();
        }
        try_run(
            Command::new("chroot")
                .arg(&root)
                .args(["/bin/sh", "-c", "true"]),
        )
        .map_err(|_| "needs a static busybox (package busybox-static)".to_owned())?;
        Ok(Self { root })
    }

    /// A tar of it, as `import` takes it.
    pub fn tar(&self, to: &Path) {
        run(Command::new("tar")
            .arg("-C")
            .arg(&self.root)
            .arg("-cf")
            .arg(to)
            .arg("."));
    }

    /// A tar that holds an OCI image layout of one layer.
    pub fn oci(&self, scratch: &Scratch) -> PathBuf {
        let layout = scratch.directory("oci");
        let blobs = scratch.directory("oci/blobs/sha256");
        let layer = scratch.join("layer.tar");
        self.tar(&layer);
        let layer = blob(&blobs, "layer.v1.tar", &fs::read(layer).unwrap());
        let config = json!({
            "architecture": go_arch(), "os": "linux",
            "config": {"Cmd": ["/bin/sleep", "600"], "Env": ["PATH=/bin"]},
            "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]},
        });
        let config = blob(&blobs, "config.v1+json", config.to_string().as_bytes());
        let manifest = json!({"schemaVersion": 2, "config": config, "layers": [layer]});
        let mut manifest = blob(&blobs, "manifest.v1+json", manifest.to_string().as_bytes());
        manifest["annotations"] = json!({
            "io.containerd.image.name": NAME, "org.opencontainers.image.ref.name": "1",
        });
        let index = json!({"schemaVersion": 2, "manifests": [manifest]});
        fs::write(layout.join("index.json"), index.to_string()).unwrap();
        fs::write(
            layout.join("oci-layout"),
            r#"{"imageLayoutVersion":"1.0.0"}"#,
        )
        .unwrap();
        let tar = scratch.join("oci.tar");
        run(Command::new("tar")
            .arg("-C")
            .arg(&layout)
            .arg("-cf")
            .arg(&tar)
            .arg("."));
        tar
    }
}

/// Stores one blob; gives its descriptor.
fn blob(directory: &Path, kind: &str, bytes: &[u8]) -> Value {
    let hex: String = Sha256::digest(bytes)
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    fs::write(directory.join(&hex), bytes).unwrap();
    json!({"mediaType": format!("application/vnd.oci.image.{kind}"), "digest": format!("sha256:{hex}"), "size": bytes.len()})
}

/// The architecture in the words of OCI.
fn go_arch() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}
