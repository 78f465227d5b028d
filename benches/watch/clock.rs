//! One clock for all processes of a run, and the figures of a series.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// `CLOCK_MONOTONIC` in nanoseconds: the same for every process of the machine.
pub fn now() -> u64 {
    let time = clock_gettime(ClockId::CLOCK_MONOTONIC).expect("this clock always runs");
    Duration::from(time)
        .as_nanos()
        .try_into()
        .unwrap_or(u64::MAX)
}

/// A series of durations in nanoseconds, sorted.
pub struct Series(Vec<u64>);

impl Series {
    /// Of values in any order.
    pub fn of(values: impl IntoIterator<Item = u64>) -> Self {
        let mut sorted: Vec<u64> = values.into_iter().collect();
        sorted.sort_unstable();
        Self(sorted)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The value below which `percent` of the series lie; 0 for an empty one.
    pub fn percentile(&self, percent: usize) -> u64 {
        let rank = (self.len() * percent).div_ceil(100).max(1) - 1;
        self.0.get(rank).copied().unwrap_or(0)
    }

    /// The largest.
    pub fn max(&self) -> u64 {
        self.0.last().copied().unwrap_or(0)
    }
}

/// Nanoseconds as microseconds with one digit.
pub fn micros(nanos: u64) -> String {
    format!("{}.{}", nanos / 1000, nanos % 1000 / 100)
}

/// A ratio with two digits; `-` where there is nothing to divide by.
pub fn ratio(of: u64, to: u64) -> String {
    if to == 0 {
        return "-".to_owned();
    }
    let hundredths = (of * 100 + to / 2) / to;
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}
