#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod any;

use super::{Runtime, member};
use crate::parse::cgroup::says_where;

const A: &str = "ac2f0c8f3f6bfb29c53b6c4b0b5f1c9a6b7d3e2f1a0b9c8d7e6f5a4b3c2d1e0f";
const B: &str = "1931aa65296fed250d7245207a1c49b3b9beb84d1e2c09ae8706001c2fc01f3c";
const UID: &str = "0e886e9a-3879-45f9-b44d-86ef9df03224";

/// `A`, `B` and `UID` in `text` stand for the constants; `-` expected is nothing at all.
fn check(cases: &[(&str, &str, &str)]) {
    for (text, id, runtime) in cases {
        let fill = |text: &str| {
            text.replace("{A}", A)
                .replace("{B}", B)
                .replace("{UID}", UID)
        };
        let text = fill(text);
        let member = member(text.as_bytes());
        let got = member
            .as_ref()
            .and_then(|member| member.id.clone())
            .unwrap_or_else(|| "-".to_owned());
        let word = member.as_ref().map_or("-", |member| member.runtime.name());
        assert_eq!((got, word), (fill(id), *runtime), "{text}");
    }
}

#[test]
fn the_innermost_container_wins() {
    check(&[
        ("0::/docker/{A}/docker/{B}", "{B}", "docker"),
        (
            "0::/lxc.payload.c1/system.slice/docker-{B}.scope",
            "{B}",
            "docker",
        ),
        ("0::/lxc/outer/lxc/inner/init.scope", "inner", "lxc"),
        ("0::/lxc.payload.outer/lxc.payload.inner", "inner", "lxc"),
        (
            "0::/mesos/1f6b7f8e-0f0c-4a3a-9d5b-2e7c9a1c9d11/mesos/{UID}",
            "{UID}",
            "mesos",
        ),
        (
            "0::/docker/{A}/kubelet/kubepods/pod{UID}/{B}",
            "{B}",
            "containerd-cri",
        ),
        (
            "0::/docker-{A}.scope/kubelet.slice/kubelet-kubepods.slice/cri-containerd-{B}.scope",
            "{B}",
            "containerd-cri",
        ),
        ("0::/kubepods/pod{UID}/{A}/docker/{B}", "{B}", "docker"),
        (
            "0::/system.slice/docker-{A}.scope/machine.slice/libpod-{B}.scope",
            "{B}",
            "podman",
        ),
    ]);
}

#[test]
fn cgroups_below_a_container_belong_to_it() {
    check(&[
        ("0::/docker/{A}/init.scope", "{A}", "docker"),
        ("0::/docker/{A}/system.slice/ssh.service", "{A}", "docker"),
        ("0::/docker/{A}/inner", "{A}", "docker"),
        (
            "0::/lxc.payload.c1/ns/user.slice/user-0.slice/session-1.scope",
            "c1",
            "lxc",
        ),
        (
            "0::/machine.slice/systemd-nspawn@web.service/payload/init.scope",
            "web",
            "nspawn",
        ),
        ("0::/default/ctr1/foo/bar", "ctr1", "containerd"),
        ("0::/docker/{A}/payload", "{A}", "docker"),
        (
            "0::/docker/{A}/system.slice/web.service/supervisor",
            "{A}",
            "docker",
        ),
        (
            "0::/docker/{A}/machine.slice/libpod-conmon-{B}.scope",
            "{A}",
            "docker",
        ),
    ]);
}

#[test]
fn any_parent_and_any_slice_will_do() {
    check(&[
        ("0::/my/own/parent/{A}", "{A}", "docker"),
        (
            "0::/my.slice/my-own.slice/docker-{A}.scope",
            "{A}",
            "docker",
        ),
        (
            "0::/user.slice/user-1000.slice/user@1000.service/user.slice/docker-{A}.scope",
            "{A}",
            "docker",
        ),
        (
            "0::/user.slice/user-1000.slice/user@1000.service/user.slice/nerdctl-{A}.scope",
            "{A}",
            "nerdctl",
        ),
        (
            "0::/user.slice/user-1001.slice/user@1001.service/k3s-rootless.service/kubepods/pod{UID}/{A}",
            "{A}",
            "kubernetes",
        ),
        (
            "0::/system.slice/snap.microk8s.daemon-kubelite.service/kubepods/burstable/pod{UID}/{A}",
            "{A}",
            "kubernetes",
        ),
    ]);
}

#[test]
fn podman_of_a_user_is_told_by_the_path() {
    check(&[
        (
            "0::/user.slice/user-1000.slice/session-3.scope/libpod_parent/libpod-{A}",
            "{A}",
            "podman-rootless",
        ),
        (
            "0::/user.slice/user-0.slice/session-3.scope/libpod_parent/libpod-{A}",
            "{A}",
            "podman",
        ),
        (
            "0::/system.slice/web.service/libpod-payload-{A}",
            "{A}",
            "podman",
        ),
        (
            "0::/ecstasks.slice/ecstasks-0123456789abcdef0123456789abcdef.slice/docker-{A}.scope",
            "{A}",
            "ecs",
        ),
    ]);
}

#[test]
fn paths_of_mismatched_drivers_and_of_siblings_are_read() {
    check(&[
        ("0::/system.slice:docker:{A}", "{A}", "docker"),
        ("0::/machine.slice:libpod:{A}", "{A}", "podman"),
        ("0::/../../pod{UID}/{A}", "{A}", "kubernetes"),
        ("0::/../cri-containerd-{A}.scope", "{A}", "containerd-cri"),
        ("0::/kubepods/pod{UID}/crio-{A}", "{A}", "cri-o"),
        ("0::/system.slice/runc-r1.scope", "r1", "unknown"),
    ]);
}

#[test]
fn names_are_given_unescaped() {
    check(&[
        (
            "0::/machine.slice/machine-a\\x2db\\x2dc.scope",
            "a-b-c",
            "nspawn",
        ),
        (
            "0::/machine.slice/systemd-nspawn@a\\x2db.service/payload",
            "a-b",
            "nspawn",
        ),
        ("0::/machine.slice/machine-a\\x0ab.scope", "-", "-"),
        ("0::/machine.slice/machine-a\\xff.scope", "-", "-"),
        // Found by fuzzing: a name that turns into a path.
        ("0::/machine.slice/machine-a\\x2fb.scope", "-", "-"),
        ("0::/machine.slice/machine-..\\x2f..\\x2fb.scope", "-", "-"),
        (
            "0::/machine.slice/machine-lxc\\x2d7\\x2dc1.scope",
            "7-c1",
            "libvirt-lxc",
        ),
        (
            "0::/machine.slice/machine-lxc\\x2dc1.scope",
            "lxc-c1",
            "nspawn",
        ),
        ("5:cpu:/machine/c1.libvirt-lxc", "c1", "libvirt-lxc"),
        ("5:cpu:/machine/vm1.libvirt-qemu", "-", "libvirt-vm"),
    ]);
}

#[test]
fn monitors_and_parents_are_no_containers() {
    check(&[
        (
            "0::/machine.slice/libpod-conmon-{A}.scope",
            "-",
            "podman-conmon",
        ),
        ("0::/libpod_parent/conmon", "-", "podman-conmon"),
        ("0::/libpod_parent/{A}", "-", "-"),
        (
            "0::/machine.slice/machine-libpod_pod_{A}.slice/libpod-{B}.scope",
            "{B}",
            "podman",
        ),
        ("0::/machine.slice/machine-libpod_pod_{A}.slice", "-", "-"),
        ("0::/kubepods/pod{UID}/crio-conmon-{A}", "-", "cri-o-conmon"),
        ("0::/lxc.monitor/c1", "-", "lxc-monitor"),
        (
            "0::/machine.slice/systemd-nspawn@web.service/supervisor",
            "-",
            "nspawn",
        ),
        ("0::/kubepods/burstable/pod{UID}", "-", "-"),
        ("0::/ecs/{UID}", "-", "-"),
        ("0::/garden/good/x-1", "x-1", "garden"),
        ("0::/garden/good", "-", "-"),
        ("0::/docker/buildkit", "-", "-"),
        ("0::/lxc", "-", "-"),
        ("0::/default", "-", "-"),
        ("0::/system/runtime", "-", "-"),
    ]);
}

#[test]
fn look_alikes_of_an_id_are_refused() {
    let upper = A.to_uppercase();
    for id in [&A[1..], &format!("0{A}"), &upper, &format!("{}g", &A[1..])] {
        for path in [
            "/docker/ID",
            "/system.slice/docker-ID.scope",
            "/kubepods/podUID/ID",
            "/x.slice:docker:ID",
        ] {
            let text = format!("0::{}", path.replace("UID", UID).replace("ID", id));
            assert_eq!(member(text.as_bytes()), None, "{text}");
        }
    }
    check(&[
        ("0::/system.slice/docker-{A}.mount", "-", "-"),
        (
            "0::/system.slice/var-lib-docker-overlay2-{A}-merged.mount",
            "-",
            "-",
        ),
        ("0::/system.slice/{A}.service", "-", "-"),
        ("0::/system.slice/docker{A}.scope", "-", "-"),
    ]);
}

#[test]
fn the_line_that_names_a_container_best_is_taken() {
    check(&[
        (
            "2:cpu:/\n1:name=systemd:/user.slice\n0::/docker/{A}",
            "{A}",
            "docker",
        ),
        ("2:cpu:/docker/{A}\n0::/", "{A}", "docker"),
        (
            "2:cpu:/docker/{A}\n1:pids:/docker/{A}/kubelet/kubepods/pod{UID}/{B}\n0::/docker/{A}",
            "{B}",
            "containerd-cri",
        ),
        ("2:cpu:/docker/{A}\n0::/docker/{B}", "{B}", "docker"),
        ("2:cpu:/uuid/{UID}\n1:pids:/docker/{B}", "{B}", "docker"),
        (
            "2:cpu:/machine.slice/systemd-nspawn@w.service\n1:name=systemd:/machine.slice/systemd-nspawn@w.service/supervisor",
            "-",
            "nspawn",
        ),
        ("0::/docker/{A} (deleted)", "{A}", "docker"),
        ("1:cpu:/docker/{A}\r\n0::/\r\n", "{A}", "docker"),
    ]);
}

#[test]
fn the_pod_uid_is_given_with_dashes() {
    let slice = format!(
        "0::/kubepods.slice/kubepods-pod{}.slice/crio-{A}.scope",
        UID.replace('-', "_")
    );
    let colon = format!(
        "0::/kubepods-burstable-pod{}.slice:cri-containerd:{A}",
        UID.replace('-', "_")
    );
    let plain = format!("0::/kubepods/burstable/pod{UID}/{A}/init.scope");
    for text in [slice, colon, plain] {
        assert_eq!(
            member(text.as_bytes()).unwrap().pod_uid.as_deref(),
            Some(UID),
            "{text}"
        );
    }
    let fixed = format!("0::/kubepods/podbd12dd3393227d950605a2444b13c27a/{A}");
    assert_eq!(
        member(fixed.as_bytes()).unwrap().pod_uid.as_deref(),
        Some("bd12dd3393227d950605a2444b13c27a")
    );
}

#[test]
fn bytes_that_are_no_text_and_long_lines_do_no_harm() {
    assert_eq!(member(b""), None);
    assert_eq!(member(b"0::/lxc.payload.\xff\xfe"), None);
    assert_eq!(member(b"0::/\xff/../\x00"), None);
    let mut long = b"0::".to_vec();
    long.extend(b"/x".repeat(100_000));
    long.extend(format!("/docker/{A}").bytes());
    assert_eq!(member(&long).unwrap().id.as_deref(), Some(A));
    let name = [b"0::/lxc.payload.".as_slice(), &b"n".repeat(256)].concat();
    assert_eq!(member(&name), None);
}

#[test]
fn every_runtime_is_found_by_its_name() {
    for runtime in Runtime::ALL {
        assert_eq!(Runtime::from_name(runtime.name()), Some(runtime));
    }
    assert_eq!(Runtime::from_name("none"), None);
}

#[test]
fn a_process_at_the_root_of_every_hierarchy_may_have_been_anywhere() {
    assert!(!says_where(b"12:pids:/\n1:name=systemd:/\n0::/\n"));
    assert!(says_where(b"12:pids:/\n0::/user.slice/session-1.scope\n"));
    assert!(!says_where(b""));
}
