//! The enricher's thread: looks at the executable of an alert's writer, after the alert
//! is on its way, and tells what it found as a record of its own.
//!
//! It may be slow, and never holds up anything: what finds no room is left out and
//! counted, and its records take no room that an alert could need.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use crossbeam_channel::{Receiver, Sender, TrySendError};

use crate::examine::program::{Digests, Query, look};
use crate::model::{Enrichment, Finding, Mention, Origin, Record, Writer};
use crate::watch::deliver::Delivery;
use crate::watch::examiner::key;
use crate::watch::jobs::Subject;

/// Alerts that may wait to be looked into.
pub const ROOM: usize = 64;

/// An alert to be looked into.
#[derive(Debug)]
pub struct Alert {
    mention: Mention,
    pid: Option<i32>,
    entity_id: Option<String>,
    confirmed: bool,
    query: Query,
}

impl Alert {
    /// What there is to look into; `None` when the finding is no alert or its writer's
    /// process is not known for sure.
    #[must_use]
    pub fn of(finding: &Finding, subject: &Subject) -> Option<Self> {
        let is_known = |writer: &&Writer| writer.confirmed || writer.program_in_doubt;
        let writer = finding.writer.as_ref().filter(is_known)?;
        if !finding.change.alert {
            return None;
        }
        let init = subject.mount_ns;
        let inside = writer.origin == Origin::Inside && (init.is_none() || writer.mount_ns == init);
        Some(Self {
            query: Query {
                key: key(writer)?,
                link: writer.executable.clone()?,
                inside,
                on_host: writer.origin == Origin::Host,
                reach: subject.reach.clone(),
                device: subject.root.device,
                upper: subject.upper.clone(),
            },
            pid: writer.pid,
            entity_id: writer.entity_id.clone(),
            confirmed: writer.confirmed,
            mention: Mention {
                at: finding.at,
                action: finding.change.action,
                container: finding.container.clone(),
                rootfs: finding.rootfs.clone(),
            },
        })
    }
}

/// The examiner's end.
#[derive(Debug, Clone)]
pub struct Enrich {
    /// Where alerts are put.
    pub alerts: Sender<Alert>,
    /// Alerts that found no room.
    pub left_out: Arc<AtomicU64>,
}

impl Enrich {
    /// Has an alert looked into, if there is room.
    pub fn ask(&self, alert: Alert) {
        if let Err(TrySendError::Full(_)) = self.alerts.try_send(alert) {
            self.left_out.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Works until the examiner hangs up.
pub fn work(alerts: &Receiver<Alert>, records: &Sender<Delivery>, left_out: &AtomicU64) {
    let mut digests = Digests::default();
    for alert in alerts {
        let Alert {
            mention,
            pid,
            entity_id,
            confirmed,
            query,
        } = alert;
        let program = look(&query, &mut digests);
        let record = Record::Enrichment(Box::new(Enrichment {
            at: SystemTime::now(),
            alert: mention,
            pid,
            entity_id,
            confirmed,
            executable: query.link,
            program,
        }));
        // Half of the room is kept for what matters more.
        let room = records.capacity().is_none_or(|all| records.len() < all / 2);
        if !room || records.try_send(Delivery::Record(record)).is_err() {
            left_out.fetch_add(1, Ordering::Relaxed);
        }
    }
}
