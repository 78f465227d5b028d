//! One root filesystem as the loop keeps it: who it is, what is pending on it,
//! what could not be handed on yet.

mod who;

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::judge::settle::Settle;
use crate::watch::budget::{Actor, Budget, Folded};
use crate::watch::jobs::{Acted, Subject};
use crate::watch::lane::Source;
use crate::watch::queue::Waiting;
use crate::watch::tables::Watching;
use crate::watch::trail::ON;
use crate::watch::watched::who::{Earlier, Wrote};
use crate::who::boot::Boot;
use crate::who::trail::{Trail, ticks_now};

/// A question to the survey for the way.
#[derive(Debug, Clone, Copy)]
struct Asked {
    at: Instant,
    /// A reason to ask came after it.
    again: bool,
}

/// After this long a question was not heard.
const UNANSWERED: Duration = Duration::from_secs(1);

/// A watched root filesystem. There are many, and something is pending on few: that is
/// kept apart.
#[derive(Debug)]
pub struct Watched {
    /// What the examiner is told of it.
    pub subject: Arc<Subject>,
    /// An act for which the examiner's queue had no room.
    pub owed: Option<Box<Acted>>,
    /// Sightings so far.
    pub round: u64,
    /// A limit of the kernel kept something from being marked.
    pub short: bool,
    /// The mount table of its namespace, once the init is known.
    pub table: Option<Watching>,
    settle: Settle,
    asked: Option<Asked>,
    /// What was marked at the last sighting.
    way: u64,
    /// Who is acting, resolved at the first trigger of the act, and the pidfd by which
    /// a successor of the pid is told from it.
    actor: Option<Box<(Actor, Option<OwnedFd>)>>,
    /// What that is known by.
    known_by: Source,
    budget: Budget,
    /// Acts over the budget.
    folded: Option<Box<Folded>>,
    /// Its next marks are to be made anew, in lanes of its own.
    pub renew: bool,
    /// A thread got stuck at it: it is not looked at.
    pub closed: bool,
    /// What the examiner has of it.
    pub waiting: Waiting,
    /// When something else in `etc` was seen to change.
    pub aside: Option<Instant>,
    /// Who touched the writable layer, or the attributes of a file that then lost its name,
    /// before what that was for could be seen.
    copied: Option<Box<Earlier>>,
    /// Writes of the file that were told lately.
    wrote: Vec<Wrote>,
    /// Since which clock tick a trail is kept of it; `None`: none is.
    marked: Option<u64>,
}

impl Watched {
    /// A root filesystem on which nothing is pending.
    #[must_use]
    pub fn new(subject: Arc<Subject>) -> Self {
        Self {
            marked: (subject.trail == ON).then(ticks_now),
            subject,
            owed: None,
            round: 0,
            short: false,
            table: None,
            settle: Settle::default(),
            asked: None,
            way: 0,
            actor: None,
            known_by: Source::Name,
            budget: Budget::new(Instant::now()),
            folded: None,
            renew: false,
            closed: false,
            waiting: Waiting::default(),
            aside: None,
            copied: None,
            wrote: Vec::new(),
        }
    }

    /// It was sighted once more.
    pub fn sighted_again(&mut self, subject: Arc<Subject>, round: u64) {
        let has_trail = subject.trail == ON;
        self.marked = has_trail.then(|| self.marked.unwrap_or_else(ticks_now));
        (self.subject, self.round) = (subject, round);
    }

    /// It acts more often than its budget allows, at the moment.
    #[must_use]
    pub fn is_over_budget(&self) -> bool {
        self.folded.is_some()
    }

    /// Asks for a look without a writer; true: at once, false: with what is gathered.
    pub fn may_look(&mut self, now: Instant) -> bool {
        let may = self.folded.is_none() && self.budget.take(now);
        if !may {
            self.folded
                .get_or_insert_with(|| Box::new(Folded::new(now, None)));
        }
        may
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
        (pid, pidfd): (i32, Option<OwnedFd>),
        (mask, source): (u64, Source),
        settle: Duration,
    ) -> Option<Acted> {
        let now = Instant::now();
        let known = (pid > 0 && source != Source::Way).then_some(pid);
        if self.folded.is_none() && self.settle.begins(known) && !self.budget.take(now) {
            let first = known.map(|pid| self.resolve((boot, &mut *trail), pid, pidfd.as_ref()));
            self.folded = Some(Box::new(Folded::new(now, first)));
        }
        if let Some(folded) = &mut self.folded {
            // Over the budget nobody asks whom a copy-up was for.
            let known = known.map_or((0, None), |pid| (pid, pidfd));
            folded.take(known, mask);
            return None;
        }
        let earlier = self.settle.trigger(now, known, mask, settle);
        let earlier = earlier.map(|act| self.acted(act));
        if pid > 0 {
            self.meets((boot, trail), (pid, pidfd), source);
        }
        earlier
    }

    /// The act that is over by now, if one is.
    pub fn release(
        &mut self,
        who: (&Boot, &mut Trail),
        now: Instant,
        settle: Duration,
    ) -> Option<Acted> {
        if let Some(act) = self.settle.release(now, settle) {
            return Some(self.acted(act));
        }
        let folded = self.folded.take_if(|folded| folded.due() <= now)?;
        Some(self.gathered(who, *folded))
    }

    /// An act is over by now.
    #[must_use]
    pub fn is_over(&self, now: Instant) -> bool {
        self.settle.is_over(now)
    }

    /// When to ask `release` again.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let folded = self.folded.as_ref().map(|folded| folded.due());
        [self.settle.deadline(), folded].into_iter().flatten().min()
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
            acted.join(*earlier);
            // One of them made the difference that will be seen; which is not known.
            if let Some(writer) = acted.writer.as_mut().filter(|_| both) {
                writer.confirmed = false;
            }
        }
        self.owed = Some(Box::new(acted));
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(super) mod tests {
    use super::*;
    use std::time::SystemTime;

    use crate::model::{Container, Coverage, Detection, RootfsId, Rung, Writer};
    use crate::reach::Reach;
    use crate::survey::mounts::RootKey;
    use crate::survey::runtime::Papers;
    use crate::sys::fanotify::mask;

    pub(in crate::watch) fn watched() -> Watched {
        Watched::new(Arc::new(Subject {
            id: RootfsId(1),
            container: Container::default(),
            papers: Papers::default(),
            reach: Reach {
                host: None,
                init: None,
                closed: false,
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
