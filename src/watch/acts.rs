//! From triggers to jobs: gather, resolve the writer, hand on what is over. What
//! the examiner has no room for is owed, folded and counted, never dropped.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use crate::model::{Detection, RootfsId};
use crate::watch::jobs::{Acted, Job};
use crate::watch::queue::{Jobs, Pace};
use crate::watch::run::Watch;
use crate::watch::watched::Watched;

impl Watch {
    /// Something else changed in the `etc` of these.
    pub(super) fn aside(&mut self, ids: &[RootfsId]) {
        let now = Instant::now();
        for id in ids {
            if let Some(watched) = self.watched.get_mut(id) {
                watched.aside = Some(now);
            }
        }
    }

    /// What happened and who did it lie in different queues on the lower rungs: all are
    /// read before an act is over.
    pub(super) fn read_the_rest(&mut self, now: Instant) {
        let is_over = |id: &RootfsId| {
            let watched = self.watched.get(id);
            watched.is_some_and(|watched| watched.is_over(now))
        };
        if self.marks.is_split() && self.acting.iter().any(is_over) {
            self.read_all();
        }
    }

    /// Reads every lane: what events tell comes before what a look without one finds.
    pub(super) fn read_all(&mut self) {
        for lane in self.marks.in_order() {
            self.events(lane as u64);
        }
    }

    /// Hands on the acts that are over; all of them when there is no time limit.
    pub(super) fn release(&mut self, now: Option<Instant>) {
        let now = now.unwrap_or_else(far);
        for id in std::mem::take(&mut self.acting) {
            let Some(watched) = self.watched.get_mut(&id) else {
                continue;
            };
            let acted = watched.release((&self.boot, &mut self.trail), now, self.options.settle);
            if watched.deadline().is_some() {
                self.acting.push(id);
            }
            if let Some(acted) = acted {
                self.hand_on(id, acted);
            }
        }
    }

    /// Asks for a look that no act gave reason for.
    pub(super) fn look(&mut self, id: RootfsId, detection: Detection) {
        self.hand_on(id, Acted::look(SystemTime::now(), detection));
    }

    /// Hands an act to the examiner, or keeps it until there is room.
    pub(super) fn hand_on(&mut self, id: RootfsId, acted: Acted) {
        let Some(watched) = self.watched.get_mut(&id) else {
            return;
        };
        if watched.closed {
            return;
        }
        self.counters.acts += 1;
        self.counters.folded += acted.folded;
        watched.owe(acted);
        // Nothing overtakes what waits already: a first look comes first.
        self.owing |= !(self.late.is_empty() && pay(&self.jobs, watched));
    }

    /// A root filesystem that was closed is looked at as for the first time.
    pub(super) fn open_again(&mut self, id: RootfsId) {
        let Some(watched) = self.watched.get_mut(&id) else {
            return;
        };
        watched.closed = false;
        let subject = Arc::clone(&watched.subject);
        let (pace, ticket) = watched.waiting.must();
        self.job(Job::First(subject, SystemTime::now(), ticket), pace);
        self.look(id, Detection::Scan);
    }

    /// Gives the examiner a job that must not be lost or folded; never waits.
    pub(super) fn job(&mut self, job: Job, pace: Pace) {
        self.late.push_back((job, pace));
        self.owing |= !self.pay_late();
    }

    fn pay_late(&mut self) -> bool {
        while let Some((job, pace)) = self.late.pop_front() {
            if let Err(job) = self.jobs.offer(job, pace) {
                self.late.push_front((job, pace));
                return false;
            }
        }
        true
    }

    /// Hands on what is pending on a root filesystem that is about to be forgotten.
    pub(super) fn hand_on_last(&mut self, id: RootfsId) {
        let Some(watched) = self.watched.get_mut(&id) else {
            return;
        };
        while let Some(acted) =
            watched.release((&self.boot, &mut self.trail), far(), self.options.settle)
        {
            watched.owe(acted);
        }
        if let Some(acted) = watched.owed.take() {
            let subject = Arc::clone(&watched.subject);
            let (pace, ticket) = watched.waiting.must();
            self.job(Job::Look(subject, acted, ticket), pace);
        }
    }

    /// Offers again what found no room.
    pub(super) fn pay_debts(&mut self) {
        if self.owing && self.pay_late() {
            let jobs = &self.jobs;
            self.owing = !self
                .watched
                .values_mut()
                .map(|watched| pay(jobs, watched))
                .fold(true, |all, paid| all & paid);
        }
    }

    /// Hands on everything that is pending, since the end was asked for.
    pub(super) fn finish(&mut self) {
        self.service.stopping();
        self.read_all();
        // An act and, behind it, what was folded.
        self.release(None);
        self.release(None);
        self.pay_debts();
    }
}

fn far() -> Instant {
    Instant::now() + Duration::from_secs(3600)
}

/// Offers what a root filesystem owes. Whether it owes nothing now.
fn pay(jobs: &Jobs, watched: &mut Watched) -> bool {
    let Some(acted) = watched.owed.take() else {
        return true;
    };
    let place = match acted.is_routine() {
        true => watched.waiting.look(),
        false => watched.waiting.act(),
    };
    let Some((pace, ticket)) = place else {
        watched.owed = Some(acted);
        return false;
    };
    let job = Job::Look(Arc::clone(&watched.subject), acted, ticket);
    match jobs.offer(job, pace) {
        Ok(()) => true,
        Err(Job::Look(_, acted, _)) => {
            watched.owed = Some(acted);
            false
        }
        Err(_) => false,
    }
}
