//! Writers of every kind around one container.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::model::Ancestor;
use crate::parse::cgroup::{Member, Runtime};

fn writer(id: Option<&str>, mount_ns: u64) -> Writer {
    let member = id.map(|id| Member {
        id: Some(id.to_owned()),
        runtime: Runtime::Docker,
        pod_uid: None,
    });
    Writer {
        mount_ns: Some(mount_ns),
        member,
        ..Writer::unknown(Some(7))
    }
}

fn container(id: Option<&str>) -> Container {
    Container {
        id: id.map(str::to_owned),
        ..Container::default()
    }
}

fn around(container_ns: Option<u64>) -> Around {
    Around {
        container_ns,
        host_ns: Some(1),
        init: Some(3),
        init_named: true,
        ..Around::default()
    }
}

fn origin(mut writer: Writer, mut container: Container, container_ns: Option<u64>) -> Origin {
    place(&mut writer, &mut container, around(container_ns));
    writer.origin
}

#[test]
fn the_cgroup_or_the_namespace_places_a_writer_inside() {
    assert_eq!(
        origin(writer(Some("a"), 5), container(Some("a")), None),
        Origin::Inside
    );
    assert_eq!(
        origin(writer(None, 5), container(Some("a")), Some(5)),
        Origin::Inside
    );
}

#[test]
fn another_container_and_the_host_are_told_apart() {
    assert_eq!(
        origin(writer(Some("b"), 6), container(Some("a")), Some(5)),
        Origin::OtherContainer
    );
    assert_eq!(
        origin(writer(None, 1), container(Some("a")), Some(5)),
        Origin::Host
    );
}

#[test]
fn nothing_to_go_by_is_unknown() {
    assert_eq!(
        origin(writer(None, 6), container(Some("a")), Some(5)),
        Origin::Unknown
    );
    assert_eq!(
        origin(Writer::unknown(Some(7)), container(Some("a")), Some(5)),
        Origin::Unknown
    );
}

#[test]
fn an_unnamed_container_takes_the_id_of_its_first_process() {
    let taken = |same_root| {
        let mut unnamed = container(None);
        let around = Around {
            same_root,
            ..around(None)
        };
        place(&mut writer(Some("a"), 6), &mut unnamed, around);
        unnamed.id
    };
    assert_eq!(taken(true).as_deref(), Some("a"));
    assert_eq!(taken(false), None);
}

fn parent(pid: i32, mount_ns: u64) -> Ancestor {
    Ancestor {
        pid,
        mount_ns: Some(mount_ns),
        ..Ancestor::default()
    }
}

fn placed(edit: impl FnOnce(&mut Writer), around: Around) -> Writer {
    let mut writer = Writer {
        vpid: Some(70),
        confirmed: true,
        ..writer(Some("a"), 5)
    };
    edit(&mut writer);
    place(&mut writer, &mut container(Some("a")), around);
    writer
}

#[test]
fn the_parents_tell_the_inits_children_from_a_session() {
    let entry = |parents: Vec<Ancestor>, vpid| {
        let edit = |writer: &mut Writer| {
            writer.vpid = Some(vpid);
            writer.parents = parents;
        };
        placed(edit, around(Some(5))).entry
    };
    assert_eq!(entry(vec![parent(9, 5), parent(3, 5)], 70), Entry::Init);
    assert_eq!(entry(vec![parent(9, 5), parent(2, 1)], 70), Entry::Session);
    assert_eq!(entry(vec![parent(9, 5)], 70), Entry::Unknown, "cut short");
    assert_eq!(entry(vec![parent(2, 1)], 1), Entry::Init);
    // Pids of the host: an orphan looks the same.
    assert_eq!(entry(vec![parent(2, 1)], 7), Entry::Unknown);
}

#[test]
fn who_joins_the_namespace_with_a_cgroup_of_its_own_is_from_outside() {
    let joined = |id: Option<&str>, parents: Vec<Ancestor>, named| {
        let member = id.and_then(|id| writer(Some(id), 5).member);
        let edit = |writer: &mut Writer| {
            (writer.member, writer.parents) = (member, parents);
        };
        let around = Around {
            init_named: named,
            ..around(Some(5))
        };
        let writer = placed(edit, around);
        (writer.origin, writer.entry)
    };
    let outside = || vec![parent(9, 5), parent(2, 1)];
    let host = (Origin::Host, Entry::Outside);
    assert_eq!(joined(None, outside(), true), host);
    let other = (Origin::OtherContainer, Entry::Outside);
    assert_eq!(joined(Some("b"), outside(), true), other);
    // Where no cgroup of the container holds an ID it proves nothing.
    let session = (Origin::Inside, Entry::Session);
    assert_eq!(joined(None, outside(), false), session);
    // The init's own child moved itself to another cgroup.
    let moved = vec![parent(3, 5), parent(2, 1)];
    assert_eq!(
        joined(Some("b"), moved, true),
        (Origin::Inside, Entry::Init)
    );
}

#[test]
fn the_namespace_goes_before_a_cgroup_that_was_chosen() {
    let attacker = Home {
        id: Some("b".to_owned()),
        told_by: "mount-namespace",
        ..Home::default()
    };
    let elsewhere = Around {
        elsewhere: Some(attacker.clone()),
        ..around(Some(5))
    };
    let writer = placed(|writer| writer.mount_ns = Some(6), elsewhere);
    assert_eq!(writer.origin, Origin::OtherContainer);
    assert_eq!(writer.home, Some(attacker));
    let unnamed = || Around {
        elsewhere: Some(Home::default()),
        ..around(Some(5))
    };
    let id = |cgroup: &str| {
        let edit = |writer_: &mut Writer| *writer_ = super::tests::writer(Some(cgroup), 6);
        placed(edit, unnamed()).home.unwrap().id
    };
    assert_eq!((id("b").as_deref(), id("a")), (Some("b"), None));
    let writer = placed(|writer| writer.mount_ns = Some(1), around(Some(5)));
    assert_eq!((writer.origin, writer.home), (Origin::Host, None));
}

fn dockerd(path: &str, mount_ns: u64, parent: Ancestor) -> Writer {
    Writer {
        vpid: Some(7),
        confirmed: true,
        name: Some(b"dockerd".to_vec()),
        executable: Some(path.as_bytes().to_vec()),
        args: vec![b"docker-untar".to_vec()],
        parents: vec![parent],
        ..writer(None, mount_ns)
    }
}

fn daemon(mount_ns: u64) -> Ancestor {
    Ancestor {
        executable: Some(b"/usr/bin/dockerd".to_vec()),
        ..parent(2, mount_ns)
    }
}

#[test]
fn a_copy_tool_is_known_by_its_executable_on_the_host() {
    let tool = |writer: Writer| placed(|placed| *placed = writer, around(Some(5))).tool;
    let docker = |path, parent| tool(dockerd(path, 9, parent));
    assert_eq!(docker("/usr/bin/dockerd", daemon(1)), Some("docker cp"));
    assert_eq!(docker("/usr/bin/dockerd", daemon(8)), None);
    assert_eq!(docker("/tmp/dockerd", daemon(1)), None);
    assert_eq!(docker("/usr/bin/dockerd", parent(2, 1)), None);
    let podman = |mount_ns, host_program, args: &[&str]| {
        tool(Writer {
            host_program,
            args: args.iter().map(|arg| arg.as_bytes().to_vec()).collect(),
            ..dockerd("/usr/bin/podman", mount_ns, parent(2, 1))
        })
    };
    let copy = &["podman", "cp", "a", "b:/c"];
    assert_eq!(podman(1, false, copy), Some("podman cp"));
    assert_eq!(podman(9, true, copy), Some("podman cp"));
    assert_eq!(
        podman(9, false, copy),
        None,
        "its path there proves nothing"
    );
    assert_eq!(podman(1, false, &["podman", "commit"]), Some("podman"));
}

#[test]
fn a_copy_tool_that_was_ending_is_known_by_the_daemon_it_came_from() {
    let ending = |edit: fn(&mut Writer), parent| {
        let mut writer = Writer {
            unplaced: true,
            mount_ns: None,
            ..dockerd("/usr/bin/dockerd", 9, parent)
        };
        edit(&mut writer);
        let writer = placed(|placed| *placed = writer, around(Some(5)));
        (writer.origin, writer.tool)
    };
    let unknown = (Origin::Unknown, None);
    let told = (Origin::Host, Some("docker cp"));
    assert_eq!(ending(|_| {}, daemon(1)), told);
    assert_eq!(
        ending(|_| {}, daemon(8)),
        unknown,
        "a daemon in a container"
    );
    assert_eq!(ending(|_| {}, parent(2, 1)), unknown, "of a monitor");
    let other = |writer: &mut Writer| writer.executable = Some(b"/usr/bin/podman".to_vec());
    assert_eq!(ending(other, daemon(1)), unknown);
    let hinted = |writer: &mut Writer| writer.confirmed = false;
    assert_eq!(ending(hinted, daemon(1)), unknown);
    let inner = |writer: &mut Writer| writer.vpid = Some(1);
    assert_eq!(ending(inner, daemon(1)), unknown, "pids of its own");
    // The host's own file, bound into a container with the host's pids.
    let bound = |writer: &mut Writer| writer.host_program = true;
    assert_eq!(ending(bound, parent(2, 1)), unknown);
}

#[test]
fn a_dead_writer_of_a_nested_container_is_not_laid_to_the_outer_one() {
    let dead = || Writer {
        mount_ns: None,
        ..writer(Some("outer"), 0)
    };
    let nested = Container {
        source: Some("cgroup-leaf"),
        ..container(Some("nested"))
    };
    assert_eq!(origin(dead(), nested, None), Origin::Unknown);
    assert_eq!(
        origin(dead(), container(Some("a")), None),
        Origin::OtherContainer
    );
}

#[test]
fn a_writer_that_was_ending_is_no_more_on_the_host_than_its_namespace_says() {
    let ending = |mount_ns| Writer {
        unplaced: true,
        vpid: Some(7),
        parents: vec![parent(2, 1)],
        ..writer(None, mount_ns)
    };
    let lives = Writer {
        unplaced: false,
        ..ending(5)
    };
    let container = || container(Some("a"));
    assert_eq!(origin(ending(5), container(), Some(5)), Origin::Unknown);
    assert_eq!(origin(lives, container(), Some(5)), Origin::Host);
    assert_eq!(origin(ending(1), container(), Some(5)), Origin::Host);
}

#[test]
fn a_program_in_doubt_is_believed_of_the_host_alone() {
    let doubted = |mount_ns| {
        let edit = |writer: &mut Writer| {
            (writer.program_in_doubt, writer.mount_ns) = (true, Some(mount_ns));
            writer.member = None;
        };
        let around = Around {
            container_ns: Some(5),
            host_ns: Some(1),
            ..Around::default()
        };
        let writer = placed(edit, around);
        (writer.origin, writer.confirmed, writer.program_in_doubt)
    };
    assert_eq!(doubted(5), (Origin::Inside, false, true));
    assert_eq!(doubted(1), (Origin::Host, true, false));
    // Of one that is not known for sure this is the least doubt.
    let unsure = |writer: &mut Writer| (writer.program_in_doubt, writer.confirmed) = (true, false);
    let writer = placed(unsure, Around::default());
    assert_eq!((writer.confirmed, writer.program_in_doubt), (false, false));
}
