//! The examiner's thread: looks at the file after every act, compares with what
//! it last knew, and makes the finding.
//!
//! Some looks are held back for a moment, since an event that explains them may be
//! on its way: a difference that no event announced (a first look, the sweep) may
//! have been made a moment ago, and a file that was created and not closed may be
//! about to be written. The event then takes the held look's place; nothing is
//! told twice, and nothing is lost when no event comes.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant, SystemTime};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};

use crate::judge::change::{change, first_sight};
use crate::model::{ChangeType, Detection, FileKind, FileView, RootfsId};
use crate::sys::fanotify::mask;
use crate::watch::deliver::Delivery;
use crate::watch::jobs::{Acted, Job, Subject};
use crate::watch::surveyor::{Ask, Asker};

/// How long a look waits for the event that explains it.
const HOLD: Duration = Duration::from_millis(50);
/// Bits of an act that only writes.
const WRITING: u64 = mask::CREATE | mask::MODIFY | mask::CLOSE_WRITE;

/// What is known of one root filesystem's file.
#[derive(Debug, Default)]
struct Known {
    /// The file at the last look; `None`: there was none.
    file: Option<FileView>,
    /// Pid of the last act told.
    told: Option<i32>,
    /// The last look did not see; told once until it sees again.
    blind: Option<String>,
}

/// A finding that waits for its explanation.
#[derive(Debug)]
struct Held {
    until: Instant,
    subject: Arc<Subject>,
    acted: Acted,
}

/// The examiner.
#[derive(Debug)]
pub struct Examiner {
    records: Sender<Delivery>,
    dropped: Arc<AtomicU64>,
    quote: usize,
    host_ns: Option<u64>,
    survey: Asker,
    known: HashMap<RootfsId, Known>,
    held: HashMap<RootfsId, Held>,
    /// The last record found no room.
    stuck: Cell<bool>,
}

impl Examiner {
    /// An examiner that knows nothing yet. `quote` bounds the content kept;
    /// `dropped` counts records given up.
    #[must_use]
    pub fn new(
        records: Sender<Delivery>,
        dropped: Arc<AtomicU64>,
        quote: usize,
        host_ns: Option<u64>,
        survey: Asker,
    ) -> Self {
        Self {
            records,
            dropped,
            quote,
            host_ns,
            survey,
            known: HashMap::new(),
            held: HashMap::new(),
            stuck: Cell::default(),
        }
    }

    /// Works until the loop hangs up; what is held is told before the end.
    pub fn work(mut self, jobs: &Receiver<Job>) {
        loop {
            let due = self.held.values().map(|held| held.until).min();
            let job = match due {
                Some(due) => jobs.recv_deadline(due),
                None => jobs.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match job {
                Ok(job) => self.job(job),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            self.release(Some(Instant::now()));
        }
        self.release(None);
    }

    fn job(&mut self, job: Job) {
        match job {
            Job::First(subject, at) => self.first(subject, at),
            Job::Look(subject, acted) => self.acted(subject, *acted),
            Job::Forget(id) => {
                self.release_one(id);
                self.known.remove(&id);
            }
        }
    }

    /// Tells what is held and due; all of it when there is no time limit.
    fn release(&mut self, now: Option<Instant>) {
        let due: Vec<RootfsId> = self
            .held
            .iter()
            .filter(|(_, held)| now.is_none_or(|now| held.until <= now))
            .map(|(&id, _)| id)
            .collect();
        for id in due {
            self.release_one(id);
        }
    }

    fn release_one(&mut self, id: RootfsId) {
        if let Some(Held { subject, acted, .. }) = self.held.remove(&id) {
            match acted.detection {
                Detection::Scan => self.tell_first(&subject, acted.at),
                _ => self.examine(&subject, acted),
            }
        }
    }

    /// The first look at a container that was just marked.
    fn first(&mut self, subject: Arc<Subject>, at: SystemTime) {
        if self.known.contains_key(&subject.id) {
            return;
        }
        match self.see(&subject) {
            Some(None) => {
                self.known.insert(subject.id, Known::default());
            }
            // The image brought it: no event of a moment ago can explain it.
            Some(Some(file)) if file.in_upper == Some(false) => self.tell_first(&subject, at),
            Some(Some(_)) => {
                self.hold(
                    subject,
                    Acted::look(at, Detection::Scan),
                    Instant::now() + HOLD,
                );
            }
            None => {}
        }
    }

    fn tell_first(&mut self, subject: &Subject, at: SystemTime) {
        let Some(Some(file)) = self.see(subject) else {
            return;
        };
        let verdict = first_sight(&file);
        self.known.entry(subject.id).or_default().file = Some(file.clone());
        self.tell(
            subject,
            &Acted::look(at, Detection::Scan),
            verdict,
            Some(file),
            None,
        );
    }

    /// An act that is over. One that explains a held look takes its place.
    fn acted(&mut self, subject: Arc<Subject>, mut acted: Acted) {
        let mut until = Instant::now() + HOLD;
        if let Some(mut held) = self.held.remove(&subject.id) {
            if acted.mask == 0 {
                held.acted.writer = held.acted.writer.or(acted.writer);
                self.held.insert(subject.id, held);
                return;
            }
            if held.acted.mask == 0 || held.acted.pid() == acted.pid() {
                // However often the act goes on: the first hold ends when it ends.
                if held.acted.mask != 0 {
                    until = held.until;
                }
                acted.join(held.acted);
            } else {
                self.held.insert(subject.id, held);
                self.release_one(subject.id);
            }
        }
        if acted.mask == 0 {
            if self.differs(&subject) {
                self.hold(subject, acted, until);
            }
            return;
        }
        if until > Instant::now() && self.may_go_on(&subject, acted.mask) {
            return self.hold(subject, acted, until);
        }
        self.examine(&subject, acted);
    }

    /// A look without an event finds a difference. Looked at once: what changes after
    /// this look has an event of its own, or the next look.
    fn differs(&mut self, subject: &Subject) -> bool {
        let Some(now) = self.see(subject) else {
            return false;
        };
        let known = self.known.entry(subject.id).or_default();
        let differs = !change(known.file.as_ref(), now.as_ref(), 0).is_empty();
        if !differs {
            known.file = now;
        }
        differs
    }

    /// More of the act may be on its way: a file is created or cut to nothing and not
    /// closed yet.
    fn may_go_on(&mut self, subject: &Subject, seen: u64) -> bool {
        let open = seen & (mask::CREATE | mask::MODIFY) != 0
            && seen & !(mask::CREATE | mask::MODIFY | mask::ATTRIB) == 0;
        if !open {
            return false;
        }
        let Some(now) = self.see(subject) else {
            return false;
        };
        now.is_some_and(|file| {
            let plain = file.kind == FileKind::Regular && file.links == 1 && file.target.is_none();
            plain && (seen & mask::MODIFY == 0 || file.size == 0)
        })
    }

    fn hold(&mut self, subject: Arc<Subject>, acted: Acted, until: Instant) {
        self.held.insert(
            subject.id,
            Held {
                until,
                subject,
                acted,
            },
        );
    }

    fn examine(&mut self, subject: &Subject, acted: Acted) {
        let Some(after) = self.see(subject) else {
            return self.tell_unseen(subject, &acted);
        };
        let known = self.known.entry(subject.id).or_default();
        let before = std::mem::replace(&mut known.file, after.clone());
        // Equal to the last time stamp: this very act was looked at before its last
        // event was read.
        let told = acted.mask & !WRITING == 0
            && acted.mask != 0
            && before == after
            && known.told == acted.pid();
        if acted.mask != 0 {
            known.told = acted.pid();
        }
        if told && before.is_some() {
            return;
        }
        if before.as_ref().map(FileView::way) != after.as_ref().map(FileView::way) {
            self.survey.ask(Ask::Again(subject.id));
        }
        for verdict in change(before.as_ref(), after.as_ref(), acted.mask) {
            // The close of a file whose writes were told is no news.
            if acted.closing && !verdict.alert && verdict.kind == ChangeType::Info {
                continue;
            }
            self.tell(subject, &acted, verdict, after.clone(), before.clone());
        }
    }
}

mod telling;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
