//! From triggers to jobs: gather, resolve the writer, hand on what is over. What
//! the examiner has no room for is owed, folded and counted, never dropped.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use crossbeam_channel::{Sender, TrySendError};

use crate::model::{Detection, RootfsId};
use crate::reach::mount_ns;
use crate::watch::jobs::{Acted, Job};
use crate::watch::lane::Trigger;
use crate::watch::run::Watch;
use crate::watch::surveyor::Ask;
use crate::watch::watched::Watched;

/// Looks at one container that may wait at a time, each of which holds its subject:
/// a flood in one costs that one its detail, not the others their turn.
const LOOKS: usize = 16;

impl Watch {
    /// One event about a watched name.
    pub(super) fn trigger(&mut self, trigger: &Trigger) {
        self.counters.triggers += 1;
        let Some(watched) = self.watched.get_mut(&trigger.rootfs) else {
            return;
        };
        if !trigger.leaf {
            // A directory on the way moved, or was copied up: find the way anew.
            if watched.asks(Instant::now()) {
                self.surveyor.ask(Ask::Again(trigger.rootfs));
            }
            if !trigger.upper {
                return self.look(trigger.rootfs, Detection::Event);
            }
        }
        let who = (trigger.pid, trigger.pidfd.as_ref());
        let (mask, settle) = (trigger.mask, self.options.settle);
        let earlier = watched.trigger((&self.boot, &mut self.trail), who, mask, settle);
        if !self.acting.contains(&trigger.rootfs) {
            self.acting.push(trigger.rootfs);
        }
        if let Some(earlier) = earlier {
            self.hand_on(trigger.rootfs, earlier);
        }
    }

    /// A write of a file with the right name, placed by its writer's mount namespace.
    pub(super) fn unplaced(&mut self, (pid, pidfd, mask): (i32, Option<OwnedFd>, u64)) {
        let Some(namespace) = mount_ns(Path::new(&format!("/proc/{pid}/ns/mnt"))) else {
            return;
        };
        let home =
            |(_, watched): &(&RootfsId, &Watched)| watched.subject.mount_ns == Some(namespace);
        if let Some((&rootfs, _)) = self.watched.iter().find(home) {
            self.trigger(&Trigger {
                rootfs,
                leaf: true,
                upper: false,
                mask,
                pid,
                pidfd,
            });
        }
    }

    /// Hands on the acts that are over; all of them when there is no time limit.
    pub(super) fn release(&mut self, now: Option<Instant>) {
        let far = Instant::now() + Duration::from_secs(3600);
        for id in std::mem::take(&mut self.acting) {
            let Some(watched) = self.watched.get_mut(&id) else {
                continue;
            };
            match watched.release(now.unwrap_or(far), self.options.settle) {
                Some(acted) => self.hand_on(id, acted),
                None if watched.deadline().is_some() => self.acting.push(id),
                None => {}
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
        self.counters.acts += 1;
        watched.owe(acted);
        // Nothing overtakes what waits already: a first look comes first.
        self.owing |= !(self.late.is_empty() && pay(&self.jobs, watched));
    }

    /// Gives the examiner a job that must not be lost or folded; never waits.
    pub(super) fn job(&mut self, job: Job) {
        self.late.push_back(job);
        self.owing |= !self.pay_late();
    }

    fn pay_late(&mut self) -> bool {
        while let Some(job) = self.late.pop_front() {
            if let Err(TrySendError::Full(job)) = self.jobs.try_send(job) {
                self.late.push_front(job);
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
        let far = Instant::now() + Duration::from_secs(3600);
        if let Some(acted) = watched.release(far, self.options.settle) {
            watched.owe(acted);
        }
        if let Some(acted) = watched.owed.take() {
            let subject = Arc::clone(&watched.subject);
            self.job(Job::Look(subject, Box::new(acted)));
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
        for lane in 0..self.marks.lanes() {
            self.events(lane as u64);
        }
        self.release(None);
        self.pay_debts();
    }
}

/// Offers what a root filesystem owes. Whether it owes nothing now.
fn pay(jobs: &Sender<Job>, watched: &mut Watched) -> bool {
    if watched.owed.is_some() && Arc::strong_count(&watched.subject) > LOOKS {
        return false;
    }
    let Some(acted) = watched.owed.take() else {
        return true;
    };
    match jobs.try_send(Job::Look(Arc::clone(&watched.subject), Box::new(acted))) {
        Ok(()) => true,
        Err(back) => {
            if let Job::Look(_, acted) = back.into_inner() {
                watched.owed = Some(*acted);
            }
            false
        }
    }
}
