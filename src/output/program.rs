//! Words for a writer's executable, as the record about it tells them.

use crate::model::Program;
use crate::output::escape::{escape, hex};

/// Longest reason shown, in bytes.
const REASON_CAP: usize = 160;

/// What is known of a program, each in a few words.
#[must_use]
pub fn program_facts(program: &Program) -> Vec<String> {
    let layer = program.layer.map(|layer| match layer {
        "image" => "came with the image".to_owned(),
        "writable" => "lies in the writable layer".to_owned(),
        "memfd" => "has never been a file".to_owned(),
        "host" => "is a file of the host".to_owned(),
        other => format!("lies on a {other}"),
    });
    let sha256 = program.sha256.as_ref().map(|sha256| {
        let found = match program.found {
            "path" => " (of the file that has its name now)",
            _ => "",
        };
        format!("has sha256 {}{found}", hex(sha256))
    });
    let deleted = program.deleted == Some(true) && program.layer != Some("memfd");
    let unread = program.unread.as_deref();
    let unread =
        unread.map(|why| format!("was not read: {}", escape(why.as_bytes(), REASON_CAP).shown));
    let facts = [
        layer,
        deleted.then(|| "is deleted".to_owned()),
        sha256,
        unread,
    ];
    facts.into_iter().flatten().collect()
}
