//! The files that container runtimes leave, and what lies below `/proc` of a process:
//! half-written, garbage, or made by whoever may write there.
//!
//! The first byte says which file the rest is. All files are there and in order but for
//! that one.

#![no_main]

use std::cell::OnceCell;
use std::fs;
use std::path::{Path, PathBuf};

use ldwatch::survey::runtime::{Owner, owner};
use ldwatch::survey::whois::whois;
use ldwatch_fuzz::{check, findings};
use libfuzzer_sys::fuzz_target;

const ID: &str = "ac2f0c8f3f6bfb29c53b6c4b0b5f1c9a6b7d3e2f1a0b9c8d7e6f5a4b3c2d1e0f";
const DOCKER: &str = "/d/overlay2/m1/merged";
const CRI: &str = "/s/io.containerd.runtime.v2.task/k8s.io/c1/rootfs";
const MOBY: &str = "/s/io.containerd.runtime.v2.task/moby/ac2f0c8f3f6bfb29c53b6c4b0b5f1c9a6b7d3e2f1a0b9c8d7e6f5a4b3c2d1e0f/rootfs";
const PODMAN: &str = "/p/overlay/l1/merged";
const RUNC: &str = "/r/c1/rootfs";

/// Each file, with what it holds when it is in order, and the root filesystem to ask for.
const FILES: &[(&str, &str, &str)] = &[
    (
        "d/containers/ID/config.v2.json",
        r#"{"Name":"/n","Config":{"Image":"i:1"}}"#,
        DOCKER,
    ),
    (
        "d/containers/ID/hostconfig.json",
        r#"{"Privileged":true}"#,
        DOCKER,
    ),
    ("d/image/overlay2/layerdb/mounts/ID/mount-id", "m1", DOCKER),
    (
        "s/io.containerd.runtime.v2.task/k8s.io/c1/config.json",
        r#"{"annotations":{}}"#,
        CRI,
    ),
    (
        "s/io.containerd.runtime.v2.task/moby/ID/config.json",
        r#"{"mounts":[]}"#,
        MOBY,
    ),
    (
        "p/overlay-containers/containers.json",
        r#"[{"id":"c1","layer":"l1","image":"i1"}]"#,
        PODMAN,
    ),
    (
        "p/overlay-images/images.json",
        r#"[{"id":"i1","digest":"sha256:0"}]"#,
        PODMAN,
    ),
    (
        "p/overlay-containers/c1/userdata/config.json",
        r#"{"annotations":{}}"#,
        PODMAN,
    ),
    (
        "run/runc/c1/state.json",
        r#"{"config":{"rootfs":"/r/c1/rootfs"}}"#,
        RUNC,
    ),
    (
        "run/crun/c2/status",
        r#"{"rootfs":"rootfs","bundle":"/r/c2"}"#,
        RUNC,
    ),
    ("proc/7/cgroup", "0::/docker/ID\n", ""),
    (
        "proc/7/mountinfo",
        "9 1 0:39 / / rw - overlay o rw,lowerdir=/l\n",
        "",
    ),
    ("proc/7/cmdline", "conmon\0-c\0ID\0", ""),
    (
        "proc/7/stat",
        "7 (x) S 1 1 1 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 9 0 0\n",
        "",
    ),
];

struct Tree(PathBuf);

impl Tree {
    fn new() -> Self {
        let base = Path::new("/dev/shm");
        let base = if base.is_dir() {
            base.to_owned()
        } else {
            std::env::temp_dir()
        };
        let tree = Self(base.join(format!("ldwatch-fuzz-{}", std::process::id())));
        for (name, text, _) in FILES {
            tree.write(name, text.replace("ID", ID).as_bytes());
        }
        tree
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.0.join(name.replace("ID", ID));
        fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        fs::write(path, bytes).expect("a file");
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

thread_local! {
    static TREE: OnceCell<Tree> = const { OnceCell::new() };
}

fuzz_target!(|bytes: &[u8]| {
    let Some((&which, bytes)) = bytes.split_first() else {
        return;
    };
    let (name, order, mountpoint) = FILES[usize::from(which) % FILES.len()];
    TREE.with(|tree| {
        let tree = tree.get_or_init(Tree::new);
        tree.write(name, bytes);
        if mountpoint.is_empty() {
            let _ = whois(&tree.0.join("proc"), 7);
        } else if let Owner::Container(container) = owner(&tree.0, Path::new(mountpoint)) {
            assert!(container.labels.len() <= 128);
            check(&findings::with(|finding| finding.container = *container));
        }
        tree.write(name, order.replace("ID", ID).as_bytes());
    });
});
