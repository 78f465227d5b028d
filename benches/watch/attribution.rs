//! Who did it: what alerts say of writers that are gone at once, by how they came to
//! be, how busy the machine is, and whether the watcher runs under SCHED_FIFO.

use std::collections::BTreeMap;
use std::fs;
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;

use crate::latency::{Hogs, number, write};
use crate::quick::{How, place};
use crate::support::command::wait_until;
use crate::support::overlay::{Image, Overlay};
use crate::support::record::{field, text};
use crate::support::scratch::{Scratch, tag};
use crate::tail::{Line, Tail};
use crate::writer::{MARKER, PROGRAM, nonce};

/// Between two writes, in microseconds: enough for one act to be over.
const GAP: u64 = 8000;
/// Writes before the alerts are waited for: more would be folded where the machine is
/// busy, and the alert about two writers names one.
const PORTION: usize = 10;
/// Containers that take their turns: what exceeds one's budget would be folded, too.
const CONTAINERS: usize = 8;
/// An alert that has not come by then does not come.
const LATEST: Duration = Duration::from_secs(3);

/// Prints the table of `count` writers in each cell.
pub fn run(count: usize) {
    let image = Image::new();
    let inside = |path: &str| image.lower().join(path.trim_start_matches('/'));
    fs::copy(std::env::current_exe().unwrap(), inside(PROGRAM)).unwrap();
    fs::write(inside(MARKER), "").unwrap();
    let writers = place(&image, nonce(&cell_tag(0), 0).len());
    head(count);
    for realtime in [true, false] {
        let start = |_| image.start().unwrap_or_else(|reason| panic!("{reason}"));
        let containers: Vec<Overlay> = (0..CONTAINERS).map(start).collect();
        let files = Scratch::new();
        let more = format!("realtime = {realtime}\n");
        let ldwatch = Tail::ldwatch_with(files.path(), &more);
        // The watcher also learns the container's init; then nothing else is going on.
        sleep(Duration::from_secs(6));
        let fifo = ["no", fifo(&files)][usize::from(realtime)];
        for busy in [false, true] {
            let hogs = busy.then(Hogs::start);
            for (number, how) in writers.iter().enumerate() {
                let cell = number + 10 * usize::from(busy) + 20 * usize::from(realtime);
                let said = Said::of(&containers, &ldwatch, how, (cell, count));
                let cpus = ["idle", "busy"][usize::from(busy)];
                let name = how.name.split(':').next().unwrap_or_default();
                println!("{fifo:<9}{cpus:<6}{name:<10}{said}");
            }
            drop(hogs);
        }
        ldwatch.stop();
    }
}

fn head(count: usize) {
    println!("{count} writers in each cell, or folded into the alert of another; the executable:");
    println!("confirmed, hinted, named wrongly (as a fact, as a hint), not named; the writer's");
    println!("container, arguments and parent: known");
    println!(
        "{:<9}{:<6}{:<10}{:>7}{:>7}{:>11}{:>10}{:>8}{:>7}{:>7}{:>6}{:>9}{:>7}{:>8}",
        "FIFO",
        "CPUs",
        "writer",
        "alerts",
        "folded",
        "container",
        "confirmed",
        "hinted",
        "wrong",
        "wrong?",
        "not",
        "inside",
        "args",
        "parent"
    );
}

/// Whether real time is in force, by the status file.
fn fifo(files: &Scratch) -> &'static str {
    let text = fs::read(files.join("status.json")).unwrap_or_default();
    let status: Value = serde_json::from_slice(&text).unwrap_or_default();
    match status["realtime"].as_bool() {
        Some(true) => "yes",
        _ => "refused",
    }
}

/// Of one length for all cells.
fn cell_tag(cell: usize) -> String {
    format!("{}c{cell:02}", tag())
}

/// What the alerts of one cell said.
#[derive(Default)]
struct Said {
    alerts: usize,
    folded: usize,
    container: usize,
    confirmed: usize,
    hinted: usize,
    wrong: usize,
    wrong_hint: usize,
    inside: usize,
    args: usize,
    parent: usize,
}

impl Said {
    fn of(
        containers: &[Overlay],
        ldwatch: &Tail,
        how: &How,
        (cell, count): (usize, usize),
    ) -> Self {
        let tag = cell_tag(cell);
        let mut said = Self::default();
        for (first, container) in (0..count).step_by(PORTION).zip(containers.iter().cycle()) {
            let portion = PORTION.min(count - first);
            write(container, &how.name, &tag, (first, portion), GAP);
            let all = || alerts(ldwatch, &tag, first);
            // Where the machine stood still one writer may be named for another.
            if !wait_until(LATEST, || all().len() >= portion) {
                println!("fewer alerts than writers from {first} on; of these:");
                all().values().for_each(missing);
            }
            for alert in all().values() {
                said.take(alert, container, how);
            }
            // The next portion's lines are enough to look through.
            ldwatch.forget_lines();
        }
        said
    }

    fn take(&mut self, alert: &Value, container: &Overlay, how: &How) {
        let is = |name: &str, value: &str| text(alert, name) == value;
        let has = |name: &str| usize::from(field(alert, name).is_some());
        self.alerts += 1;
        let folded = field(alert, "ldwatch.folded").and_then(Value::as_u64);
        self.folded += usize::try_from(folded.unwrap_or(0)).unwrap_or(0);
        self.container += usize::from(is("container.id", &container.id));
        self.inside += usize::from(is("ldwatch.writer.container.id", &container.id));
        self.args += has("process.args");
        self.parent += has("process.parent.pid");
        let hint = text(alert, "ldwatch.writer.hint.executable");
        match (text(alert, "process.executable"), hint) {
            // Who forked and executed nothing may be gone, and left no trail.
            ("", "") if how.name == "fork" => {}
            ("", "") => println!("named nobody, was {}: {alert}", how.executable),
            ("", hint) if hint == how.executable => self.hinted += 1,
            ("", _) => self.wrong_hint += 1,
            (fact, _) if fact == how.executable => self.confirmed += 1,
            (fact, _) => {
                println!("named {fact}, was {}: {alert}", how.executable);
                self.wrong += 1;
            }
        }
    }
}

impl std::fmt::Display for Said {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let named = self.confirmed + self.hinted + self.wrong + self.wrong_hint;
        write!(
            f,
            "{:>7}{:>7}{:>11}{:>10}{:>8}{:>7}{:>7}{:>6}{:>9}{:>7}{:>8}",
            self.alerts,
            self.folded,
            self.container,
            self.confirmed,
            self.hinted,
            self.wrong,
            self.wrong_hint,
            self.alerts - named,
            self.inside,
            self.args,
            self.parent
        )
    }
}

/// Whom an alert names, and what it shows: one writer may be named for another.
fn missing(alert: &Value) {
    let at = text(alert, "@timestamp");
    let (written, said) = (text(alert, "file.mtime"), text(alert, "message"));
    println!("  {at}, file of {written}: {said}");
}

/// The first alert about each writer of the cell from this one on. The pid is the kernel's
/// word; what the file held when it was looked at may be the next writer's already.
fn alerts(ldwatch: &Tail, tag: &str, first: usize) -> BTreeMap<i64, Value> {
    let mut found = BTreeMap::new();
    let lines = ldwatch.lines();
    let is_of_these = |line: &&Line| number(&line.1, tag).is_some_and(|number| number >= first);
    for (_, line) in lines.iter().filter(is_of_these) {
        let value: Value = serde_json::from_slice(line).unwrap_or_default();
        let pid = field(&value, "process.pid").and_then(Value::as_i64);
        found.entry(pid.unwrap_or(0)).or_insert(value);
    }
    found
}
