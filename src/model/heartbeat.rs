//! A sign of life, with what an operator counts.

use std::time::SystemTime;

/// What the sinks were given, and what they did not take, since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Told {
    /// Alerts.
    pub alerts: u64,
    /// Gaps.
    pub gaps: u64,
    /// Records that a sink did not take, once for each sink.
    pub lost: u64,
}

/// The watcher is there and its loop turns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heartbeat {
    /// When it was told.
    pub at: SystemTime,
    /// Seconds since the start.
    pub uptime: u64,
    /// Root filesystems watched, by the name of the rung; each rung once.
    pub rungs: Vec<(&'static str, u64)>,
    /// Of them, those with something that is not seen.
    pub with_gaps: u64,
    /// Counters since the start, by name.
    pub counters: Vec<(&'static str, u64)>,
}

impl Heartbeat {
    /// Root filesystems watched.
    #[must_use]
    pub fn containers(&self) -> u64 {
        self.rungs.iter().map(|(_, count)| count).sum()
    }

    /// The counter of that name; 0 when there is none.
    #[must_use]
    pub fn counter(&self, name: &str) -> u64 {
        let found = self.counters.iter().find(|(known, _)| *known == name);
        found.map_or(0, |(_, count)| *count)
    }
}
