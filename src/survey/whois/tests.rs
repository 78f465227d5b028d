#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::{Whois, whois};
use crate::parse::cgroup::Runtime;

const A: &str = "ac2f0c8f3f6bfb29c53b6c4b0b5f1c9a6b7d3e2f1a0b9c8d7e6f5a4b3c2d1e0f";

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// A `/proc` with the fixture's process as 100.
fn proc_of(name: &str) -> TempDir {
    let proc_root = TempDir::new().unwrap();
    let home = proc_root.path().join("100");
    fs::create_dir(&home).unwrap();
    for file in ["cgroup", "mountinfo", "status", "uid_map", "cmdline"] {
        fs::copy(fixtures().join(name).join(file), home.join(file)).unwrap();
    }
    proc_root
}

/// A `/proc` with these files.
fn proc_with(files: &[(&str, &str)]) -> TempDir {
    let proc_root = TempDir::new().unwrap();
    for (path, text) in files {
        let path = proc_root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    proc_root
}

fn ask(proc_root: &TempDir) -> Whois {
    Whois {
        source: None,
        ..whois(proc_root.path(), 100).unwrap()
    }
}

#[test]
fn each_fixture_gives_its_container() {
    let cases = [
        ("containerd-cri-cgv1", Runtime::ContainerdCri),
        ("containerd-cri-sandbox-cgv1", Runtime::ContainerdCriSandbox),
        ("containerd-ctr-cgv1", Runtime::Containerd),
        ("docker-cgv1-hybrid", Runtime::Docker),
        ("docker-cgv2ns", Runtime::Docker),
        ("lxc-dir-cgv1", Runtime::Lxc),
        ("lxc-overlay-cgv1", Runtime::Lxc),
        ("nested-runc-in-docker", Runtime::Unknown),
        ("nspawn-keepunit-cgv1", Runtime::Nspawn),
        ("podman-root-cgv1-runc", Runtime::Podman),
        ("podman-root-pod-cgv1", Runtime::Podman),
        ("podman-rootless-cgv1-native", Runtime::PodmanRootless),
        ("podman-rootless-cgv2ns-crun", Runtime::PodmanRootless),
        ("podman-rootless-fuse-cgv1", Runtime::PodmanRootless),
        ("runc-hand-cgv1", Runtime::Unknown),
        ("vm-docker-systemd", Runtime::Docker),
        ("vm-lxc-systemd", Runtime::Lxc),
        ("vm-nspawn-scope", Runtime::Nspawn),
        ("vm-podman-rootless-systemd", Runtime::PodmanRootless),
        ("vm-podman-systemd", Runtime::Podman),
    ];
    for (name, runtime) in cases {
        let id = fs::read_to_string(fixtures().join(name).join("container_id")).unwrap();
        let expected = Whois {
            container_id: Some(id.trim().to_owned()),
            runtime: Some(runtime),
            source: None,
        };
        assert_eq!(ask(&proc_of(name)), expected, "{name}");
    }
}

/// The mount table of a host that runs containers, with what an attacker may add.
fn host_table() -> String {
    format!(
        "27 1 254:0 / / rw - ext4 /dev/vda rw\n\
         60 27 0:51 / /var/lib/containers/storage/overlay/x/merged rw - overlay overlay rw\n\
         61 60 254:0 /var/lib/docker/containers/{A}/hosts /var/lib/docker/overlay2/y/merged/etc/hosts rw - ext4 /dev/vda rw\n\
         62 27 254:0 /var/lib/docker/containers/{A}/hosts /etc/hosts rw - ext4 /dev/vda rw\n\
         63 27 254:0 /srv/x-containers/{A}/userdata/hostname /etc/hostname rw - ext4 /dev/vda rw\n"
    )
}

#[test]
fn a_host_process_is_in_no_container_whatever_its_mount_table_mentions() {
    for cgroup in [
        "0::/\n",
        "0::/user.slice/user-1000.slice/session-3.scope\n",
        "0::/my/job\n",
    ] {
        let proc_root = proc_with(&[
            ("100/cgroup", cgroup),
            ("100/mountinfo", &host_table()),
            ("100/status", "PPid:\t1\nNSpid:\t100\n"),
        ]);
        assert_eq!(ask(&proc_root), Whois::default(), "{cgroup}");
    }
}

#[test]
fn a_host_whose_own_root_is_an_overlay_or_subvolume_is_no_container() {
    for root in [
        "27 1 0:30 / / rw - overlay live rw",
        "27 1 0:30 /@root / rw - btrfs /dev/vda rw",
    ] {
        let table = host_table().replace("27 1 254:0 / / rw - ext4 /dev/vda rw", root);
        let proc_root = proc_with(&[
            ("1/mountinfo", &table),
            ("100/cgroup", "0::/\n"),
            ("100/mountinfo", &table),
            ("100/status", "PPid:\t50\n"),
            ("50/cmdline", &format!("/usr/bin/conmon\0-c\0{A}\0")),
        ]);
        assert_eq!(ask(&proc_root), Whois::default(), "{root}");
    }
}

#[test]
fn binds_count_at_their_places_only_and_only_from_outside() {
    let table = |source: &str, point: &str, device: &str| {
        format!(
            "9 8 0:70 / / rw - overlay overlay rw\n10 9 {device} {source} {point} rw - ext4 /dev/vda rw\n"
        )
    };
    let docker = format!("/var/lib/docker/containers/{A}/hosts");
    let odd = format!("/var/lib/my\\040docker/containers/{A}/hosts");
    let podman = format!("/run/containers/storage/overlay-containers/{A}/userdata/.containerenv");
    let cases = [
        (table(&docker, "/etc/hosts", "254:0"), Some(Runtime::Docker)),
        (table(&odd, "/etc/hosts", "254:0"), Some(Runtime::Docker)),
        (
            table(&podman, "/run/.containerenv", "0:24"),
            Some(Runtime::PodmanRootless),
        ),
        (table(&docker, "/mnt/hosts", "254:0"), None),
        (table(&docker, "/etc/hosts", "0:70"), None),
        (
            table(&docker.replace(A, &A[1..]), "/etc/hosts", "254:0"),
            None,
        ),
    ];
    for (table, runtime) in cases {
        let found = ask(&proc_with(&[
            ("100/cgroup", "0::/\n"),
            ("100/mountinfo", &table),
        ]));
        assert_eq!(
            (found.runtime, found.container_id.as_deref()),
            (runtime, runtime.map(|_| A)),
            "{table}"
        );
    }
}

#[test]
fn the_files_of_a_sandbox_do_not_name_the_container() {
    let table = format!(
        "9 8 0:70 / / rw - overlay overlay rw\n\
         10 9 254:0 /var/lib/containerd/io.containerd.grpc.v1.cri/sandboxes/{A}/hostname /etc/hostname rw - ext4 d rw\n"
    );
    let found = ask(&proc_with(&[
        ("100/cgroup", "0::/\n"),
        ("100/mountinfo", &table),
    ]));
    assert_eq!(
        found,
        Whois {
            container_id: None,
            runtime: Some(Runtime::ContainerdCri),
            source: None,
        }
    );
    // CRI-O's look like podman's own, but there the hosts file is the kubelet's.
    let table = format!(
        "9 8 0:70 / / rw - overlay overlay rw\n\
         10 9 0:24 /containers/storage/overlay-containers/{A}/userdata/hostname /etc/hostname rw - tmpfs tmpfs rw\n\
         11 9 254:0 /var/lib/kubelet/pods/x/etc-hosts /etc/hosts rw - ext4 d rw\n"
    );
    assert_eq!(
        ask(&proc_with(&[
            ("100/cgroup", "0::/\n"),
            ("100/mountinfo", &table)
        ]))
        .container_id,
        None
    );
}

#[test]
fn the_monitor_above_names_the_container() {
    let cases = [
        (
            format!("/usr/bin/conmon\0--api-version\01\0-c\0{A}\0-u\0{A}\0"),
            Some((A, Runtime::PodmanRootless)),
        ),
        (
            "/usr/bin/systemd-nspawn\0-D\0/srv/x\0-M\0web\0/bin/sh\0".into(),
            Some(("web", Runtime::Nspawn)),
        ),
        (
            "systemd-nspawn\0--machine=web\0".into(),
            Some(("web", Runtime::Nspawn)),
        ),
        (
            "systemd-nspawn\0-D\0/srv/tree/\0".into(),
            Some(("tree", Runtime::Nspawn)),
        ),
        ("systemd-nspawn\0-x\0-D\0/srv/tree\0".into(), None),
        (
            "[lxc monitor] /var/lib/lxc c1\0".into(),
            Some(("c1", Runtime::Lxc)),
        ),
        (
            format!("/usr/bin/containerd-shim-runc-v2\0-namespace\0moby\0-id\0{A}\0"),
            Some((A, Runtime::Docker)),
        ),
        (
            format!("/usr/bin/containerd-shim-runc-v2\0-namespace\0k8s.io\0-id\0{A}\0"),
            None,
        ),
    ];
    for (cmdline, expected) in cases {
        let found = below_monitor(&cmdline);
        let found = found.container_id.as_deref().zip(found.runtime);
        assert_eq!(found, expected, "{cmdline:?}");
    }
}

#[test]
fn other_processes_above_name_nothing() {
    for cmdline in ["/usr/bin/conmon\0-c\0short\0", "/bin/sh\0-c\0echo\0", ""] {
        assert_eq!(below_monitor(cmdline).container_id, None, "{cmdline:?}");
    }
}

/// Asks about the grandchild of a process with this command line.
fn below_monitor(cmdline: &str) -> Whois {
    ask(&proc_with(&[
        ("100/cgroup", "0::/\n"),
        ("100/stat", "100 (a) b) S 60 1 1"),
        ("60/status", "Name:\tsh\nPPid:\t50\n"),
        ("50/cmdline", cmdline),
    ]))
}

#[test]
fn a_container_in_any_namespace_of_containerd_has_the_name_of_its_cgroup() {
    let layers = "/var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots/2/fs";
    let table = format!("9 8 0:70 / / rw - overlay overlay rw,lowerdir={layers}\n");
    let ask = |status: &str| {
        ask(&proc_with(&[
            ("100/cgroup", "0::/example/redis\n"),
            ("100/mountinfo", &table),
            ("100/status", status),
        ]))
    };
    let expected = Whois {
        container_id: Some("redis".into()),
        runtime: Some(Runtime::Containerd),
        source: None,
    };
    assert_eq!(ask("NSpid:\t100\t1\n"), expected);
    assert_eq!(ask("NSpid:\t100\n"), Whois::default());
}

#[test]
fn helpers_of_a_runtime_are_named_but_in_no_container() {
    let text = format!("0::/machine.slice/libpod-conmon-{A}.scope\n");
    let found = ask(&proc_with(&[
        ("100/cgroup", &text),
        ("100/mountinfo", &host_table()),
    ]));
    assert_eq!(
        found,
        Whois {
            container_id: None,
            runtime: Some(Runtime::PodmanConmon),
            source: None,
        }
    );
}

#[test]
fn a_missing_process_is_an_error_that_names_the_path() {
    let proc_root = TempDir::new().unwrap();
    let error = whois(proc_root.path(), 100).unwrap_err();
    assert_eq!(error.path, proc_root.path().join("100"));
    assert!(error.to_string().contains("/100"), "{error}");
}

#[test]
fn garbage_is_survived() {
    let proc_root = TempDir::new().unwrap();
    fs::create_dir(proc_root.path().join("100")).unwrap();
    assert_eq!(ask(&proc_root), Whois::default());
    for file in ["cgroup", "mountinfo", "status", "stat", "uid_map"] {
        fs::write(
            proc_root.path().join("100").join(file),
            b"\xff / \\ ) - \x00\n9 8 7 / / - \n:::\n",
        )
        .unwrap();
    }
    assert_eq!(ask(&proc_root), Whois::default());
}
