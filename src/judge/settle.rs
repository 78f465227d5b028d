//! One act, one alert (ARCHITECTURE.md, "Settling").
//!
//! A shell's `echo > file` is create, write, close. Triggers of one writer are
//! gathered until the file is closed or renamed into place, or until a deadline
//! when it is held open or the act has no close. A writer that keeps writing to a
//! file it holds open is told again at growing intervals, not at every deadline.
//! A trigger without a pid (inotify gives none) belongs to whatever is pending, and
//! waits a little for the one that knows who it was. Time comes in as a value.

use std::time::{Duration, Instant};

use crate::sys::fanotify::mask;

/// Longest interval between two tellings of one writer that holds the file open.
const MAX_HOLD: Duration = Duration::from_secs(1);
/// Waits for a writer that one act may have, in intervals of settling.
const MOST: u32 = 4;
/// Bits after which nothing more of the act is to come.
const COMPLETE: u64 = mask::CLOSE_WRITE | mask::MOVED_TO;

/// Triggers of one writer that belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act {
    /// `FAN_*` bits of all triggers.
    pub mask: u64,
    /// Pid the kernel gave; `None`: unknown.
    pub pid: Option<i32>,
    /// When the first trigger was read.
    pub first: Instant,
    /// Number of triggers gathered.
    pub triggers: u64,
    /// Only closes what an earlier act of the same writer already told.
    pub closing: bool,
}

/// What one root filesystem has pending.
#[derive(Debug, Default)]
pub struct Settle {
    pending: Option<(Act, Instant)>,
    /// The writer last told at a deadline, and the interval it has reached.
    holder: Option<(Option<i32>, Duration)>,
}

impl Settle {
    /// Takes a trigger. Returns an earlier act of another writer, which is
    /// thereby over.
    pub fn trigger(
        &mut self,
        now: Instant,
        pid: Option<i32>,
        seen: u64,
        settle: Duration,
    ) -> Option<Act> {
        let earlier = match self.begins(pid) {
            true => self.pending.take().map(|(act, _)| act),
            false => None,
        };
        let wait = match self.holder {
            Some((holder, interval)) if holder == pid => interval,
            _ => settle,
        };
        let (act, deadline) = self.pending.get_or_insert_with(|| {
            (
                Act {
                    mask: 0,
                    pid,
                    first: now,
                    triggers: 0,
                    closing: false,
                },
                now + wait,
            )
        });
        act.mask |= seen;
        act.pid = act.pid.or(pid);
        act.triggers += 1;
        if act.pid.is_none() && seen & COMPLETE != 0 {
            // Who it was comes right after it, by another queue.
            *deadline = (now + settle).clamp(*deadline, (*deadline).max(act.first + settle * MOST));
        }
        earlier
    }

    /// A trigger of this writer would begin another act.
    #[must_use]
    pub fn begins(&self, pid: Option<i32>) -> bool {
        match &self.pending {
            Some((act, _)) => act.pid.is_some() && pid.is_some() && act.pid != pid,
            None => true,
        }
    }

    /// The act that is over by now, if one is.
    pub fn release(&mut self, now: Instant, settle: Duration) -> Option<Act> {
        if !self.is_over(now) {
            return None;
        }
        let (mut act, _) = self.pending.take()?;
        let held = self.holder.filter(|(holder, _)| *holder == act.pid);
        if act.mask & COMPLETE != 0 {
            act.closing = held.is_some() && act.mask & !mask::CLOSE_WRITE == 0;
            self.holder = None;
        } else if act.mask & (mask::CREATE | mask::MODIFY) != 0 {
            let interval = held
                .map_or(settle, |(_, interval)| interval * 2)
                .min(MAX_HOLD);
            self.holder = Some((act.pid, interval));
        }
        Some(act)
    }

    /// An act is over by now.
    #[must_use]
    pub fn is_over(&self, now: Instant) -> bool {
        self.pending.as_ref().is_some_and(|(act, deadline)| {
            let complete = act.mask & COMPLETE != 0 && act.pid.is_some();
            complete || now >= *deadline
        })
    }

    /// When to ask `release` again.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.pending.as_ref().map(|(_, deadline)| *deadline)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const SETTLE: Duration = Duration::from_millis(5);
    const A: Option<i32> = Some(10);
    const B: Option<i32> = Some(11);

    fn ms(start: Instant, after: u64) -> Instant {
        start + Duration::from_millis(after)
    }

    #[test]
    fn create_write_close_is_one_act() {
        let (mut settle, start) = (Settle::default(), Instant::now());
        for seen in [mask::CREATE, mask::MODIFY, mask::CLOSE_WRITE] {
            assert_eq!(settle.release(start, SETTLE), None);
            assert_eq!(settle.trigger(start, A, seen, SETTLE), None);
        }
        let act = settle.release(start, SETTLE).unwrap();
        assert_eq!(act.mask, mask::CREATE | mask::MODIFY | mask::CLOSE_WRITE);
        assert_eq!((act.triggers, act.closing), (3, false));
        assert_eq!(settle.deadline(), None);
    }

    #[test]
    fn a_file_held_open_is_told_at_the_deadline() {
        let (mut settle, start) = (Settle::default(), Instant::now());
        settle.trigger(start, A, mask::MODIFY, SETTLE);
        assert_eq!(settle.release(ms(start, 4), SETTLE), None);
        assert_eq!(
            settle.release(ms(start, 5), SETTLE).unwrap().mask,
            mask::MODIFY
        );
    }

    #[test]
    fn the_close_of_what_was_told_is_marked_as_such() {
        let (mut settle, start) = (Settle::default(), Instant::now());
        settle.trigger(start, A, mask::CREATE, SETTLE);
        settle.release(ms(start, 5), SETTLE).unwrap();
        settle.trigger(ms(start, 9), A, mask::CLOSE_WRITE, SETTLE);
        assert!(settle.release(ms(start, 9), SETTLE).unwrap().closing);
        settle.trigger(ms(start, 10), A, mask::CLOSE_WRITE, SETTLE);
        assert!(!settle.release(ms(start, 10), SETTLE).unwrap().closing);
    }

    #[test]
    fn another_writer_ends_the_first_ones_act() {
        let (mut settle, start) = (Settle::default(), Instant::now());
        settle.trigger(start, A, mask::MODIFY, SETTLE);
        let earlier = settle.trigger(start, B, mask::CREATE, SETTLE).unwrap();
        assert_eq!((earlier.pid, earlier.mask), (A, mask::MODIFY));
    }

    #[test]
    fn what_happened_and_who_did_it_are_one_act_in_either_order() {
        for order in [
            [(None, mask::CREATE), (A, 0)],
            [(A, 0), (None, mask::CREATE)],
        ] {
            let (mut settle, start) = (Settle::default(), Instant::now());
            for (pid, seen) in order {
                assert_eq!(settle.trigger(start, pid, seen, SETTLE), None);
            }
            let act = settle.release(ms(start, 5), SETTLE).unwrap();
            assert_eq!((act.pid, act.mask), (A, mask::CREATE));
        }
    }

    #[test]
    fn a_close_without_a_writer_waits_for_one() {
        let (mut settle, start) = (Settle::default(), Instant::now());
        settle.trigger(start, None, mask::MODIFY | mask::CLOSE_WRITE, SETTLE);
        assert_eq!(settle.release(start, SETTLE), None);
        settle.trigger(ms(start, 1), A, mask::CLOSE_WRITE, SETTLE);
        assert_eq!(settle.release(ms(start, 1), SETTLE).unwrap().pid, A);
    }

    #[test]
    fn a_close_that_comes_late_has_its_own_wait_for_the_writer_and_no_endless_one() {
        let (mut settle, start) = (Settle::default(), Instant::now());
        settle.trigger(start, None, mask::CREATE, SETTLE);
        settle.trigger(ms(start, 4), None, mask::CLOSE_WRITE, SETTLE);
        assert_eq!(settle.release(ms(start, 8), SETTLE), None);
        settle.trigger(ms(start, 8), A, 0, SETTLE);
        assert_eq!(settle.release(ms(start, 8), SETTLE).unwrap().pid, A);
        let released = (0..100).find(|&after| {
            settle.trigger(ms(start, after), None, mask::CLOSE_WRITE, SETTLE);
            settle.release(ms(start, after), SETTLE).is_some()
        });
        assert_eq!(released, Some(20));
    }

    #[test]
    fn a_writer_that_never_stops_is_told_ever_less_often() {
        let (mut settle, start) = (Settle::default(), Instant::now());
        let mut told = 0;
        for now in (0..10_000).map(|after| ms(start, after)) {
            settle.trigger(now, A, mask::MODIFY, SETTLE);
            told += u64::from(settle.release(now, SETTLE).is_some());
        }
        assert!((10..30).contains(&told), "{told}");
    }
}
