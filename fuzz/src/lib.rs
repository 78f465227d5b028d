//! What every record must be, whatever went into it: the fuzz targets that end in a
//! record hold it against this.

#[path = "../../tests/support/findings.rs"]
pub mod findings;

use ldwatch::model::Record;
use ldwatch::output::ecs::Ecs;
use ldwatch::output::syslog::{CLASSIC_CAP, Facility, Form, Frame, LOCAL_CAP, Payload};
use ldwatch::output::text;
use ldwatch::output::words::sentence;
use serde_json::{Map, Value};

/// Must not stand in a line: it ends it, drives a terminal, or turns the text round.
pub fn drives(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Renders the record as JSON, for people, and as a syslog message.
///
/// # Panics
/// When a form breaks its promise.
pub fn check(record: &Record) {
    let event = json(record);
    let said = sentence(record);
    assert!(!said.chars().any(drives), "sentence: {said:?}");
    let mut page = String::new();
    text::render(record, false, &mut page);
    assert!(
        !page.chars().any(|c| c != '\n' && drives(c)),
        "page: {page:?}"
    );
    // One of the forms each time: all of them would make a run ten times as long.
    const PAYLOADS: [Payload; 3] = [Payload::Sentence, Payload::Compact, Payload::Ecs];
    let payload = PAYLOADS[said.len() % 3];
    let (frame, cap) = match said.len() / 3 % 2 {
        0 => (Frame::Rfc3164, LOCAL_CAP),
        _ => (Frame::Rfc5424, CLASSIC_CAP),
    };
    syslog(record, &event, payload, frame, cap);
}

/// The line of JSON, read back.
fn json(record: &Record) -> Map<String, Value> {
    let mut line = Vec::new();
    Ecs::new(&findings::host(), "ldwatch").render(record, findings::moment(1), &mut line);
    assert_eq!(line.pop(), Some(b'\n'));
    let text = str::from_utf8(&line).expect("UTF-8");
    assert!(!text.chars().any(drives), "line: {text:?}");
    serde_json::from_str(text).expect("one JSON object")
}

fn syslog(record: &Record, event: &Map<String, Value>, payload: Payload, frame: Frame, cap: usize) {
    let form = Form {
        facility: Facility::LOG_AUTHPRIV,
        frame,
        payload,
        cap,
        pid: 1,
    };
    let message = form.message(record, event);
    assert!(message.len() <= cap, "{} bytes", message.len());
    assert!(!message.chars().any(drives), "message: {message:?}");
    if cap == CLASSIC_CAP {
        let packet = String::from_utf8(form.packet(record, event)).expect("UTF-8");
        assert!(packet.ends_with(&message) && !packet.chars().any(drives));
    }
}
