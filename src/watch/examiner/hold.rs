//! What is held back for a moment, since what explains it may be on its way.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::judge::change::is_anothers;
use crate::judge::restart::{Last, verdicts};
use crate::model::{FileKind, FileView, RootfsId};
use crate::sys::fanotify::mask;
use crate::watch::examiner::Examiner;
use crate::watch::jobs::{Acted, Subject};

/// How long a look waits for the event that explains it.
pub(super) const HOLD: Duration = Duration::from_millis(100);
/// How long a first look waits for the container's init: it names a container that
/// no file names, and shows what a container that was here before mounts over the file.
const HOLD_FOR_INIT: Duration = Duration::from_secs(2);
/// Bits of an act that can have changed what the file holds.
const CHANGING: u64 =
    mask::CREATE | mask::MODIFY | mask::DELETE | mask::MOVED_FROM | mask::MOVED_TO;

/// The bits tell that the file went, and not that it came.
pub(super) fn removes(seen: u64) -> bool {
    let came = seen & (mask::CREATE | mask::MOVED_TO) != 0;
    seen & (mask::DELETE | mask::MOVED_FROM) != 0 && !came
}

/// A finding that waits for its explanation.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) until: Instant,
    pub(super) subject: Arc<Subject>,
    pub(super) acted: Acted,
    /// What was seen when it was held back: all there is when the container ends.
    pub(super) seen: Option<FileView>,
}

impl Examiner {
    /// What is there now was made by somebody whose own event is on its way.
    pub(super) fn is_anothers(&self, id: RootfsId, seen: u64, now: Option<&FileView>) -> bool {
        let before = self.known.get(&id).map(|known| &known.past.last);
        before.is_some_and(|last| *last != Last::Unseen && is_anothers(last.file(), now, seen))
    }

    /// An act explains what is held: the act that it is part of, or a difference that
    /// was seen before it.
    pub(super) fn explains(&self, held: &Held, acted: &Acted) -> bool {
        if held.acted.mask == 0 {
            // What changed while nobody looked is not laid to a later chmod.
            return acted.mask & CHANGING != 0 || !self.is_earlier(held.subject.id);
        }
        // Where the kernel does not say who began it, whoever goes on with it did.
        let (begun, goes_on) = (held.acted.pid(), acted.pid());
        begun == goes_on || begun.is_none() || goes_on.is_none()
    }

    /// How long a look of this container is held back.
    pub(super) fn patience(&self, subject: &Subject) -> Duration {
        let past = self.known.get(&subject.id).map(|known| &known.past);
        let is_first = past.is_some_and(|past| past.earlier || past.last == Last::Unseen);
        let is_named = subject.container.id.is_some() && !self.is_earlier(subject.id);
        if is_first && !is_named && subject.reach.init.is_none() {
            HOLD_FOR_INIT
        } else {
            HOLD
        }
    }

    /// More of the act may be on its way: a look without an event found a
    /// difference, or a file is created or cut to nothing and not closed yet, or it was
    /// removed and is there again, or who writes will be told at the close.
    pub(super) fn may_go_on(&self, id: RootfsId, acted: &Acted, now: Option<&FileView>) -> bool {
        let seen = acted.mask;
        if seen == 0 {
            let past = self.known.get(&id).map(|known| &known.past);
            return past.is_some_and(|past| !verdicts(past, now, 0).is_empty());
        }
        if removes(seen) && now.is_some() {
            return true;
        }
        let open = seen & (mask::CREATE | mask::MODIFY) != 0
            && seen & !(mask::CREATE | mask::MODIFY | mask::ATTRIB) == 0;
        open && now.is_some_and(|file| {
            let plain = file.kind == FileKind::Regular && file.links == 1 && file.target.is_none();
            plain && (seen & mask::MODIFY == 0 || file.size == 0 || acted.pid().is_none())
        })
    }

    /// A reason to look while something is held: what is there now is told in its place.
    pub(super) fn look_while_held(&mut self, mut held: Held, subject: Arc<Subject>, acted: Acted) {
        held.until = held.until.min(Instant::now() + self.patience(&subject));
        let now = self.see(&subject);
        // Who took the file away, or the container, did not bring it.
        if matches!(now, Some(Some(_))) {
            held.acted.writer = held.acted.writer.or(acted.writer);
        }
        if let Some(now) = now {
            held.seen = now;
        }
        held.subject = subject;
        self.held.insert(held.subject.id, held);
    }

    /// An act of which nothing was seen. A mount in another namespace that becomes a
    /// container's root is gone from there a moment before the container's init is known:
    /// the look at what it is then is waited for.
    pub(super) fn unseen(&mut self, subject: Arc<Subject>, acted: Acted, until: Option<Instant>) {
        let reach = &subject.reach;
        let within = reach
            .host
            .as_ref()
            .is_some_and(|host| host.within.is_some());
        let may_wait = until.is_none_or(|until| until > Instant::now());
        if within && reach.init.is_none() && acted.mask != 0 && may_wait {
            self.hold(subject, acted, None, until);
        } else {
            self.tell_unseen(&subject, acted);
        }
    }

    pub(super) fn hold(
        &mut self,
        subject: Arc<Subject>,
        acted: Acted,
        seen: Option<FileView>,
        until: Option<Instant>,
    ) {
        let patience = if acted.mask == 0 {
            self.patience(&subject)
        } else {
            HOLD
        };
        self.held.insert(
            subject.id,
            Held {
                until: until.unwrap_or(Instant::now() + patience),
                subject,
                acted,
                seen,
            },
        );
    }
}
