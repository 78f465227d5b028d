//! Containers and processes that are put together oddly: the watcher must neither take
//! them for gone nor pass over what it cannot read.

#![allow(clippy::unwrap_used, clippy::expect_used)]
#![allow(clippy::indexing_slicing, clippy::print_stderr)]

mod support;

use std::fs;
use std::time::Duration;

use support::command::wait_until;
use support::overlay::{Image, Overlay, Wish};
use support::program::Outcome;
use support::record::{carries, field, text};
use support::scratch::nonce;
use support::watcher::{Seen, Watcher};
use support::{PRELOAD, gate};

fn watcher_of(container: &Overlay, config: &str) -> Watcher {
    let mut watcher = Watcher::start(config);
    watcher.mine(&container.id);
    watcher
}

/// A tmpfs over `etc` shows through the container's first process alone.
fn mount_is_told(watcher: &Watcher, container: &Overlay) {
    let own = nonce();
    let done = container.attack(&["tmpfs-create", PRELOAD, &own]);
    assert_eq!(done, Outcome::Done);
    let fits = |seen: &Seen| carries(&seen.value, &own);
    let seen = watcher
        .claim("the file on a mount of its own", fits)
        .unwrap();
    assert_eq!(text(&seen.value, "event.kind"), "alert", "{}", seen.raw);
    assert_eq!(text(&seen.value, "container.id"), container.id);
}

/// The main thread of a container's first process ends, and the others go on: its own
/// directory below /proc shows neither root nor namespaces any more.
#[test]
#[ignore = "needs root: overlay mounts, cgroups and fanotify"]
fn a_container_whose_first_process_lost_its_main_thread_is_watched_on() {
    let Some(_turn) = gate::enter(&[]) else {
        return;
    };
    let image = Image::new();
    let wish = Wish {
        init: "headless",
        ..Wish::default()
    };
    let Some(container) = gate::have(image.start_as(&wish)) else {
        return;
    };
    let before = watcher_of(&container, "sweep = \"1s\"\n");
    let own_root = format!("/proc/{}/root", container.pid());
    let headless = wait_until(Duration::from_secs(20), || {
        fs::read_link(&own_root).is_err()
    });
    assert!(headless, "the main thread goes on");
    // Several sweeps, each of which might take the container for gone.
    std::thread::sleep(Duration::from_secs(3));
    mount_is_told(&before, &container);
    before.pass_over();
    before.stop();
    assert_eq!(container.attack(&["umount", "/etc", "-"]), Outcome::Done);
    // One that has never seen the main thread.
    let after = watcher_of(&container, "sweep = \"off\"\n");
    mount_is_told(&after, &container);
    after.pass_over();
    after.stop();
}

/// What lies over a process's arguments may be a file on a server that never answers.
#[test]
#[ignore = "needs root: overlay mounts, cgroups and fanotify"]
fn arguments_that_lie_in_a_file_are_not_read_and_said_to_be_missing() {
    let Some(_turn) = gate::enter(&[]) else {
        return;
    };
    let image = Image::new();
    let Some(container) = gate::have(image.start()) else {
        return;
    };
    let watcher = watcher_of(&container, "sweep = \"off\"\n");
    let own = nonce();
    let done = container.attack(&["masked", PRELOAD, &own]);
    assert_eq!(done, Outcome::Done);
    let fits = |seen: &Seen| carries(&seen.value, &own);
    let seen = watcher.claim("the write", fits).unwrap();
    let said = |name: &str| text(&seen.value, name);
    assert_eq!(said("process.executable"), "/bin/attack", "{}", seen.raw);
    assert_eq!(said("ldwatch.writer.args_missing"), "not-plain-memory");
    assert!(field(&seen.value, "process.args").is_none(), "{}", seen.raw);
    watcher.pass_over();
    watcher.stop();
}

/// A write lease: nobody can open the file until it is given up.
#[test]
#[ignore = "needs root: overlay mounts, cgroups and fanotify"]
fn a_file_that_a_lease_keeps_closed_is_told_of_and_looked_at_again() {
    let Some(_turn) = gate::enter(&[]) else {
        return;
    };
    let image = Image::new();
    let Some(container) = gate::have(image.start()) else {
        return;
    };
    let watcher = watcher_of(&container, "sweep = \"off\"\n");
    let own = nonce();
    let mut hand = container.hand(PRELOAD);
    // The first look may come between the write and the lease: then the next one is kept.
    hand.say("lease", &own).unwrap();
    let other = nonce();
    hand.say("write", &other).unwrap();
    let leased = |seen: &Seen| {
        text(&seen.value, "ldwatch.gap.reason") == "not-seen" && seen.raw.contains("lease")
    };
    watcher
        .claim("that it could not be looked at", leased)
        .unwrap();
    let told = |seen: &Seen| text(&seen.value, "event.kind") == "alert";
    watcher.claim("what the events prove", told).unwrap();
    hand.say("close", "-").unwrap();
    let read = |seen: &Seen| carries(&seen.value, &other);
    let seen = watcher
        .claim("the content, once it can be read", read)
        .unwrap();
    assert_eq!(text(&seen.value, "event.kind"), "alert", "{}", seen.raw);
    watcher.pass_over();
    watcher.stop();
}
