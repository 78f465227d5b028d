//! Records as Elastic Common Schema 8.17, one JSON object per line.
//!
//! Every field outside the one object `ldwatch` is a field of that schema, with its
//! type: keywords are strings also where they are numbers, array fields are always
//! arrays. Absent facts leave no field. A text that had to be escaped has its
//! original as base64 in `ldwatch.raw`, under the full name of its field. Pure: the
//! moment and the machine come in as values.

mod container;
mod enrichment;
mod file;
mod finding;
mod gap;
mod heartbeat;
mod machine;
mod object;
mod ours;
mod process;
mod rule;

use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use uuid::{Builder, Uuid};

use crate::model::{Action, Container, Finding, Gap, Record};
use crate::output::host::Host;
use crate::output::time::rfc3339_or_epoch;
use crate::output::words::{level, sentence};

use object::Object;

/// Version of the schema.
pub const ECS_VERSION: &str = "8.17.0";
/// `event.module` and `agent.type`.
pub const MODULE: &str = "ldwatch";

/// Turns records into ECS. Counts them: a hole in `event.sequence` is a record lost
/// on the way.
#[derive(Debug)]
pub struct Ecs {
    identity: String,
    host: Object<'static>,
    agent: Object<'static>,
    rule: Object<'static>,
    threat: Object<'static>,
    alert_module: String,
    sequence: u64,
}

impl Ecs {
    /// For this machine. `alert_module` is the `event.module` of alerts, and of nothing
    /// else: the prebuilt rule asks for its own.
    #[must_use]
    pub fn new(host: &Host, alert_module: &str) -> Self {
        Self {
            identity: [&host.id, &host.boot_id, &host.hostname]
                .map(|id| id.as_deref().unwrap_or("-"))
                .join(" "),
            host: machine::host(host),
            agent: machine::agent(host),
            rule: rule::rule(),
            threat: rule::threat(),
            alert_module: alert_module.to_owned(),
            sequence: 0,
        }
    }

    /// Appends the record to `into` as one line; takes the next sequence number.
    pub fn render(&mut self, record: &Record, now: SystemTime, into: &mut Vec<u8>) {
        self.sequence += 1;
        let mut root = Object::default();
        root.put("@timestamp", rfc3339_or_epoch(record_time(record)));
        root.put("message", sentence(record));
        root.nest("ecs", one("version", ECS_VERSION));
        root.nest("log", one("level", level(record).name()));
        match record {
            Record::Finding(finding) => self.finding(finding, now, &mut root),
            Record::Gap(gap) => self.gap(gap, now, &mut root),
            Record::Enrichment(more) => self.enrichment(more, now, &mut root),
            Record::Heartbeat(beat) => self.heartbeat(beat, now, &mut root),
        }
        root.put("host", &self.host);
        root.put("agent", &self.agent);
        // Writing an object with string keys into a Vec has no way to fail.
        let _ = serde_json::to_writer(&mut *into, &root);
        into.push(b'\n');
    }

    /// `event.id` of a finding: sorts by time, and is the same for the same finding, so
    /// that a later record can refer to it and a repeated one can be told.
    #[must_use]
    pub fn event_id(&self, finding: &Finding) -> String {
        let (container, rootfs) = (&finding.container, &finding.rootfs);
        self.alert_id(finding.at, finding.change.action, container, rootfs)
    }

    fn alert_id(
        &self,
        at: SystemTime,
        action: Action,
        container: &Container,
        rootfs: &Path,
    ) -> String {
        let container = container.id.as_deref().unwrap_or_default();
        let place = [container.as_bytes(), rootfs.as_os_str().as_bytes()];
        self.id(at, action.name(), &place)
    }

    fn gap_id(&self, gap: &Gap) -> String {
        let container = gap
            .container
            .as_ref()
            .and_then(|known| known.id.as_deref())
            .unwrap_or_default();
        self.id(
            gap.at,
            gap.reason,
            &[container.as_bytes(), gap.detail.as_bytes()],
        )
    }

    /// A version 7 UUID whose random part is a digest of what the record is about.
    fn id(&self, at: SystemTime, what: &str, about: &[&[u8]]) -> String {
        let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut digest = Sha256::new();
        for part in [
            self.identity.as_bytes(),
            what.as_bytes(),
            &since.as_nanos().to_be_bytes(),
        ]
        .iter()
        .chain(about)
        {
            digest.update(part.len().to_be_bytes());
            digest.update(part);
        }
        let digest = digest.finalize();
        let random: [u8; 10] =
            std::array::from_fn(|at| digest.get(at).copied().unwrap_or_default());
        let millis = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        let id: Uuid = Builder::from_unix_timestamp_millis(millis, &random).into_uuid();
        id.to_string()
    }
}

/// The object in a rendered line; empty when the line is none of ours.
#[must_use]
pub fn parse(line: &[u8]) -> Map<String, Value> {
    serde_json::from_slice(line).unwrap_or_default()
}

fn record_time(record: &Record) -> SystemTime {
    match record {
        Record::Finding(finding) => finding.at,
        Record::Gap(gap) => gap.at,
        Record::Enrichment(more) => more.at,
        Record::Heartbeat(beat) => beat.at,
    }
}

fn one<'a>(key: &'a str, value: &'a str) -> Object<'a> {
    let mut object = Object::default();
    object.put(key, value);
    object
}
