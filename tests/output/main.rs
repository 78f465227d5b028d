//! The output from outside: records in, bytes out.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

#[path = "../support/findings.rs"]
mod findings;
#[path = "../support/ecs.rs"]
mod schema;

mod fan;
mod fields;
mod golden;
mod hostile;
mod packets;
mod sockets;
mod streams;

use ldwatch::model::Record;
use ldwatch::output::ecs::Ecs;
use serde_json::Value;

/// The record's line, without its newline.
fn line(record: &Record) -> String {
    let mut bytes = Vec::new();
    Ecs::new(&findings::host(), "ldwatch").render(record, findings::moment(1), &mut bytes);
    assert_eq!(bytes.pop(), Some(b'\n'));
    String::from_utf8(bytes).unwrap()
}

/// The record's line, read back.
fn value(record: &Record) -> Value {
    serde_json::from_str(&line(record)).unwrap()
}
