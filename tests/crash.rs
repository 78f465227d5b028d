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
/// Every so many rounds, and at the end, the watcher lives until it found what was missed.
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

/// What was done and what was said of it, over all lives of the watcher.
#[derive(Default)]
struct Course {
    /// Nonce and container of each write.
    written: Vec<(String, usize)>,
    seen: Vec<Seen>,
}

impl Course {
    /// A life that lasts until the writes that nobody told of yet are told.
    fn calm(&self, home: &Scratch) -> Watcher {
        let watcher = Watcher::start_in(home.path(), "");
        let last_of_each = self.written.iter().rev().take(CONTAINERS);
        for (nonce, _) in last_of_each {
            let carries = |seen: &Seen| record::carries(&seen.value, nonce);
            if !self.seen.iter().any(carries) {
                // What never comes is told at the end, with all the rest.
                let _ = watcher.claim(nonce, carries);
            }
        }
        watcher
    }

    /// One life of the watcher with one write in it, or around it.
    fn round(&mut self, home: &Scratch, containers: &[Overlay]) {
        let number = self.written.len();
        let watcher = if number % CALM == CALM - 1 {
            self.calm(home)
        } else {
            Watcher::start_hastily(home.path(), "")
        };
        sleep(random(80));
        let (nonce, which) = (nonce(), number % CONTAINERS);
        let write = || {
            let verb = ["create", "rename-inside"][number % 2];
            let outcome = containers[which].attack(&[verb, PRELOAD, &nonce]);
            assert_eq!(outcome, Outcome::Done);
        };
        if number % 4 == 3 {
            self.seen.extend(watcher.kill());
            write();
        } else {
            write();
            sleep(random(4));
            self.seen.extend(watcher.kill());
        }
        self.written.push((nonce, which));
    }
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
    let mut course = Course::default();
    for _ in 0..rounds() {
        course.round(&home, &containers);
    }
    let last = course.calm(&home);
    course.seen.extend(last.kill());
    check(&containers, &course.written, &course.seen);
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
    wrong.extend(
        written
            .iter()
            .filter_map(|(nonce, _)| missed(nonce, news.get(nonce.as_str()))),
    );
    let told: usize = news.values().map(Vec::len).sum();
    let repeats = news.values().flatten().filter(|repeat| **repeat).count();
    eprintln!(
        "{} writes, {told} alerts, {repeats} of them repeats",
        written.len()
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is wrong with the alerts about one write; `true`: one marked as a repeat.
fn missed(nonce: &str, told: Option<&Vec<bool>>) -> Option<String> {
    match told {
        None => Some(format!("never told: {nonce}")),
        Some(told) if told.iter().filter(|repeat| !**repeat).count() > 1 => {
            Some(format!("told twice without a mark: {nonce} {told:?}"))
        }
        Some(_) => None,
    }
}
