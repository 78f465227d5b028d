//! The clock of process starts against the clock of files.

use std::time::{Duration, SystemTime};

use nix::time::{ClockId, clock_gettime};
use nix::unistd::{SysconfVar, sysconf};

/// When a process began whose `stat` has `ticks`, by the clock of today: it is set in
/// between, and files have it then. Rounded down to a tick (10 ms).
#[must_use]
pub fn started(ticks: u64) -> Option<SystemTime> {
    let hertz = sysconf(SysconfVar::CLK_TCK).ok().flatten()?;
    let hertz = u64::try_from(hertz).ok().filter(|hertz| *hertz > 0)?;
    let since_boot = Duration::from(clock_gettime(ClockId::CLOCK_BOOTTIME).ok()?);
    let start = Duration::from_millis(ticks.checked_mul(1000)? / hertz);
    SystemTime::now().checked_sub(since_boot.checked_sub(start)?)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use crate::parse::stat::stat;

    use super::*;

    #[test]
    fn this_process_began_a_short_while_ago() {
        let line = std::fs::read("/proc/self/stat").unwrap();
        let ticks = stat(&line).unwrap().start_ticks;
        let age = started(ticks).unwrap().elapsed().unwrap();
        assert!(age < Duration::from_secs(3600), "{age:?}");
    }

    #[test]
    fn a_start_in_the_future_is_none() {
        assert_eq!(started(u64::MAX), None);
        assert_eq!(started(1 << 50), None);
    }
}
