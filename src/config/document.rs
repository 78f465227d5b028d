//! TOML text to a [`Config`]. Pure. Every unknown key, wrong type and bad value is
//! told with its key, line and column, not only the first: serde stops at its first
//! error, so each key is tried by itself and the good ones are read together.

use std::ops::Range;

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue, Deserializer};

use crate::config::{Config, File, Journal, Runtimes, Stdout, Syslog, fields, validate};
use crate::error::{Problem, nearest};

type Key<'t> = Spanned<DeString<'t>>;
type Value<'t> = Spanned<DeValue<'t>>;

/// Problems told of one file; the rest are counted.
const MOST: usize = 20;
/// Problems located; a file with more is no configuration, and is not worth the time.
const LOCATED: usize = 200;
/// Characters of a wrong key that are repeated.
const QUOTED: usize = 60;

/// The tables and the keys of each; `""` is the top level.
fn tables() -> [(&'static str, &'static [&'static str]); 6] {
    [
        ("", fields::of::<Config>()),
        ("stdout", fields::of::<Stdout>()),
        ("file", fields::of::<File>()),
        ("syslog", fields::of::<Syslog>()),
        ("journal", fields::of::<Journal>()),
        ("runtimes", fields::of::<Runtimes>()),
    ]
}

fn keys_of(table: &str) -> Option<&'static [&'static str]> {
    tables()
        .into_iter()
        .find(|(name, _)| *name == table)
        .map(|(_, keys)| keys)
}

/// Every key there is, as `key` or `table.key`.
#[must_use]
pub fn keys() -> Vec<String> {
    let mut all = Vec::new();
    for (table, keys) in tables() {
        for key in keys {
            match table {
                "" if keys_of(key).is_some() => {}
                "" => all.push((*key).to_owned()),
                table => all.push(format!("{table}.{key}")),
            }
        }
    }
    all
}

/// Configuration in the text of a file.
///
/// # Errors
/// All problems found, in the order of the file.
pub fn parse(text: &str) -> Result<Config, Vec<Problem>> {
    let table = DeTable::parse(text).map_err(|error| {
        let at = error.span().unwrap_or_default().start;
        let (place, at) = place(text, at);
        let text = format!("no TOML {at}: {}", error.message().replace('\n', ", "));
        vec![Problem {
            place: Some(place),
            text,
        }]
    })?;
    let mut reading = Reading {
        text,
        problems: Vec::new(),
        further: 0,
        places: Vec::new(),
    };
    let good = reading.top(table.into_inner());
    let config = match deserialize(good) {
        Ok(config) => config,
        Err(error) => {
            return Err(vec![Problem {
                place: None,
                text: error.message().to_owned(),
            }]);
        }
    };
    reading.faults(validate::values(&config));
    if reading.problems.is_empty() {
        reading.faults(validate::together(&config));
    }
    match reading.problems.is_empty() {
        true => Ok(config),
        false => Err(bounded(reading.problems, reading.further)),
    }
}

/// As [`parse`], of bytes that may be no text.
pub(super) fn parse_bytes(bytes: &[u8]) -> Result<Config, Vec<Problem>> {
    match str::from_utf8(bytes) {
        Ok(text) => parse(text),
        Err(error) => {
            let good = bytes.get(..error.valid_up_to()).unwrap_or_default();
            let text = String::from_utf8_lossy(good);
            let (place, at) = place(&text, text.len());
            Err(vec![Problem {
                place: Some(place),
                text: format!("no UTF-8 {at}"),
            }])
        }
    }
}

struct Reading<'t> {
    text: &'t str,
    problems: Vec<Problem>,
    /// Problems beyond [`LOCATED`].
    further: usize,
    /// Where each key stands that is good by itself.
    places: Vec<(String, usize)>,
}

impl<'t> Reading<'t> {
    /// What can be used of the top level.
    fn top(&mut self, table: DeTable<'t>) -> DeTable<'t> {
        let mut good = DeTable::new();
        for (key, value) in table {
            let name = key.get_ref().to_string();
            let Some(keys) = keys_of(&name).filter(|_| !name.is_empty()) else {
                self.entry(&mut good, "", key, value);
                continue;
            };
            let span = value.span();
            let DeValue::Table(inner) = value.into_inner() else {
                let text = format!(
                    "is a table: write [{name}] and its keys ({}) below",
                    keys.join(", ")
                );
                self.told(
                    key.span().start,
                    &format!("key `{name}`"),
                    &format!(": {text}"),
                );
                continue;
            };
            let mut kept = DeTable::new();
            for (inner_key, value) in inner {
                self.entry(&mut kept, &name, inner_key, value);
            }
            good.insert(key, Spanned::new(span, DeValue::Table(kept)));
        }
        good
    }

    /// Puts one key of a table into `good`, when it is known and its value has
    /// the right type.
    fn entry(&mut self, good: &mut DeTable<'t>, table: &str, key: Key<'t>, value: Value<'t>) {
        let name = key.get_ref().to_string();
        if !keys_of(table).is_some_and(|keys| keys.contains(&name.as_str())) {
            self.unknown(
                table,
                &name,
                key.span().start,
                matches!(value.get_ref(), DeValue::Table(_)),
            );
            return;
        }
        let path = dotted(table, &name);
        match deserialize(alone(table, key.clone(), value.clone())) {
            Ok(_) => {
                self.places.push((path, value.span().start));
                good.insert(key, value);
            }
            Err(error) => {
                let at = error.span().unwrap_or_else(|| value.span()).start;
                self.told(
                    at,
                    &format!("key `{path}`"),
                    &format!(": {}", error.message()),
                );
            }
        }
    }

    fn unknown(&mut self, table: &str, name: &str, at: usize, is_table: bool) {
        if self.problems.len() >= LOCATED {
            self.further += 1;
            return;
        }
        let quoted: String = name.chars().take(QUOTED).collect();
        let subject = match (table, is_table) {
            ("", true) => format!("unknown table `[{quoted}]`"),
            ("", false) => format!("unknown key `{quoted}`"),
            (table, _) => format!("unknown key `{quoted}` in [{table}]"),
        };
        let known = keys_of(table).unwrap_or_default();
        let elsewhere = tables().into_iter().find(|(_, keys)| keys.contains(&name));
        let remedy = match (nearest(name, known), elsewhere) {
            (Some(word), _) => format!("; did you mean `{word}`?"),
            (None, Some(("", _))) => "; it belongs to the top, before the first [table]".to_owned(),
            (None, Some((other, _))) => format!("; it belongs below [{other}]"),
            (None, None) => format!("; known here: {}", known.join(", ")),
        };
        self.told(at, &subject, &remedy);
    }

    fn faults(&mut self, faults: Vec<validate::Fault>) {
        for validate::Fault { key, text } in faults {
            let subject = format!("key `{key}`");
            match self.places.iter().find(|(path, _)| path == key) {
                Some((_, at)) => self.told(*at, &subject, &format!(": {text}")),
                None => self.problems.push(Problem {
                    place: None,
                    text: format!("{subject}: {text}"),
                }),
            }
        }
    }

    fn told(&mut self, at: usize, subject: &str, rest: &str) {
        let (place, at) = place(self.text, at);
        self.problems.push(Problem {
            place: Some(place),
            text: format!("{subject} {at}{rest}"),
        });
    }
}

/// A document that holds this one key.
fn alone<'t>(table: &str, key: Key<'t>, value: Value<'t>) -> DeTable<'t> {
    let mut inner = DeTable::new();
    inner.insert(key, value);
    if table.is_empty() {
        return inner;
    }
    let mut outer = DeTable::new();
    let name = Spanned::new(Range::default(), DeString::Owned(table.to_owned()));
    outer.insert(name, Spanned::new(Range::default(), DeValue::Table(inner)));
    outer
}

fn deserialize(table: DeTable<'_>) -> Result<Config, toml::de::Error> {
    Config::deserialize(Deserializer::from(Spanned::new(Range::default(), table)))
}

fn dotted(table: &str, key: &str) -> String {
    match table {
        "" => key.to_owned(),
        table => format!("{table}.{key}"),
    }
}

/// Line and column of a byte, from 1, as numbers and as words.
fn place(text: &str, at: usize) -> ((usize, usize), String) {
    let before = text
        .as_bytes()
        .get(..at.min(text.len()))
        .unwrap_or_default();
    let line = before.split(|b| *b == b'\n').count();
    let last = before.rsplit(|b| *b == b'\n').next().unwrap_or_default();
    let column = String::from_utf8_lossy(last).chars().count() + 1;
    ((line, column), format!("at line {line}, column {column}"))
}

fn bounded(mut problems: Vec<Problem>, further: usize) -> Vec<Problem> {
    problems.sort_by_key(|problem| problem.place.unwrap_or((usize::MAX, 0)));
    let more = problems.len().saturating_sub(MOST) + further;
    problems.truncate(MOST);
    if more > 0 {
        problems.push(Problem {
            place: None,
            text: format!("and {more} more"),
        });
    }
    problems
}
