//! Rows of one act each in a hand-made container, held against what the product says.
//!
//! Three containers share one lower layer, so their directories have equal file
//! handles. Every act writes a nonce of its own: the record must carry that nonce, that
//! container and that action, and no other record may come.

#![allow(clippy::unwrap_used, clippy::expect_used)]
#![allow(clippy::indexing_slicing, clippy::print_stderr)]

mod support;

use support::overlay::{Image, Overlay};
use support::program::Outcome;
use support::record::Expect;
use support::scratch::nonce;
use support::watcher::Watcher;
use support::{PRELOAD, gate};

/// What is at the path before the act.
#[derive(Clone, Copy, PartialEq)]
enum Before {
    Nothing,
    AFile,
}

/// What must be told: kind, type, action, risk score.
type Verdict = (&'static str, &'static str, &'static str, f64);

struct Row {
    verb: &'static str,
    path: &'static str,
    before: Before,
    verdict: Option<Verdict>,
}

const CREATED: Verdict = ("alert", "creation", "creation", 73.0);
const CHANGED: Verdict = ("alert", "change", "modification", 73.0);

/// Acts that keep what was written before; the record carries the earlier nonce.
const KEEPS_CONTENT: &[&str] = &["truncate2", "chmod", "chown", "fallocate"];

const fn told(verb: &'static str, before: Before, verdict: Verdict) -> Row {
    Row {
        verb,
        path: PRELOAD,
        before,
        verdict: Some(verdict),
    }
}

const fn silent(verb: &'static str, path: &'static str, before: Before) -> Row {
    Row {
        verb,
        path,
        before,
        verdict: None,
    }
}

const fn alert(change: &'static str, action: &'static str) -> Verdict {
    ("alert", change, action, 73.0)
}

const ROWS: &[Row] = &[
    told("create", Before::Nothing, CREATED),
    told("append", Before::AFile, CHANGED),
    told("truncate-write", Before::AFile, CHANGED),
    told("truncate2", Before::AFile, CHANGED),
    told(
        "rename-outside",
        Before::Nothing,
        alert("creation", "rename"),
    ),
    told("rename-outside", Before::AFile, alert("change", "rename")),
    told(
        "rename-inside",
        Before::Nothing,
        alert("creation", "rename"),
    ),
    told("exchange", Before::AFile, alert("change", "rename")),
    told("link", Before::Nothing, alert("creation", "link")),
    told("tmpfile-link", Before::Nothing, CREATED),
    told("symlink", Before::Nothing, alert("creation", "symlink")),
    told(
        "chmod",
        Before::AFile,
        ("alert", "change", "attributes", 47.0),
    ),
    told(
        "unlink",
        Before::AFile,
        ("event", "deletion", "deletion", f64::NAN),
    ),
    silent("read", PRELOAD, Before::AFile),
    silent("create", "/etc/ld.so.preload.bak", Before::Nothing),
    silent("create", "/opt/etc/ld.so.preload", Before::Nothing),
];

#[test]
#[ignore = "needs root: overlay mounts, cgroups and fanotify"]
fn every_act_is_told_once_with_its_nonce_its_container_and_its_action() {
    let Some(_turn) = gate::enter(&[]) else {
        return;
    };
    let image = Image::new();
    let made: Result<Vec<Overlay>, String> = (0..3).map(|_| image.start()).collect();
    let Some(containers) = gate::have(made) else {
        return;
    };
    let mut watcher = Watcher::start("");
    for container in &containers {
        watcher.mine(&container.id);
    }
    let mut failures = Vec::new();
    for (number, row) in ROWS.iter().enumerate() {
        let container = &containers[number % containers.len()];
        if let Err(error) = try_row(row, container, &watcher) {
            failures.push(format!("row {number} {} {}: {error}", row.verb, row.path));
            watcher.pass_over();
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    watcher.stop();
}

fn try_row(row: &Row, container: &Overlay, watcher: &Watcher) -> Result<(), String> {
    let earlier = prepare(row.before, container, watcher)?;
    let own = nonce();
    if let Outcome::NotPossible(why) = container.attack(&[row.verb, row.path, &own]) {
        eprintln!("row {} left out: {why}", row.verb);
        return Ok(());
    }
    let Some((kind, change, action, risk)) = row.verdict else {
        return sentinel(container, watcher);
    };
    let carried = match earlier.as_deref() {
        Some(earlier) if KEEPS_CONTENT.contains(&row.verb) => earlier,
        _ => &own,
    };
    watcher.expect(&Expect {
        kind,
        change,
        action,
        risk: (!risk.is_nan()).then_some(risk),
        container: &container.id,
        nonce: (change != "deletion").then_some(carried),
    })?;
    watcher.nothing_else()
}

/// Brings the path to the state that the row starts from; gives the nonce in it.
fn prepare(
    before: Before,
    container: &Overlay,
    watcher: &Watcher,
) -> Result<Option<String>, String> {
    if container.has(PRELOAD) {
        container.attack(&["unlink", PRELOAD, "-"]);
        watcher.expect(&deletion(&container.id))?;
    }
    if before == Before::Nothing {
        return Ok(None);
    }
    let earlier = nonce();
    container.attack(&["create-long", PRELOAD, &earlier]);
    watcher.expect(&creation(&container.id, &earlier))?;
    Ok(Some(earlier))
}

/// After an act that must not be told comes one that must: nothing lies between.
fn sentinel(container: &Overlay, watcher: &Watcher) -> Result<(), String> {
    if container.has(PRELOAD) {
        container.attack(&["unlink", PRELOAD, "-"]);
        watcher.expect(&deletion(&container.id))?;
    }
    let own = nonce();
    container.attack(&["create", PRELOAD, &own]);
    watcher.expect(&creation(&container.id, &own))?;
    watcher.nothing_else()
}

fn creation<'a>(container: &'a str, nonce: &'a str) -> Expect<'a> {
    Expect {
        kind: "alert",
        change: "creation",
        action: "creation",
        risk: Some(73.0),
        container,
        nonce: Some(nonce),
    }
}

fn deletion(container: &str) -> Expect<'_> {
    Expect {
        kind: "event",
        change: "deletion",
        action: "deletion",
        risk: None,
        container,
        nonce: None,
    }
}
