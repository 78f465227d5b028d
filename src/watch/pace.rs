//! Real-time scheduling, given up under a flood and taken back after it.
//!
//! A FIFO thread catches writers that are gone at once. One that never rests would
//! starve everybody else of its processor: the kernel then stops it for a while
//! (sched(7), "sched_rt_runtime_us"), and so does this, earlier and told.

use std::time::{Duration, Instant};

use crate::sys::sched::{self, Priority};

/// Over which time it is judged.
const WINDOW: Duration = Duration::from_millis(500);
/// Busy for more than this part of a window, in percent: a flood.
const FLOOD: u128 = 80;
/// How long ordinary scheduling stays in force.
const PENALTY: Duration = Duration::from_secs(5);

/// The scheduling of the loop's thread, or of one that its alerts go through.
#[derive(Debug)]
pub struct Pace {
    wanted: Option<Priority>,
    realtime: bool,
    window: Instant,
    idle: Duration,
    asleep: Option<Instant>,
    again: Option<Instant>,
}

impl Pace {
    /// Ordinary so far; `wanted`: under real time, where the kernel allows.
    #[must_use]
    pub fn new(wanted: Option<Priority>, now: Instant) -> Self {
        Self {
            wanted,
            realtime: false,
            window: now,
            idle: Duration::ZERO,
            asleep: None,
            again: None,
        }
    }

    /// That of the calling thread, which an alert goes through: real time when `wanted`,
    /// else before all ordinary threads.
    #[must_use]
    pub fn of_alerts(wanted: bool) -> Self {
        // Where it is refused, alerts are later on a busy machine.
        let _ = sched::foremost();
        let mut pace = Self::new(wanted.then_some(Priority::Alert), Instant::now());
        pace.begin();
        pace
    }

    /// Asks for real time, on the thread that loops.
    pub fn begin(&mut self) {
        self.realtime = self
            .wanted
            .is_some_and(|wanted| sched::fifo(wanted).is_ok());
    }

    /// Waits, which is the thread's rest.
    pub fn rest<T>(&mut self, wait: impl FnOnce() -> T) -> T {
        self.sleeps(Instant::now());
        let got = wait();
        self.wakes(Instant::now());
        got
    }

    /// Runs under `SCHED_FIFO` now.
    #[must_use]
    pub fn is_realtime(&self) -> bool {
        self.realtime
    }

    /// The loop goes to sleep.
    pub fn sleeps(&mut self, now: Instant) {
        self.asleep = Some(now);
    }

    /// The loop woke up; scheduling follows how busy it was.
    pub fn wakes(&mut self, now: Instant) {
        let slept = self
            .asleep
            .take()
            .map(|since| now.saturating_duration_since(since));
        self.idle += slept.unwrap_or_default();
        if self.again.is_some_and(|again| again <= now) {
            self.again = None;
            self.begin();
        }
        let window = now.saturating_duration_since(self.window);
        if window < WINDOW {
            return;
        }
        if self.realtime && is_flood(window, self.idle) {
            self.realtime = false;
            let _ = sched::ordinary();
            self.again = Some(now + PENALTY);
        }
        (self.window, self.idle) = (now, Duration::ZERO);
    }
}

fn is_flood(window: Duration, idle: Duration) -> bool {
    let busy = window.saturating_sub(idle).as_micros();
    busy * 100 > window.as_micros() * FLOOD
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_that_rests_is_no_flood() {
        assert!(!is_flood(
            Duration::from_secs(1),
            Duration::from_millis(300)
        ));
        assert!(!is_flood(Duration::from_secs(30), Duration::from_secs(30)));
    }

    #[test]
    fn a_loop_that_never_rests_is_one() {
        assert!(is_flood(
            Duration::from_millis(500),
            Duration::from_millis(50)
        ));
    }
}
