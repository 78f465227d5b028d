//! Where a writer stands: in the container whose file changed, in another, or on
//! the host; and how it came there. Says "unknown" rather than guess.
//!
//! The mount namespace goes before the cgroup: a process with privileges can move
//! itself to any cgroup, but only what is in a container's mount namespace, or has its
//! root, sees the container's files as its own. Who joined that namespace from outside
//! (nsenter(1)) keeps the cgroup it came from, and gives itself away by it.

use crate::model::{Ancestor, Container, Entry, Home, Origin, Writer};

/// Programs of container engines that write into containers, where a host has them,
/// and what they are then doing.
const ENGINES: [(&str, &str); 3] = [
    ("dockerd", "docker cp"),
    ("podman", "podman cp"),
    ("buildah", "buildah"),
];
/// Directories of a host in which they are believed.
const PLACES: [&str; 6] = [
    "/usr/bin/",
    "/usr/sbin/",
    "/usr/local/bin/",
    "/usr/local/sbin/",
    "/bin/",
    "/sbin/",
];

/// What is known around a writer when it is placed.
#[derive(Debug, Clone, Default)]
pub struct Around {
    /// Its root is the changed root filesystem itself.
    pub same_root: bool,
    /// Mount namespace of the container's init.
    pub container_ns: Option<u64>,
    /// Mount namespace of the host.
    pub host_ns: Option<u64>,
    /// Pid of the container's init.
    pub init: Option<i32>,
    /// That init's cgroup names the container: so does every honest process of it.
    pub init_named: bool,
    /// The watched container whose mount namespace or root the writer has, if that is
    /// another one.
    pub elsewhere: Option<Home>,
}

/// Sets the writer's origin, container, entry and tool. A container that no file and
/// no init named takes the ID of a writer whose root is that very root filesystem: the
/// first process of a container started by hand.
pub fn place(writer: &mut Writer, container: &mut Container, around: Around) {
    let same_ns = writer.mount_ns.is_some() && writer.mount_ns == around.container_ns;
    let home_ns = same_ns && !has_intruded(writer, container, &around);
    writer.origin = if around.same_root || home_ns {
        Origin::Inside
    } else if around.elsewhere.is_some() {
        Origin::OtherContainer
    } else {
        by_cgroup(writer, container, &around, same_ns)
    };
    if around.same_root {
        take_name(writer, container);
    }
    // Who can act in the host's name needs no program that is executed at the right moment.
    writer.program_in_doubt &= writer.confirmed && writer.origin != Origin::Host;
    writer.confirmed &= !writer.program_in_doubt;
    writer.entry = entry(writer, &around);
    writer.tool = tool(writer, container, &around);
    writer.home = home(writer, container, around, home_ns);
}

/// The container that a placed writer is in.
fn home(writer: &Writer, container: &Container, around: Around, home_ns: bool) -> Option<Home> {
    let named = writer.member.as_ref().map(Home::by_cgroup);
    match writer.origin {
        Origin::Inside => {
            let told_by = match (around.same_root, home_ns) {
                (_, true) => "mount-namespace",
                (true, _) => "rootfs",
                _ => "cgroup",
            };
            Some(Home {
                id: container.id.clone(),
                name: container.name.clone(),
                runtime: container.runtime,
                pod_uid: named.and_then(|home| home.pod_uid),
                told_by,
            })
        }
        Origin::OtherContainer => {
            // A container that was just seen may have no name yet but in its cgroup; one
            // that moved to the victim's cgroup says nothing by it.
            let other = named.filter(|home| home.id != container.id);
            let has_name = |home: &Home| home.id.is_some();
            let elsewhere = around.elsewhere.clone().filter(has_name);
            elsewhere.or(other).or(around.elsewhere)
        }
        Origin::Host => named.filter(|home| home.id.is_none()),
        Origin::Unknown => named,
    }
}

/// It was named by the last part of its cgroup alone: by hand, or within another one.
fn is_nested(container: &Container) -> bool {
    container.source == Some("cgroup-leaf")
}

/// In the container's mount namespace, but neither of its cgroup nor of its init: it
/// joined from outside.
fn has_intruded(writer: &Writer, container: &Container, around: &Around) -> bool {
    let id = writer.member.as_ref().and_then(|member| member.id.as_ref());
    around.init_named
        && id != container.id.as_ref()
        && came_from_outside(writer)
        && !descends(writer, around.init)
}

fn by_cgroup(writer: &Writer, container: &Container, around: &Around, intruded: bool) -> Origin {
    let named = writer.member.as_ref().and_then(|member| member.id.as_ref());
    let is_host = |ns: Option<u64>| ns.is_some() && ns == around.host_ns;
    // A runtime's copy tool has a mount namespace of its own, but the host's pids. Of one
    // that was ending a container's cgroup may be gone already.
    let has_host_pids = writer.vpid.is_some() && writer.vpid == writer.pid;
    let from_host = intruded && is_host(writer.parents.last().and_then(|last| last.mount_ns));
    // Its cgroup is not known, but a daemon that runs itself once more puts that nowhere.
    let of_engine = has_host_pids && is_engines_own(writer, around);
    let on_host =
        is_host(writer.mount_ns) || of_engine || (!writer.unplaced && (has_host_pids || from_host));
    match (named, &container.id) {
        (Some(writers), Some(changed)) if writers == changed => {
            // In the container's cgroup, and sees the host's files.
            if is_host(writer.mount_ns) {
                Origin::Host
            } else {
                Origin::Inside
            }
        }
        // A nested container may have a cgroup of its own in some of the trees alone, and
        // of one that has ended only one is shown: it names the container around it.
        (Some(_), Some(_)) if writer.mount_ns.is_none() && is_nested(container) => Origin::Unknown,
        (Some(_), Some(_)) => Origin::OtherContainer,
        (None, _) if on_host => Origin::Host,
        _ => Origin::Unknown,
    }
}

fn take_name(writer: &Writer, container: &mut Container) {
    // The cgroup of a process in a container in a container names the outer one first.
    if container.id.is_none()
        && container.source.is_none()
        && !container.build
        && let Some(member) = &writer.member
        && let Some(id) = &member.id
    {
        container.id = Some(id.clone());
        container.runtime = Some(member.runtime);
        container.source = Some("writer-cgroup");
        container.missing.retain(|&piece| piece != "id");
    }
}

/// The farthest parent known is in another mount namespace.
fn came_from_outside(writer: &Writer) -> bool {
    let last = writer.parents.last().and_then(|last| last.mount_ns);
    last.is_some() && last != writer.mount_ns
}

fn descends(writer: &Writer, init: Option<i32>) -> bool {
    init.is_some_and(|init| {
        writer.pid == Some(init) || writer.parents.iter().any(|parent| parent.pid == init)
    })
}

fn entry(writer: &Writer, around: &Around) -> Entry {
    // With a pid namespace of its own a container takes in its orphans itself. Without,
    // they go to whoever started it, as if they had come from there.
    let own_pids = writer.vpid.is_some() && writer.vpid != writer.pid;
    match writer.origin {
        Origin::Host | Origin::OtherContainer => Entry::Outside,
        Origin::Unknown => Entry::Unknown,
        Origin::Inside if descends(writer, around.init) => Entry::Init,
        Origin::Inside if own_pids && writer.vpid == Some(1) => Entry::Init,
        Origin::Inside if own_pids && around.init.is_some() && came_from_outside(writer) => {
            Entry::Session
        }
        Origin::Inside => Entry::Unknown,
    }
}

/// The program of a container engine that an executable's path would be; whether it is
/// that, the path alone does not tell.
#[must_use]
pub fn engine(executable: &[u8]) -> Option<(&'static str, &'static str)> {
    let path = str::from_utf8(executable).ok()?;
    let name = PLACES.iter().find_map(|place| path.strip_prefix(place))?;
    ENGINES.into_iter().find(|(engine, _)| *engine == name)
}

/// A container engine's own program, executed by that same program in the host's mount
/// namespace. A container's processes come from a monitor or a runtime, and its own file
/// of that path is no program of its parent's.
fn is_engines_own(writer: &Writer, around: &Around) -> bool {
    let own = writer.executable.as_deref().filter(|_| writer.confirmed);
    let from_host = |parent: &Ancestor| {
        let on_host = parent.mount_ns.is_some() && parent.mount_ns == around.host_ns;
        on_host && parent.executable.as_deref() == own
    };
    own.is_some_and(|own| engine(own).is_some()) && writer.parents.first().is_some_and(from_host)
}

/// A container engine's own program, which works in the host's mount namespace, or in
/// a private one as the same program's child there, or is seen to be the host's file.
/// What it calls itself does not count.
fn tool(writer: &Writer, container: &Container, around: &Around) -> Option<&'static str> {
    let on_host = writer.mount_ns.is_some() && writer.mount_ns == around.host_ns;
    let by_host = on_host || writer.host_program || is_engines_own(writer, around);
    if writer.origin != Origin::Host || !writer.confirmed || !by_host {
        return None;
    }
    let (engine, act) = engine(writer.executable.as_deref()?)?;
    let copies = match engine {
        "dockerd" => !container.build,
        _ => writer.args.iter().any(|arg| arg == b"cp"),
    };
    Some(if copies { act } else { engine })
}

#[cfg(test)]
mod tests;
