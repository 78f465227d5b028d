//! Real runtimes: docker, podman (rootful), containerd (ctr), runc and crun by hand.
//!
//! Each test has a daemon, a watcher and containers of its own. `LDWATCH_RUNTIME_RUNS` says how
//! often the rows are repeated.

#![allow(clippy::unwrap_used, clippy::expect_used)]
#![allow(clippy::indexing_slicing, clippy::print_stderr)]

mod support;

use support::record::Expect;
use support::runtimes::Runtime;
use support::runtimes::containerd::{self, Containerd};
use support::runtimes::docker::{self, Docker};
use support::runtimes::podman::{self, Podman};
use support::runtimes::runc::{self, Runc};
use support::scratch::nonce;
use support::watcher::Watcher;
use support::{PRELOAD, gate};

const SLEEP: &[&str] = &["/bin/sleep", "600"];
/// The tests of one runtime.
type Scenario = fn(&dyn Runtime, &mut Watcher);

fn with<R: Runtime>(programs: &[&str], start: fn() -> Result<R, String>, scenario: Scenario) {
    let Some(_turn) = gate::enter(programs) else {
        return;
    };
    let Some(runtime) = gate::have(start()) else {
        return;
    };
    let mut watcher = Watcher::start(&runtime.config());
    scenario(&runtime, &mut watcher);
    watcher.stop();
}

/// Three containers of one image; a write in each is told once, for that one.
fn exec_in_three(runtime: &dyn Runtime, watcher: &mut Watcher) {
    for _ in 0..gate::runtime_runs() {
        let ids = [(); 3].map(|()| started(runtime, watcher, SLEEP));
        for id in &ids {
            write(runtime, watcher, id);
        }
        watcher.nothing_else().unwrap();
        runtime.exec(&ids[0], &["/bin/attack", "unlink", PRELOAD, "-"]);
        watcher.expect(&deletion(&ids[0])).unwrap();
        for id in &ids {
            runtime.remove(id);
        }
    }
}

/// The container's very first act is the attack.
fn hostile_entrypoint(runtime: &dyn Runtime, watcher: &mut Watcher) {
    for _ in 0..gate::runtime_runs() {
        let own = nonce();
        let id = started(runtime, watcher, &["/bin/attack", "first", &own]);
        watcher.expect(&creation(&id, &own)).unwrap();
        watcher.nothing_else().unwrap();
        runtime.remove(&id);
    }
}

/// A container that was stopped and started again is watched again.
fn write_after_a_restart(runtime: &dyn Runtime, watcher: &mut Watcher) {
    for again in [Again::StopAndStart, Again::Restart] {
        for _ in 0..gate::runtime_runs() {
            let id = started(runtime, watcher, SLEEP);
            match again {
                Again::StopAndStart => {
                    runtime.stop(&id);
                    runtime.start(&id);
                }
                Again::Restart => runtime.restart(&id),
            }
            write(runtime, watcher, &id);
            watcher.nothing_else().unwrap();
            runtime.remove(&id);
        }
    }
}

enum Again {
    StopAndStart,
    Restart,
}

/// Containers that come and go, a read and look-alike names: no word.
fn honest_life(runtime: &dyn Runtime, watcher: &mut Watcher) {
    for _ in 0..20 {
        let id = started(runtime, watcher, SLEEP);
        runtime.stop(&id);
        runtime.start(&id);
        runtime.remove(&id);
    }
    let id = started(runtime, watcher, SLEEP);
    let honest = "test -x /bin/attack || exit 1; cat /etc/ld.so.preload; \
                  echo x > /etc/ld.so.preload.bak; echo x > /opt/etc/ld.so.preload";
    runtime.exec(&id, &["/bin/sh", "-c", honest]);
    watcher.nothing_else().unwrap();
    write(runtime, watcher, &id);
    runtime.exec(&id, &["/bin/cat", PRELOAD]);
    watcher.nothing_else().unwrap();
    runtime.remove(&id);
}

fn started(runtime: &dyn Runtime, watcher: &mut Watcher, argv: &[&str]) -> String {
    let id = runtime.run(&nonce(), argv);
    watcher.mine(&id);
    id
}

fn write(runtime: &dyn Runtime, watcher: &Watcher, id: &str) {
    let own = nonce();
    // The first half holds the line off any root but the image's.
    let line = format!("test -x /bin/attack && echo /tmp/{own}.so > {PRELOAD}");
    runtime.exec(id, &["/bin/sh", "-c", &line]);
    watcher.expect(&creation(id, &own)).unwrap();
}

fn creation<'a>(container: &'a str, nonce: &'a str) -> Expect<'a> {
    Expect {
        kind: "alert",
        change: "creation",
        action: "creation",
        risk: Some(73.0),
        container,
        nonce: Some(nonce),
    }
}

fn deletion(container: &str) -> Expect<'_> {
    Expect {
        kind: "event",
        change: "deletion",
        action: "deletion",
        risk: None,
        container,
        nonce: None,
    }
}

#[test]
#[ignore = "needs root: docker"]
fn docker_writes_in_three_containers_are_told_apart() {
    with(docker::PROGRAMS, Docker::start, exec_in_three);
}

#[test]
#[ignore = "needs root: docker"]
fn docker_an_entrypoint_that_attacks_at_once_is_caught() {
    with(docker::PROGRAMS, Docker::start, hostile_entrypoint);
}

#[test]
#[ignore = "needs root: docker"]
fn docker_a_restarted_container_is_watched_again() {
    with(docker::PROGRAMS, Docker::start, write_after_a_restart);
}

#[test]
#[ignore = "needs root: docker"]
fn docker_an_honest_life_is_silent() {
    with(docker::PROGRAMS, Docker::start, honest_life);
}

#[test]
#[ignore = "needs root: podman"]
fn podman_writes_in_three_containers_are_told_apart() {
    with(podman::PROGRAMS, Podman::start, exec_in_three);
}

#[test]
#[ignore = "needs root: podman"]
fn podman_an_entrypoint_that_attacks_at_once_is_caught() {
    with(podman::PROGRAMS, Podman::start, hostile_entrypoint);
}

#[test]
#[ignore = "needs root: podman"]
fn podman_a_restarted_container_is_watched_again() {
    with(podman::PROGRAMS, Podman::start, write_after_a_restart);
}

#[test]
#[ignore = "needs root: podman"]
fn podman_an_honest_life_is_silent() {
    with(podman::PROGRAMS, Podman::start, honest_life);
}

#[test]
#[ignore = "needs root: containerd"]
fn containerd_writes_in_three_containers_are_told_apart() {
    with(containerd::PROGRAMS, Containerd::start, exec_in_three);
}

#[test]
#[ignore = "needs root: containerd"]
fn containerd_an_entrypoint_that_attacks_at_once_is_caught() {
    with(containerd::PROGRAMS, Containerd::start, hostile_entrypoint);
}

#[test]
#[ignore = "needs root: containerd"]
fn containerd_a_restarted_container_is_watched_again() {
    with(
        containerd::PROGRAMS,
        Containerd::start,
        write_after_a_restart,
    );
}

#[test]
#[ignore = "needs root: containerd"]
fn containerd_an_honest_life_is_silent() {
    with(containerd::PROGRAMS, Containerd::start, honest_life);
}

#[test]
#[ignore = "needs root: runc"]
fn runc_writes_in_three_containers_are_told_apart() {
    with(runc::PROGRAMS, Runc::start, exec_in_three);
}

#[test]
#[ignore = "needs root: runc"]
fn runc_an_entrypoint_that_attacks_at_once_is_caught() {
    with(runc::PROGRAMS, Runc::start, hostile_entrypoint);
}

#[test]
#[ignore = "needs root: runc"]
fn runc_a_restarted_container_is_watched_again() {
    with(runc::PROGRAMS, Runc::start, write_after_a_restart);
}

#[test]
#[ignore = "needs root: runc"]
fn runc_an_honest_life_is_silent() {
    with(runc::PROGRAMS, Runc::start, honest_life);
}

#[test]
#[ignore = "needs root: crun"]
fn crun_writes_in_three_containers_are_told_apart() {
    with(runc::CRUN_PROGRAMS, Runc::start_crun, exec_in_three);
}

#[test]
#[ignore = "needs root: crun"]
fn crun_an_entrypoint_that_attacks_at_once_is_caught() {
    with(runc::CRUN_PROGRAMS, Runc::start_crun, hostile_entrypoint);
}

#[test]
#[ignore = "needs root: crun"]
fn crun_a_restarted_container_is_watched_again() {
    with(runc::CRUN_PROGRAMS, Runc::start_crun, write_after_a_restart);
}

#[test]
#[ignore = "needs root: crun"]
fn crun_an_honest_life_is_silent() {
    with(runc::CRUN_PROGRAMS, Runc::start_crun, honest_life);
}

#[test]
#[ignore = "needs root: docker"]
fn docker_image_work_is_silent() {
    let Some(_turn) = gate::enter(docker::PROGRAMS) else {
        return;
    };
    let Some(docker) = gate::have(Docker::start()) else {
        return;
    };
    let mut watcher = Watcher::start("");
    // The image brings the file along: neither unpacking nor starting it is an alert.
    let own = nonce();
    let inside = docker.files.root.join("etc/ld.so.preload");
    std::fs::write(inside, format!("/tmp/{own}.so\n")).unwrap();
    let tar = docker.scratch.join("with-the-file.tar");
    docker.files.tar(&tar);
    docker.import(&tar, "ldwt/preloaded:1");
    docker.build(
        "FROM ldwt/box:1\nCOPY other.conf /etc/other.conf\nRUN echo x > /etc/another.conf\n",
        "ldwt/built:1",
    );
    watcher.no_alert().unwrap();
    let id = docker.run_image("ldwt/preloaded:1", &nonce(), SLEEP);
    watcher.mine(&id);
    watcher.no_alert().unwrap();
    let later = nonce();
    let line = format!("test -x /bin/attack && echo /tmp/{later}.so >> {PRELOAD}");
    docker.exec(&id, &["/bin/sh", "-c", &line]);
    let change = Expect {
        change: "change",
        action: "modification",
        ..creation(&id, &later)
    };
    watcher.expect(&change).unwrap();
    watcher.no_alert().unwrap();
}
