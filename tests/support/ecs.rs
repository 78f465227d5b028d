//! Checks JSON lines against the field list of the Elastic Common Schema: every name
//! is a field of the schema or lies below `ldwatch`, with a fitting JSON type.
//!
//! For rendered records in tests, and for the output of a real run.

#![allow(dead_code, reason = "each test crate uses its part")]

use std::collections::HashMap;

use serde_json::{Map, Value};

/// The field list (elastic/ecs, Apache-2.0, notices beside it).
const FIELDS: &str = include_str!("../fixtures/ecs-fields-v8.17.0.csv");
/// The one top-level object that is not of the schema.
const OWN: &str = "ldwatch";

const KINDS: &[&str] = &[
    "alert",
    "asset",
    "enrichment",
    "event",
    "metric",
    "state",
    "pipeline_error",
    "signal",
];
const OUTCOMES: &[&str] = &["failure", "success", "unknown"];
/// Categories in use, each with the types the schema expects of it.
const EXPECTED: &[(&str, &[&str])] = &[
    (
        "file",
        &["access", "change", "creation", "deletion", "info"],
    ),
    ("intrusion_detection", &["allowed", "denied", "info"]),
    (
        "configuration",
        &["access", "change", "creation", "deletion", "info"],
    ),
    ("host", &["access", "change", "end", "info", "start"]),
];
const REQUIRED: &[&str] = &[
    "@timestamp",
    "ecs.version",
    "message",
    "event.kind",
    "event.category",
    "event.type",
    "event.id",
];

struct Field<'a> {
    kind: &'a str,
    array: bool,
}

/// The schema's fields by name.
pub struct Schema(HashMap<&'static str, Field<'static>>);

impl Schema {
    pub fn load() -> Self {
        // Columns: version, indexed, set, field, type, level, normalization, and two that
        // may hold commas.
        let field = |line: &'static str| {
            let mut columns = line.split(',').skip(3);
            let (name, kind) = (columns.next()?, columns.next()?);
            Some((
                name,
                Field {
                    kind,
                    array: columns.nth(1)? == "array",
                },
            ))
        };
        Self(FIELDS.lines().skip(1).filter_map(field).collect())
    }

    /// What is wrong with one line of output; nothing when it is fine.
    pub fn problems(&self, line: &str) -> Vec<String> {
        let mut problems = Vec::new();
        if line.chars().any(char::is_control) {
            problems.push("a control character, or more than one line".to_owned());
        }
        match serde_json::from_str(line) {
            Ok(Value::Object(root)) => {
                self.object("", &root, &mut problems);
                self.values(&root, &mut problems);
            }
            Ok(_) => problems.push("not an object".to_owned()),
            Err(error) => problems.push(format!("not JSON: {error}")),
        }
        problems
    }

    fn object(&self, at: &str, object: &Map<String, Value>, problems: &mut Vec<String>) {
        for (key, value) in object {
            let name = if at.is_empty() {
                key.clone()
            } else {
                format!("{at}.{key}")
            };
            if name == OWN {
                printable(&name, value, problems);
                continue;
            }
            match (self.0.get(name.as_str()), value) {
                (Some(field), value) => self.field(&name, field, value, problems),
                (None, Value::Object(child)) => self.object(&name, child, problems),
                (None, _) => problems.push(format!("{name}: not a field of the schema")),
            }
        }
    }

    fn field(&self, name: &str, field: &Field, value: &Value, problems: &mut Vec<String>) {
        printable(name, value, problems);
        if matches!(field.kind, "object" | "flattened") {
            let Value::Object(child) = value else {
                return problems.push(format!("{name}: not an object"));
            };
            let scalar =
                |value: &Value| value.is_string() || value.is_boolean() || value.is_number();
            if child.keys().any(|key| key.contains('.')) || !child.values().all(scalar) {
                problems.push(format!("{name}: not flat"));
            }
            return;
        }
        match (field.array, value) {
            (true, Value::Array(items)) if items.is_empty() => {
                problems.push(format!("{name}: empty array"))
            }
            (true, Value::Array(items)) => {
                if !items.iter().all(|item| fits(field.kind, item)) {
                    problems.push(format!("{name}: an item is no {}", field.kind));
                }
            }
            (true, _) => problems.push(format!("{name}: not an array")),
            (false, value) if !fits(field.kind, value) => {
                problems.push(format!("{name}: {value} is no {}", field.kind))
            }
            (false, _) => {}
        }
    }

    fn values(&self, root: &Map<String, Value>, problems: &mut Vec<String>) {
        let root = Value::Object(root.clone());
        for name in REQUIRED {
            if find(&root, name).is_none() {
                problems.push(format!("{name}: absent"));
            }
        }
        let word = |name: &str| find(&root, name).and_then(Value::as_str);
        if !word("event.kind").is_some_and(|kind| KINDS.contains(&kind)) {
            problems.push("event.kind: not an allowed value".to_owned());
        }
        if !word("event.outcome").is_none_or(|outcome| OUTCOMES.contains(&outcome)) {
            problems.push("event.outcome: not an allowed value".to_owned());
        }
        let categories = words(&root, "event.category");
        for kind in words(&root, "event.type") {
            let expects = |category: &&str| {
                EXPECTED
                    .iter()
                    .any(|(name, kinds)| name == category && kinds.contains(&kind))
            };
            if !categories.iter().any(expects) {
                problems.push(format!(
                    "event.type: {kind} is not expected of {categories:?}"
                ));
            }
        }
        for category in categories {
            if !EXPECTED.iter().any(|(name, _)| *name == category) {
                problems.push(format!("event.category: {category} is not in use"));
            }
        }
    }
}

/// The value at a dotted name.
pub fn find<'a>(root: &'a Value, name: &str) -> Option<&'a Value> {
    name.split('.').try_fold(root, |value, key| value.get(key))
}

fn words<'a>(root: &'a Value, name: &str) -> Vec<&'a str> {
    let items = find(root, name).and_then(Value::as_array);
    items
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}

fn fits(kind: &str, value: &Value) -> bool {
    match kind {
        "keyword" | "constant_keyword" | "wildcard" | "match_only_text" => value.is_string(),
        "ip" => value
            .as_str()
            .is_some_and(|text| text.parse::<std::net::IpAddr>().is_ok()),
        "long" => value.is_i64(),
        "float" | "scaled_float" => value.is_number(),
        "boolean" => value.is_boolean(),
        "date" => value
            .as_str()
            .is_some_and(|text| text.len() == 27 && humantime::parse_rfc3339(text).is_ok()),
        _ => false,
    }
}

/// No text, and no name of a field, has a control or a bidirectional override in it.
fn printable(name: &str, value: &Value, problems: &mut Vec<String>) {
    let bad =
        |c: char| c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    match value {
        Value::String(text) if text.chars().any(bad) => {
            problems.push(format!("{name}: not printable"))
        }
        Value::Array(items) => items
            .iter()
            .for_each(|item| printable(name, item, problems)),
        Value::Object(object) => {
            for (key, item) in object {
                if key.chars().any(bad) {
                    problems.push(format!("{name}: a key is not printable"));
                }
                printable(&format!("{name}.{key}"), item, problems);
            }
        }
        _ => {}
    }
}
