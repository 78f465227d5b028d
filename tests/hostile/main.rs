//! What only an attacker makes: odd files, links, names, contents and processes. Each is
//! told as it is or as not seen; nothing outside the container's root is marked, opened
//! or quoted, and no byte of theirs breaks out of a record.

#![allow(clippy::unwrap_used, clippy::expect_used)]
#![allow(clippy::indexing_slicing, clippy::print_stderr)]

mod hostside;
mod rows;
mod secret;

#[path = "../support/mod.rs"]
mod support;

use std::time::Duration;

use rows::{ROWS, Row};
use secret::Secret;
use support::overlay::{Image, Overlay, Wish};
use support::program::{Outcome, act};
use support::record::{self, is_alert, text};
use support::scratch::nonce;
use support::watcher::{Seen, Watcher};
use support::{PRELOAD, gate, load};

/// How long a record is waited for, on a machine that others use.
const PATIENCE: Duration = Duration::from_secs(15);
/// Most memory at the end, in KiB.
const MEMORY: u64 = 64 * 1024;

/// A row's container, and what its acts are filled with.
struct Stage<'a> {
    row: &'a Row,
    container: Overlay,
    own: String,
    secret: &'a Secret,
}

impl Stage<'_> {
    fn fill(&self, word: &str) -> String {
        word.replace("{file}", PRELOAD)
            .replace("{secret}", self.secret.path())
            .replace("{cwd}", env!("CARGO_MANIFEST_DIR"))
            .replace("{own}", &self.own)
    }

    /// Does the acts; why not all of them are possible here.
    fn play(&self) -> Option<String> {
        for words in self.row.acts {
            let words: Vec<String> = words.iter().map(|word| self.fill(word)).collect();
            let outcome = act(self.container.command("/bin/attack").args(&words));
            if let Outcome::NotPossible(why) = outcome {
                return Some(why);
            }
        }
        None
    }

    fn is_mine(&self, seen: &Seen) -> bool {
        let id = &self.container.id;
        text(&seen.value, "container.id") == id || seen.raw.contains(&format!("/{id}/"))
    }

    /// A record that says all that the row wants.
    fn fits(&self, seen: &Seen) -> bool {
        let wanted = self.row.told.iter().map(|word| self.fill(word));
        let mut wanted = wanted.into_iter();
        let whole = seen.value.to_string();
        self.is_mine(seen) && wanted.all(|word| whole.contains(&word))
    }

    fn judge(&self, watcher: &Watcher) -> Result<(), String> {
        if watcher
            .claim_within(PATIENCE, |seen| self.fits(seen))
            .is_some()
        {
            return Ok(());
        }
        let mut all = Vec::new();
        while let Some(seen) = watcher.claim_within(Duration::ZERO, |seen| self.is_mine(seen)) {
            all.push(seen.raw.chars().take(3000).collect::<String>());
        }
        Err(format!(
            "no record with {:?}; there are:\n  {}",
            self.row.told,
            all.join("\n  ")
        ))
    }
}

fn stage<'a>(
    row: &'a Row,
    image: &Image,
    bare: &Image,
    secret: &'a Secret,
) -> Result<Stage<'a>, String> {
    let own_etc = Wish {
        upper: &["etc"],
        ..Wish::default()
    };
    Ok(Stage {
        row,
        container: if row.own_etc {
            bare.start_as(&own_etc)?
        } else {
            image.start()?
        },
        own: nonce(),
        secret,
    })
}

#[test]
#[ignore = "needs root: overlay mounts, cgroups and fanotify"]
fn what_only_an_attacker_makes_is_told_and_leads_nowhere() {
    let Some(_turn) = gate::enter(&[]) else {
        return;
    };
    let (image, bare) = (
        Image::new(),
        Image::with(&["bin", "tmp", "proc", "opt/etc"]),
    );
    let secret = Secret::new();
    let only = std::env::var("LDWATCH_ROW").ok();
    let wanted = |row: &&Row| only.as_ref().is_none_or(|name| name == row.name);
    let rows = ROWS.iter().filter(wanted);
    let made: Result<Vec<_>, String> = rows.map(|row| stage(row, &image, &bare, &secret)).collect();
    let Some(stages) = gate::have(made) else {
        return;
    };
    let Some(other) = gate::have(image.start()) else {
        return;
    };
    let watcher = Watcher::start("sweep = \"2s\"\n");
    let mut failures = Vec::new();
    eprintln!();
    for stage in &stages {
        let name = stage.row.name;
        match stage.play().map_or_else(|| stage.judge(&watcher), Err) {
            Ok(()) => eprintln!("hostile {name}: told"),
            Err(wrong) => failures.push(format!("{name}: {wrong}")),
        }
    }
    failures.extend(afterwards(&watcher, &other, &secret));
    watcher.stop_anyway();
    assert!(
        failures.is_empty(),
        "{} failed:\n{}",
        failures.len(),
        failures.join("\n")
    );
}

/// What must hold when all is done.
fn afterwards(watcher: &Watcher, other: &Overlay, secret: &Secret) -> Vec<String> {
    let mut failures = Vec::new();
    let own = nonce();
    other.attack(&["create", PRELOAD, &own]);
    let told = |seen: &Seen| is_alert(&seen.value) && record::carries(&seen.value, &own);
    if watcher.claim_within(PATIENCE, told).is_none() {
        failures.push("an honest container's alert does not come afterwards".to_owned());
    }
    failures.extend(secret.betrayed(watcher));
    let drives =
        |c: char| c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if watcher.count(|seen| seen.raw.chars().any(drives)) > 0 {
        failures.push("a record holds a control character".to_owned());
    }
    let memory = load::memory(watcher.pid(), "VmRSS");
    if memory > MEMORY {
        failures.push(format!("{memory} KiB of memory"));
    }
    failures
}
