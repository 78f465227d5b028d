//! A storm of containers: fifty a second, each of which attacks with its first act, and
//! most of which are gone a moment later. What stays is told, whatever is told is told of
//! the right container, and nothing of the storm stays with the watcher.
//!
//! What ends with its act, or a third of a second later, may be missed on a machine that is
//! busy: how many is printed, with how many were marked before they acted.

#![allow(clippy::unwrap_used, clippy::expect_used)]
#![allow(clippy::indexing_slicing, clippy::print_stderr)]

mod life;
#[path = "../support/mod.rs"]
mod support;
mod tally;

use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use life::{Ground, Life, Maker, Was};
use support::command::wait_until;
use support::gate;
use support::load::{Held, processor};
use support::watcher::Watcher;
use tally::Tally;

/// Between two starts: fifty a second.
const EVERY: Duration = Duration::from_millis(20);
/// What the allocator may keep, in KiB: containers gone for half a minute are not forgotten.
const KEPT: u64 = 4096;
const SECONDS: usize = 4;
/// With `LDWATCH_FULL=1`.
const SECONDS_FULL: usize = 20;
/// How long it may take until all is told, or forgotten.
const PATIENCE: Duration = Duration::from_secs(30);

#[test]
#[ignore = "needs root: overlay mounts, cgroups and fanotify"]
fn a_storm_of_containers_is_told_of_the_right_ones_and_leaves_nothing() {
    let Some(_turn) = gate::enter(&[]) else {
        return;
    };
    let ground = Ground::new();
    // No sweep: what it would find has to be found by what happens.
    let watcher = Watcher::start("sweep = \"off\"\n");
    // The first containers make the queues and their buffers.
    if gate::have(storm(&ground, 12)).is_none() {
        return;
    }
    let forgotten = || watcher.watched_below(ground.path()) == 0;
    assert!(
        wait_until(PATIENCE, forgotten),
        "the first are not forgotten"
    );
    watcher.take();
    let before = Held::by(watcher.pid());
    let seconds = if gate::full() { SECONDS_FULL } else { SECONDS };
    let (begun, used) = (Instant::now(), processor(watcher.pid()));
    let all = storm(&ground, 50 * seconds).unwrap();
    let (time, used) = (begun.elapsed(), processor(watcher.pid()) - used);
    eprintln!(
        "{} containers in {time:.1?}; ldwatch used {used:.1?} of a processor",
        all.len()
    );
    assert!(wait_until(PATIENCE, forgotten), "some are not forgotten");
    told(&watcher, all);
    let mut after = Held::by(watcher.pid());
    wait_until(PATIENCE, || {
        after = Held::by(watcher.pid());
        after.is_within(before, KEPT)
    });
    eprintln!("held before {before:?}, after {after:?}");
    assert!(
        after.is_within(before, KEPT),
        "before {before:?}, after {after:?}"
    );
    watcher.stop_anyway();
}

/// Starts so many, one every 20 ms, and waits for the end of all.
fn storm(ground: &Ground, count: usize) -> Result<Vec<Was>, String> {
    let lives = [Life::Ends, Life::Moment, Life::Stays];
    let begun = Instant::now();
    thread::scope(|scope| {
        let mut living = Vec::new();
        for number in 0..count {
            let due = EVERY * u32::try_from(number).unwrap();
            sleep(due.saturating_sub(begun.elapsed()));
            let maker = [Maker::Docker, Maker::Hand][number % 2];
            let life = lives[number / 2 % lives.len()];
            living.push(scope.spawn(move || ground.live(maker, life)));
        }
        eprintln!("{count} started in {:.1?}", begun.elapsed());
        let ended = living.into_iter().map(|one| one.join().unwrap());
        ended.collect()
    })
}

/// Holds what was said against what was done.
fn told(watcher: &Watcher, all: Vec<Was>) {
    let sprung = all.iter().filter(|was| was.takes_after).count();
    let alike = all.iter().filter(|was| was.is_like).count();
    let mut tally = Tally::of(all);
    // All have gone, so nothing new comes: what was seen is on its way at most.
    sleep(Duration::from_secs(3));
    for seen in watcher.take() {
        tally.take(&seen);
    }
    eprintln!("{tally}\nmounts with path and device of one before: {sprung}, and its id: {alike}");
    assert!(
        sprung > 0,
        "no mount was like one before it: nothing was tried"
    );
    assert!(tally.wrong.is_empty(), "{}", tally.wrong.join("\n"));
    assert!(tally.more.is_empty(), "{}", tally.more.join("\n"));
    let missed = tally.missed(Life::Stays);
    assert!(missed.is_empty(), "{missed:#?}");
}
