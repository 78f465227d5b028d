//! One root filesystem as the loop keeps it: who it is, what is pending on it,
//! what could not be handed on yet.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use crate::judge::settle::{Act, Settle};
use crate::model::{Detection, Writer, WriterSource};
use crate::survey::processes::root_of;
use crate::watch::jobs::{Acted, Subject};
use crate::watch::tables::Watching;
use crate::who::process::{Boot, writer};

/// A watched root filesystem.
#[derive(Debug)]
pub struct Watched {
    /// What the examiner is told of it.
    pub subject: Arc<Subject>,
    /// An act for which the examiner's queue had no room.
    pub owed: Option<Acted>,
    /// Sightings so far.
    pub round: u64,
    /// The mount table of its namespace, once the init is known.
    pub table: Option<Watching>,
    settle: Settle,
    /// Who is acting, resolved at the first trigger of the act.
    actor: Option<(Writer, bool)>,
}

impl Watched {
    /// A root filesystem on which nothing is pending.
    #[must_use]
    pub fn new(subject: Arc<Subject>) -> Self {
        Self {
            subject,
            owed: None,
            round: 0,
            table: None,
            settle: Settle::default(),
            actor: None,
        }
    }

    /// Takes a trigger about the file's name; resolves the writer while it may
    /// still be there. Returns the act of an earlier writer that is thereby over.
    pub fn trigger(
        &mut self,
        boot: &Boot,
        (pid, pidfd): (i32, Option<&OwnedFd>),
        mask: u64,
        settle: Duration,
    ) -> Option<Acted> {
        let pid = (pid > 0).then_some(pid);
        let earlier = self.settle.trigger(Instant::now(), pid, mask, settle);
        let earlier = earlier.map(|act| self.acted(act));
        if let Some(pid) = pid
            && !self.knows(pid)
        {
            self.actor = Some(self.resolve(boot, pid, pidfd));
        }
        earlier
    }

    /// The writer was resolved at an earlier trigger of this act.
    fn knows(&self, pid: i32) -> bool {
        let known =
            |writer: &Writer| writer.pid == Some(pid) && writer.source != WriterSource::Unknown;
        self.actor.as_ref().is_some_and(|(writer, _)| known(writer))
    }

    fn resolve(&self, boot: &Boot, pid: i32, pidfd: Option<&OwnedFd>) -> (Writer, bool) {
        let writer = writer(boot, pid, pidfd);
        // Only a container that no file named needs to know whose root the writer has.
        let same_root = self.subject.container.id.is_none()
            && pidfd.is_some_and(|pidfd| root_of(pid, pidfd).as_ref() == Some(&self.subject.root));
        (writer, same_root)
    }

    /// The act that is over by now, if one is.
    pub fn release(&mut self, now: Instant, settle: Duration) -> Option<Acted> {
        let act = self.settle.release(now, settle)?;
        Some(self.acted(act))
    }

    /// When to ask `release` again.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.settle.deadline()
    }

    fn acted(&mut self, act: Act) -> Acted {
        let (writer, same_root) = self
            .actor
            .take()
            .unwrap_or_else(|| (Writer::unknown(act.pid), false));
        let since = act.first.elapsed();
        let at = SystemTime::now();
        Acted {
            mask: act.mask,
            writer: Some(writer),
            same_root,
            folded: 0,
            closing: act.closing,
            at: at.checked_sub(since).unwrap_or(at),
            detection: Detection::Event,
        }
    }

    /// Keeps an act that the examiner has no room for. What was owed already is
    /// folded into it: counted, its triggers kept, its writer the later one.
    pub fn owe(&mut self, mut acted: Acted) {
        if let Some(earlier) = self.owed.take() {
            acted.folded += u64::from(earlier.mask != 0 && acted.mask != 0);
            if acted.mask == 0 {
                acted.detection = earlier.detection;
            }
            acted.join(earlier);
        }
        self.owed = Some(acted);
    }
}
