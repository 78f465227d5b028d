#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

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

#[test]
fn a_layer_that_no_container_claims_is_a_build_step() {
    let root = fixture("docker-cgv1-hybrid").join("root");
    let step = container(owner(
        &root,
        Path::new("/srv/lab/docker/data/overlay2/0123/merged"),
    ));
    assert_eq!(
        (step.build, step.id, step.runtime),
        (true, None, Some(Runtime::Docker))
    );
    // Without the directory of claims, nothing says it is a build.
    let other = container(owner(&root, Path::new("/elsewhere/overlay2/0123/merged")));
    assert_eq!((other.build, other.id), (false, None));
    assert!(other.missing.contains(&"id"));
    let step = container(owner(
        &root,
        Path::new("/var/lib/docker/buildkit/executor/t4967jvf8rbufklrhkicskyes/rootfs"),
    ));
    assert_eq!((step.build, step.runtime), (true, Some(Runtime::Buildkit)));
    assert_eq!(step.id, some("t4967jvf8rbufklrhkicskyes"));
}

#[test]
fn a_container_made_later_is_found_and_a_late_mount_id_too() {
    let id = "ac2f0c8f3f6bfb29c53b6c4b0b5f1c9a6b7d3e2f1a0b9c8d7e6f5a4b3c2d1e0f";
    let entry = format!("d/image/overlay2/layerdb/mounts/{id}");
    let root = tree(&[("d/image/overlay2/layerdb/mounts/x/mount-id", "other")]);
    let mut readers = Readers::new(root.path());
    let mut ask = || container(readers.owner(Path::new("/d/overlay2/m1/merged")));
    assert!(ask().build);
    fs::create_dir_all(root.path().join(&entry)).unwrap();
    assert!(ask().build);
    fs::write(root.path().join(&entry).join("mount-id"), "m1\n").unwrap();
    let found = ask();
    assert_eq!((found.id.as_deref(), found.build), (Some(id), false));
    assert_eq!(
        found.missing,
        ["config", "name", "image", "digest", "privileged"]
    );
    fs::remove_dir_all(root.path().join(&entry)).unwrap();
    assert!(ask().build);
}

#[test]
fn half_written_and_hostile_files_cost_only_their_pieces() {
    let id = "ac2f0c8f3f6bfb29c53b6c4b0b5f1c9a6b7d3e2f1a0b9c8d7e6f5a4b3c2d1e0f";
    let home = format!("d/containers/{id}");
    let root = tree(&[
        (
            &format!("d/image/overlay2/layerdb/mounts/{id}/mount-id"),
            "m1",
        ),
        (
            &format!("{home}/config.v2.json"),
            r#"{"Name": "/n", "Config": {"Image": 7, "Labels": [1]}"#,
        ),
        (
            &format!("{home}/hostconfig.json"),
            r#"{"Privileged": "yes"}"#,
        ),
    ]);
    let config = root.path().join(&home).join("config.v2.json");
    let ask = || container(owner(root.path(), Path::new("/d/overlay2/m1/merged")));
    assert_eq!(
        ask().missing,
        ["config", "name", "image", "digest", "privileged"]
    );
    fs::write(
        &config,
        r#"{"Name": "/n", "Config": {"Image": 7, "Labels": [1]}}"#,
    )
    .unwrap();
    assert_eq!(
        (ask().name, ask().missing),
        (some("n"), vec!["image", "digest", "privileged"])
    );
    fs::write(&config, vec![b' '; 2 << 20]).unwrap();
    assert_eq!(ask().missing[0], "config");
    fs::remove_file(&config).unwrap();
    nix::unistd::mkfifo(&config, nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert_eq!(ask().missing[0], "config");
    fs::remove_file(&config).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", &config).unwrap();
    assert_eq!(
        (ask().missing[0], ask().id.as_deref()),
        ("config", Some(id))
    );
}

#[test]
fn garbage_in_the_lists_of_podman_leaves_the_bundle() {
    let config = r#"{"root": {"path": "/s/overlay/l1/merged"}, "annotations": {"io.container.manager": "cri-o",
        "io.kubernetes.pod.name": "web", "io.kubernetes.container.name": "main"}}"#;
    let root = tree(&[
        (
            "s/overlay-containers/containers.json",
            "[{\"id\": \"c1\", \"layer\": \"l1\"",
        ),
        ("s/overlay-containers/c1/userdata/config.json", config),
    ]);
    let container = container(owner(root.path(), Path::new("/s/overlay/l1/merged")));
    assert_eq!(
        (container.id, container.runtime),
        (some("c1"), Some(Runtime::CriO))
    );
    assert_eq!(container.pod.unwrap().name, some("web"));
    assert_eq!(container.name, some("main"));
}

#[test]
fn a_working_container_of_buildah_is_a_build_step() {
    let root = tree(&[
        (
            "s/overlay-containers/containers.json",
            r#"[{"id": "c1", "layer": "l1", "names": ["bb-working-container"]}]"#,
        ),
        ("s/overlay-containers/c1/userdata/buildah.json", "{}"),
    ]);
    let step = container(owner(root.path(), Path::new("/s/overlay/l1/merged")));
    assert_eq!(
        (step.id, step.runtime, step.build),
        (None, Some(Runtime::Buildah), true)
    );
}
