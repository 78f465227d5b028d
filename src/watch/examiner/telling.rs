//! The examiner's eyes and mouth: it looks, and it tells what it made of the look.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime};

use crate::examine::file::{LEASED, Look};
use crate::judge::restart::{Past, verdicts};
use crate::model::{Detection, FileView, Gap, Record, RootfsId};
use crate::watch::deliver::Delivery;
use crate::watch::enricher::Alert;
use crate::watch::examiner::Examiner;
use crate::watch::jobs::{Acted, Subject};
use crate::watch::state::Remember;
use crate::watch::surveyor::Ask;

/// How long a full delivery queue is waited for before a record is given up and counted.
const PATIENCE: Duration = Duration::from_secs(1);
/// How soon a file that a lease keeps closed is looked at again.
const AGAIN: Duration = Duration::from_secs(1);

impl Examiner {
    /// Looks; `None` when it could not be seen, which is told once.
    #[allow(clippy::option_option)]
    pub(super) fn see(&mut self, subject: &Arc<Subject>) -> Option<Option<FileView>> {
        let reason = match self.outposts.look_at(subject, self.quote) {
            Look::Absent => {
                self.sighted(subject.id);
                return Some(None);
            }
            Look::File(file) => {
                self.sighted(subject.id);
                return Some(Some(*file));
            }
            // The survey tells when a container is gone; until then nothing is lost.
            Look::Gone => {
                if subject.reach.closed {
                    // Whoever is at work in it by now is the survey's to find.
                    self.survey.ask(Ask::Pass);
                }
                return None;
            }
            Look::Unasked(reason) | Look::Blind(reason) => reason,
        };
        if reason == LEASED {
            let due = Instant::now() + AGAIN;
            self.later.insert(subject.id, (due, Arc::clone(subject)));
        }
        let known = self.known.entry(subject.id).or_default();
        if known.blind.as_ref() != Some(&reason) {
            known.blind = Some(reason.clone());
            let gap = Gap {
                at: SystemTime::now(),
                reason: "not-seen",
                detail: format!("the file could not be looked at: {reason}"),
                remedy: "see `ldwatch list`; a container that ended while it was looked at needs nothing",
                container: Some(subject.container.clone()),
            };
            self.send(Delivery::Record(Record::Gap(Box::new(gap))), 1);
        }
        None
    }

    /// Looks again at what a lease kept closed: whoever holds it has been told to give it
    /// up, and is made to after 45 seconds (proc(5), `lease-break-time`).
    pub(super) fn look_again(&mut self, now: Instant) {
        let due = self.later.extract_if(|_, (due, _)| *due <= now);
        let due: Vec<_> = due.map(|(_, (_, subject))| subject).collect();
        for subject in due {
            self.acted(subject, Acted::look(SystemTime::now(), Detection::Event));
        }
    }

    /// An act of which nothing can be seen: the container is gone, or the file cannot
    /// be looked at. What its events alone prove is told without the file.
    pub(super) fn tell_unseen(&mut self, subject: &Subject, acted: Acted) {
        let described = self.described(subject);
        let subject = described.as_ref().unwrap_or(subject);
        let nothing = Past::default();
        let past = self
            .known
            .get(&subject.id)
            .map_or(&nothing, |known| &known.past);
        let mut found = verdicts(past, None, acted.mask);
        found.retain(|verdict| acted.mask != 0 && verdict.change.alert);
        let records = self.records(subject, acted, found, (past, None));
        if !records.is_empty() {
            self.tell(subject, records, None);
        }
    }

    /// Queues the records of one act, and then asks for what more there is to know.
    pub(super) fn tell(
        &self,
        subject: &Subject,
        records: Vec<Record>,
        remember: Option<Arc<Remember>>,
    ) {
        let alert = |record: &Record| match record {
            Record::Finding(finding) => Alert::of(finding, subject),
            _ => None,
        };
        let alerts: Vec<Alert> = match &self.enrich {
            Some(_) => records.iter().filter_map(alert).collect(),
            None => Vec::new(),
        };
        let count = records.len();
        self.send(Delivery::Act { records, remember }, count);
        for (alert, enrich) in alerts.into_iter().zip(self.enrich.iter().cycle()) {
            enrich.ask(alert);
        }
    }

    fn sighted(&mut self, id: RootfsId) {
        if let Some(known) = self.known.get_mut(&id) {
            known.blind = None;
        }
    }

    /// Queues a delivery that holds so many records. Waits for room, but for one only
    /// as long as there is none: with a sink that hangs, each further wait would hold
    /// up every container's next look.
    pub(super) fn send(&self, delivery: Delivery, records: usize) {
        let patience = if self.stuck.get() {
            Duration::ZERO
        } else {
            PATIENCE
        };
        let failed = self.records.send_timeout(delivery, patience).is_err();
        self.stuck.set(failed);
        if failed {
            self.dropped.fetch_add(records as u64, Ordering::Relaxed);
        }
    }
}
