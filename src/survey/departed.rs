//! Root filesystems that the host mounted a moment ago. Whoever starts a container copies
//! the host's mount table first: the copy shows for a while what the host has taken away,
//! and that is no new container.

use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::survey::mounts::{RootKey, RootMount};

/// No start of a container takes longer.
const KEPT: Duration = Duration::from_secs(30);
/// Most that are kept.
const MOST: usize = 2048;

/// The last that went, as a number of each: their names, kept for a while among what is
/// not, would hold many pages. Device numbers are used again soon; the writable layer tells.
#[derive(Debug, Default)]
pub(super) struct Departed {
    last: VecDeque<(Instant, u64)>,
    /// Nobody can foresee a number.
    number: RandomState,
}

impl Departed {
    /// The host does not mount it any more. One without a writable layer has no name.
    pub(super) fn note(&mut self, now: Instant, key: &RootKey, upper: Option<&PathBuf>) {
        self.last
            .retain(|(then, _)| now.duration_since(*then) < KEPT);
        if self.last.len() >= MOST {
            self.last.pop_front();
        }
        if upper.is_some() {
            let number = self.number.hash_one((key, upper));
            self.last.push_back((now, number));
        }
        if self.last.capacity() > 4 * (self.last.len() + 16) {
            self.last.shrink_to_fit();
        }
    }

    /// It is one of them.
    pub(super) fn holds(&self, now: Instant, overlay: &RootMount) -> bool {
        if self.last.is_empty() || overlay.upper.is_none() {
            return false;
        }
        let number = self.number.hash_one((&overlay.key, overlay.upper.as_ref()));
        let is_it =
            |(then, other): &(Instant, u64)| now.duration_since(*then) < KEPT && *other == number;
        self.last.iter().any(is_it)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::survey::mounts::overlays;

    fn overlay(device: &str, upper: &str) -> RootMount {
        let line = format!("9 1 {device} / /d/merged rw - overlay o rw,{upper}\n");
        overlays(line.as_bytes()).0.remove(0)
    }

    #[test]
    fn a_copy_of_what_went_is_known_by_device_and_layer() {
        let (mut departed, now) = (Departed::default(), Instant::now());
        let one = overlay("0:39", "upperdir=/u/1");
        departed.note(now, &one.key, one.upper.as_ref());
        assert!(departed.holds(now, &one));
        assert!(!departed.holds(now, &overlay("0:39", "upperdir=/u/2")));
        assert!(!departed.holds(now, &overlay("0:40", "upperdir=/u/1")));
        assert!(!departed.holds(now + KEPT, &one));
    }

    #[test]
    fn what_has_no_writable_layer_has_no_name_to_be_known_by() {
        let (mut departed, now) = (Departed::default(), Instant::now());
        let one = overlay("0:39", "lowerdir=/l");
        departed.note(now, &one.key, one.upper.as_ref());
        assert!(!departed.holds(now, &one));
    }

    #[test]
    fn a_storm_pushes_the_oldest_out() {
        let (mut departed, now) = (Departed::default(), Instant::now());
        let all: Vec<RootMount> = (0..=MOST)
            .map(|number| overlay("0:39", &format!("upperdir=/u/{number}")))
            .collect();
        for one in &all {
            departed.note(now, &one.key, one.upper.as_ref());
        }
        assert!(!departed.holds(now, all.first().unwrap()));
        assert!(departed.holds(now, all.last().unwrap()));
        assert!(departed.last.len() <= MOST);
    }
}
