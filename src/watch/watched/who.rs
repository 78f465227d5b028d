//! Who acted: resolved at the first trigger of an act, told from a successor of its pid.

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant, SystemTime};

use crate::judge::settle::Act;
use crate::model::{Detection, Rung, Writer, WriterSource};
use crate::survey::processes::root_of;
use crate::sys::fanotify::mask;
use crate::sys::pidfd;
use crate::watch::budget::{Actor, Folded};
use crate::watch::jobs::Acted;
use crate::watch::lane::Source;
use crate::watch::watched::Watched;
use crate::who::boot::Boot;
use crate::who::trail::Trail;

/// A copy-up ends, and what it was for is done, within this time. Its writer is the
/// only one that the kernel tells of a change of attributes, and of a rename.
const COPY_UP: Duration = Duration::from_secs(2);
/// So long it may be a guess, when something else in `etc` changed, too, or somebody else
/// changed the file.
const GUESSED: Duration = Duration::from_millis(100);
/// A file that loses a name tells of its attributes first, and within this time that the
/// name is gone: the writer is known of the first alone when the two come apart.
const UNLINK: Duration = Duration::from_millis(50);
/// Queues that are read one after the other within this time may be read in the wrong order.
const ONE_READ: Duration = Duration::from_millis(20);

/// Writers remembered: as many as a budget lets act within that time.
const WRITERS: usize = 128;
/// Bits that a write under the file's own name leaves.
const WRITTEN: u64 = mask::CREATE | mask::MODIFY | mask::CLOSE_WRITE;

/// Who made an act that may be the beginning of another one.
#[derive(Debug)]
pub(super) struct Earlier {
    actor: Actor,
    at: Instant,
    /// Attributes were seen to change; else it was a reason to look and no more.
    attributes: bool,
    /// A change that somebody else made was told since, or one by nobody knows whom before.
    overtaken: bool,
}

/// A write that was told: by whom, where that was known, and when.
pub(super) type Wrote = (Option<i32>, Instant);

impl Watched {
    /// The writer was resolved at an earlier trigger of this act.
    fn knows(&self, pid: i32, pidfd: Option<&OwnedFd>) -> bool {
        let Some(((writer, _), earlier)) = self.actor.as_deref() else {
            return false;
        };
        if writer.pid != Some(pid) || writer.source == WriterSource::Unknown {
            return false;
        }
        // A living process under the pid of one that is gone is another one.
        let lives = |pidfd: &OwnedFd| pidfd::exists(pidfd.as_fd());
        earlier.as_ref().is_none_or(lives) || !pidfd.is_some_and(lives)
    }

    /// Resolves who acts, unless it is known, or somebody is known by more.
    pub(super) fn meets(
        &mut self,
        who: (&Boot, &mut Trail),
        (pid, pidfd): (i32, Option<OwnedFd>),
        source: Source,
    ) {
        if source == Source::Way && self.actor.is_some() {
            return;
        }
        let knows = self.knows(pid, pidfd.as_ref());
        let is_more = matches!(source, Source::Name | Source::Layer);
        if !knows || is_more || self.known_by == Source::Way {
            self.known_by = source;
        }
        if !knows {
            let actor = self.resolve(who, pid, pidfd.as_ref());
            self.actor = Some(Box::new((actor, pidfd)));
        }
    }

    pub(super) fn resolve(
        &self,
        (boot, trail): (&Boot, &mut Trail),
        pid: i32,
        pidfd: Option<&OwnedFd>,
    ) -> Actor {
        let writer = trail.writer((boot, self.marked), pid, pidfd);
        // Only a container that no file named needs to know whose root the writer has.
        let same_root = self.subject.container.id.is_none()
            && pidfd.is_some_and(|pidfd| root_of(pid, pidfd).as_ref() == Some(&self.subject.root));
        (writer, same_root)
    }

    pub(super) fn acted(&mut self, act: Act) -> Acted {
        let mut actor = self.actor.take().map(|known| known.0);
        if let Some((writer, _)) = &mut actor {
            self.doubt(&act, writer);
        }
        self.keep(&act, actor.as_ref());
        let (writer, same_root) = actor
            .or_else(|| self.copied(&act))
            .unwrap_or_else(|| (Writer::unknown(act.pid), false));
        if act.mask & WRITTEN != 0 {
            let known = writer.pid.filter(|_| !writer.guess);
            self.note_write(known, act.first);
        }
        Acted {
            mask: act.mask,
            writer: Some(writer),
            same_root,
            folded: 0,
            closing: act.closing,
            at: at(act.first),
            detection: Detection::Event,
        }
    }

    /// Takes back of a writer what its source cannot vouch for.
    fn doubt(&self, act: &Act, writer: &mut Writer) {
        if self.known_by == Source::Path && act.mask & WRITTEN == 0 {
            // It wrote the file, under this name or before another one gave it this name.
            writer.confirmed &= act.mask == 0;
        }
        if self.known_by == Source::Way && act.mask != 0 && self.is_aside(act.first) {
            // The copy-up may have been for the other thing in `etc`.
            guess(writer);
        }
        if self.is_left(act) && self.subject.coverage.rung != Rung::Named {
            // What a look finds there may be the next writer's.
            guess(writer);
        }
    }

    /// One act of all that was gathered. Of several writers any may have made the
    /// difference that will be seen: the last is named, the first kept, none confirmed.
    pub(super) fn gathered(&mut self, who: (&Boot, &mut Trail), folded: Folded) -> Acted {
        if folded.acts == 0 {
            return Acted::look(at(folded.since), Detection::Event);
        }
        // Who wrote was not kept for each, nor whom a copy-up was for.
        self.copied = None;
        self.note_write(None, Instant::now());
        let (writer, same_root) = match (folded.first, folded.last) {
            (first, Some((pid, pidfd))) if folded.several => {
                let (last, same_root) = self.resolve(who, pid, pidfd.as_ref());
                let writer = Writer {
                    confirmed: false,
                    first: first.map(|(first, _)| Box::new(first)),
                    ..last
                };
                (writer, same_root)
            }
            (Some(first), _) => first,
            (None, last) => (Writer::unknown(last.map(|(pid, _)| pid)), false),
        };
        Acted {
            mask: folded.mask,
            writer: Some(writer),
            same_root,
            folded: folded.acts - 1,
            closing: false,
            at: at(folded.since),
            detection: Detection::Event,
        }
    }

    /// Keeps who may be the writer of what comes next.
    fn keep(&mut self, act: &Act, actor: Option<&Actor>) {
        self.overtake(act, actor);
        if self.known_by != Source::Path
            && act.mask & !mask::ATTRIB == 0
            && !self.is_left(act)
            && let Some(actor) = actor
        {
            self.copied = Some(Box::new(Earlier {
                actor: actor.clone(),
                at: act.first,
                attributes: act.mask != 0,
                // It may have made a write whose writer was not known.
                overtaken: act.mask == 0 && self.wrote_lately(None, act.first),
            }));
        }
    }

    /// A change is told: the copy-up of whoever made it has had what it was for, and that of
    /// anybody else is not certain to be for the next one.
    fn overtake(&mut self, act: &Act, actor: Option<&Actor>) {
        let pid = act.pid.or_else(|| actor.and_then(|(writer, _)| writer.pid));
        if act.mask == 0 || pid.is_none() {
            return;
        }
        self.copied.take_if(|earlier| earlier.actor.0.pid == pid);
        if let Some(earlier) = &mut self.copied {
            earlier.overtaken = true;
        }
    }

    fn note_write(&mut self, pid: Option<i32>, at: Instant) {
        self.wrote.retain(|(_, earlier)| is_lately(*earlier, at));
        self.wrote.truncate(WRITERS - 1);
        self.wrote.insert(0, (pid, at));
    }

    /// What a writer leaves in the writable layer may be read after its write was told, and
    /// after another's, and is no copy-up.
    fn is_left(&self, act: &Act) -> bool {
        act.mask == 0 && act.pid.is_some() && self.wrote_lately(act.pid, act.first)
    }

    fn wrote_lately(&self, pid: Option<i32>, now: Instant) -> bool {
        let is_its = |(by, at): &Wrote| *by == pid && is_lately(*at, now);
        self.wrote.iter().any(is_its)
    }

    /// Something else in `etc` changed then or later.
    fn is_aside(&self, at: Instant) -> bool {
        self.aside.is_some_and(|aside| aside + ONE_READ > at)
    }

    /// The writer of a copy-up, for the act that it was made for: any other act has a
    /// writer of its own in the writable layer or by its descriptor. A guess, and only for
    /// a moment, when the copy-up may have been for something else in `etc`, or somebody
    /// else has changed the file since.
    fn copied(&mut self, act: &Act) -> Option<Actor> {
        let earlier = *self.copied.take()?;
        let at = earlier.at;
        let other = self.is_aside(at) || earlier.overtaken;
        let follows = match earlier.attributes {
            true => act.mask & mask::DELETE != 0 && act.first < at + UNLINK && !other,
            false => act.mask != 0 && at.elapsed() < COPY_UP,
        };
        let near = !other || act.first < at + GUESSED;
        let mut actor = earlier.actor;
        if other {
            guess(&mut actor.0);
        }
        (follows && near && act.pid.is_none()).then_some(actor)
    }
}

/// The earlier moment is recent as the later one sees it.
fn is_lately(earlier: Instant, later: Instant) -> bool {
    later.saturating_duration_since(earlier) < COPY_UP
}

fn guess(writer: &mut Writer) {
    (writer.guess, writer.confirmed) = (true, false);
}

/// The time of day of a moment that has passed.
fn at(moment: Instant) -> SystemTime {
    let now = SystemTime::now();
    now.checked_sub(moment.elapsed()).unwrap_or(now)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
