//! The survey's answers: mark the new, forget the gone.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime};

use crate::model::{Container, Detection, Gap, Record, RootfsId, Rung};
use crate::survey::sight::{News, Sighting};
use crate::survey::spots::{Kind, Spot};
use crate::watch::deliver::Delivery;
use crate::watch::jobs::{Job, Subject};
use crate::watch::ladder::{Tried, meaning};
use crate::watch::run::Watch;
use crate::watch::watched::Watched;

/// Changes of the state gather this long before the status is written.
const STATUS_DELAY: Duration = Duration::from_millis(200);

impl Watch {
    /// Takes all news there is.
    pub(super) fn news(&mut self) {
        while let Ok(news) = self.surveyor.news.try_recv() {
            match news {
                News::Sighted(sighting) => self.sighted(*sighting),
                News::Gone(id, spots) => self.gone(id, &spots),
                News::Blind(detail) => {
                    self.gap("not-read", detail, "see ldwatch(8), GAPS", None);
                }
                News::Done(_) if self.ready => {}
                News::Done(_) => {
                    self.ready = true;
                    self.service.ready(self.watched.len());
                    self.deliver(Delivery::Ready(self.watched.len()));
                    self.status_due = Some(Instant::now());
                }
            }
        }
    }

    /// Marks, then has the file looked at: what happened before the mark is found
    /// by the look, what happens after it by the mark.
    fn sighted(&mut self, sighting: Sighting) {
        let id = sighting.id;
        let round = self.watched.get(&id).map_or(0, |watched| watched.round + 1);
        let mut tried = Tried::default();
        for spot in &sighting.spots {
            tried.take(spot.kind, self.marks.add(id, spot, round, &self.waiter));
        }
        // A way that could not be walked to its end proves nothing of the marks on it.
        if sighting.trouble.is_empty() && tried.has(Kind::Etc) {
            self.marks.prune(id, round);
        }
        let subject = Arc::new(Subject {
            id,
            coverage: tried.coverage(&sighting.trouble),
            container: sighting.container,
            reach: sighting.reach,
            mount_ns: sighting.mount_ns,
            root: sighting.root,
            upper: sighting.upper,
        });
        self.tell_refusals(&subject, &tried.refused);
        match self.watched.get_mut(&id) {
            Some(watched) => {
                watched.subject = subject;
                watched.round = round;
                self.look(id, Detection::Mount);
            }
            None => {
                self.watched.insert(id, Watched::new(Arc::clone(&subject)));
                self.job(Job::First(subject, SystemTime::now()));
            }
        }
        self.watch_table(id, sighting.table);
        self.status_due
            .get_or_insert_with(|| Instant::now() + STATUS_DELAY);
    }

    /// A refusal is told when it is new for this root filesystem.
    fn tell_refusals(&mut self, subject: &Subject, refused: &[(Kind, io::Error)]) {
        self.counters.refused_marks += refused.len() as u64;
        let known = self
            .watched
            .get(&subject.id)
            .map(|watched| &watched.subject.coverage);
        let covered = subject.coverage.rung != Rung::None;
        if (covered && subject.coverage.gaps.is_empty()) || known == Some(&subject.coverage) {
            return;
        }
        let remedy = refused
            .first()
            .map_or("see `ldwatch list`", |(_, error)| meaning(error).remedy);
        let detail = if subject.coverage.gaps.is_empty() {
            "nothing to mark was found in this root filesystem".to_owned()
        } else {
            subject.coverage.gaps.join("; ")
        };
        self.gap(
            if covered {
                "partly-covered"
            } else {
                "not-covered"
            },
            detail,
            remedy,
            Some(subject.container.clone()),
        );
    }

    fn gone(&mut self, id: RootfsId, spots: &[Spot]) {
        self.forget_table(id);
        self.marks.forget(id);
        self.marks.unmark(spots);
        self.watched.remove(&id);
        self.job(Job::Forget(id));
        self.status_due
            .get_or_insert_with(|| Instant::now() + STATUS_DELAY);
    }

    /// The queue was full: events were lost. Told, counted, and made good by a look
    /// at everything.
    pub(super) fn overflowed(&mut self) {
        self.counters.overflows += 1;
        self.gap(
            "overflow",
            format!(
                "the event queue overflowed ({} times so far); everything is looked at again",
                self.counters.overflows
            ),
            "a container makes very many changes in its etc; see `ldwatch status`",
            None,
        );
        self.rescan_soon();
    }

    /// A read failed or could not be understood.
    pub(super) fn lost_read(&mut self, why: &str) {
        self.counters.broken_reads += 1;
        self.gap(
            "read-failed",
            format!("events could not be read: {why}; everything is looked at again"),
            "raise the limit of open files if it says so",
            None,
        );
        self.rescan_soon();
    }

    /// Tells a loss of sight.
    pub(super) fn gap(
        &self,
        reason: &'static str,
        detail: String,
        remedy: &'static str,
        container: Option<Container>,
    ) {
        let gap = Gap {
            at: SystemTime::now(),
            reason,
            detail,
            remedy,
            container,
        };
        self.deliver(Delivery::Record(Record::Gap(Box::new(gap))));
    }

    /// Queues something for delivery; what finds no room is counted, and told later.
    pub(super) fn deliver(&self, delivery: Delivery) {
        if self.deliverer.queue.try_send(delivery).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}
