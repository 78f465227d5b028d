//! The catalogue: every way to change the file as its container sees it, held against
//! what the product says. One container a row; each act carries a nonce of its own.
//!
//! `LDWATCH_SWEEP=off` switches the sweep off: what is then missed must be what
//! `tests/fixtures/catalogue-without-sweep.txt` says. `LDWATCH_DROP_MARK` (with a build
//! that heeds it) or `LDWATCH_TABLE=1` print the rows and judge nothing: `scripts/marks`.
//! `LDWATCH_ROW` names one row.

#![allow(clippy::unwrap_used, clippy::expect_used)]
#![allow(clippy::indexing_slicing, clippy::print_stderr)]

mod catalogue;
mod known;
mod limits;
mod mounts;
mod names;
mod row;
mod stage;
mod sweepless;
mod writes;

#[path = "../support/mod.rs"]
mod support;

use std::env;
use std::time::Duration;

use catalogue::{Patience, Verdict, play};
use row::Row;
use support::gate;

fn rows() -> Vec<&'static Row> {
    let all = [writes::ROWS, names::ROWS, mounts::ROWS];
    let only = env::var("LDWATCH_ROW").ok();
    let wanted = |row: &&Row| only.as_ref().is_none_or(|name| name == row.name);
    all.into_iter().flatten().filter(wanted).collect()
}

fn sweep_is_off() -> bool {
    env::var_os("LDWATCH_SWEEP").is_some_and(|value| value == "off")
}

#[test]
#[ignore = "needs root: overlay mounts, cgroups and fanotify"]
fn every_way_to_change_the_file_is_told_once_and_truly() {
    let Some(_turn) = gate::enter(&[]) else {
        return;
    };
    let rows = rows();
    // The test runner may have begun a line.
    eprintln!();
    let mut failures = Vec::new();
    for run in 1..=gate::runs() {
        let (config, patience) = settings();
        let Some(verdicts) = gate::have(play(&rows, config, &patience)) else {
            return;
        };
        for (row, verdict) in rows.iter().zip(&verdicts) {
            print(row, verdict);
            if let Err(error) = judge(row, verdict) {
                failures.push(format!("run {run}: {}: {error}", row.name));
            }
        }
    }
    let only_a_table = ["LDWATCH_DROP_MARK", "LDWATCH_TABLE"];
    if only_a_table.iter().any(|name| env::var_os(name).is_some()) {
        return;
    }
    let count = failures.len();
    assert!(count == 0, "{count} failed:\n{}", failures.join("\n"));
}

/// The configuration, and how long it may take.
fn settings() -> (&'static str, Patience) {
    let seconds = Duration::from_secs;
    if sweep_is_off() {
        let quiet = Duration::from_millis(800);
        let record = seconds(3);
        return ("sweep = \"off\"\n", Patience { record, quiet });
    }
    let (record, quiet) = (seconds(8), seconds(3));
    ("sweep = \"1s\"\n", Patience { record, quiet })
}

/// The line of a row; `scripts/marks` and `scripts/kernels` read it.
fn print(row: &Row, verdict: &Verdict) {
    let (name, one_line) = (row.name, |text: &str| text.trim().replace('\n', " "));
    match verdict {
        Verdict::Caught(caught) => {
            let pid = if caught.pid_known() {
                "known"
            } else {
                "unknown"
            };
            let (ms, by, rung) = (caught.after.as_millis(), caught.by.join("+"), &caught.rung);
            eprintln!("row {name}: caught in {ms} ms by {by} on {rung} pid {pid}");
        }
        Verdict::Missed(what) => eprintln!("row {name}: MISSED {}", one_line(what)),
        Verdict::Wrong(what) => eprintln!("row {name}: WRONG {}", one_line(what)),
        Verdict::NotPossible(why) => eprintln!("row {name}: not possible here: {}", one_line(why)),
    }
}

fn judge(row: &Row, verdict: &Verdict) -> Result<(), String> {
    let may_miss = sweep_is_off().then(|| sweepless::need(row.name)).flatten();
    match (verdict, may_miss) {
        (Verdict::Caught(_), Some(sweepless::Need::Always)) => {
            Err("the table says that it needs the sweep".to_owned())
        }
        (Verdict::Caught(caught), _) => caught.judge(row.name),
        (Verdict::Missed(_), Some(_)) => Ok(()),
        (Verdict::NotPossible(_), _) => Ok(()),
        (Verdict::Missed(what), None) => Err(format!("missed: {what}")),
        (Verdict::Wrong(what), _) => Err(what.clone()),
    }
}

#[test]
fn rows_have_names_of_their_own_and_the_table_names_rows() {
    let all = [writes::ROWS, names::ROWS, mounts::ROWS];
    let names: Vec<&str> = all.into_iter().flatten().map(|row| row.name).collect();
    for (at, name) in names.iter().enumerate() {
        assert!(!names[..at].contains(name), "two rows are named {name}");
        assert!(!name.contains(':'), "a colon ends the name: {name}");
    }
    for name in sweepless::names() {
        assert!(names.contains(&name), "the table names no row: {name}");
    }
    let with_pids: Vec<&str> = known::names().collect();
    assert_eq!(with_pids, names, "tests/fixtures/pid-by-rung.txt");
}
