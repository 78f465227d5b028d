//! Containers of real runtimes that come and go under constant events, while the watcher
//! runs, and while it is stopped (SIGSTOP): no runtime is ever told that something is
//! busy, no mount stays, and the watcher keeps neither memory nor descriptors.
//!
//! `LDWATCH_CYCLES` (5) says how many cycles each of the four gets.

#![allow(clippy::unwrap_used, clippy::expect_used)]
#![allow(clippy::indexing_slicing, clippy::print_stderr)]

mod support;

use std::fs;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use support::command::wait_until;
use support::load::Held;
use support::overlay::Image;
use support::record;
use support::runtimes::Runtime;
use support::runtimes::docker::{self, Docker};
use support::runtimes::podman::{self, Podman};
use support::scratch::nonce;
use support::watcher::{Seen, Watcher};
use support::{PRELOAD, gate};

/// Cycles after which what the watcher holds is the measure of the rest.
const WARM: usize = 3;
/// What may be held more at the end, in KiB: freed memory is given back in pages.
const MORE: u64 = 2 * 1024;

fn cycles() -> usize {
    let text = std::env::var("LDWATCH_CYCLES").unwrap_or_default();
    text.parse().unwrap_or(5)
}

/// Starts, writes to without pause, stops, starts again and removes one container.
fn cycle(runtime: &dyn Runtime) {
    let own = nonce();
    // The writing goes on when the container is stopped. Only in the image's own root.
    let script = format!(
        "test -x /bin/attack || exit 1; while true; do echo /tmp/{own}.so > {PRELOAD}; \
         echo x > /etc/other; rm -f {PRELOAD}; done"
    );
    let id = runtime.run(&own, &["/bin/sh", "-c", &script]);
    runtime.stop(&id);
    runtime.start(&id);
    runtime.remove(&id);
}

/// Mounts of overlays that this namespace has, of the runtime's storage.
fn overlays() -> usize {
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let tag = support::scratch::tag();
    let mine = |line: &&str| line.contains(" - overlay ") && line.contains(&tag);
    table.lines().filter(mine).count()
}

fn go_round(name: &str, runtime: &dyn Runtime, stopped: bool) {
    let watcher = Watcher::start(&runtime.config());
    let before = overlays();
    let signal = |which| kill(watcher.pid(), which).unwrap();
    let mut warm = Held::by(watcher.pid());
    let start = Instant::now();
    for number in 0..cycles() + WARM {
        if number == WARM {
            settle();
            warm = Held::by(watcher.pid());
        }
        if stopped && number == WARM {
            signal(Signal::SIGSTOP);
        }
        // A runtime that is told "device or resource busy" panics here with its words.
        cycle(runtime);
    }
    if stopped {
        let line = fs::read_to_string(format!("/proc/{}/status", watcher.pid())).unwrap();
        assert!(line.contains("State:\tT"), "it was not stopped: {line}");
    }
    signal(Signal::SIGCONT);
    let gone = wait_until(Duration::from_secs(10), || overlays() == before);
    assert!(gone, "{name}: mounts are left: {} of {before}", overlays());
    alive(&watcher);
    let within = |now: Held| now.kib <= warm.kib + MORE && now.fds <= warm.fds + 2;
    wait_until(Duration::from_secs(60), || within(Held::by(watcher.pid())));
    let now = Held::by(watcher.pid());
    eprintln!(
        "{name}, watcher {}: {} cycles in {:?}, {warm:?} -> {now:?}",
        if stopped { "stopped" } else { "running" },
        cycles(),
        start.elapsed()
    );
    assert!(within(now), "{name}: {warm:?} became {now:?}");
    watcher.stop_anyway();
}

fn settle() {
    std::thread::sleep(Duration::from_secs(2));
}

/// It sees what is done afterwards.
fn alive(watcher: &Watcher) {
    let image = Image::new();
    let container = image.start().unwrap();
    let own = nonce();
    let carries = |seen: &Seen| record::carries(&seen.value, &own);
    container.attack(&["create", PRELOAD, &own]);
    let seen = watcher.claim_within(Duration::from_secs(60), carries);
    assert!(seen.is_some(), "blind afterwards: {}", watcher.log());
}

fn both(name: &str, programs: &[&str], runtime: impl FnOnce() -> Result<Box<dyn Runtime>, String>) {
    let Some(_turn) = gate::enter(programs) else {
        return;
    };
    let Some(runtime) = gate::have(runtime()) else {
        return;
    };
    eprintln!();
    go_round(name, &*runtime, false);
    go_round(name, &*runtime, true);
}

#[test]
#[ignore = "needs root: docker"]
fn docker_containers_come_and_go_and_nothing_stays() {
    both("docker", docker::PROGRAMS, || {
        Ok(Box::new(Docker::start()?))
    });
}

#[test]
#[ignore = "needs root: podman"]
fn podman_containers_come_and_go_and_nothing_stays() {
    both("podman", podman::PROGRAMS, || {
        Ok(Box::new(Podman::start()?))
    });
}
