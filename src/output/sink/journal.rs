//! The systemd journal, over its native socket: fields instead of one text, so that
//! `journalctl CONTAINER_NAME=web` finds the alerts of one container
//! (systemd.journal-fields(7)).

use std::io;
use std::path::Path;

use serde_json::{Map, Value};

use crate::model::{Container, Record};
use crate::output::ecs;
use crate::output::escape::escape;
use crate::output::shorten::fit;
use crate::output::syslog::IDENTIFIER;
use crate::output::words::{container_name, image, level, sentence, short_id};

use super::syslog::Line;
use super::{Message, Sink, SinkError};

/// Where the journal listens.
pub const DEFAULT_PATH: &str = "/run/systemd/journal/socket";
/// `MESSAGE_ID` of findings.
const FINDING_ID: &str = "2c9ee44990094fd7930afa5d8aedadc8";
/// `MESSAGE_ID` of gaps.
const GAP_ID: &str = "f77553e8d76b4740a1325c2fe95114b2";
/// `MESSAGE_ID` of enrichments.
const ENRICHMENT_ID: &str = "5d1f0b6e2f7c4c5f9a64b3c8e07d21aa";
/// `MESSAGE_ID` of heartbeats.
const HEARTBEAT_ID: &str = "5d0c8e1f6b5a4c0f9a3be7c1b5f0d4e2";
/// LOG_AUTHPRIV.
const FACILITY: &str = "10";
/// Longest ECS record carried, in bytes: below the default send buffer of a socket.
const RECORD_CAP: usize = 65_536;
/// Longest name carried, in bytes.
const NAME_CAP: usize = 1024;

/// Records as journal entries.
#[derive(Debug)]
pub struct Journal {
    line: Line,
    packet: Vec<u8>,
}

impl Journal {
    /// To the socket at `path`. Nothing is opened before the first record.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        Self {
            line: Line::new(path),
            packet: Vec::new(),
        }
    }
}

impl Sink for Journal {
    fn name(&self) -> &str {
        "journal"
    }

    fn write(&mut self, message: &Message<'_>) -> Result<(), SinkError> {
        self.packet.clear();
        entry(message.record, &ecs::parse(message.line), &mut self.packet);
        self.line.send(&self.packet)
    }

    fn reopen(&mut self) -> io::Result<()> {
        self.line.open().map(drop)
    }
}

fn entry(record: &Record, event: &Map<String, Value>, packet: &mut Vec<u8>) {
    let mut field = |name: &str, value: &str| put(packet, name, value);
    field("MESSAGE", &sentence(record));
    field("PRIORITY", &level(record).code().to_string());
    field("SYSLOG_IDENTIFIER", IDENTIFIER);
    field("SYSLOG_FACILITY", FACILITY);
    let known = match record {
        Record::Finding(finding) => {
            field("MESSAGE_ID", FINDING_ID);
            field("LDP_RULE", "LDP-001");
            field("LDP_ACTION", finding.change.action.name());
            // The journal adds what it can still read about that process.
            if let Some(pid) = finding.writer.as_ref().and_then(|writer| writer.pid) {
                field("OBJECT_PID", &pid.to_string());
            }
            Some(&finding.container)
        }
        Record::Gap(gap) => {
            field("MESSAGE_ID", GAP_ID);
            field("LDP_ACTION", "gap");
            gap.container.as_ref()
        }
        Record::Enrichment(more) => {
            field("MESSAGE_ID", ENRICHMENT_ID);
            field("LDP_ACTION", "enrichment");
            Some(&more.alert.container)
        }
        Record::Heartbeat(_) => {
            field("MESSAGE_ID", HEARTBEAT_ID);
            field("LDP_ACTION", "heartbeat");
            None
        }
    };
    if let Some(known) = known {
        container(known, packet);
    }
    if let Some(json) = fit(event, RECORD_CAP) {
        put(packet, "LDP_ECS", &json);
    }
}

/// Under the names that docker's journal driver uses.
fn container(container: &Container, packet: &mut Vec<u8>) {
    let image = image(container);
    let fields = [
        ("CONTAINER_ID", container.id.as_deref().map(short_id)),
        ("CONTAINER_ID_FULL", container.id.as_deref()),
        ("CONTAINER_NAME", container_name(container)),
        ("IMAGE_NAME", image.as_deref()),
    ];
    for (name, value) in fields {
        if let Some(value) = value {
            put(packet, name, &escape(value.as_bytes(), NAME_CAP).shown);
        }
    }
}

/// One field. A value with a newline has its length before it instead of `=`.
fn put(packet: &mut Vec<u8>, name: &str, value: &str) {
    packet.extend_from_slice(name.as_bytes());
    if value.contains('\n') {
        packet.push(b'\n');
        packet.extend_from_slice(&(value.len() as u64).to_le_bytes());
    } else {
        packet.push(b'=');
    }
    packet.extend_from_slice(value.as_bytes());
    packet.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_a_line_and_a_newline_makes_it_binary() {
        let mut packet = Vec::new();
        put(&mut packet, "A", "b=c");
        put(&mut packet, "D", "e\nF=g");
        assert_eq!(packet, b"A=b=c\nD\n\x05\0\0\0\0\0\0\0e\nF=g\n");
    }
}
