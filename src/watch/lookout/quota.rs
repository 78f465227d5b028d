//! What may be done at once, so many times a second; beyond that it has to wait.

use std::time::{Duration, Instant};

/// So many a second.
#[derive(Debug)]
pub struct Quota {
    most: u32,
    second: Instant,
    taken: u32,
}

impl Quota {
    /// Nothing taken yet.
    #[must_use]
    pub fn new(most: u32, now: Instant) -> Self {
        Self {
            most,
            second: now,
            taken: 0,
        }
    }

    /// Takes one; whether it was there.
    pub fn take(&mut self, now: Instant) -> bool {
        if now.saturating_duration_since(self.second) >= Duration::from_secs(1) {
            *self = Self::new(self.most, now);
        }
        let there = self.taken < self.most;
        self.taken += u32::from(there);
        there
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_second_has_its_own() {
        let now = Instant::now();
        let mut quota = Quota::new(3, now);
        let taken = |quota: &mut Quota, at| (0..9).filter(|_| quota.take(at)).count();
        assert_eq!(taken(&mut quota, now), 3);
        assert_eq!(taken(&mut quota, now + Duration::from_millis(999)), 0);
        assert_eq!(taken(&mut quota, now + Duration::from_secs(1)), 3);
    }
}
