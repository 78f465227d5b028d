//! Lost sight: events that the kernel dropped or that could not be read. It is made
//! good by a look at everything, and told with it: once, however often it came.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::model::{Detection, RootfsId};
use crate::watch::run::Watch;

/// Shortest time between two looks at everything.
const RESCANS: Duration = Duration::from_secs(1);

/// What was lost and not made good yet.
#[derive(Debug, Default)]
pub struct Losses {
    /// When everything is looked at.
    pub due: Option<Instant>,
    last: Option<Instant>,
    /// By reason: detail and remedy.
    untold: BTreeMap<&'static str, (String, &'static str)>,
    /// Everything is concerned; else only what follows.
    all: bool,
    /// Root filesystems with lanes of their own, and whether their queue overflowed.
    own: BTreeMap<RootfsId, bool>,
}

impl Losses {
    /// Everything is to be looked at by now.
    #[must_use]
    pub fn is_due(&self, now: Instant) -> bool {
        self.due.is_some_and(|due| due <= now)
    }
}

impl Watch {
    /// The queue was full: events were lost. Told, counted, and made good by a look
    /// at everything.
    pub(super) fn overflowed(&mut self, owner: Option<RootfsId>) {
        self.counters.overflows += 1;
        if let Some(id) = owner {
            self.losses.own.insert(id, true);
            return self.rescan_soon(owner);
        }
        let detail = format!(
            "the event queue overflowed ({} times so far); everything is looked at again",
            self.counters.overflows
        );
        let remedy = "a container makes very many changes in its etc; see `ldwatch status`";
        self.losses.untold.insert("overflow", (detail, remedy));
        self.rescan_soon(None);
    }

    /// A read failed or could not be understood.
    pub(super) fn lost_read(&mut self, why: &str) {
        self.counters.broken_reads += 1;
        let detail = format!("events could not be read: {why}; everything is looked at again");
        let remedy = "raise the limit of open files if it says so";
        self.losses.untold.insert("read-failed", (detail, remedy));
        self.rescan_soon(None);
    }

    /// Sight was lost: everything, or the owner of the lane, is looked at again, a moment
    /// later and once; at most once a second, since one container could give reason
    /// without end.
    pub(super) fn rescan_soon(&mut self, owner: Option<RootfsId>) {
        match owner {
            Some(id) => _ = self.losses.own.entry(id).or_default(),
            None => self.losses.all = true,
        }
        let soon = Instant::now() + Duration::from_millis(50);
        let next = self.losses.last.map(|last| last + RESCANS);
        self.losses
            .due
            .get_or_insert(next.map_or(soon, |next| next.max(soon)));
    }

    /// Tells what was lost since the last look at what it concerns, and looks.
    pub(super) fn tell_losses(&mut self, now: Instant) {
        self.losses.due = None;
        self.losses.last = Some(now);
        for (reason, (detail, remedy)) in std::mem::take(&mut self.losses.untold) {
            self.gap(reason, detail, remedy, None);
        }
        let own = std::mem::take(&mut self.losses.own);
        for (id, _) in own.iter().filter(|(_, overflowed)| **overflowed) {
            let container = self
                .watched
                .get(id)
                .map(|one| one.subject.container.clone());
            let detail = "this container's own event queue overflowed; it is looked at again";
            let remedy = "the container makes very many changes in its etc";
            self.gap("overflow", detail.to_owned(), remedy, container);
        }
        if std::mem::take(&mut self.losses.all) {
            return self.look_at_all(Detection::Scan);
        }
        for id in own.into_keys() {
            self.look(id, Detection::Scan);
        }
    }
}
