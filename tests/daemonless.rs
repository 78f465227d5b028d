//! A container's ID, name and image come from files: in an unusual place, while nobody runs
//! who could be asked, and as they are when the alert is made.

#![allow(clippy::unwrap_used, clippy::expect_used)]
#![allow(clippy::indexing_slicing, clippy::print_stderr)]

mod support;

use std::fs;

use support::command::run;
use support::record::{Expect, is_cross_boundary, text, texts};
use support::runtimes::Runtime;
use support::runtimes::docker::{self, Docker};
use support::runtimes::podman::{self, Client, Podman};
use support::runtimes::rootless::{self, Rootless};
use support::scratch::nonce;
use support::watcher::{Seen, Watcher};
use support::{PRELOAD, gate};

const SLEEP: &[&str] = &["/bin/sleep", "600"];
/// A place that no default names, and that a mount table has to escape.
const ODD: &str = "an odd place/in it";

/// What an alert must say of its container.
struct Is<'a> {
    id: &'a str,
    name: &'a str,
    image: &'a str,
    runtime: &'a str,
}

impl Is<'_> {
    /// Waits for the alert and holds it against this.
    fn told(&self, watcher: &Watcher, change: &str, nonce: &str) -> Seen {
        let expected = Expect {
            kind: "alert",
            change,
            action: if change == "creation" {
                change
            } else {
                "modification"
            },
            risk: Some(73.0),
            container: self.id,
            nonce: Some(nonce),
        };
        let seen = watcher.expect(&expected).unwrap();
        let said = |field: &str| text(&seen.value, field);
        let all = [
            ("container.name", self.name),
            ("container.image.name", self.image),
            ("container.runtime", self.runtime),
        ];
        for (field, want) in all {
            assert_eq!(said(field), want, "{field}: {}", seen.raw);
        }
        assert_eq!(
            texts(&seen.value, "container.image.tag"),
            ["1"],
            "{}",
            seen.raw
        );
        assert!(!is_cross_boundary(&seen.value), "{}", seen.raw);
        seen
    }
}

/// A program that writes the file when it is told to, and once more.
fn writer(first: &str, second: &str) -> Vec<String> {
    let wait = |name: &str| format!("until test -e /tmp/{name}; do sleep 0.05; done");
    let line = format!(
        "{}; echo /tmp/{first}.so > {PRELOAD}; {}; echo /tmp/{second}.so >> {PRELOAD}; sleep 600",
        wait("first"),
        wait("second")
    );
    ["/bin/sh", "-c", &line].map(str::to_owned).to_vec()
}

/// Tells it.
fn tell(init: i32, which: &str) {
    fs::write(format!("/proc/{init}/root/tmp/{which}"), "").unwrap();
}

/// dockerd and its containerd are dead; one watcher was there before, one comes after.
#[test]
#[ignore = "needs root: docker"]
fn docker_containers_are_named_while_its_daemons_are_dead_and_its_data_is_elsewhere() {
    let Some(_turn) = gate::enter(docker::PROGRAMS) else {
        return;
    };
    let Some(docker) = gate::have(Docker::start_with(ODD, true)) else {
        return;
    };
    let (first, second, name) = (nonce(), nonce(), nonce());
    let mut watcher = Watcher::start("");
    let argv = writer(&first, &second);
    let argv: Vec<&str> = argv.iter().map(String::as_str).collect();
    let id = docker.run_image("ldwt/box:1", &name, &argv);
    let init = docker.init(&id);
    docker.crash();
    let is = Is {
        id: &id,
        name: &name,
        image: "ldwt/box",
        runtime: "docker",
    };
    watcher.mine(&id);
    tell(init, "first");
    is.told(&watcher, "creation", &first);
    watcher.stop();
    let mut watcher = Watcher::start("");
    watcher.mine(&id);
    // What was there before it is told of, too.
    is.told(&watcher, "creation", &first);
    tell(init, "second");
    is.told(&watcher, "change", &second);
    watcher.stop();
}

/// podman has no daemon; its storage, and what a boot clears, are in unusual places. One
/// container is kept, and one is gone with its end.
#[test]
#[ignore = "needs root: podman"]
fn podman_containers_are_named_where_its_storage_is_elsewhere() {
    let Some(_turn) = gate::enter(podman::PROGRAMS) else {
        return;
    };
    let Some(podman) = gate::have(Podman::start_in([ODD, "another/place"])) else {
        return;
    };
    let mut watcher = Watcher::start("");
    for options in [&[][..], &["--rm"]] {
        let (own, name) = (nonce(), nonce());
        let id = podman.run_with(options, &name, SLEEP);
        watcher.mine(&id);
        podman.exec(&id, &["/bin/attack", "create", PRELOAD, &own]);
        is_podmans(&id, &name).told(&watcher, "creation", &own);
        let (mut late, again) = (Watcher::start(""), nonce());
        late.mine(&id);
        is_podmans(&id, &name).told(&late, "creation", &own);
        podman.exec(&id, &["/bin/attack", "append", PRELOAD, &again]);
        is_podmans(&id, &name).told(&late, "change", &again);
        is_podmans(&id, &name).told(&watcher, "change", &again);
        late.stop();
        podman.remove(&id);
    }
    watcher.stop();
}

fn is_podmans<'a>(id: &'a str, name: &'a str) -> Is<'a> {
    Is {
        id,
        name,
        image: "localhost/ldwt/box",
        runtime: "podman",
    }
}

/// Holds the alert of a container, by ID and name, against a kind of change and a nonce.
type Holds<'a> = &'a dyn Fn(&str, &str, &Watcher, [&str; 2]);

/// Writes, renames, writes: the second alert has the new name, though nothing was mounted
/// and no sweep came in between.
fn rename(runtime: &dyn Runtime, rename: impl Fn(&str, &str), is: Holds<'_>) {
    let mut watcher = Watcher::start("sweep = \"off\"\n");
    let (before, after) = (nonce(), nonce());
    let id = runtime.run(&before, SLEEP);
    watcher.mine(&id);
    for (name, (verb, change)) in [
        (&before, ("create", "creation")),
        (&after, ("append", "change")),
    ] {
        if name == &after {
            rename(&id, &after);
        }
        let own = nonce();
        runtime.exec(&id, &["/bin/attack", verb, PRELOAD, &own]);
        is(&id, name, &watcher, [change, &own]);
    }
    runtime.remove(&id);
    watcher.stop();
}

#[test]
#[ignore = "needs root: docker"]
fn docker_a_renamed_container_has_its_new_name_in_the_next_alert() {
    let Some(_turn) = gate::enter(docker::PROGRAMS) else {
        return;
    };
    let Some(docker) = gate::have(Docker::start()) else {
        return;
    };
    let renamed = |id: &str, name: &str| {
        run(&mut docker.client(&["rename", id, name]));
    };
    rename(&docker, renamed, &|id, name, watcher, [change, own]| {
        let is = Is {
            id,
            name,
            image: "ldwt/box",
            runtime: "docker",
        };
        is.told(watcher, change, own);
    });
}

fn podmans<C: Client>(programs: &[&str], start: fn() -> Result<C, String>, word: &str) {
    let Some(_turn) = gate::enter(programs) else {
        return;
    };
    let Some(podman) = gate::have(start()) else {
        return;
    };
    let renamed = |id: &str, name: &str| {
        run(&mut podman.podman(&["rename", id, name]));
    };
    rename(&podman, renamed, &|id, name, watcher, [change, own]| {
        let is = Is {
            runtime: word,
            ..is_podmans(id, name)
        };
        is.told(watcher, change, own);
    });
}

#[test]
#[ignore = "needs root: podman"]
fn podman_a_renamed_container_has_its_new_name_in_the_next_alert() {
    podmans(podman::PROGRAMS, Podman::start, "podman");
}

#[test]
#[ignore = "needs root: podman for a user"]
fn rootless_podman_a_renamed_container_has_its_new_name_in_the_next_alert() {
    podmans(rootless::PROGRAMS, Rootless::start, "podman-rootless");
}
