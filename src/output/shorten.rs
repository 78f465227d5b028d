//! An ECS record made to fit: whole fields go, the least telling first, so that what
//! is left is valid JSON with every field true. Pure.

use serde_json::{Map, Value};

use crate::output::escape::clip;

/// Goes first: bulk that the record is understood without.
const BULK: &[&str] = &[
    "ldwatch.raw",
    "ldwatch.previous.content_base64",
    "ldwatch.previous.content",
    "ldwatch.previous.entries",
    "container.labels",
    "orchestrator.resource.label",
    "process.thread",
    "ldwatch.writer.ancestors",
    "ldwatch.writer.hint_ancestors",
    "rule.description",
    "threat",
    "host.os",
    "labels",
    "ldwatch.content_base64",
    "process.command_line",
    "ldwatch.content",
];
/// Goes when clipping long texts was not enough; the last one is the last to go.
const REST: &[&str] = &[
    "agent",
    "ldwatch.coverage.gaps",
    "ldwatch.previous",
    "related",
    "process.entry_leader",
    "process.parent",
    "ldwatch.removed",
    "ldwatch.added",
    "rule",
    "ldwatch.container",
    "ldwatch.file",
    "process.working_directory",
    "process.real_user",
    "process.group",
    "process.user",
    "message",
    "host",
    "orchestrator",
    "tags",
    "log",
    "ecs",
    "group",
    "process.args",
    "ldwatch.rootfs",
    "event.hash",
    "event.reason",
    "event.created",
    "container.image.hash",
    "ldwatch.entries",
    "ldwatch.writer",
    "file",
    "user",
    "container.image",
    "process",
    "ldwatch",
    "container",
    "@timestamp",
];
/// Longest text and longest array once clipping starts.
const CLIP: usize = 256;
/// See [`CLIP`].
const ITEMS: usize = 16;

/// Taken from a record for the compact form, in dotted names.
const COMPACT: &[&str] = &[
    "@timestamp",
    "event.id",
    "event.kind",
    "event.type",
    "event.action",
    "event.severity",
    "event.sequence",
    "event.reason",
    "event.code",
    "container.id",
    "container.name",
    "container.runtime",
    "container.image.name",
    "orchestrator.namespace",
    "orchestrator.resource.name",
    "file.path",
    "file.hash.sha256",
    "process.pid",
    "process.executable",
    "process.args",
    "user.id",
    "ldwatch.detection",
    "ldwatch.entries",
    "ldwatch.writer.origin",
    "ldwatch.writer.confirmed",
    "ldwatch.writer.hint.executable",
    "ldwatch.gap",
    "ldwatch.heartbeat",
];

/// The fields of `event` that a person or a simple rule needs.
#[must_use]
pub fn compact(event: &Map<String, Value>) -> Map<String, Value> {
    let mut out = Map::new();
    for name in COMPACT {
        if let Some(value) = find(event, name) {
            put(&mut out, name, value.clone());
        }
    }
    out
}

/// `event` as JSON of at most `room` bytes; `None` when not even its id fits.
///
/// A record that lost something says so with `ldwatch.shortened`, unless that, too,
/// had to go.
#[must_use]
pub fn fit(event: &Map<String, Value>, room: usize) -> Option<String> {
    let whole = json(event);
    if whole.len() <= room {
        return Some(whole);
    }
    let mut event = event.clone();
    put(&mut event, "ldwatch.shortened", Value::Bool(true));
    if let Some(text) = dropping(&mut event, BULK, room) {
        return Some(text);
    }
    event.values_mut().for_each(clip_texts);
    dropping(&mut event, REST, room).or_else(|| smallest(&event, room))
}

fn dropping(event: &mut Map<String, Value>, names: &[&str], room: usize) -> Option<String> {
    let mut length = json(event).len();
    for name in names {
        if length <= room {
            break;
        }
        if remove(event, name) {
            length = json(event).len();
        }
    }
    (length <= room).then(|| json(event))
}

fn smallest(event: &Map<String, Value>, room: usize) -> Option<String> {
    let mut least = Map::new();
    for name in ["event.id", "event.kind", "event.action"] {
        if let Some(value) = find(event, name) {
            put(&mut least, name, value.clone());
        }
    }
    let text = json(&least);
    (text.len() <= room).then_some(text)
}

fn json(event: &Map<String, Value>) -> String {
    // A map with string keys always has a text.
    serde_json::to_string(event).unwrap_or_default()
}

fn find<'a>(event: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    match name.split_once('.') {
        Some((head, rest)) => find(event.get(head)?.as_object()?, rest),
        None => event.get(name),
    }
}

fn put(event: &mut Map<String, Value>, name: &str, value: Value) {
    let Some((head, rest)) = name.split_once('.') else {
        event.insert(name.to_owned(), value);
        return;
    };
    let child = event
        .entry(head)
        .or_insert_with(|| Value::Object(Map::new()));
    if let Value::Object(child) = child {
        put(child, rest, value);
    }
}

/// Removes the field, and objects that are empty without it.
fn remove(event: &mut Map<String, Value>, name: &str) -> bool {
    let Some((head, rest)) = name.split_once('.') else {
        return event.remove(name).is_some();
    };
    let Some(Value::Object(child)) = event.get_mut(head) else {
        return false;
    };
    let removed = remove(child, rest);
    if child.is_empty() {
        event.remove(head);
    }
    removed
}

fn clip_texts(value: &mut Value) {
    match value {
        Value::String(text) if text.len() > CLIP => *text = clip(text, CLIP).into_owned(),
        Value::Array(items) => {
            items.truncate(ITEMS);
            items.iter_mut().for_each(clip_texts);
        }
        Value::Object(object) => object.values_mut().for_each(clip_texts),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use super::*;
    use serde_json::json;

    fn event() -> Map<String, Value> {
        let value = json!({
            "@timestamp": "2025-11-24T16:00:00.000000Z",
            "event": {"id": "0-1", "kind": "alert", "action": "creation"},
            "container": {"id": "c".repeat(64), "labels": {"a": "b".repeat(500)}},
            "process": {"pid": 7, "executable": format!("/{}", "ä".repeat(2000))},
            "ldwatch": {"raw": {"process.executable": "AAAA".repeat(900)}, "detection": "event"},
        });
        value.as_object().unwrap().clone()
    }

    #[test]
    fn what_fits_is_left_alone() {
        let event = event();
        assert_eq!(fit(&event, 100_000).unwrap(), json(&event));
    }

    #[test]
    fn bulk_goes_before_facts_and_the_loss_is_told() {
        let text = fit(&event(), 5000).unwrap();
        let left: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(left["ldwatch"]["shortened"], true);
        assert!(left["ldwatch"].get("raw").is_none());
        assert_eq!(
            left["process"]["executable"],
            event()["process"]["executable"]
        );
    }

    #[test]
    fn every_room_gives_valid_json_within_it_or_nothing() {
        for room in (0..300).chain((300..6000).step_by(97)) {
            match fit(&event(), room) {
                Some(text) => {
                    assert!(text.len() <= room);
                    let left: Value = serde_json::from_str(&text).unwrap();
                    assert_eq!(left["event"]["id"], "0-1");
                }
                None => assert!(room < 80, "nothing fits into {room}"),
            }
        }
    }

    #[test]
    fn the_compact_form_takes_known_fields_only() {
        let compact = compact(&event());
        assert!(compact["container"].get("labels").is_none());
        assert_eq!(compact["event"]["action"], "creation");
    }
}
