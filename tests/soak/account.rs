//! What was written and what was said of it.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::time::{Duration, Instant};

use crate::support::record::{self, field, is_alert, text};
use crate::support::scratch::tag;
use crate::support::watcher::{Seen, Watcher};

/// How long an alert is waited for, on a machine that others use.
const PATIENCE: Duration = Duration::from_secs(20);
/// What is remembered of writes that were told, to notice a second telling.
const TOLD: usize = 4096;
/// How soon a write is replaced that need not be told: a look may be this late here.
const AT_ONCE: Duration = Duration::from_millis(1000);
/// One in so many writes may be.
const HIDDEN: usize = 1000;
/// Records of which the gist is kept, for the report of a failure.
const RECENT: usize = 120;

/// One write.
struct Write {
    number: usize,
    container: String,
    nonce: String,
    verb: &'static str,
    at: Instant,
}

/// One less of a container's.
fn took(from: &mut HashMap<String, u64>, container: &str) -> bool {
    let Some(left) = from.get_mut(container).filter(|left| **left > 0) else {
        return false;
    };
    *left -= 1;
    true
}

fn brief(seen: &Seen) -> String {
    let value = &seen.value;
    let entries = field(value, "ldwatch.entries").map(serde_json::Value::to_string);
    format!(
        "{} {} {}/{} by {} {} {}",
        text(value, "@timestamp"),
        text(value, "container.id"),
        text(value, "event.kind"),
        text(value, "event.action"),
        text(value, "ldwatch.detection"),
        field(value, "process.pid").map_or_else(String::new, ToString::to_string),
        entries.unwrap_or_default()
    )
}

fn pid(seen: &Seen) -> Option<u64> {
    field(&seen.value, "process.pid")?.as_u64()
}

/// One that was told.
struct Told {
    nonce: String,
    pid: Option<u64>,
    number: usize,
    container: String,
    written: Instant,
}

impl Told {
    fn of(write: Write, seen: &Seen) -> Self {
        Self {
            nonce: write.nonce,
            pid: pid(seen),
            number: write.number,
            container: write.container,
            written: write.at,
        }
    }
}

#[derive(Default)]
pub struct Account {
    open: VecDeque<Write>,
    told: VecDeque<Told>,
    /// Per container: writes that later alerts say they stand for.
    folded: HashMap<String, u64>,
    /// Per container: alerts that show no content.
    blank: HashMap<String, u64>,
    /// Per container: removals that were not told yet.
    removed: HashMap<String, u64>,
    recent: VecDeque<String>,
    writes: usize,
    once: usize,
    overtaken: usize,
    steps: usize,
    within: usize,
    /// Replaced by another write before they were looked at, and not told.
    hidden: usize,
    /// Told by an alert that shows no content: the file was gone when it was looked at.
    unread: usize,
    gaps: usize,
    latest: Duration,
    wrong: Vec<String>,
}

fn is_gap(seen: &Seen) -> bool {
    field(&seen.value, "ldwatch.gap").is_some()
}

impl Account {
    pub fn written(&mut self, container: &str, verb: &'static str, nonce: String) {
        self.writes += 1;
        self.open.push_back(Write {
            number: self.writes,
            container: container.to_owned(),
            nonce,
            verb,
            at: Instant::now(),
        });
    }

    pub fn removed(&mut self, container: &str) {
        *self.removed.entry(container.to_owned()).or_default() += 1;
    }

    /// Takes what was said until now.
    pub fn take(&mut self, watcher: &Watcher) {
        // The watcher sees every container of the machine; a record of this test's names
        // a path below its directory.
        let tag = tag();
        let own = |seen: &Seen| seen.raw.contains(&tag) || is_gap(seen);
        for seen in watcher.take().iter().filter(|seen| own(seen)) {
            self.hear(seen);
        }
    }

    fn hear(&mut self, seen: &Seen) {
        if let Some(gap) = field(&seen.value, "ldwatch.gap") {
            self.gaps += 1;
            eprintln!("gap: {gap}");
        }
        self.recent.push_back(brief(seen));
        if self.recent.len() > RECENT {
            self.recent.pop_front();
        }
        if text(&seen.value, "event.action") == "deletion" {
            took(&mut self.removed, text(&seen.value, "container.id"));
        }
        let touched = text(&seen.value, "event.action") == "touched";
        if !is_alert(&seen.value) && !touched {
            return;
        }
        let carries = |nonce: &String| record::carries(&seen.value, nonce);
        let Some(at) = self.open.iter().position(|write| carries(&write.nonce)) else {
            self.again(seen);
            return;
        };
        let Some(write) = self.open.remove(at) else {
            return;
        };
        self.once += 1;
        self.latest = self.latest.max(seen.at.saturating_duration_since(write.at));
        let folded = field(&seen.value, "ldwatch.folded").and_then(serde_json::Value::as_u64);
        *self.folded.entry(write.container.clone()).or_default() += folded.unwrap_or(0);
        let right = text(&seen.value, "container.id") == write.container
            || text(&seen.value, "ldwatch.rootfs").contains(&write.container);
        if !right {
            self.fault(format!("{} told of another container", write.nonce));
        }
        self.told.push_back(Told::of(write, seen));
        if self.told.len() > TOLD {
            self.told.pop_front();
        }
    }

    /// A content that is told again. The alert of an act that was looked at when a later
    /// one had followed it shows what the later one left: it stands for an older write, or
    /// removal, of that container. A writer that is held up between two system calls is told in two
    /// steps, the first of which may have shown the end. Anything else is an invention.
    fn again(&mut self, seen: &Seen) {
        let carries = |told: &&Told| record::carries(&seen.value, &told.nonce);
        let Some(told) = self.told.iter().find(carries) else {
            if field(&seen.value, "ldwatch.entries").is_none() {
                let container = text(&seen.value, "container.id").to_owned();
                *self.blank.entry(container).or_default() += 1;
            }
            return;
        };
        let (number, nonce) = (told.number, told.nonce.clone());
        let now = pid(seen);
        let about = |write: &Write| {
            let its = text(&seen.value, "container.id") == write.container
                || text(&seen.value, "ldwatch.rootfs").contains(&write.container);
            its && write.number < number
        };
        if let Some(at) = self.open.iter().position(about) {
            self.open.remove(at);
            self.overtaken += 1;
        } else if took(&mut self.removed, text(&seen.value, "container.id")) {
            self.overtaken += 1;
        } else if !is_alert(&seen.value) {
            // A write that left what was there: told as such.
        } else if told.pid == now || told.pid.is_none() || now.is_none() {
            self.steps += 1;
        } else {
            let (before, said) = (told.pid, self.said_of(text(&seen.value, "container.id")));
            self.fault(format!(
                "told twice: {} by {before:?}, then by {:?}; in all:\n  {said}",
                nonce, now
            ));
        }
    }

    /// Waits until nothing is open; what stays open was folded, or is missing.
    pub fn settle(&mut self, watcher: &Watcher) {
        let until = Instant::now() + PATIENCE;
        while !self.open.is_empty() && Instant::now() < until {
            self.take(watcher);
            std::thread::sleep(Duration::from_millis(10));
        }
        for write in std::mem::take(&mut self.open) {
            if took(&mut self.folded, &write.container) {
                self.within += 1;
            } else if took(&mut self.blank, &write.container) {
                self.unread += 1;
            } else if self.replaced_at_once(&write) {
                self.hidden += 1;
            } else {
                let (nonce, verb) = (&write.nonce, write.verb);
                let said = self.said_of(&write.container);
                self.fault(format!("never told: {nonce} by {verb}; but:\n  {said}"));
            }
        }
    }

    /// Another process put its own in place before this write was looked at: the one look
    /// told what that one left, and the other found nothing new.
    fn replaced_at_once(&self, write: &Write) -> bool {
        let next = self
            .told
            .iter()
            .find(|told| told.number > write.number && told.container == write.container);
        next.is_some_and(|told| told.written.saturating_duration_since(write.at) < AT_ONCE)
    }

    /// More than a busy machine explains were replaced without a word.
    fn too_many_hidden(&self) -> Option<String> {
        let most = 1 + self.writes / HIDDEN;
        (self.hidden > most)
            .then(|| format!("{} replaced at once, not {most} at most", self.hidden))
    }

    fn said_of(&self, container: &str) -> String {
        let of = |line: &&String| line.contains(container);
        let lines: Vec<&str> = self.recent.iter().filter(of).map(String::as_str).collect();
        lines.join("\n  ")
    }

    fn fault(&mut self, what: String) {
        eprintln!("wrong: {what}");
        self.wrong.push(what);
    }

    pub fn wrong(&self) -> Vec<String> {
        self.wrong
            .iter()
            .cloned()
            .chain(self.too_many_hidden())
            .collect()
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:>7} writes {:>7} told once {:>4} overtaken {:>4} in two steps {:>4} folded {:>3} unread {:>3} replaced at once {:>3} open {:>3} wrong {:>3} gaps, latest {:>5} ms",
            self.writes,
            self.once,
            self.overtaken,
            self.steps,
            self.within,
            self.unread,
            self.hidden,
            self.open.len(),
            self.wrong.len(),
            self.gaps,
            self.latest.as_millis()
        )
    }
}
