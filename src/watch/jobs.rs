//! What the loop hands to the examiner.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use crate::model::{Container, Coverage, Detection, RootfsId, Writer};
use crate::reach::Reach;
use crate::survey::mounts::RootKey;
use crate::survey::runtime::Papers;
use crate::watch::queue::Ticket;

/// One watched root filesystem, as of its last sighting.
#[derive(Debug, Clone)]
pub struct Subject {
    /// Its name within this run.
    pub id: RootfsId,
    /// Whose it is.
    pub container: Container,
    /// The files that say so.
    pub papers: Papers,
    /// The ways in.
    pub reach: Reach,
    /// The container's mount namespace, once known.
    pub mount_ns: Option<u64>,
    /// Which root filesystem.
    pub root: RootKey,
    /// Its writable layer, as the host names it.
    pub upper: Option<PathBuf>,
    /// How it is watched.
    pub coverage: Coverage,
    /// `on`, or why no trail is kept of the programs executed in it.
    pub trail: String,
}

/// An act that is over: look what it did.
#[derive(Debug)]
pub struct Acted {
    /// `FAN_*` bits of its triggers; 0: nothing but a reason to look.
    pub mask: u64,
    /// Who, as the event and `/proc` told.
    pub writer: Option<Writer>,
    /// The writer's root is the changed root filesystem itself.
    pub same_root: bool,
    /// Triggers beyond the first act that were folded into this one.
    pub folded: u64,
    /// Only closes what was told already.
    pub closing: bool,
    /// When its first trigger was read.
    pub at: SystemTime,
    /// How it came to our notice.
    pub detection: Detection,
}

impl Acted {
    /// A reason to look that no event gave.
    #[must_use]
    pub fn look(at: SystemTime, detection: Detection) -> Self {
        Self {
            mask: 0,
            writer: None,
            same_root: false,
            folded: 0,
            closing: false,
            at,
            detection,
        }
    }

    /// A reason to look that the clock or a loss gave, not something that happened now.
    #[must_use]
    pub fn is_routine(&self) -> bool {
        self.mask == 0 && matches!(self.detection, Detection::Sweep | Detection::Scan)
    }

    /// Pid of the writer, where the kernel gave one and it is no guess.
    #[must_use]
    pub fn pid(&self) -> Option<i32> {
        self.writer.as_ref().filter(|writer| !writer.guess)?.pid
    }

    /// Takes an earlier, unfinished part of the same act in. Who gave a reason to look is
    /// not who made what was found there, when an event tells of another.
    pub fn join(&mut self, earlier: Self) {
        let pids = (earlier.pid(), self.pid());
        let is_another = earlier.mask == 0 && pids.1.is_some() && pids.0 != pids.1;
        self.closing &= earlier.mask == 0;
        self.mask |= earlier.mask;
        self.at = self.at.min(earlier.at);
        self.folded += earlier.folded;
        self.same_root |= earlier.same_root && !is_another;
        let rank = |writer: &Option<Writer>| {
            let known = |writer: &Writer| {
                let has_pid = writer.pid.is_some();
                (writer.confirmed, has_pid && !writer.guess, has_pid)
            };
            writer.as_ref().map(known)
        };
        let known = self.writer.as_ref().is_some_and(|writer| writer.confirmed);
        if !known && !is_another && rank(&earlier.writer) >= rank(&self.writer) {
            self.writer = earlier.writer;
        }
    }
}

/// Work for the examiner.
#[derive(Debug)]
pub enum Job {
    /// The first look at a root filesystem that was just marked.
    First(Arc<Subject>, SystemTime, Ticket),
    /// An act, or a reason to look.
    Look(Arc<Subject>, Box<Acted>, Ticket),
    /// The root filesystem is gone: forget its state.
    Forget(RootfsId),
}

impl Job {
    /// The root filesystem it is about.
    #[must_use]
    pub fn about(&self) -> RootfsId {
        match self {
            Self::First(subject, ..) | Self::Look(subject, ..) => subject.id,
            Self::Forget(id) => *id,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_of_who_gave_a_reason_to_look_is_not_that_of_who_acted() {
        let of = |pid: i32, mask: u64, same_root: bool| Acted {
            mask,
            same_root,
            writer: Some(Writer::unknown(Some(pid))),
            ..Acted::look(SystemTime::now(), Detection::Event)
        };
        for (pid, want) in [(7, false), (12, true)] {
            let mut acted = of(12, 2, false);
            acted.join(of(pid, 0, true));
            assert_eq!((acted.pid(), acted.same_root), (Some(12), want));
        }
    }
}
