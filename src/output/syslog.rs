//! The syslog message: one readable sentence, then JSON, in the frame of RFC 3164 or
//! RFC 5424. Framing is the crate's; escaping and the length are ours, because the
//! crate passes control characters through and knows no limit. Pure but for the
//! frame's time stamp, which the crate takes itself.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
pub use syslog::Facility;
use syslog::{Formatter3164, Formatter5424, LogFormat, Severity};

use crate::model::Record;
use crate::output::escape::clip;
use crate::output::shorten::{compact, fit};
use crate::output::words::{Level, level, sentence};

/// Longest message for a local socket: what rsyslog takes by default, less the frame.
pub const LOCAL_CAP: usize = 8000;
/// Longest message that every syslog relay takes: RFC 3164 has 1024 for the packet.
pub const CLASSIC_CAP: usize = 900;
/// The name under which ldwatch logs.
pub const IDENTIFIER: &str = "ldwatch";
/// The most of a message that the sentence may take, in parts of four.
const SENTENCE_QUARTERS: usize = 2;

/// The frame around a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frame {
    /// `<PRI>TIMESTAMP TAG[PID]: MSG`, as local daemons expect it.
    Rfc3164,
    /// `<PRI>1 TIMESTAMP HOST APP PROCID MSGID - MSG`. Not for rsyslog's local socket with
    /// its default settings: it reads the version as the tag.
    Rfc5424,
}

/// What follows the sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payload {
    /// Nothing: the sentence alone.
    Sentence,
    /// The dozen fields that a person or a simple rule needs.
    Compact,
    /// The ECS record.
    Ecs,
}

/// How a record becomes a syslog packet.
#[derive(Debug, Clone)]
pub struct Form {
    /// The facility.
    pub facility: Facility,
    /// The frame.
    pub frame: Frame,
    /// What follows the sentence.
    pub payload: Payload,
    /// Longest message without its frame, in bytes.
    pub cap: usize,
    /// Process id for the tag.
    pub pid: u32,
}

impl Form {
    /// The whole packet for `record`, whose ECS form is `event`.
    #[must_use]
    pub fn packet(&self, record: &Record, event: &Map<String, Value>) -> Vec<u8> {
        let message = self.message(record, event);
        let severity = severity(level(record));
        let mut packet = Vec::with_capacity(message.len() + 64);
        // Writing into a Vec cannot fail.
        let _ = match self.frame {
            Frame::Rfc3164 => self.classic().format(&mut packet, severity, message),
            Frame::Rfc5424 => self.modern().format(
                &mut packet,
                severity,
                (message_id(record), BTreeMap::new(), message),
            ),
        };
        packet
    }

    /// The message alone: never longer than the cap, JSON never cut in the middle.
    #[must_use]
    pub fn message(&self, record: &Record, event: &Map<String, Value>) -> String {
        let sentence = sentence(record);
        let payload = match self.payload {
            Payload::Sentence => return clip(&sentence, self.cap).into_owned(),
            Payload::Compact => &compact(event),
            Payload::Ecs => event,
        };
        let short = clip(&sentence, self.cap / 4 * SENTENCE_QUARTERS);
        match fit(payload, self.cap.saturating_sub(short.len() + 1)) {
            Some(json) => format!("{short} {json}"),
            None => clip(&sentence, self.cap).into_owned(),
        }
    }

    fn classic(&self) -> Formatter3164 {
        let process = IDENTIFIER.to_owned();
        Formatter3164 {
            facility: self.facility,
            hostname: None,
            process,
            pid: self.pid,
        }
    }

    fn modern(&self) -> Formatter5424 {
        // "-" is that standard's word for absent; the crate would write "localhost".
        let (hostname, process) = (Some("-".to_owned()), IDENTIFIER.to_owned());
        Formatter5424 {
            facility: self.facility,
            hostname,
            process,
            pid: self.pid,
        }
    }
}

/// Numbers in place of the finding codes: the crate takes no words.
fn message_id(record: &Record) -> u32 {
    match record {
        Record::Finding(_) => 1,
        Record::Enrichment(_) => 700,
        Record::Gap(_) => 900,
        Record::Heartbeat(_) => 800,
    }
}

fn severity(level: Level) -> Severity {
    match level {
        Level::Critical => Severity::LOG_CRIT,
        Level::Error => Severity::LOG_ERR,
        Level::Warning => Severity::LOG_WARNING,
        Level::Notice => Severity::LOG_NOTICE,
        Level::Info => Severity::LOG_INFO,
    }
}
