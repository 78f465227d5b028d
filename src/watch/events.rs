//! From events to triggers: lanes are read, quickly and in turns, and what was read is
//! taken in, the quiet containers first.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::model::{Detection, RootfsId};
use crate::reach::mount_ns;
use crate::watch::lane::{Reading, Source, Trigger};
use crate::watch::run::Watch;
use crate::watch::surveyor::Ask;
use crate::watch::watched::Watched;

/// Reads of one lane in one turn: the others get theirs, whatever one container does.
const READS: usize = 8;
/// How long one lane is read in one turn.
const TURN: Duration = Duration::from_millis(10);

impl Watch {
    /// Reads a lane, a bounded number of times.
    pub(super) fn events(&mut self, lane: u64) {
        let lane = usize::try_from(lane).unwrap_or(usize::MAX);
        let turn = Instant::now();
        let owner = self.marks.owner(lane);
        let reads = if owner.is_some() { 1 } else { READS };
        for _ in 0..reads {
            let reading = match self.marks.read(lane) {
                Ok(reading) => reading,
                Err(error) => return self.lost_read(&error.to_string()),
            };
            let events = reading.events;
            self.take(reading, owner);
            if events == 0 || turn.elapsed() > TURN {
                return;
            }
        }
    }

    fn take(&mut self, reading: Reading, owner: Option<RootfsId>) {
        self.counters.events += reading.events as u64;
        if let Some(stop) = reading.broken {
            self.lost_read(&format!("event buffer not understood: {stop:?}"));
        }
        if reading.overflow {
            self.overflowed(owner);
        }
        if reading.strangers {
            self.rescan_soon(owner);
        }
        if let (Some(crowd), None) = (reading.crowd, owner) {
            self.renew(crowd);
        }
        self.aside(&reading.aside);
        let mut triggers = reading.triggers;
        // Stable: the order within a container stays.
        triggers.sort_by_cached_key(|trigger| self.is_over_budget(trigger.rootfs));
        for trigger in triggers {
            self.trigger(trigger);
        }
        for write in reading.unplaced {
            self.unplaced(write);
        }
    }

    fn is_over_budget(&self, id: RootfsId) -> bool {
        self.watched.get(&id).is_some_and(Watched::is_over_budget)
    }

    /// One event about a watched name.
    fn trigger(&mut self, trigger: Trigger) {
        self.counters.triggers += 1;
        let id = trigger.rootfs;
        let Some(watched) = self.watched.get_mut(&id) else {
            return;
        };
        if !trigger.leaf {
            // A directory on the way moved, or was copied up: find the way anew.
            let now = Instant::now();
            if watched.asks(now) {
                self.surveyor.ask(Ask::Again(id));
            }
            if trigger.source != Source::Way {
                if watched.may_look(now) {
                    return self.look(id, Detection::Event);
                }
                return self.acts(id);
            }
        }
        let who = match watched.subject.reach.closed {
            // The filesystem's server wrote, and it does not say for whom.
            true => (0, None),
            false => (trigger.pid, trigger.pidfd),
        };
        let earlier = watched.trigger(
            (&self.boot, &mut self.trail),
            who,
            (trigger.mask, trigger.source),
            self.options.settle,
        );
        self.acts(id);
        if let Some(earlier) = earlier {
            self.hand_on(id, earlier);
        }
    }

    /// Something is pending on a root filesystem.
    fn acts(&mut self, id: RootfsId) {
        if !self.acting.contains(&id) {
            self.acting.push(id);
        }
    }

    /// A write of a file with the right name, placed by its writer's mount namespace.
    fn unplaced(&mut self, (pid, pidfd): (i32, Option<OwnedFd>)) {
        let Some(namespace) = mount_ns(Path::new(&format!("/proc/{pid}/ns/mnt"))) else {
            return;
        };
        let home =
            |(_, watched): &(&RootfsId, &Watched)| watched.subject.mount_ns == Some(namespace);
        if let Some((&rootfs, _)) = self.watched.iter().find(home) {
            self.trigger(Trigger {
                rootfs,
                leaf: true,
                source: Source::Path,
                mask: 0,
                pid,
                pidfd,
            });
        }
    }
}
