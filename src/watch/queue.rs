//! The examiner's queue. Two of them: containers that have next to nothing waiting are
//! served before those that have much. Within one container nothing overtakes.

use std::sync::Arc;
use std::time::Instant;

use crossbeam_channel::{Receiver, RecvTimeoutError, Select, Sender, TryRecvError, bounded};

use crate::watch::jobs::Job;

/// Jobs of one container in the swift queue.
const SWIFT: usize = 2;
/// Jobs of one container that may wait in all: beyond, acts are folded and counted.
const WAITING: usize = 16;
/// Looks without an event that may wait for one container: one in work, one behind it
/// that sees all that happens until it begins.
const LOOKS: usize = 2;

/// What goes with a job and is given back when the job is done.
pub type Ticket = Arc<()>;

/// Which queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// Served first.
    Swift,
    /// Served when the other is empty.
    Slow,
}

/// What one container has waiting.
#[derive(Debug, Default)]
pub struct Waiting {
    acts: Ticket,
    looks: Ticket,
    slow: bool,
}

impl Waiting {
    /// A place for an act; `None`: it has enough waiting.
    pub fn act(&mut self) -> Option<(Pace, Ticket)> {
        let waiting = Arc::strong_count(&self.acts) - 1;
        // Once slow it stays so until nothing waits: else the newer would overtake.
        self.slow = waiting > 0 && (self.slow || waiting >= SWIFT);
        let pace = if self.slow { Pace::Slow } else { Pace::Swift };
        (waiting < WAITING).then(|| (pace, Arc::clone(&self.acts)))
    }

    /// A place for a look without an event, which whatever comes later may overtake.
    pub fn look(&self) -> Option<(Pace, Ticket)> {
        let waiting = Arc::strong_count(&self.looks) - 1;
        (waiting < LOOKS).then(|| (Pace::Slow, Arc::clone(&self.looks)))
    }

    /// A place for a job that must not be refused.
    pub fn must(&mut self) -> (Pace, Ticket) {
        self.slow = true;
        (Pace::Slow, Arc::clone(&self.acts))
    }
}

/// The loop's end.
#[derive(Debug, Clone)]
pub struct Jobs {
    swift: Sender<Job>,
    slow: Sender<Job>,
}

impl Jobs {
    /// Both ends, with room for so many jobs in each queue.
    #[must_use]
    pub fn new(room: usize) -> (Self, Desk) {
        let (swift, swift_work) = bounded(room);
        let (slow, slow_work) = bounded(room);
        let desk = Desk {
            swift: swift_work,
            slow: slow_work,
        };
        (Self { swift, slow }, desk)
    }

    /// Queues a job, without ever waiting.
    ///
    /// # Errors
    /// There is no room; the job.
    pub fn offer(&self, job: Job, pace: Pace) -> Result<(), Job> {
        let queue = match pace {
            Pace::Swift => &self.swift,
            Pace::Slow => &self.slow,
        };
        queue.try_send(job).map_err(|back| back.into_inner())
    }
}

/// The examiner's end.
#[derive(Debug, Clone)]
pub struct Desk {
    swift: Receiver<Job>,
    slow: Receiver<Job>,
}

impl Desk {
    /// The next job, waited for until `due`.
    ///
    /// # Errors
    /// `Timeout`, or `Disconnected` when the loop hung up and nothing is left.
    pub fn next(&self, due: Option<Instant>) -> Result<Job, RecvTimeoutError> {
        loop {
            let swift = self.swift.try_recv();
            if let Ok(job) = swift {
                return Ok(job);
            }
            match (swift, self.slow.try_recv()) {
                (_, Ok(job)) => return Ok(job),
                // Nothing is queued any more once one of them is hung up.
                (Err(TryRecvError::Disconnected), _) => return Err(RecvTimeoutError::Disconnected),
                _ => {}
            }
            let mut select = Select::new();
            select.recv(&self.swift);
            select.recv(&self.slow);
            match due {
                None => {
                    select.ready();
                }
                Some(due) => {
                    select
                        .ready_deadline(due)
                        .map_err(|_| RecvTimeoutError::Timeout)?;
                }
            }
        }
    }

    /// No job waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.swift.is_empty() && self.slow.is_empty()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::model::RootfsId;

    fn number(desk: &Desk) -> u64 {
        match desk.next(Some(Instant::now())).unwrap() {
            Job::Forget(id) => id.0,
            _ => 0,
        }
    }

    #[test]
    fn a_container_with_much_waiting_waits_for_the_others() {
        let (jobs, desk) = Jobs::new(100);
        let (mut busy, mut quiet) = (Waiting::default(), Waiting::default());
        let mut out = Vec::new();
        while let Some((pace, ticket)) = busy.act() {
            jobs.offer(Job::Forget(RootfsId(1)), pace).unwrap();
            out.push(ticket);
        }
        assert_eq!(out.len(), WAITING);
        let (pace, _ticket) = quiet.act().unwrap();
        jobs.offer(Job::Forget(RootfsId(2)), pace).unwrap();
        let order: Vec<u64> = (0..WAITING + 1).map(|_| number(&desk)).collect();
        assert_eq!(order.get(..4).unwrap(), [1, 1, 2, 1]);
    }

    #[test]
    fn what_is_slow_stays_so_until_nothing_of_it_waits() {
        let mut waiting = Waiting::default();
        let first: Vec<_> = (0..3).filter_map(|_| waiting.act()).collect();
        let paces: Vec<Pace> = first.iter().map(|(pace, _)| *pace).collect();
        assert_eq!(paces, [Pace::Swift, Pace::Swift, Pace::Slow]);
        let mut first = first.into_iter().skip(2);
        let last = first.next();
        assert_eq!(waiting.act().map(|(pace, _)| pace), Some(Pace::Slow));
        drop((first, last));
        assert_eq!(waiting.act().map(|(pace, _)| pace), Some(Pace::Swift));
    }

    #[test]
    fn what_is_queued_is_worked_off_after_the_loop_hung_up() {
        let (jobs, desk) = Jobs::new(4);
        jobs.offer(Job::Forget(RootfsId(1)), Pace::Slow).unwrap();
        jobs.offer(Job::Forget(RootfsId(2)), Pace::Swift).unwrap();
        drop(jobs);
        assert_eq!((number(&desk), number(&desk)), (2, 1));
        assert!(matches!(
            desk.next(None),
            Err(RecvTimeoutError::Disconnected)
        ));
    }
}
