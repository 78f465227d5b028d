//! What is missing, late, half-written, or no file at all.

use std::fs;
use std::path::Path;

use super::{container, fixture, some, tree};
use crate::parse::cgroup::Runtime;
use crate::survey::file::Root;
use crate::survey::runtime::docker::read;
use crate::survey::runtime::{Readers, owner};

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
fn a_step_of_the_classic_builder_is_a_container_of_a_build() {
    let id = "ac2f0c8f3f6bfb29c53b6c4b0b5f1c9a6b7d3e2f1a0b9c8d7e6f5a4b3c2d1e0f";
    let by = |image: &str, check: &str, log: &str| {
        let home = format!("d/containers/{id}");
        let config = format!(
            r#"{{"Config": {{"Image": "{image}", "Healthcheck": {{"Test": ["{check}"]}}}}}}"#
        );
        let root = tree(&[
            (&format!("{home}/config.v2.json"), &config),
            (
                &format!("{home}/hostconfig.json"),
                &format!(r#"{{"LogConfig": {{"Type": "{log}"}}}}"#),
            ),
        ]);
        let found = read(&Root::new(root.path()), Path::new("/d"), id);
        (found.build, found.id.is_some())
    };
    assert_eq!(by("sha256:12", "NONE", "none"), (true, true));
    for (image, check, log) in [
        ("debian", "NONE", "none"),
        ("sha256:12", "CMD", "none"),
        ("sha256:12", "NONE", "json-file"),
    ] {
        assert_eq!(
            by(image, check, log),
            (false, true),
            "{image} {check} {log}"
        );
    }
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
}

#[test]
fn what_is_no_regular_file_is_not_waited_for() {
    let id = "ac2f0c8f3f6bfb29c53b6c4b0b5f1c9a6b7d3e2f1a0b9c8d7e6f5a4b3c2d1e0f";
    let root = tree(&[
        (
            &format!("d/image/overlay2/layerdb/mounts/{id}/mount-id"),
            "m1",
        ),
        (&format!("d/containers/{id}/hostname"), ""),
    ]);
    let config = root
        .path()
        .join("d/containers")
        .join(id)
        .join("config.v2.json");
    let ask = || container(owner(root.path(), Path::new("/d/overlay2/m1/merged")));
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
