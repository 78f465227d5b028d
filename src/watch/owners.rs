//! Whose a lane is. Most are shared. A container that floods its lane, or leaves too many
//! marks behind that nobody can take off, gets lanes of its own: a queue that only it can
//! fill, and marks that can be taken off all at once.

use std::collections::HashMap;

use crate::model::RootfsId;
use crate::watch::lane::Lane;

/// Containers with lanes of their own. Each takes two groups or three, of the kernel's
/// 128 per user.
const MAX_OWN: usize = 24;
/// Marks left behind after which a root filesystem is marked anew.
const STALE: usize = 128;
/// Marks left behind after which no more are made: only where no lane is left.
pub const MAX_STALE: usize = 1024;

/// The owners of all lanes, in the lanes' order.
#[derive(Debug, Default)]
pub struct Owners {
    lanes: Vec<Owner>,
    /// Who has lanes of its own, or gets them with its next marks; and, of all, how many
    /// marks it has left behind.
    known: HashMap<RootfsId, Known>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    Shared,
    Own(RootfsId),
    /// Its owner is gone; empty, for the next one.
    Idle,
}

#[derive(Debug, Default)]
struct Known {
    own: bool,
    stale: usize,
}

impl Owners {
    /// A lane more.
    pub fn push(&mut self, owner: Option<RootfsId>) {
        self.lanes.push(owner.map_or(Owner::Shared, Owner::Own));
    }

    /// The root filesystem itself, when it has lanes of its own.
    #[must_use]
    pub fn of(&self, rootfs: RootfsId) -> Option<RootfsId> {
        let own = self.known.get(&rootfs).is_some_and(|known| known.own);
        own.then_some(rootfs)
    }

    /// Whose a lane is; `None`: shared.
    #[must_use]
    pub fn owner(&self, lane: usize) -> Option<RootfsId> {
        match self.lanes.get(lane) {
            Some(Owner::Own(rootfs)) => Some(*rootfs),
            _ => None,
        }
    }

    /// A lane of this owner that fits; an idle one is taken for it.
    pub fn find(
        &mut self,
        owner: Option<RootfsId>,
        lanes: &[Lane],
        fits: &impl Fn(&Lane) -> bool,
    ) -> Option<usize> {
        let wanted = owner.map_or(Owner::Shared, Owner::Own);
        let find = |whose| {
            let mut both = self.lanes.iter().zip(lanes);
            both.position(|(owner, lane)| *owner == whose && fits(lane))
        };
        if let Some(index) = find(wanted) {
            return Some(index);
        }
        let index = find(Owner::Idle)?;
        *self.lanes.get_mut(index)? = wanted;
        Some(index)
    }

    /// Lets a root filesystem have lanes of its own. Whether it may.
    pub fn admit(&mut self, rootfs: RootfsId) -> bool {
        let owning = self.known.values().filter(|known| known.own).count();
        let known = self.known.entry(rootfs).or_default();
        known.own |= owning < MAX_OWN;
        known.own
    }

    /// The indices of a root filesystem's own lanes.
    #[must_use]
    pub fn lanes_of(&self, rootfs: RootfsId) -> Vec<usize> {
        let all = self.lanes.iter().enumerate();
        all.filter(|(_, owner)| **owner == Owner::Own(rootfs))
            .map(|(index, _)| index)
            .collect()
    }

    /// Marks that a root filesystem has left behind.
    #[must_use]
    pub fn stale(&self, rootfs: RootfsId) -> usize {
        self.known.get(&rootfs).map_or(0, |known| known.stale)
    }

    /// Notes how many marks a root filesystem has left behind; whether it is to be marked
    /// anew for it.
    pub fn set_stale(&mut self, rootfs: RootfsId, stale: usize) -> bool {
        if stale == 0 && !self.known.contains_key(&rootfs) {
            return false;
        }
        self.known.entry(rootfs).or_default().stale = stale;
        // What stays behind in the shared lanes is less than twice this.
        stale > 2 * STALE || (stale > STALE && self.of(rootfs).is_none())
    }

    /// Forgets a root filesystem; the lanes that were its own are to be emptied.
    pub fn forget(&mut self, rootfs: RootfsId) -> Vec<usize> {
        self.known.remove(&rootfs);
        let own = self.lanes_of(rootfs);
        for index in &own {
            if let Some(owner) = self.lanes.get_mut(*index) {
                *owner = Owner::Idle;
            }
        }
        own
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_so_many_have_lanes_of_their_own_and_their_place_is_given_on() {
        let mut owners = Owners::default();
        let all = 0..MAX_OWN as u64;
        assert!(all.map(RootfsId).all(|id| owners.admit(id)));
        assert!(owners.admit(RootfsId(0)), "it has them already");
        assert!(!owners.admit(RootfsId(1000)));
        owners.push(owners.of(RootfsId(3)));
        assert_eq!(owners.forget(RootfsId(3)), [0]);
        assert!(owners.admit(RootfsId(1000)));
        assert_eq!(owners.owner(0), None);
    }

    #[test]
    fn who_leaves_too_many_marks_behind_is_marked_anew() {
        let mut owners = Owners::default();
        let one = RootfsId(1);
        assert!(!owners.set_stale(one, STALE));
        assert!(owners.set_stale(one, STALE + 1));
        assert!(owners.admit(one));
        // Some of them stay in the lane that it shared.
        assert!(!owners.set_stale(one, STALE + 1));
        assert!(owners.set_stale(one, 2 * STALE + 1));
    }
}
