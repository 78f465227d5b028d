//! The exec trail under load: what it holds, what its overflow costs, where it is kept.

#![allow(clippy::unwrap_used, clippy::expect_used)]
#![allow(clippy::indexing_slicing, clippy::print_stderr)]

mod support;

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use support::command::{Stopped, run, wait_until};
use support::hand::Hand;
use support::load::Held;
use support::overlay::{Image, Overlay, Wish};
use support::program::{self, Outcome};
use support::quiet::writes;
use support::record::{carries, is_alert, text};
use support::scratch::{nonce, tag};
use support::watcher::Watcher;
use support::{PRELOAD, gate, tiny};

const NOTHING: &str = "/bin/nothing";
const MIB: u64 = 1024;
const PATIENCE: Duration = Duration::from_secs(60);
/// More than any test waits for.
const ENDLESS: usize = 1_000_000_000;
/// Alerts that are taken off the heap at once.
const PORTION: usize = 500;
/// Containers that they are about: more than a container's budget would be folded.
const WRITTEN: usize = 50;

/// An image with a program that does nothing, and a container of it.
fn container(image: &Image) -> Option<Overlay> {
    if !tiny::nothing(&image.lower().join("bin/nothing")) {
        return gate::skip("no program that does nothing for this architecture");
    }
    gate::have(image.start())
}

/// Starts a process that executes the program `count` times.
fn executing(container: &Overlay, count: usize) -> Child {
    let mut command = container.command("/bin/attack");
    command.args(["execs", PRELOAD, NOTHING, &count.to_string()]);
    command.stdin(Stdio::null()).spawn().unwrap()
}

/// `LDWATCH_EXECS` programs and a tenth as many alerts by default: `scripts/full` asks
/// for a hundred thousand of each.
#[test]
#[ignore = "needs root: overlay mounts, cgroups and fanotify"]
fn many_programs_and_many_alerts_leave_nothing_behind() {
    let Some(_turn) = gate::enter(&[]) else {
        return;
    };
    let image = Image::new();
    let Some(container) = container(&image) else {
        return;
    };
    let mut watcher = Watcher::start("sweep = \"1s\"\n");
    watcher.mine(&container.id);
    let (execs, alerts) = gate::execs();
    // What a full book and the first records make the allocator keep is no leak.
    assert!(executing(&container, 5000).wait().unwrap().success());
    let others: Vec<Overlay> = (0..WRITTEN).map(|_| image.start().unwrap()).collect();
    for other in &others {
        watcher.mine(&other.id);
    }
    let mut hands: Vec<Hand> = others.iter().map(|other| other.hand(PRELOAD)).collect();
    let mut told = write_again(&watcher, &mut hands);
    let held = || Held::by(watcher.pid());
    let before = held();
    assert!(executing(&container, execs).wait().unwrap().success());
    for _ in 0..alerts.div_ceil(PORTION) {
        told += write_again(&watcher, &mut hands);
    }
    let read = || watcher.counter("execs") >= (execs + 5000) as u64;
    assert!(wait_until(PATIENCE, read), "{}", watcher.counter("execs"));
    // Elsewhere on this machine a container may come or go.
    let same = wait_until(PATIENCE, || held().is_within(before, MIB));
    eprintln!(
        "{execs} programs, {told} alerts: {before:?} before, {:?} after; lost {}",
        held(),
        watcher.counter("execs-lost")
    );
    assert!(told >= PORTION + alerts, "{told} alerts");
    assert!(same, "{before:?} before, {:?} after", held());
    assert_eq!(watcher.counter("execs-lost"), 0);
    watcher.stop();
}

/// Writes a portion, in each container after the alert about the last, and takes the alerts
/// off the heap; gives their number.
fn write_again(watcher: &Watcher, hands: &mut [Hand]) -> usize {
    for _ in 0..PORTION / hands.len() {
        let write = |hand: &mut Hand| {
            let own = nonce();
            hand.say("create", &own).unwrap();
            own
        };
        let all: Vec<String> = hands.iter_mut().map(write).collect();
        for own in all {
            watcher
                .claim("one of many", |seen| carries(&seen.value, &own))
                .unwrap();
        }
    }
    let told =
        watcher.forget_claiming(|seen| is_alert(&seen.value) && carries(&seen.value, &tag()));
    // On a busy machine a file that was opened and not written yet is told, too.
    watcher.pass_over();
    told
}

/// The queue of the trail is full: names are lost, and counted, and nothing else is.
#[test]
#[ignore = "needs root: overlay mounts, cgroups and fanotify"]
fn a_storm_of_programs_costs_names_and_no_change() {
    let Some(_turn) = gate::enter(&[]) else {
        return;
    };
    let image = Image::new();
    let Some(container) = container(&image) else {
        return;
    };
    let mut watcher = Watcher::start("sweep = \"off\"\n");
    watcher.mine(&container.id);
    let held = Stopped::stop(watcher.pid());
    overflow(&container);
    let own = nonce();
    assert_eq!(container.attack(&["create", PRELOAD, &own]), Outcome::Done);
    drop(held);
    let seen = watcher
        .claim("the write in the storm", |seen| carries(&seen.value, &own))
        .unwrap();
    let detection = text(&seen.value, "ldwatch.detection");
    assert_eq!(detection, "event", "{}", seen.raw);
    assert_eq!(text(&seen.value, "container.id"), container.id);
    // Each container that comes has the status written; that the queue overflowed stands
    // at its end.
    let lost = wait_until(PATIENCE, || {
        let _another = image.start();
        wait_until(Duration::from_secs(2), || watcher.counter("execs-lost") > 0)
    });
    assert!(lost, "{:?}", watcher.status());
    assert_eq!(watcher.counter("overflows"), 0);
    let own = nonce();
    let more = container.attack(&["append", PRELOAD, &own]);
    assert_eq!(more, Outcome::Done);
    watcher
        .claim("a write after it", |seen| carries(&seen.value, &own))
        .unwrap();
    watcher.stop();
}

/// Programs are executed without end in one container: another is told of in time.
#[test]
#[ignore = "needs root: overlay mounts, cgroups and fanotify"]
fn a_storm_of_programs_makes_no_alert_of_another_late() {
    let Some(_turn) = gate::enter(&[]) else {
        return;
    };
    let image = Image::new();
    let Some((loud, quiet)) =
        container(&image).and_then(|one| Some((one, gate::have(image.start())?)))
    else {
        return;
    };
    let mut watcher = Watcher::start("");
    watcher.mine(&quiet.id);
    let mut storm = [0, 1].map(|_| executing(&loud, ENDLESS));
    let seconds = if gate::full() { 30 } else { 3 };
    let took = writes(&watcher, &quiet, (seconds * 10, Duration::from_millis(100)));
    for child in &mut storm {
        assert!(matches!(child.try_wait(), Ok(None)), "it ended by itself");
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let mut took = took.unwrap();
    took.sort();
    // What was counted stands in the status that the next container has written.
    let another = gate::have(image.start());
    let written = || another.as_ref().is_some_and(|one| watcher.lists(&one.id));
    wait_until(PATIENCE, written);
    let most = took[took.len() - 1];
    let [execs, lost] = ["execs", "execs-lost"].map(|name| watcher.counter(name));
    eprintln!(
        "{execs} programs in {seconds} s, {lost} times the trail was full; {} writes told, median {:?}, most {most:?}",
        took.len(),
        took[took.len() / 2]
    );
    assert_eq!(watcher.counter("overflows"), 0);
    let limit = if gate::full() { 10 } else { 2000 };
    assert!(most <= Duration::from_millis(limit), "{took:?}");
    watcher.pass_over();
    watcher.stop();
}

/// More programs than the queue has room for.
fn overflow(container: &Overlay) {
    let queue = fs::read_to_string("/proc/sys/fs/fanotify/max_queued_events").unwrap_or_default();
    let queue: usize = queue.trim().parse().unwrap_or(16_384);
    let begin = || executing(container, queue / 2 + 500);
    let storm: Vec<Child> = (0..2).map(|_| begin()).collect();
    for mut child in storm {
        assert!(child.wait().unwrap().success());
    }
}

/// Where the trail is kept shows, and `exec-trail = false` keeps none.
#[test]
#[ignore = "needs root: overlay mounts, cgroups and fanotify"]
fn the_trail_is_kept_where_layers_answer_and_not_when_switched_off() {
    let Some(_turn) = gate::enter(&[]) else {
        return;
    };
    let image = Image::new();
    let Some(plain) = container(&image) else {
        return;
    };
    // A layer that is no directory of a filesystem which is known to answer.
    let strange = Wish {
        layer: Some("/proc/1/task".into()),
        ..Wish::default()
    };
    let strange = image.start_as(&strange).ok();
    assert_eq!(listed(&plain.merged), "on");
    if let Some(strange) = &strange {
        assert_ne!(listed(&strange.merged), "on");
    }
    for (config, kept) in [("", true), ("exec-trail = false\n", false)] {
        let watcher = Watcher::start(&format!("sweep = \"1s\"\n{config}"));
        assert!(executing(&plain, 50).wait().unwrap().success());
        let counted = wait_until(Duration::from_secs(5), || watcher.counter("execs") >= 50);
        assert_eq!(counted, kept, "{config:?}: {}", watcher.counter("execs"));
        watcher.stop();
    }
}

/// What `ldwatch list --json` says of the trail of a root filesystem.
fn listed(merged: &Path) -> String {
    let lines = run(Command::new(program::ldwatch()).args(["list", "--json"]));
    let mut rows = lines
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let row = rows.find(|row| Path::new(text(row, "rootfs")) == merged);
    row.map_or_else(String::new, |row| text(&row, "exec-trail").to_owned())
}
