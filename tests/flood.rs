//! One container does its worst; what another one is told of meanwhile, and what is left
//! afterwards.
//!
//! By default small, so that it runs everywhere: counts are asserted, times only so far
//! that a stall is seen. `LDWATCH_FULL=1` (in `scripts/full`, release build) is the real
//! scale, with the figures that the product is held to.

#![allow(clippy::unwrap_used, clippy::expect_used)]
#![allow(clippy::indexing_slicing, clippy::print_stderr)]

mod support;

use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use support::command::wait_until;
use support::load::{Held, marks, memory, processor};
use support::overlay::{Image, Overlay};
use support::quiet::writes;
use support::record::{carries, text};
use support::scratch::nonce;
use support::watcher::{Seen, Watcher};
use support::{PRELOAD, gate};

const SECOND: Duration = Duration::from_secs(1);
const MIB: u64 = 1024;

/// Attackers in one container; they end with the value.
struct Flood(Vec<Child>);

impl Flood {
    fn start(container: &Overlay, acts: &[(&str, String)]) -> Self {
        let start = |(verb, extra): &(&str, String)| {
            let mut command = container.command("/bin/attack");
            command.args([verb, PRELOAD, &nonce(), extra]);
            command.stdin(Stdio::null()).spawn().unwrap()
        };
        Self(acts.iter().map(start).collect())
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

#[test]
#[ignore = "needs root: overlay mounts, cgroups and fanotify"]
fn a_flood_in_one_container_costs_another_neither_an_alert_nor_its_time() {
    let Some(_turn) = gate::enter(&[]) else {
        return;
    };
    let seconds = if gate::full() { 30 } else { 6 };
    let rounds = if gate::full() { 2200 } else { 300 };
    let image = Image::new();
    let Some((loud, quiet)) = gate::have(image.start().and_then(|one| Ok((one, image.start()?))))
    else {
        return;
    };
    let mut watcher = Watcher::start("sweep = \"1s\"\n");
    watcher.mine(&quiet.id);
    // What a flood makes the allocator keep is no leak: a first one fills it.
    drop(flood(&loud, 2, rounds).wait());
    writes(&watcher, &quiet, (2, SECOND)).unwrap();
    sleep(SECOND * 6);
    let mut before = Held::by(watcher.pid());
    // The file of the loud one is there at the end, or it is not.
    before.marks += 2;
    let took = under_flood(&watcher, (&loud, &quiet), seconds, rounds).unwrap();
    let limit = if gate::full() {
        SECOND / 20
    } else {
        SECOND * 2
    };
    assert!(took.iter().all(|one| *one <= limit), "{took:?}");
    assert!(watcher.counter("folded") > 0, "nothing was over its budget");
    let back = wait_until(SECOND * 20, || {
        Held::by(watcher.pid()).is_within(before, MIB)
    });
    let after = Held::by(watcher.pid());
    eprintln!("before {before:?}, after {after:?}");
    assert!(back, "before {before:?}, after {after:?}");
    // What was told of the loud one is its own affair.
    watcher.pass_over();
    watcher.stop();
}

/// The writes of the quiet one during a flood in the loud one, and the figures of it.
fn under_flood(
    watcher: &Watcher,
    (loud, quiet): (&Overlay, &Overlay),
    seconds: u64,
    rounds: u32,
) -> Result<Vec<Duration>, String> {
    let of_loud = |seen: &Seen| text(&seen.value, "container.id") == loud.id;
    let figures = || (watcher.counter("events"), watcher.count(of_loud));
    let (events, told) = figures();
    let used = processor(watcher.pid());
    let flooding = flood(loud, seconds, rounds);
    let took = writes(watcher, quiet, (u32::try_from(seconds).unwrap(), SECOND));
    let used = processor(watcher.pid()) - used;
    drop(flooding.wait());
    let mut took = took?;
    took.sort();
    sleep(SECOND * 6);
    let (events_after, told_after) = figures();
    eprintln!(
        "flood of {} events in {seconds} s, {} records of it, {} acts folded, {} overflows; the \
         quiet one told {} of {seconds}, median {:?}, most {:?}; {used:?} of processor time",
        events_after - events,
        told_after - told,
        watcher.counter("folded"),
        watcher.counter("overflows"),
        took.len(),
        took[took.len() / 2],
        took[took.len() - 1],
    );
    Ok(took)
}

impl Flood {
    fn wait(mut self) -> Self {
        for child in &mut self.0 {
            let ended = child.wait().unwrap();
            assert!(ended.success(), "an attacker failed: {ended}");
        }
        self
    }
}

/// The link is turned to one file after another: the marks on those it has left are of no
/// use, and must not heap up in the kernel.
#[test]
#[ignore = "needs root: overlay mounts, cgroups and fanotify"]
fn a_link_that_turns_without_end_leaves_a_bounded_number_of_marks() {
    let Some(_turn) = gate::enter(&[]) else {
        return;
    };
    let image = Image::new();
    let Some(container) = gate::have(image.start()) else {
        return;
    };
    let mut watcher = Watcher::start("sweep = \"off\"\n");
    watcher.mine(&container.id);
    let left = || marks(watcher.pid(), &container.merged);
    let mut flipping = Flood::start(&container, &[("flip", "100000".to_owned())]);
    // Some stay where the container was marked first; then its own are taken off again
    // and again.
    let (mut most, mut last, mut emptied) = (0, 0, 0);
    let (begun, times) = (Instant::now(), if gate::full() { 20 } else { 2 });
    while emptied < times {
        let now = left();
        (most, emptied) = (most.max(now), emptied + u32::from(now + 100 < last));
        last = now;
        let goes_on = flipping.0[0].try_wait().unwrap().is_none();
        assert!(
            goes_on && begun.elapsed() < SECOND * 240,
            "{most} marks at most, {now} now"
        );
        sleep(SECOND / 100);
    }
    let took = begun.elapsed();
    eprintln!("at most {most} marks; emptied {emptied} times in {took:?}");
    assert!(most < 600, "{most} marks");
    drop(flipping);
    // The last one is watched as the first was.
    let own = nonce();
    container.attack(&["append", PRELOAD, &own]);
    let last = |seen: &Seen| carries(&seen.value, &own);
    watcher.claim("a write to the last target", last).unwrap();
    watcher.pass_over();
    watcher.stop();
}

/// The mount table of one container is as long as the kernel allows, and changes all the
/// time: it is read again and again, and another container is told of in time.
#[test]
#[ignore = "needs root: overlay mounts, cgroups and fanotify"]
fn a_hundred_thousand_mounts_in_one_container_cost_another_no_time() {
    let Some(_turn) = gate::enter(&[]) else {
        return;
    };
    let (mounts, seconds) = if gate::full() {
        (100_000, 60)
    } else {
        (5000, 5)
    };
    let image = Image::new();
    let Some((loud, quiet)) = gate::have(image.start().and_then(|one| Ok((one, image.start()?))))
    else {
        return;
    };
    let mut watcher = Watcher::start("");
    watcher.mine(&quiet.id);
    writes(&watcher, &quiet, (2, SECOND)).unwrap();
    sleep(SECOND * 6);
    let before = Held::by(watcher.pid());
    let p99 = under_mounts(&watcher, (&loud, &quiet), (mounts, seconds));
    assert!(
        p99 <= if gate::full() {
            SECOND / 100
        } else {
            SECOND * 2
        },
        "{p99:?}"
    );
    drop(loud);
    let back = wait_until(SECOND * 20, || {
        Held::by(watcher.pid()).is_within(before, MIB)
    });
    let after = Held::by(watcher.pid());
    assert!(back, "before {before:?}, after {after:?}");
    watcher.pass_over();
    watcher.stop();
}

/// Ten writes a second of the quiet one while the other has so many mounts, and the figures
/// of it. How long all but one in a hundred took at most.
fn under_mounts(
    watcher: &Watcher,
    (loud, quiet): (&Overlay, &Overlay),
    (mounts, seconds): (usize, u32),
) -> Duration {
    let used = processor(watcher.pid());
    let bomb = Flood::start(loud, &[("bomb", format!("{mounts}:{seconds}"))]);
    let took = writes(watcher, quiet, (seconds * 10, SECOND / 10));
    let most = memory(watcher.pid(), "VmHWM");
    let there = table(loud);
    drop(bomb.wait());
    let mut took = took.unwrap();
    took.sort();
    let p99 = took[took.len() * 99 / 100];
    eprintln!(
        "{there} mounts: {} of {} told, median {:?}, p99 {p99:?}, most {:?}; at most {most} KiB; \
         {:?} of processor time",
        took.len(),
        seconds * 10,
        took[took.len() / 2],
        took[took.len() - 1],
        processor(watcher.pid()) - used,
    );
    assert!(there * 2 > mounts, "{there} mounts");
    p99
}

/// Mounts that a container's init sees.
fn table(container: &Overlay) -> usize {
    let table = std::fs::read(format!("/proc/{}/mountinfo", container.pid())).unwrap();
    table.iter().filter(|&&byte| byte == b'\n').count()
}

/// Two writers that take turns, each beside a crowd of other names, and processes that
/// come, write and go.
fn flood(container: &Overlay, seconds: u64, rounds: u32) -> Flood {
    let flood = format!("{seconds}:{rounds}");
    let acts = [
        ("flood", flood.clone()),
        ("flood", flood),
        ("swarm", seconds.to_string()),
    ];
    Flood::start(container, &acts)
}
