//! What many containers and many events do to the watcher: equal file handles, a full
//! queue, a thousand root filesystems that come and go.

#![allow(clippy::unwrap_used, clippy::expect_used)]
#![allow(clippy::indexing_slicing, clippy::print_stderr)]

mod support;

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::mount::{MntFlags, umount2};
use serde_json::Value;
use support::command::{Stopped, run, wait_until};
use support::load::{Held, memory};
use support::overlay::{Image, Overlay, Wish};
use support::program::{self, Outcome};
use support::record::{Expect, carries, text};
use support::scratch::{container_id, nonce};
use support::watcher::Watcher;
use support::{PRELOAD, gate};

const WRITES: usize = 30;
/// Processes of the storm, and files that each makes and removes before and after the
/// one change: two events at least for each file.
const STORMERS: usize = 4;
const FILES: usize = 12_500;
const CONTAINERS: usize = 1000;
const MIB: u64 = 1024;

/// One write, and what came of it.
fn told_of(
    watcher: &Watcher,
    container: &Overlay,
    verb: &str,
    (change, action): (&str, &str),
) -> Result<(), String> {
    let own = nonce();
    assert_eq!(container.attack(&[verb, PRELOAD, &own]), Outcome::Done);
    let expected = Expect {
        kind: "alert",
        change,
        action,
        risk: Some(73.0),
        container: &container.id,
        nonce: Some(&own),
    };
    watcher.expect(&expected).map(drop)
}

/// Containers that report one file handle and one filesystem id: nothing in an event
/// tells them apart, so their marks must not share a group.
#[test]
#[ignore = "needs root: overlay mounts, cgroups and fanotify"]
fn writes_in_containers_with_one_handle_and_no_id_are_told_of_the_right_one() {
    let Some(_turn) = gate::enter(&[]) else {
        return;
    };
    let image = Image::new();
    let wish = Wish {
        options: "uuid=off",
        ..Wish::default()
    };
    let made: Result<Vec<Overlay>, String> = (0..3).map(|_| image.start_as(&wish)).collect();
    let Some(containers) = gate::have(made) else {
        return;
    };
    let mut watcher = Watcher::start("sweep = \"off\"\n");
    for container in &containers {
        watcher.mine(&container.id);
    }
    let mut right = 0;
    let mut failures = Vec::new();
    for number in 0..WRITES {
        let container = &containers[number % containers.len()];
        let (verb, change, action) = match number / containers.len() {
            0 => ("create", "creation", "creation"),
            _ => ("truncate-write", "change", "modification"),
        };
        match told_of(&watcher, container, verb, (change, action)) {
            Ok(_) => right += 1,
            Err(error) => failures.push(error),
        }
    }
    eprintln!("uuid=off: {right} of {WRITES} writes told of the right container");
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    watcher.stop();
}

/// The kernel's queue is full, and the one event that matters is lost with the rest.
#[test]
#[ignore = "needs root: overlay mounts, cgroups and fanotify"]
fn a_change_in_a_storm_that_overflows_the_queue_is_told_and_so_is_the_overflow() {
    let Some(_turn) = gate::enter(&[]) else {
        return;
    };
    let image = Image::new();
    let Some(container) = gate::have(image.start()) else {
        return;
    };
    let mut watcher = Watcher::start("sweep = \"off\"\n");
    watcher.mine(&container.id);
    let held = Stopped::stop(watcher.pid());
    storm(&container);
    let own = nonce();
    container.attack(&["create", PRELOAD, &own]);
    storm(&container);
    drop(held);
    let seen = watcher
        .claim("the change in the storm", |seen| carries(&seen.value, &own))
        .unwrap();
    assert_eq!(text(&seen.value, "event.kind"), "alert", "{}", seen.raw);
    assert_eq!(text(&seen.value, "container.id"), container.id);
    let overflow = |value: &Value| text(value, "ldwatch.gap.reason") == "overflow";
    watcher
        .claim("the overflow", |seen| overflow(&seen.value))
        .unwrap();
    let most = memory(watcher.pid(), "VmHWM");
    eprintln!("storm: at most {most} KiB resident");
    assert!(most < 24 * MIB, "{most} KiB");
    watcher.stop();
}

/// Half of the storm: names in `etc` that are none of the watcher's business.
fn storm(container: &Overlay) {
    let count = FILES.to_string();
    let words = || (nonce(), container.command("/bin/attack"));
    let stormers: Vec<Child> = (0..STORMERS)
        .map(|_| {
            let (name, mut command) = words();
            command.args(["storm", PRELOAD, &name, &count]);
            command.stdin(Stdio::null()).spawn().unwrap()
        })
        .collect();
    for mut stormer in stormers {
        assert!(stormer.wait().unwrap().success(), "the storm");
    }
}

/// Mounts without any process, as they are before a container's first instruction.
struct Mounts(Vec<PathBuf>);

impl Mounts {
    fn make(image: &Image, count: usize) -> Result<Self, String> {
        let mut all = Self(Vec::new());
        for _ in 0..count {
            let (_, merged) = image.mount(&container_id(), &Wish::default())?;
            all.0.push(merged);
        }
        Ok(all)
    }

    /// Unmounts them without force, as whoever made them may: nothing holds them for
    /// longer than a look takes. Gives how often one was busy.
    fn end(&mut self) -> usize {
        let mut busy = 0;
        for merged in self.0.drain(..) {
            let gone = wait_until(Duration::from_secs(5), || {
                let done = umount2(&merged, MntFlags::empty());
                busy += usize::from(done.is_err());
                done.is_ok()
            });
            assert!(gone, "{} stays busy", merged.display());
        }
        busy
    }
}

impl Drop for Mounts {
    fn drop(&mut self) {
        for merged in &self.0 {
            let _ = umount2(merged, MntFlags::MNT_DETACH);
        }
    }
}

#[test]
#[ignore = "needs root: overlay mounts, cgroups and fanotify"]
fn a_thousand_containers_are_watched_and_leave_nothing_behind() {
    let Some(_turn) = gate::enter(&[]) else {
        return;
    };
    let image = Image::new();
    let watcher = Watcher::start("sweep = \"1s\"\n");
    let ours = || watcher.watched_below(image.lower().parent().unwrap());
    // The first container of all makes the queues and their buffers.
    if gate::have(crowd(&image, 1, &ours)).is_none() {
        return;
    }
    let before = Held::by(watcher.pid());
    let begun = Instant::now();
    let Some(mut mounts) = gate::have(Mounts::make(&image, CONTAINERS)) else {
        return;
    };
    let mounted = begun.elapsed();
    let all = wait_until(PATIENCE, || ours() == CONTAINERS);
    assert!(all, "{} of {CONTAINERS} in the status", ours());
    let most = memory(watcher.pid(), "VmRSS");
    assert_eq!(listed(&image), CONTAINERS, "`ldwatch list --json`");
    let busy = mounts.end();
    assert!(wait_until(PATIENCE, || ours() == 0), "{} left", ours());
    let held = || Held::by(watcher.pid());
    let back = wait_until(PATIENCE, || held().is_within(before, MIB));
    let after = held();
    eprintln!(
        "{CONTAINERS} containers (mounted in {mounted:?}): {most} KiB; umount busy {busy} times; \
         before {before:?}, after {after:?}"
    );
    assert!(back, "{before:?} before, {after:?} after");
    watcher.stop();
}

const PATIENCE: Duration = Duration::from_secs(30);

/// Containers that come, are marked, and go.
fn crowd(image: &Image, count: usize, ours: &dyn Fn() -> usize) -> Result<(), String> {
    let mut mounts = Mounts::make(image, count)?;
    let marked = wait_until(PATIENCE, || ours() == count);
    assert!(marked, "{} of {count} marked", ours());
    mounts.end();
    assert!(wait_until(PATIENCE, || ours() == 0), "{} left", ours());
    Ok(())
}

/// Containers of this test that `ldwatch list --json` shows.
fn listed(image: &Image) -> usize {
    let base = image.lower().parent().unwrap().to_owned();
    let lines = run(Command::new(program::ldwatch()).args(["list", "--json"]));
    lines
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|one| PathBuf::from(text(one, "rootfs")).starts_with(&base))
        .count()
}
