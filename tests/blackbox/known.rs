//! What a caught row knew of the writer, held against the table of what each rung can
//! know: `tests/fixtures/pid-by-rung.txt`.

use std::time::Duration;

use crate::support::record::{field, text};
use crate::support::watcher::Seen;

const TABLE: &str = include_str!("../fixtures/pid-by-rung.txt");
/// The columns of the table.
const RUNGS: [&str; 3] = ["named", "split", "plain"];

/// What was told of a row.
#[derive(Debug, Default)]
pub struct Caught {
    /// The longest wait from the end of an act to its record.
    pub after: Duration,
    /// `ldwatch.detection` of each record of an act.
    pub by: Vec<String>,
    /// Whether each of those named a process.
    pub pid: Vec<bool>,
    /// `ldwatch.coverage.rung` of the last of them.
    pub rung: String,
    /// Records that told of a process without its pid.
    pub guessed: usize,
}

impl Caught {
    /// Takes down what a record says of its writer.
    pub fn note(&mut self, seen: &Seen) {
        let value = &seen.value;
        let pid = field(value, "process.pid").is_some();
        self.by.push(text(value, "ldwatch.detection").to_owned());
        self.pid.push(pid);
        text(value, "ldwatch.coverage.rung").clone_into(&mut self.rung);
        let facts = ["process.name", "process.executable", "user.id"];
        let told = facts.iter().any(|name| field(value, name).is_some());
        self.guessed += usize::from(told && !pid);
    }

    /// Every record named a process.
    pub fn pid_known(&self) -> bool {
        !self.pid.is_empty() && self.pid.iter().all(|known| *known)
    }

    /// What the table says against it.
    pub fn judge(&self, row: &str) -> Result<(), String> {
        let rung = &self.rung;
        if self.guessed > 0 {
            return Err("a process is told of, but not its pid".to_owned());
        }
        match need(row, rung) {
            Some(Need::Yes) if !self.pid_known() => Err(format!("no pid, on the rung {rung}")),
            Some(Need::No) if self.pid.contains(&true) => {
                Err(format!("a pid, which the rung {rung} cannot know"))
            }
            _ => Ok(()),
        }
    }
}

/// What a rung knows of the writer of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    Yes,
    No,
    /// It depends on the kernel, the filesystem or who comes first.
    Maybe,
}

/// `None`: the table has no such rung, or no such row.
fn need(row: &str, rung: &str) -> Option<Need> {
    let column = RUNGS.iter().position(|name| *name == rung)?;
    let (_, needs) = lines().find(|(name, _)| *name == row)?;
    Some(needs[column])
}

/// The rows that the table names.
pub fn names() -> impl Iterator<Item = &'static str> {
    lines().map(|(name, _)| name)
}

/// `NAME: yes|no|maybe yes|no|maybe yes|no|maybe`, and comments.
fn lines() -> impl Iterator<Item = (&'static str, [Need; 3])> {
    let rows = TABLE.lines().filter(|line| !line.starts_with('#'));
    rows.filter(|line| !line.trim().is_empty()).map(|line| {
        let (name, words) = line.split_once(':').expect("a colon ends the name");
        let words: Vec<Need> = words.split_whitespace().map(word).collect();
        let needs = words.try_into().expect("one word for each rung");
        (name, needs)
    })
}

fn word(text: &str) -> Need {
    match text {
        "yes" => Need::Yes,
        "no" => Need::No,
        "maybe" => Need::Maybe,
        _ => panic!("neither yes nor no nor maybe: {text}"),
    }
}
