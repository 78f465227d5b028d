//! Podman for a user on fuse-overlayfs: the server of the root filesystem is a process of
//! the user. A child looks, marks on the writable layer tell when, and silence is told.

use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::support::command::{Stopped, run, wait_until};
use super::support::record::{Expect, field, is_alert, text, texts};
use super::support::runtimes::Runtime;
use super::support::runtimes::rootless::{self, Rootless};
use super::support::scratch::nonce;
use super::support::watcher::{Seen, Watcher};
use super::support::{PRELOAD, gate, program};
use super::{SLEEP, Says, with, write};

#[test]
#[ignore = "needs root: podman for a user, fuse-overlayfs"]
fn podman_of_a_user_on_fuse() {
    let says = Says {
        runtime: "podman-rootless",
        source: "podman-files",
        image: Some("localhost/ldwt/box"),
        named: true,
    };
    with(rootless::ON_FUSE, Rootless::on_fuse, says);
}

/// What is not seen is told, by the watcher and by `list`; `list` and `scan` look, too.
#[test]
#[ignore = "needs root: podman for a user, fuse-overlayfs"]
fn what_is_not_seen_on_fuse_is_told() {
    let Some(_turn) = gate::enter(rootless::ON_FUSE) else {
        return;
    };
    let Some(podman) = gate::have(Rootless::on_fuse()) else {
        return;
    };
    let mut watcher = Watcher::start("sweep = \"off\"\n");
    let id = podman.run(&nonce(), SLEEP);
    watcher.mine(&id);
    let gap = gap(&watcher, &id, "not-covered", "nothing tells who wrote");
    assert!(gap.raw.contains("fuse.fuse-overlayfs"), "{}", gap.raw);
    let row = listed(&id);
    let gaps = texts(&row, "gaps").join(" ");
    assert_eq!((text(&row, "rung"), text(&row, "file")), ("none", "absent"));
    assert!(gaps.contains("fuse.fuse-overlayfs"), "{row}");
    let seen = write(&podman, &watcher, &id);
    assert_eq!(text(&seen.value, "ldwatch.writer.source"), "unknown");
    assert!(field(&seen.value, "process").is_none(), "{}", seen.raw);
    assert_eq!(text(&listed(&id), "file"), "written");
    assert!(is_scanned(&id), "scan does not tell of {id}");
    watcher.nothing_else().unwrap();
    podman.remove(&id);
    watcher.stop();
}

/// A server that stops answering: told as a gap, and no other container waits for it. Once
/// it answers again its container is looked at as before.
#[test]
#[ignore = "needs root: podman for a user, fuse-overlayfs"]
fn a_root_that_does_not_answer_holds_up_nobody() {
    let Some(_turn) = gate::enter(rootless::ON_FUSE) else {
        return;
    };
    let Some(podman) = gate::have(Rootless::on_fuse()) else {
        return;
    };
    let mut watcher = Watcher::start("sweep = \"1s\"\n");
    let mute = podman.run(&nonce(), SLEEP);
    watcher.mine(&mute);
    let [server] = podman.servers()[..] else {
        panic!("one server");
    };
    let other = podman.run(&nonce(), SLEEP);
    watcher.mine(&other);
    // The kernel answers from its caches that there is no file, not what one holds.
    write(&podman, &watcher, &mute);
    let stopped = Stopped::stop(server);
    gap(&watcher, &mute, "not-seen", "an outpost got no answer");
    write(&podman, &watcher, &other);
    assert_eq!(text(&listed(&other), "file"), "written");
    watcher.nothing_else().unwrap();
    drop(stopped);
    append(&podman, &watcher, &mute);
    watcher.nothing_else().unwrap();
    podman.remove(&other);
    podman.remove(&mute);
    let gone = || podman.servers().is_empty();
    assert!(wait_until(Duration::from_secs(10), gone));
    watcher.stop();
}

fn append(podman: &Rootless, watcher: &Watcher, id: &str) {
    let own = nonce();
    let line = format!("test -x /bin/attack && echo /tmp/{own}.so >> {PRELOAD}");
    podman.exec(id, &["/bin/sh", "-c", &line]);
    let change = Expect {
        kind: "alert",
        change: "change",
        action: "modification",
        risk: Some(73.0),
        container: id,
        nonce: Some(&own),
    };
    watcher.expect(&change).unwrap();
}

fn gap(watcher: &Watcher, id: &str, reason: &str, detail: &str) -> Seen {
    let fits = |seen: &Seen| {
        let said = |path: &str| text(&seen.value, path);
        said("container.id") == id
            && said("ldwatch.gap.reason") == reason
            && said("ldwatch.gap.detail").contains(detail)
    };
    watcher.claim(&format!("the gap {reason}"), fits).unwrap()
}

/// `ldwatch scan` has an alert about a container.
fn is_scanned(id: &str) -> bool {
    let mut scan = Command::new(program::ldwatch());
    let scanned = scan.args(["scan", "--json"]).output().unwrap();
    let lines = String::from_utf8(scanned.stdout).unwrap();
    lines.lines().any(|line| {
        let record: Value = serde_json::from_str(line).unwrap();
        text(&record, "container.id") == id && is_alert(&record)
    })
}

/// What `ldwatch list` says of a container.
fn listed(id: &str) -> Value {
    let lines = run(Command::new(program::ldwatch()).args(["list", "--json"]));
    let mut rows = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    rows.find(|row| text(row, "id") == id)
        .unwrap_or_else(|| panic!("{id} is not listed: {lines}"))
}
