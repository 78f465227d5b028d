//! `ldwatch selftest`: attack a throw-away container, and see.

use std::ffi::OsString;
use std::io;
use std::path::Path;

use serde_json::json;

use crate::cli::outlet::{load, options};
use crate::cli::run::refused;
use crate::cli::{args, say};
use crate::error::Error;
use crate::selftest::run::{Outcome, Row, attack, run as attacks};

/// Runs the attacks and prints a line for each.
///
/// # Errors
/// `Error::Finding` when one was missed; what keeps it from running otherwise.
pub fn run(typed: &args::Options) -> Result<(), Error> {
    let config = load(typed)?;
    let rows = attacks(options(&config)).map_err(refused)?;
    let mut text = String::new();
    for row in &rows {
        text.push_str(&if typed.json {
            as_json(row)
        } else {
            as_text(row)
        });
    }
    let missed = rows
        .iter()
        .filter(|row| matches!(row.outcome, Outcome::Missed(_)))
        .count();
    let caught = rows
        .iter()
        .filter(|row| matches!(row.outcome, Outcome::Caught { .. }))
        .count();
    if !typed.json {
        text.push_str(&format!(
            "\n{caught} of {} attacks caught, {missed} missed\n",
            rows.len()
        ));
    }
    say(&text)?;
    if missed == 0 && caught > 0 {
        return Ok(());
    }
    let told = if caught == 0 {
        "no attack was caught".to_owned()
    } else {
        format!("{missed} attacks were missed")
    };
    Err(Error::Finding {
        verb: "selftest",
        text: told,
    })
}

fn as_text(row: &Row) -> String {
    match &row.outcome {
        Outcome::Caught { after, named } => {
            let writer = if *named {
                "writer named"
            } else {
                "writer gone"
            };
            format!(
                "caught        {:<22} {:>7.1} ms  {writer}\n",
                row.name,
                after.as_secs_f64() * 1e3
            )
        }
        Outcome::Missed(told) => format!("MISSED        {:<22} told instead: {told}\n", row.name),
        Outcome::NotPossible(why) => format!("not possible  {:<22} {why}\n", row.name),
    }
}

fn as_json(row: &Row) -> String {
    let (outcome, micros, detail) = match &row.outcome {
        Outcome::Caught { after, .. } => ("caught", Some(after.as_micros()), None),
        Outcome::Missed(told) => ("missed", None, Some(told)),
        Outcome::NotPossible(why) => ("not-possible", None, Some(why)),
    };
    let micros = micros.and_then(|micros| u64::try_from(micros).ok());
    format!(
        "{}\n",
        json!({"attack": row.name, "outcome": outcome, "micros": micros, "detail": detail})
    )
}

/// The attacking half of the self-test, in a process of its own.
///
/// # Errors
/// The errno of whatever did not work.
pub fn attacker(words: &[OsString]) -> Result<(), Error> {
    let word = |index: usize| {
        words
            .get(index)
            .and_then(|word| word.to_str())
            .unwrap_or_default()
    };
    let index = word(0).parse().unwrap_or(usize::MAX);
    let merged = words.get(3).map_or(Path::new("/nonexistent"), Path::new);
    let cgroups: Vec<&Path> = words.iter().skip(4).map(Path::new).collect();
    attack(index, word(1), word(2), merged, &cgroups).map_err(failed)
}

fn failed(source: io::Error) -> Error {
    Error::Failed {
        act: "attack",
        on: "the throw-away container".to_owned(),
        source,
        advice: "this is a part of `ldwatch selftest`",
    }
}
