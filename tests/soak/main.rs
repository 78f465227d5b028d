//! Random acts on several containers that come and go, with reloads of the configuration
//! in between: every write is told once, or counted as folded into a later one, and what
//! the watcher holds does not grow. `LDWATCH_SOAK` (20) says for how many seconds.

#![allow(clippy::unwrap_used, clippy::expect_used)]
#![allow(clippy::indexing_slicing, clippy::print_stderr)]

mod account;
mod field;

#[path = "../support/mod.rs"]
mod support;

use std::time::{Duration, Instant};

use account::Account;
use field::Field;
use nix::sys::signal::{Signal, kill};
use support::gate;
use support::load::Held;
use support::watcher::Watcher;

/// Lines of the table.
const LINES: u32 = 24;
/// Of these, the ones after which what is held is the measure of the rest.
const WARM: usize = 6;
/// What may be held more at the end, in KiB.
const MORE: u64 = 2048;

fn seconds() -> u64 {
    let text = std::env::var("LDWATCH_SOAK").unwrap_or_default();
    text.parse().unwrap_or(20)
}

fn line(watcher: &Watcher, start: Instant, account: &Account) -> Held {
    let held = Held::by(watcher.pid());
    eprintln!(
        "{:>6} s {account} | {:>6} KiB {:>4} fds {:>2} threads",
        start.elapsed().as_secs(),
        held.kib,
        held.fds,
        held.threads
    );
    held
}

#[test]
#[ignore = "needs root: overlay mounts, cgroups and fanotify"]
fn hours_of_attacks_are_all_accounted_for_and_leave_nothing() {
    let Some(_turn) = gate::enter(&[]) else {
        return;
    };
    let Some(mut field) = gate::have(Field::new()) else {
        return;
    };
    let watcher = Watcher::start("");
    let mut account = Account::default();
    let (start, length) = (Instant::now(), Duration::from_secs(seconds()));
    let (mut table, mut reloads, mut changes) = (Vec::new(), 1, 1);
    while start.elapsed() < length {
        field.act(&mut account);
        account.take(&watcher);
        if start.elapsed() > Duration::from_secs(7) * reloads {
            reloads += 1;
            kill(watcher.pid(), Signal::SIGHUP).unwrap();
        }
        if start.elapsed() > Duration::from_secs(5) * changes {
            changes += 1;
            account.settle(&watcher);
            field.change();
        }
        let lines = u32::try_from(table.len()).unwrap();
        if start.elapsed() > length / LINES * (lines + 1) {
            table.push(line(&watcher, start, &account));
        }
    }
    account.settle(&watcher);
    std::thread::sleep(Duration::from_secs(2));
    account.take(&watcher);
    table.push(line(&watcher, start, &account));
    eprintln!("{reloads} reloads, {changes} containers replaced");
    watcher.stop_anyway();
    let mut wrong = account.wrong();
    wrong.extend(growth(&table));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is held at the end, against the most that was held while all was warming up.
fn growth(table: &[Held]) -> Option<String> {
    let (warm, last) = (table.get(..WARM)?, table.last()?);
    let most = |what: fn(&Held) -> u64| warm.iter().map(what).max().unwrap_or(0);
    let memory = most(|held| held.kib);
    let descriptors = most(|held| held.fds as u64);
    let threads = most(|held| held.threads as u64);
    let grown = last.kib > memory + memory / 8 + MORE
        || last.fds as u64 > descriptors + 4
        || last.threads as u64 > threads;
    let (now, then) = (last.kib, memory);
    grown.then(|| {
        format!(
            "it grew: {then} -> {now} KiB, {descriptors} -> {} fds, {threads} -> {} threads",
            last.fds, last.threads
        )
    })
}
