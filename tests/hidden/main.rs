//! Real containers whose root filesystem the host's mount table does not show, or not as
//! an overlay: podman for a user, LXC, systemd-nspawn, a container in a container.
//!
//! Such a container is found while it comes up, and its first program runs whether it is
//! marked by then or not. The rows say how many of the first acts were seen as events and
//! how many by the first look; none may be missed.

#![allow(clippy::unwrap_used, clippy::expect_used)]
#![allow(clippy::indexing_slicing, clippy::print_stderr)]

mod fuse;
#[path = "../support/mod.rs"]
mod support;

use std::thread::sleep;
use std::time::Duration;

use support::record::{Expect, carries, field, text};
use support::runtimes::Runtime;
use support::runtimes::lxc::{self, Lxc};
use support::runtimes::nested::{self, Nested};
use support::runtimes::nspawn::{self, Nspawn};
use support::runtimes::rootless::{self, Rootless};
use support::scratch::nonce;
use support::watcher::{Seen, Watcher};
use support::{PRELOAD, gate};

/// A first look waits so long for a container's init, and then some.
const FIRST_LOOK: Duration = Duration::from_secs(3);
const SLEEP: &[&str] = &["/bin/sleep", "600"];

/// What the records of a runtime's containers say of them.
#[derive(Debug, Clone, Copy)]
struct Says {
    runtime: &'static str,
    /// `ldwatch.container.source`
    source: &'static str,
    /// The image's name, where a file tells it.
    image: Option<&'static str>,
    /// The name that the container was given, where a file tells it.
    named: bool,
}

fn with<R: Runtime>(programs: &[&str], start: fn() -> Result<R, String>, says: Says) {
    let Some(_turn) = gate::enter(programs) else {
        return;
    };
    let Some(runtime) = gate::have(start()) else {
        return;
    };
    let mut watcher = Watcher::start(&format!("sweep = \"off\"\n{}", runtime.config()));
    exec_is_told_apart(&runtime, &mut watcher, says);
    a_restart_is_watched(&runtime, &mut watcher, says);
    a_hostile_first_act(&runtime, &mut watcher, says);
    watcher.stop();
}

/// Two containers; a write in each is told once, for that one, with what is known of it.
fn exec_is_told_apart(runtime: &dyn Runtime, watcher: &mut Watcher, says: Says) {
    let started = [(); 2].map(|()| {
        let name = nonce();
        let id = runtime.run(&name, SLEEP);
        watcher.mine(&id);
        (name, id)
    });
    for (name, id) in &started {
        let seen = write(runtime, watcher, id);
        check(&seen, says, name);
    }
    nothing_new(watcher, says);
    for (_, id) in &started {
        runtime.remove(id);
    }
    nothing_new(watcher, says);
}

fn a_restart_is_watched(runtime: &dyn Runtime, watcher: &mut Watcher, says: Says) {
    let id = runtime.run(&nonce(), SLEEP);
    watcher.mine(&id);
    runtime.stop(&id);
    runtime.start(&id);
    write(runtime, watcher, &id);
    nothing_new(watcher, says);
    runtime.remove(&id);
    nothing_new(watcher, says);
}

/// The container's very first act is the attack.
fn a_hostile_first_act(runtime: &dyn Runtime, watcher: &mut Watcher, says: Says) {
    let (mut in_time, runs) = (0, gate::runtime_runs());
    for _ in 0..runs {
        let (own, name) = (nonce(), nonce());
        let id = runtime.run(&name, &["/bin/attack", "first", &own]);
        watcher.mine(&id);
        let seen = watcher
            .claim(&format!("the first act in {id}"), |seen| {
                carries(&seen.value, &own)
            })
            .unwrap();
        // A nested one is marked before anything names it.
        let early = text(&seen.value, "ldwatch.container.source") == "inner-mount";
        if !(early && says.runtime == "unknown") {
            check(&seen, says, &name);
            assert_eq!(text(&seen.value, "container.id"), id, "{}", seen.raw);
        }
        assert_eq!(text(&seen.value, "event.kind"), "alert", "{}", seen.raw);
        in_time += usize::from(text(&seen.value, "ldwatch.detection") == "event");
        nothing_new(watcher, says);
        runtime.remove(&id);
        nothing_new(watcher, says);
    }
    eprintln!(
        "{}: marked before the first act: {in_time} of {runs}",
        says.runtime
    );
}

/// Nothing else was told. A nested container is met as a mount and then as a container's
/// root, and as a mount again when its init is gone: a first look may come late.
fn nothing_new(watcher: &Watcher, says: Says) {
    if says.runtime == "unknown" {
        sleep(FIRST_LOOK / 3);
    }
    watcher.nothing_else().unwrap();
}

fn check(seen: &Seen, says: Says, name: &str) {
    let said = |path: &str| text(&seen.value, path);
    assert_eq!(said("container.runtime"), says.runtime, "{}", seen.raw);
    assert_eq!(
        said("ldwatch.container.source"),
        says.source,
        "{}",
        seen.raw
    );
    if let Some(image) = says.image {
        assert_eq!(said("container.image.name"), image, "{}", seen.raw);
    }
    if says.named {
        assert_eq!(said("container.name"), name, "{}", seen.raw);
    } else {
        assert!(
            field(&seen.value, "container.name").is_none(),
            "{}",
            seen.raw
        );
    }
}

fn write(runtime: &dyn Runtime, watcher: &Watcher, id: &str) -> Seen {
    let own = nonce();
    // The first half holds the line off any root but the image's.
    let line = format!("test -x /bin/attack && echo /tmp/{own}.so > {PRELOAD}");
    runtime.exec(id, &["/bin/sh", "-c", &line]);
    let creation = Expect {
        kind: "alert",
        change: "creation",
        action: "creation",
        risk: Some(73.0),
        container: id,
        nonce: Some(&own),
    };
    watcher.expect(&creation).unwrap()
}

#[test]
#[ignore = "needs root: podman for a user"]
fn podman_of_a_user() {
    let says = Says {
        runtime: "podman-rootless",
        source: "podman-files",
        image: Some("localhost/ldwt/box"),
        named: true,
    };
    with(rootless::PROGRAMS, Rootless::start, says);
}

#[test]
#[ignore = "needs root: LXC"]
fn lxc_in_a_directory() {
    let says = Says {
        runtime: "lxc",
        source: "cgroup",
        image: None,
        named: true,
    };
    with(lxc::PROGRAMS, Lxc::in_directories, says);
}

#[test]
#[ignore = "needs root: LXC"]
fn lxc_on_an_overlay() {
    let says = Says {
        runtime: "lxc",
        source: "cgroup",
        image: None,
        named: true,
    };
    with(lxc::PROGRAMS, Lxc::on_overlays, says);
}

#[test]
#[ignore = "needs root: systemd-nspawn"]
fn nspawn_in_a_directory() {
    let says = Says {
        runtime: "nspawn",
        source: "mountinfo",
        image: None,
        named: true,
    };
    with(nspawn::PROGRAMS, Nspawn::start, says);
}

#[test]
#[ignore = "needs root: docker"]
fn runc_in_docker() {
    let says = Says {
        runtime: "unknown",
        source: "cgroup-leaf",
        image: None,
        named: false,
    };
    with(nested::PROGRAMS, Nested::start, says);
}
