#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod damage;
mod papers;

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::{Owner, Readers, owner};
use crate::model::Container;
use crate::parse::cgroup::Runtime;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

/// The mount point of the fixture's root filesystem, as the host's mount table has it.
fn mountpoint(name: &str) -> PathBuf {
    let text = fs::read_to_string(fixture(name).join("mountinfo.host-rootfs")).unwrap();
    PathBuf::from(text.split(' ').nth(4).unwrap())
}

fn id(name: &str) -> Option<String> {
    Some(
        fs::read_to_string(fixture(name).join("container_id"))
            .unwrap()
            .trim()
            .to_owned(),
    )
}

fn container(owner: Owner) -> Container {
    match owner {
        Owner::Container(container) => *container,
        other => panic!("{other:?}"),
    }
}

fn of_fixture(name: &str) -> Container {
    container(owner(&fixture(name).join("root"), &mountpoint(name)))
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

/// A root of its own with these files in it.
fn tree(files: &[(&str, &str)]) -> TempDir {
    let root = TempDir::new().unwrap();
    for (path, text) in files {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    root
}

#[test]
fn docker_names_container_image_and_labels() {
    let container = of_fixture("docker-cgv1-hybrid");
    assert_eq!(container.id, id("docker-cgv1-hybrid"));
    assert_eq!(container.name, some("t1"));
    assert_eq!(container.runtime, Some(Runtime::Docker));
    assert_eq!(
        (container.image.name, container.image.tag),
        (some("lab/bb"), some("1"))
    );
    assert_eq!(
        container.image.digest,
        some("sha256:b10df500bda37a68e3bbb29d19e51ef29797852f116a277a0c9e7ce94e8cf5de")
    );
    assert_eq!(container.labels.get("app"), some("lab").as_ref());
    assert_eq!(
        (container.privileged, container.source),
        (Some(false), Some("docker-files"))
    );
    assert!(container.missing.is_empty() && !container.build);
}

#[test]
fn podman_names_container_and_image() {
    let container = of_fixture("podman-root-cgv1-runc");
    assert_eq!(container.id, id("podman-root-cgv1-runc"));
    assert_eq!(
        (container.name, container.runtime),
        (some("p1"), Some(Runtime::Podman))
    );
    assert_eq!(
        (container.image.name, container.image.tag),
        (some("localhost/lab/bb"), some("1"))
    );
    assert_eq!(
        container.image.digest,
        some("sha256:460f70b64a032d712e7884dbf683c339868e978d3cf614c2be7ab39fd18ea217")
    );
    assert_eq!(
        (container.privileged, container.source),
        (Some(false), Some("podman-files"))
    );
    assert_eq!(container.missing, ["labels"]);
}

#[test]
fn podman_without_its_list_is_found_by_the_bundle() {
    let container = of_fixture("podman-root-pod-cgv1");
    assert_eq!(container.id, id("podman-root-pod-cgv1"));
    assert_eq!(
        (container.runtime, container.privileged),
        (Some(Runtime::Podman), Some(false))
    );
    assert_eq!(
        container.missing,
        ["record", "labels", "name", "image", "digest"]
    );
}

#[test]
fn containerd_has_id_and_namespace_in_the_path() {
    let container = of_fixture("containerd-ctr-cgv1");
    assert_eq!(
        (container.id, container.runtime),
        (some("ctr1"), Some(Runtime::Containerd))
    );
    assert_eq!(container.source, Some("containerd-path"));
    assert_eq!(container.missing, ["name", "image", "digest", "privileged"]);
}

#[test]
fn a_pod_container_has_its_pod_and_image() {
    let container = of_fixture("containerd-cri-cgv1");
    assert_eq!(
        (container.id, container.runtime),
        (id("containerd-cri-cgv1"), Some(Runtime::ContainerdCri))
    );
    assert_eq!(
        (container.image.name, container.image.tag),
        (some("docker.io/lab/bb"), some("1"))
    );
    let pod = container.pod.unwrap();
    assert_eq!(
        (pod.name, pod.namespace, pod.container),
        (some("web-0"), some("prod"), some("main"))
    );
    assert_eq!(pod.uid, some("36efc707-1695-49fa-83ef-77aa751fb8c5"));
}

#[test]
fn a_sandbox_is_told_from_a_container() {
    let container = of_fixture("containerd-cri-sandbox-cgv1");
    assert_eq!(container.id, id("containerd-cri-sandbox-cgv1"));
    assert_eq!(container.runtime, Some(Runtime::ContainerdCriSandbox));
    assert_eq!(container.pod.unwrap().name, some("web-0"));
}

#[test]
fn runc_by_hand_is_found_in_a_state_root_that_was_given() {
    let (root, mountpoint) = (
        fixture("runc-hand-cgv1").join("root"),
        mountpoint("runc-hand-cgv1"),
    );
    assert_eq!(owner(&root, &mountpoint), Owner::Unknown);
    let roots = [PathBuf::from("/srv/lab/hand/runc/.state")];
    let mut readers = Readers::new(&root).with_state_roots(&roots);
    for _ in 0..2 {
        let container = container(readers.owner(&mountpoint));
        assert_eq!(
            (container.id, container.runtime),
            (some("r1"), Some(Runtime::Unknown))
        );
        assert_eq!(container.source, Some("runc-state"));
    }
}

#[test]
fn crun_and_the_states_of_users_are_found() {
    let root = tree(&[
        (
            "run/crun/c1/status",
            r#"{"pid": 1, "rootfs": "/b/1/rootfs", "bundle": "/b/1"}"#,
        ),
        (
            "run/user/1000/crun/c2/status",
            r#"{"rootfs": "rootfs", "bundle": "/b/2"}"#,
        ),
        (
            "run/user/1000/runc/c1/state.json",
            r#"{"id": "x", "config": {"rootfs": "/b/1/rootfs"}}"#,
        ),
        ("run/runc/half/state.json", r#"{"id": "half", "conf"#),
    ]);
    let found = |path: &str| container(owner(root.path(), Path::new(path))).id;
    assert_eq!(found("/b/1/rootfs"), some("c1"));
    assert_eq!(found("/b/2/rootfs"), some("c2"));
    assert_eq!(owner(root.path(), Path::new("/b/3/rootfs")), Owner::Unknown);
}

#[test]
fn working_mounts_are_no_containers() {
    let root = TempDir::new().unwrap();
    let at = |path: &str| owner(root.path(), Path::new(path));
    for path in [
        "/var/lib/docker/overlay2/353b827a-init/merged",
        "/tmp/containerd-mount123456",
        "/var/lib/containerd/tmpmounts/containerd-mount7",
        "/var/lib/docker/tmp/buildkit-mount99",
    ] {
        assert!(matches!(at(path), Owner::Work(_)), "{path}");
    }
    for path in [
        "/",
        "/tmp/containerd-mount",
        "/tmp/containerd-mountx",
        "/mnt/merged",
        "/a/overlay/b/merged",
    ] {
        assert_eq!(at(path), Owner::Unknown, "{path}");
    }
}
