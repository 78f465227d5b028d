//! What was said of the storm's containers, held against what they did.

use std::collections::HashMap;
use std::fmt;

use crate::life::{IMAGE, Life, Maker, Was};
use crate::support::record::{field, is_about_the_file, is_alert, text};
use crate::support::scratch::tag;
use crate::support::watcher::Seen;

/// The figures of one row.
#[derive(Debug, Default, Clone, Copy)]
pub struct Row {
    started: usize,
    in_time: usize,
    later: usize,
    unnamed: usize,
}

/// All that was said.
#[derive(Default)]
pub struct Tally {
    /// By nonce: the containers.
    all: HashMap<String, Was>,
    /// By nonce: the first alert's detection, and whether it named the container.
    told: HashMap<String, (bool, bool)>,
    /// What was told of another container than it happened in, or with another's name.
    pub wrong: Vec<String>,
    /// Alerts beyond the first of a container.
    pub more: Vec<String>,
}

impl Tally {
    pub fn of(all: Vec<Was>) -> Self {
        let all = all.into_iter().map(|was| (was.nonce.clone(), was));
        Self {
            all: all.collect(),
            ..Self::default()
        }
    }

    /// Takes a line of the watcher in.
    pub fn take(&mut self, seen: &Seen) {
        let ours = self.all.values().find(|was| seen.raw.contains(&was.id));
        let nonces = nonces(&seen.raw);
        if !is_about_the_file(&seen.value) || (ours.is_none() && nonces.is_empty()) {
            return;
        }
        let right = nonces.iter().all(|nonce| self.fits(nonce, seen));
        if !right || nonces.len() > 1 {
            let was: Vec<_> = nonces.iter().map(|nonce| self.all.get(nonce)).collect();
            let said = field(&seen.value, "container");
            return self.wrong.push(format!("{was:?}: {said:?}: {}", seen.raw));
        }
        let by_id = ours.map(|was| was.nonce.clone());
        let Some(nonce) = nonces.into_iter().next().or(by_id) else {
            return;
        };
        let event = text(&seen.value, "ldwatch.detection") == "event";
        let named = !text(&seen.value, "container.id").is_empty();
        if !is_alert(&seen.value) || self.told.contains_key(&nonce) {
            return self.more.push(seen.raw.clone());
        }
        self.told.insert(nonce, (event, named));
    }

    /// The record names the container in which this was written, or none.
    fn fits(&self, nonce: &str, seen: &Seen) -> bool {
        let Some(was) = self.all.get(nonce) else {
            return false;
        };
        let said = |field: &str| text(&seen.value, field);
        let id = said("container.id");
        let docker = was.maker == Maker::Docker && !id.is_empty();
        let names = (said("container.name"), said("container.image.name"));
        (id.is_empty() || id == was.id) && (!docker || names == (nonce, IMAGE))
    }

    /// Those that were not told, or not by name, of the ones that lived so long.
    pub fn missed(&self, life: Life) -> Vec<&Was> {
        let all = self.all.values().filter(|was| was.life == life);
        all.filter(|was| !self.told.get(&was.nonce).is_some_and(|(_, named)| *named))
            .collect()
    }

    fn row(&self, maker: Maker, life: Life) -> Row {
        let mut row = Row::default();
        let all = self.all.values();
        for was in all.filter(|was| (was.maker, was.life) == (maker, life)) {
            row.started += 1;
            let told = self.told.get(&was.nonce);
            row.in_time += usize::from(told.is_some_and(|(event, _)| *event));
            row.later += usize::from(told.is_some_and(|(event, _)| !event));
            row.unnamed += usize::from(told.is_some_and(|(_, named)| !named));
        }
        row
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "maker  life   started  in time  first look  missed  (unnamed)"
        )?;
        for maker in [Maker::Docker, Maker::Hand] {
            for life in [Life::Ends, Life::Moment, Life::Stays] {
                let row = self.row(maker, life);
                let missed = row.started - row.in_time - row.later;
                let names = (format!("{maker:?}"), format!("{life:?}"));
                let (started, in_time, later) = (row.started, row.in_time, row.later);
                write!(f, "{:6} {:6} {started:>7} {in_time:>8}", names.0, names.1)?;
                writeln!(f, " {later:>11} {missed:>7} {:>10}", row.unnamed)?;
            }
        }
        write!(
            f,
            "wrong: {}; beyond the first alert: {}",
            self.wrong.len(),
            self.more.len()
        )
    }
}

/// The words in a record that name what was written, each once.
fn nonces(raw: &str) -> Vec<String> {
    let mark = format!("{}n", tag());
    let digits = |rest: &str| {
        rest.chars()
            .take_while(char::is_ascii_digit)
            .collect::<String>()
    };
    let mut found: Vec<String> = raw
        .split(&mark)
        .skip(1)
        .map(|rest| format!("{mark}{}", digits(rest)))
        .collect();
    found.sort();
    found.dedup();
    found
}
