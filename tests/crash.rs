//! The watcher killed at random moments, one write in each round: every write is
//! alerted over the runs, an alert told twice says so, nothing is invented.
//!
//! `LDWATCH_ROUNDS` (10) says how many rounds.

#![allow(clippy::unwrap_used, clippy::expect_used)]
#![allow(clippy::indexing_slicing, clippy::print_stderr)]

mod support;

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::thread::sleep;
use std::time::Duration;

use support::overlay::{Image, Overlay};
use support::program::Outcome;
use support::record;
use support::scratch::{Scratch, nonce};
use support::watcher::{Seen, Watcher};
use support::{PRELOAD, gate};

/// Containers, written to in turn: each write stands for so many rounds.
const CONTAINERS: usize = 5;
/// Every so many rounds the watcher lives long enough to find what was missed.
const CALM: usize = 3;

fn random(limit: u64) -> Duration {
    let mut bytes = [0; 8];
    File::open("/dev/urandom")
        .unwrap()
        .read_exact(&mut bytes)
        .unwrap();
    Duration::from_micros(u64::from_le_bytes(bytes) % (limit * 1000))
}

fn rounds() -> usize {
    let text = std::env::var("LDWATCH_ROUNDS").unwrap_or_default();
    text.parse().unwrap_or(10)
}

/// One life of the watcher with one write in it, or around it.
fn round(home: &Scratch, number: usize, container: &Overlay) -> (String, Vec<Seen>) {
    let watcher = if number % CALM == CALM - 1 {
        let watcher = Watcher::start_in(home.path(), "");
        sleep(Duration::from_millis(300));
        watcher
    } else {
        Watcher::start_hastily(home.path(), "")
    };
    sleep(random(80));
    let nonce = nonce();
    let verb = ["create", "rename-inside"][number % 2];
    let write = || {
        let outcome = container.attack(&[verb, PRELOAD, &nonce]);
        assert_eq!(outcome, Outcome::Done);
    };
    if number % 4 == 3 {
        let seen = watcher.kill();
        write();
        return (nonce, seen);
    }
    write();
    sleep(random(4));
    (nonce, watcher.kill())
}

#[test]
#[ignore = "needs root: overlay mounts, cgroups and fanotify"]
fn whenever_it_is_killed_every_write_is_alerted_and_repeats_are_marked() {
    let Some(_turn) = gate::enter(&[]) else {
        return;
    };
    let (home, image) = (Scratch::new(), Image::new());
    let made: Result<Vec<Overlay>, String> = (0..=CONTAINERS).map(|_| image.start()).collect();
    let Some(containers) = gate::have(made) else {
        return;
    };
    // The last container is never written to.
    let mut written: Vec<(String, usize)> = Vec::new();
    let mut seen: Vec<Seen> = Vec::new();
    for number in 0..rounds() {
        let which = number % CONTAINERS;
        let (nonce, said) = round(&home, number, &containers[which]);
        written.push((nonce, which));
        seen.extend(said);
    }
    let last = Watcher::start_in(home.path(), "");
    sleep(Duration::from_millis(500));
    seen.extend(last.kill());
    check(&containers, &written, &seen);
}

fn check(containers: &[Overlay], written: &[(String, usize)], seen: &[Seen]) {
    let ours = |seen: &&Seen| {
        let id = record::text(&seen.value, "container.id");
        let rootfs = record::text(&seen.value, "ldwatch.rootfs");
        let names = |one: &Overlay| one.id == id || rootfs.contains(&one.id);
        containers.iter().any(names)
    };
    let mut news: HashMap<&str, Vec<bool>> = HashMap::new();
    let mut wrong = Vec::new();
    for one in seen.iter().filter(ours) {
        let rootfs = record::text(&one.value, "ldwatch.rootfs");
        let about = written.iter().find(|(nonce, which)| {
            record::carries(&one.value, nonce) && rootfs.contains(&containers[*which].id)
        });
        match about {
            Some((nonce, _)) => {
                let repeat = record::field(&one.value, "ldwatch.repeat");
                let repeat = repeat.is_some_and(|value| value == true);
                news.entry(nonce).or_default().push(repeat);
            }
            // A write of two steps may be met between them.
            None if record::text(&one.value, "ldwatch.content").is_empty() => {}
            None => wrong.push(format!("invented: {}", one.raw)),
        }
    }
    for (nonce, _) in written {
        match news.get(nonce.as_str()) {
            None => wrong.push(format!("never told: {nonce}")),
            Some(told) if told.iter().filter(|repeat| !**repeat).count() > 1 => {
                wrong.push(format!("told twice without a mark: {nonce} {told:?}"));
            }
            Some(_) => {}
        }
    }
    let told: usize = news.values().map(Vec::len).sum();
    let repeats = news.values().flatten().filter(|repeat| **repeat).count();
    eprintln!(
        "{} writes, {told} alerts, {repeats} of them repeats",
        written.len()
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
