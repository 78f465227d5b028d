//! The examiner's eyes and mouth: it looks, and it tells what it made of the look.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use crate::examine::file::{Look, look};
use crate::judge::change::change;
use crate::judge::origin::place;
use crate::model::{Change, ChangeType, FileView, Finding, Gap, Record, RootfsId};
use crate::watch::deliver::Delivery;
use crate::watch::examiner::Examiner;
use crate::watch::jobs::{Acted, Subject};

/// How long a full delivery queue is waited for before a record is given up and counted.
const PATIENCE: Duration = Duration::from_secs(1);

impl Examiner {
    /// Looks; `None` when it could not be seen, which is told once.
    #[allow(clippy::option_option)]
    pub(super) fn see(&mut self, subject: &Subject) -> Option<Option<FileView>> {
        let reason = match look(&subject.reach, subject.upper.as_deref(), self.quote) {
            Look::Absent => {
                self.sighted(subject.id);
                return Some(None);
            }
            Look::File(file) => {
                self.sighted(subject.id);
                return Some(Some(*file));
            }
            // The survey tells when a container is gone; until then nothing is lost.
            Look::Gone => return None,
            Look::Blind(reason) => reason,
        };
        let known = self.known.entry(subject.id).or_default();
        if known.blind.as_ref() != Some(&reason) {
            known.blind = Some(reason.clone());
            self.send(Record::Gap(Box::new(Gap {
                at: SystemTime::now(),
                reason: "not-seen",
                detail: format!("the file could not be looked at: {reason}"),
                remedy: "see `ldwatch list`; a container that ended while it was looked at needs nothing",
                container: Some(subject.container.clone()),
            })));
        }
        None
    }

    /// An act of which nothing can be seen: the container is gone, or the file cannot
    /// be looked at. What its events alone prove is told without the file.
    pub(super) fn tell_unseen(&self, subject: &Subject, acted: &Acted) {
        let before = self
            .known
            .get(&subject.id)
            .and_then(|known| known.file.clone());
        let verdicts = change(before.as_ref(), None, acted.mask);
        for verdict in verdicts.into_iter().filter(|verdict| verdict.alert) {
            self.tell(subject, acted, verdict, None, before.clone());
        }
    }

    fn sighted(&mut self, id: RootfsId) {
        if let Some(known) = self.known.get_mut(&id) {
            known.blind = None;
        }
    }

    pub(super) fn tell(
        &self,
        subject: &Subject,
        acted: &Acted,
        verdict: Change,
        after: Option<FileView>,
        before: Option<FileView>,
    ) {
        let mut writer = acted.writer.clone();
        let mut container = subject.container.clone();
        if let Some(writer) = &mut writer {
            place(
                writer,
                &mut container,
                acted.same_root,
                subject.mount_ns,
                self.host_ns,
            );
        }
        let rootfs = subject.reach.host_path().map(Path::to_owned);
        let finding = Finding {
            at: acted.at,
            change: verdict,
            detection: acted.detection,
            container,
            rootfs: rootfs.unwrap_or_default(),
            coverage: subject.coverage.clone(),
            writer,
            file: after.filter(|_| verdict.kind != ChangeType::Deletion),
            before,
            folded: acted.folded,
            reasons: Vec::new(),
            repeat: false,
        };
        self.send(Record::Finding(Box::new(finding)));
    }

    /// Waits for room, but for one record only as long as there is none: with a sink
    /// that hangs, each further wait would hold up every container's next look.
    fn send(&self, record: Record) {
        let record = Delivery::Record(record);
        let patience = match self.stuck.get() {
            true => Duration::ZERO,
            false => PATIENCE,
        };
        let failed = self.records.send_timeout(record, patience).is_err();
        self.stuck.set(failed);
        if failed {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}
