//! What one container may cost. Each act takes a look at `/proc` and one at the file; a
//! container that acts more often than its budget allows has its acts folded: counted
//! exactly, first and last writer kept, looked at ten times a second. It pays with its
//! own detail, never with another container's time.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use crate::model::Writer;
use crate::sys::fanotify::mask;

/// Acts that a container may make at once before any is folded.
const BURST: u32 = 64;
/// In this time one more act is allowed.
const EACH: Duration = Duration::from_millis(50);
/// How long acts over the budget are gathered before they are looked at.
pub const GATHER: Duration = Duration::from_millis(100);
/// Bits after which nothing more of an act is to come.
const COMPLETE: u64 = mask::CLOSE_WRITE | mask::MOVED_TO;

/// The acts that a container has left.
#[derive(Debug)]
pub struct Budget {
    left: u32,
    /// Up to when it was filled.
    filled: Instant,
}

impl Budget {
    /// A full one.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self {
            left: BURST,
            filled: now,
        }
    }

    /// Takes one act; false: none is left.
    pub fn take(&mut self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.filled);
        let more = u32::try_from(passed.as_millis() / EACH.as_millis()).unwrap_or(u32::MAX);
        if more >= BURST {
            (self.left, self.filled) = (BURST, now);
        } else {
            self.left = (self.left + more).min(BURST);
            self.filled += EACH * more;
        }
        let has = self.left > 0;
        self.left = self.left.saturating_sub(1);
        has
    }
}

/// A writer and whether its root is the changed filesystem itself.
pub type Actor = (Writer, bool);

/// Acts over the budget, gathered into one.
#[derive(Debug)]
pub struct Folded {
    /// When the first of them was read.
    pub since: Instant,
    /// Their bits.
    pub mask: u64,
    /// Their number: one for each change of the writer, and for each complete act.
    pub acts: u64,
    /// Who was first, resolved when the gathering began.
    pub first: Option<Actor>,
    /// Pid of the last writer, and its pidfd: who it was is asked at the end.
    pub last: Option<(i32, Option<OwnedFd>)>,
    /// More than one writer acted.
    pub several: bool,
    /// The last act may go on.
    open: bool,
}

impl Folded {
    /// Nothing gathered yet.
    #[must_use]
    pub fn new(since: Instant, first: Option<Actor>) -> Self {
        Self {
            since,
            mask: 0,
            acts: 0,
            first,
            last: None,
            several: false,
            open: false,
        }
    }

    /// Takes a trigger in. Costs nothing but this.
    pub fn take(&mut self, (pid, pidfd): (i32, Option<OwnedFd>), seen: u64) {
        let other = |last: &(i32, Option<OwnedFd>)| pid > 0 && last.0 != pid;
        let changes = self.last.as_ref().is_some_and(other);
        self.several |= changes;
        self.acts += u64::from(changes || !self.open);
        self.open = seen & COMPLETE == 0;
        self.mask |= seen;
        if changes || (pid > 0 && self.last.is_none()) {
            self.last = Some((pid, pidfd));
        }
    }

    /// When it is looked at.
    #[must_use]
    pub fn due(&self) -> Instant {
        self.since + GATHER
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_spent_and_fills_again_and_never_beyond_its_size() {
        let start = Instant::now();
        let mut budget = Budget::new(start);
        let spent = (0..1000).filter(|_| budget.take(start)).count();
        assert_eq!(spent, BURST as usize);
        let later = start + EACH * 3;
        assert_eq!((0..1000).filter(|_| budget.take(later)).count(), 3);
        let much_later = start + EACH * 10_000;
        assert_eq!(
            (0..1000).filter(|_| budget.take(much_later)).count(),
            BURST as usize
        );
    }

    #[test]
    fn a_budget_that_is_asked_often_still_fills() {
        let start = Instant::now();
        let mut budget = Budget::new(start);
        while budget.take(start) {}
        let asked = (0..=1000).filter(|&ms| budget.take(start + Duration::from_millis(ms)));
        assert_eq!(asked.count(), 20);
    }

    #[test]
    fn acts_are_counted_exactly_and_both_ends_are_kept() {
        let mut folded = Folded::new(Instant::now(), None);
        for _ in 0..1000 {
            folded.take((7, None), mask::CREATE);
            folded.take((7, None), mask::MODIFY | mask::CLOSE_WRITE);
        }
        assert_eq!((folded.acts, folded.several), (1000, false));
        folded.take((8, None), mask::MODIFY);
        folded.take((9, None), mask::MODIFY);
        folded.take((0, None), mask::CLOSE_WRITE);
        assert_eq!((folded.acts, folded.several), (1002, true));
        assert_eq!(folded.last.as_ref().map(|last| last.0), Some(9));
    }
}
