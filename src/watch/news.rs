//! The survey's answers: mark the new, forget the gone.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime};

use nix::sys::stat::fstat;

use crate::model::{Container, Detection, Gap, Record, RootfsId, Rung};
use crate::survey::sight::{News, Sighting};
use crate::survey::spots::{Kind, Spot};
use crate::sys::limits::slim;
use crate::watch::deliver::Delivery;
use crate::watch::jobs::{Job, Subject};
use crate::watch::ladder::{Tried, meaning};
use crate::watch::queue::Pace;
use crate::watch::run::Watch;
use crate::watch::surveyor::Ask;
use crate::watch::trail::trail_of;
use crate::watch::watched::Watched;

/// Changes of the state gather this long before the status is written.
const STATUS_DELAY: Duration = Duration::from_millis(200);

/// Pieces of news taken in one turn.
const NEWS: usize = 8;

impl Watch {
    /// Takes some of the news there is: events come first, and marking a thousand
    /// containers takes its time. The rest rings for the next turn.
    pub(super) fn news(&mut self) {
        if !self.surveyor.news.is_empty() {
            self.read_all();
        }
        for _ in 0..NEWS {
            let Ok(news) = self.surveyor.news.try_recv() else {
                return;
            };
            match news {
                News::Sighted(sighting) => self.sighted(*sighting),
                News::Gone(id, spots) => self.gone(id, &spots),
                News::Took(id, took) => self.table_took(id, took),
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
        self.bell.ring();
    }

    /// Marks, then has the file looked at: what happened before the mark is found
    /// by the look, what happens after it by the mark.
    fn sighted(&mut self, sighting: Sighting) {
        let id = sighting.id;
        let round = self.watched.get(&id).map_or(0, |watched| watched.round + 1);
        let way = way(&sighting.spots);
        let tried = self.mark(&sighting, round);
        let subject = Arc::new(Subject {
            id,
            coverage: tried.coverage(&sighting.trouble),
            trail: trail_of(&self.trail, &sighting),
            container: sighting.container,
            papers: sighting.papers,
            reach: sighting.reach,
            mount_ns: sighting.mount_ns,
            root: sighting.root,
            upper: sighting.upper,
        });
        self.tell_refusals(&subject, &tried.refused);
        match self.watched.get_mut(&id) {
            Some(watched) => {
                watched.sighted_again(subject, round);
                self.look(id, Detection::Mount);
            }
            None => {
                let mut watched = Watched::new(Arc::clone(&subject));
                let (pace, ticket) = watched.waiting.must();
                self.watched.insert(id, watched);
                self.job(Job::First(subject, SystemTime::now(), ticket), pace);
            }
        }
        if let Some(watched) = self.watched.get_mut(&id) {
            watched.short = tried.is_short();
        }
        self.watch_table(id, sighting.table);
        self.answered(id, way);
        self.status_due
            .get_or_insert_with(|| Instant::now() + STATUS_DELAY);
    }

    fn mark(&mut self, sighting: &Sighting, round: u64) -> Tried {
        let mut tried = Tried::default();
        let known = self.watched.get_mut(&sighting.id);
        if known.is_some_and(|watched| std::mem::take(&mut watched.renew)) {
            self.marks.renew(sighting.id);
        }
        for spot in &sighting.spots {
            let outcome = self.marks.add(sighting.id, spot, round, &self.waiter);
            tried.take(spot.kind, outcome);
        }
        // A way that could not be walked to its end proves nothing of the marks on it.
        let whole = sighting.trouble.is_empty() && tried.has(Kind::Etc);
        if whole || sighting.reach.closed {
            let stale = self.marks.prune(sighting.id, round, &sighting.spots);
            if stale {
                self.renew(sighting.id);
            }
        }
        tried
    }

    /// Has what a limit kept from being marked tried once more: it may have been raised.
    pub(super) fn mark_again(&self) {
        for (&id, _) in self.watched.iter().filter(|(_, watched)| watched.short) {
            self.surveyor.ask(Ask::Again(id));
        }
    }

    /// Has a root filesystem marked anew, in lanes of its own.
    pub(super) fn renew(&mut self, id: RootfsId) {
        if let Some(watched) = self.watched.get_mut(&id)
            && !std::mem::replace(&mut watched.renew, true)
        {
            self.surveyor.ask(Ask::Again(id));
        }
    }

    /// Has the way walked once more when it is not the one known.
    fn answered(&mut self, id: RootfsId, way: u64) {
        let watched = self.watched.get_mut(&id);
        if watched.is_some_and(|watched| watched.answered(Instant::now(), way)) {
            self.surveyor.ask(Ask::Again(id));
        }
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
        self.hand_on_last(id);
        self.forget_table(id);
        self.marks.forget(id);
        self.marks.unmark(spots);
        self.watched.remove(&id);
        slim(&mut self.watched);
        self.job(Job::Forget(id), Pace::Slow);
        self.status_due
            .get_or_insert_with(|| Instant::now() + STATUS_DELAY);
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

/// A number for what is marked on the ways in: another one, other objects or names.
fn way(spots: &[Spot]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for spot in spots {
        let object = fstat(&spot.fd).map(|stat| (stat.st_dev, stat.st_ino)).ok();
        (spot.kind, object, &spot.name, spot.leaf).hash(&mut hasher);
    }
    hasher.finish()
}
