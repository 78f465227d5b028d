//! Moments as text.
//!
//! The time stamps of a file belong to whoever owns it and may lie before 1970 or
//! behind the year 9999, where the formatter gives up by panicking: such a moment
//! has no text here, and the record carries it as a number instead.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// 9999-12-31T23:59:59Z, the last second that four digits of year can tell.
const LAST: Duration = Duration::from_secs(253_402_300_799);

/// `at` as RFC 3339 in UTC with microseconds; `None` outside the years 1970 to 9999.
#[must_use]
pub fn rfc3339(at: SystemTime) -> Option<String> {
    let since = at.duration_since(UNIX_EPOCH).ok()?;
    (since <= LAST).then(|| humantime::format_rfc3339_micros(at).to_string())
}

/// As [`rfc3339`], with the epoch for a moment that has no text.
#[must_use]
pub fn rfc3339_or_epoch(at: SystemTime) -> String {
    rfc3339(at).unwrap_or_else(|| "1970-01-01T00:00:00.000000Z".to_owned())
}

/// Seconds since the epoch, negative before it.
#[must_use]
pub fn unix_seconds(at: SystemTime) -> i64 {
    match at.duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
        Err(before) => {
            i64::try_from(before.duration().as_secs()).map_or(i64::MIN, |seconds| -seconds)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_has_microseconds_and_a_z() {
        let at = UNIX_EPOCH + Duration::from_micros(1_764_000_000_000_042);
        assert_eq!(rfc3339(at).as_deref(), Some("2025-11-24T16:00:00.000042Z"));
    }

    #[test]
    fn a_moment_that_cannot_be_written_is_a_number() {
        let before = UNIX_EPOCH - Duration::from_secs(5);
        assert_eq!((rfc3339(before), unix_seconds(before)), (None, -5));
        let far = UNIX_EPOCH + LAST + Duration::from_secs(1);
        assert_eq!((rfc3339(far), unix_seconds(far)), (None, 253_402_300_800));
        assert!(
            rfc3339(UNIX_EPOCH + LAST).is_some_and(|text| text.starts_with("9999-12-31T23:59:59"))
        );
    }
}
