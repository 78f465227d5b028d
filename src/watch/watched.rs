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
use crate::who::process::Boot;
use crate::who::trail::Trail;

/// A question to the survey for the way.
#[derive(Debug, Clone, Copy)]
struct Asked {
    at: Instant,
    /// A reason to ask came after it.
    again: bool,
}

/// After this long a question was not heard.
const UNANSWERED: Duration = Duration::from_secs(1);

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
    asked: Option<Asked>,
    /// What was marked at the last sighting.
    way: u64,
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
            asked: None,
            way: 0,
            actor: None,
        }
    }

    /// The way has to be found anew: whether to ask now. One question waits for its
    /// answer at a time, whatever a container does to the directories on the way; one
    /// that nobody answered is asked again.
    pub fn asks(&mut self, now: Instant) -> bool {
        let waits = self
            .asked
            .filter(|asked| now.saturating_duration_since(asked.at) < UNANSWERED);
        let at = waits.map_or(now, |asked| asked.at);
        self.asked = Some(Asked {
            at,
            again: waits.is_some(),
        });
        waits.is_none()
    }

    /// The answer came: whether to ask once more, since the way changed meanwhile or is
    /// another than before: it may have been replaced between the walk and the mark.
    pub fn answered(&mut self, now: Instant, way: u64) -> bool {
        let again = self.asked.is_some_and(|asked| asked.again);
        let more = std::mem::replace(&mut self.way, way) != way || again;
        self.asked = more.then_some(Asked {
            at: now,
            again: false,
        });
        more
    }

    /// Takes a trigger about the file's name; resolves the writer while it may
    /// still be there. Returns the act of an earlier writer that is thereby over.
    pub fn trigger(
        &mut self,
        (boot, trail): (&Boot, &mut Trail),
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
            let writer = trail.writer(boot, pid, pidfd);
            self.actor = Some((writer, self.has_its_root(pid, pidfd)));
        }
        earlier
    }

    /// The writer was resolved at an earlier trigger of this act.
    fn knows(&self, pid: i32) -> bool {
        let known =
            |writer: &Writer| writer.pid == Some(pid) && writer.source != WriterSource::Unknown;
        self.actor.as_ref().is_some_and(|(writer, _)| known(writer))
    }

    /// The writer's root is this very root filesystem. Only a container that no file
    /// named needs to know.
    fn has_its_root(&self, pid: i32, pidfd: Option<&OwnedFd>) -> bool {
        self.subject.container.id.is_none()
            && pidfd.is_some_and(|pidfd| root_of(pid, pidfd).as_ref() == Some(&self.subject.root))
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
            let both = acted.mask != 0 && earlier.mask != 0 && acted.pid() != earlier.pid();
            acted.join(earlier);
            // One of them made the difference that will be seen; which is not known.
            if let Some(writer) = acted.writer.as_mut().filter(|_| both) {
                writer.confirmed = false;
            }
        }
        self.owed = Some(acted);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::model::{Container, Coverage, RootfsId, Rung};
    use crate::reach::Reach;
    use crate::survey::mounts::RootKey;
    use crate::sys::fanotify::mask;

    fn watched() -> Watched {
        Watched::new(Arc::new(Subject {
            id: RootfsId(1),
            container: Container::default(),
            reach: Reach {
                host: None,
                init: None,
            },
            mount_ns: None,
            root: RootKey {
                device: (0, 0),
                directory: Vec::new(),
            },
            upper: None,
            coverage: Coverage {
                rung: Rung::Named,
                gaps: Vec::new(),
            },
            trail: String::new(),
        }))
    }

    fn act(pid: i32) -> Acted {
        Acted {
            mask: mask::MODIFY,
            writer: Some(Writer {
                confirmed: true,
                ..Writer::unknown(Some(pid))
            }),
            ..Acted::look(SystemTime::now(), Detection::Event)
        }
    }

    #[test]
    fn two_writers_in_one_look_are_no_certain_writer() {
        let mut watched = watched();
        watched.owe(act(7));
        watched.owe(act(7));
        assert!(
            watched
                .owed
                .as_ref()
                .unwrap()
                .writer
                .as_ref()
                .unwrap()
                .confirmed
        );
        watched.owe(act(8));
        let owed = watched.owed.unwrap();
        assert_eq!((owed.folded, owed.pid()), (2, Some(8)));
        assert!(!owed.writer.unwrap().confirmed);
    }

    #[test]
    fn one_question_waits_at_a_time_and_none_is_forgotten() {
        let mut watched = watched();
        let now = Instant::now();
        assert!(watched.answered(now, 1), "it may have been replaced before");
        assert!(!watched.answered(now, 1));
        assert!(watched.asks(now));
        assert!(!watched.asks(now));
        assert!(watched.answered(now, 1), "a reason came after the question");
        assert!(!watched.answered(now, 1));
        assert!(watched.asks(now));
        assert!(watched.asks(now + UNANSWERED), "nobody answered");
    }
}
