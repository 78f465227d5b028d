//! The examiner's thread: looks at the file after every act, compares with what
//! it last knew, and makes the finding.
//!
//! Some looks are held back for a moment, since an event that explains them may be
//! on its way: a difference that no event announced (a first look, the sweep) may
//! have been made a moment ago, and a file that was created and not closed may be
//! about to be written. The event then takes the held look's place; nothing is
//! told twice, and nothing is lost when no event comes.
//!
//! What an earlier run knew of a container is taken up at the first look, so that
//! a change made meanwhile is told, and nothing else.

mod described;
mod finding;
mod hold;
mod known;
mod place;
mod telling;

pub use place::key;

use std::cell::Cell;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant, SystemTime};

use crossbeam_channel::{RecvTimeoutError, Sender};

use crate::judge::restart::{Last, verdicts};
use crate::model::{Detection, FileView, Record, RootfsId};
use crate::survey::runtime::Readers;
use crate::sys::limits::slim;
use crate::watch::deliver::Delivery;
use crate::watch::enricher::Enrich;
use crate::watch::examiner::hold::{Held, removes};
use crate::watch::examiner::known::{Known, Memory};
use crate::watch::examiner::place::compare_with_host;
use crate::watch::jobs::{Acted, Job, Subject};
use crate::watch::outpost::Outposts;
use crate::watch::pace::Pace;
use crate::watch::queue::Desk;
use crate::watch::state::store::Store;
use crate::watch::surveyor::{Ask, Asker};
use crate::watch::vigil::Progress;

/// How long a hold may outlast its time while jobs are waiting: what explains it may be
/// among them, and what it tells was found late anyway.
const BEHIND: Duration = Duration::from_secs(5);

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
    memory: Memory,
    outposts: Outposts,
    /// Files that a lease keeps closed, and when they are looked at again.
    later: HashMap<RootfsId, (Instant, Arc<Subject>)>,
    /// Containers of which no names are known yet.
    unnamed: VecDeque<RootfsId>,
    /// Later facts about alerts are asked for here.
    enrich: Option<Enrich>,
    /// Read the files that describe containers.
    readers: Option<Readers>,
    /// The last delivery found no room.
    stuck: Cell<bool>,
}

impl Examiner {
    /// An examiner that knows what `store` holds. `quote` bounds the content kept;
    /// `dropped` counts records given up.
    #[must_use]
    pub fn new(
        records: Sender<Delivery>,
        dropped: Arc<AtomicU64>,
        quote: usize,
        host_ns: Option<u64>,
        store: Option<Arc<Store>>,
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
            memory: Memory::new(store),
            outposts: Outposts::default(),
            later: HashMap::new(),
            unnamed: VecDeque::new(),
            enrich: None,
            readers: None,
            stuck: Cell::default(),
        }
    }

    /// Has alerts looked into further once they are told.
    #[must_use]
    pub fn enriched(self, enrich: Enrich) -> Self {
        Self {
            enrich: Some(enrich),
            ..self
        }
    }

    /// Works until the loop hangs up; what is held is told before the end.
    /// It begins with a first look at `subjects`, and ends when another one took over.
    pub fn work(
        mut self,
        (jobs, mut pace): (&Desk, Pace),
        progress: &Progress,
        subjects: Vec<Arc<Subject>>,
    ) {
        for subject in subjects {
            progress.works(Some(subject.id));
            self.first(subject, SystemTime::now());
        }
        while !progress.is_replaced() {
            progress.rests();
            let held = self.held.values().map(|held| held.until);
            let later = self.later.values().map(|(due, _)| *due);
            let due = match self.unnamed.is_empty() {
                true => held.chain(later).chain(self.memory.due()).min(),
                false => Some(Instant::now()),
            };
            let next = pace.rest(|| jobs.next(due));
            progress.works(next.as_ref().ok().map(Job::about));
            match next {
                Ok(job) => self.job(job),
                Err(RecvTimeoutError::Timeout) => self.learn_ahead(),
                Err(RecvTimeoutError::Disconnected) => break,
            }
            // An explanation that waits in the queue is as good as here.
            let now = Instant::now();
            self.release(Some(if jobs.is_empty() { now } else { now - BEHIND }));
            self.look_again(now);
            self.memory.tidy(now);
        }
        if !progress.is_replaced() {
            self.release(None);
        }
        progress.rests();
    }

    fn job(&mut self, job: Job) {
        match job {
            Job::First(subject, at, _) => self.first(subject, at),
            Job::Look(subject, mut acted, _) => {
                // At once: it may be gone when the file was looked at.
                compare_with_host(&mut acted, self.host_ns);
                self.meet(&subject);
                self.acted(subject, *acted);
            }
            Job::Forget(id) => self.part(id),
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
        match self.held.remove(&id) {
            // What changed since then has an event of its own.
            Some(held) if held.acted.mask == 0 => {
                self.judge(&held.subject, held.acted, held.seen);
            }
            Some(held) => self.examine(&held.subject, held.acted),
            None => {}
        }
    }

    /// The container is gone: what was held back is told by what was seen then.
    fn part(&mut self, id: RootfsId) {
        match self.held.remove(&id) {
            Some(held) if held.acted.mask != 0 && held.seen.is_none() => {
                self.tell_unseen(&held.subject, held.acted);
            }
            Some(held) => self.judge(&held.subject, held.acted, held.seen),
            None => {}
        }
        self.later.remove(&id);
        let known = self.known.remove(&id);
        slim(&mut self.known);
        slim(&mut self.held);
        if let Some(key) = known.and_then(|known| self.memory.part(known)) {
            self.send(Delivery::Forget(key), 0);
        }
    }

    /// The first look at a container that was just marked.
    fn first(&mut self, subject: Arc<Subject>, at: SystemTime) {
        if self.known.contains_key(&subject.id) {
            return;
        }
        let (known, trouble) = self.memory.recall(&subject);
        self.known.insert(subject.id, known);
        self.meet(&subject);
        if let Some(gap) = trouble {
            self.send(Delivery::Record(Record::Gap(Box::new(gap))), 1);
        }
        self.acted(subject, Acted::look(at, Detection::Scan));
    }

    /// An act that is over. One that explains a held look takes its place.
    fn acted(&mut self, subject: Arc<Subject>, mut acted: Acted) {
        let mut until = None;
        if let Some(held) = self.held.remove(&subject.id) {
            if acted.mask == 0 {
                return self.look_while_held(held, subject, acted);
            }
            if self.explains(&held, &acted) {
                // However often an act goes on: the first hold ends when it ends.
                until = (held.acted.mask != 0).then_some(held.until);
                acted.join(held.acted);
            } else if removes(held.acted.mask) {
                // What is there by now is another's.
                self.judge(&held.subject, held.acted, None);
            } else {
                self.examine(&held.subject, held.acted);
            }
        }
        // One look for both: between two of them the file may come to be.
        let Some(now) = self.see(&subject) else {
            return self.unseen(subject, acted, until);
        };
        if self.is_anothers(subject.id, acted.mask, now.as_ref()) {
            acted = Acted::look(acted.at, acted.detection);
        }
        let may_wait = until.is_none_or(|until| until > Instant::now());
        if may_wait && self.may_go_on(subject.id, &acted, now.as_ref()) {
            self.hold(subject, acted, now, until);
        } else {
            self.judge(&subject, acted, now);
        }
    }

    /// What is known is what an earlier run knew.
    fn is_earlier(&self, id: RootfsId) -> bool {
        self.known.get(&id).is_some_and(|known| known.past.earlier)
    }

    fn examine(&mut self, subject: &Arc<Subject>, acted: Acted) {
        match self.see(subject) {
            Some(after) => self.judge(subject, acted, after),
            None => self.tell_unseen(subject, acted),
        }
    }

    /// What a look after an act means, against what was known before it.
    fn judge(&mut self, subject: &Subject, mut acted: Acted, after: Option<FileView>) {
        let known = self.known.entry(subject.id).or_default();
        let told = known.has_told(&acted, after.as_ref());
        if acted.mask != 0 {
            known.told = acted.pid();
            known.looked = Some(Instant::now());
        }
        if told {
            return;
        }
        let found = verdicts(&known.past, after.as_ref(), acted.mask);
        let alert = found.iter().any(|verdict| verdict.change.alert);
        if alert {
            // A look tells of nobody: whoever closes what it saw was told with it.
            known.told = acted.pid();
        }
        let past = std::mem::take(&mut known.past);
        known.past.last = Last::seen(after.as_ref());
        let remember = known.remember(subject);
        if past.last.file().map(FileView::way) != after.as_ref().map(FileView::way) {
            self.survey.ask(Ask::Again(subject.id));
        }
        let is_new = past.earlier || past.last == Last::Unseen;
        let described = alert.then(|| self.described(subject)).flatten();
        let subject = described.as_ref().unwrap_or(subject);
        if alert {
            self.name(subject, &mut acted);
        }
        let views = (&past, after.as_ref());
        let records = self.records(subject, acted, found, views);
        if is_new || !records.is_empty() {
            self.tell(subject, records, remember);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
