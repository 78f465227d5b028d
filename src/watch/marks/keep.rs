//! What becomes of marks that are no longer on a way: they are taken off where the object
//! is at hand, and kept in mind where it is not. A container that leaves many behind gets
//! lanes of its own, which can be emptied at once.

use std::os::fd::AsFd;

use crate::model::RootfsId;
use crate::survey::spots::Spot;
use crate::sys::handle::HandleKey;
use crate::watch::lane::{Lane, Watch};
use crate::watch::marks::Marks;

impl Marks {
    /// The root filesystem that a lane is for alone.
    #[must_use]
    pub fn owner(&self, lane: usize) -> Option<RootfsId> {
        self.owners.owner(lane)
    }

    /// Before a root filesystem is marked anew: it gets lanes of its own, or has those it
    /// has emptied. An event in between is missed, so the file is to be looked at after.
    pub fn renew(&mut self, rootfs: RootfsId) {
        if !self.owners.admit(rootfs) {
            return;
        }
        for index in self.owners.lanes_of(rootfs) {
            if let Some(lane) = self.lanes.get_mut(index) {
                lane.clear();
            }
        }
    }

    /// Forgets what an earlier round of sighting marked for a root filesystem and
    /// this one did not: it is not on the way any more.
    ///
    /// The kernel's marks can be taken off only what is at hand: `spots`. The others stay;
    /// whether they are so many that the root filesystem is to be marked anew.
    pub fn prune(&mut self, rootfs: RootfsId, round: u64, spots: &[Spot]) -> bool {
        let own = self.owners.of(rootfs).is_some();
        let mut stale = 0;
        for (index, lane) in self.lanes.iter_mut().enumerate() {
            let shared = own && self.owners.owner(index).is_none();
            // What has lanes of its own leaves the shared ones.
            stale += lane.prune(rootfs, if shared { u64::MAX } else { round });
            if let (Lane::Keyed(lane), true) = (lane, shared) {
                lane.leave(rootfs, spots);
            }
        }
        self.owners.set_stale(rootfs, stale)
    }

    /// Forgets a root filesystem. The kernel's marks went with its superblock; one
    /// that did not gives events under a key that nobody knows.
    pub fn forget(&mut self, rootfs: RootfsId) {
        self.retain(&|watch: &Watch| watch.rootfs != rootfs);
        for index in self.owners.forget(rootfs) {
            if let Some(lane) = self.lanes.get_mut(index) {
                lane.clear();
            }
        }
    }

    fn retain(&mut self, keep: &impl Fn(&Watch) -> bool) {
        for lane in &mut self.lanes {
            lane.retain(keep);
        }
    }

    /// Takes the kernel's marks off objects that outlive their root filesystem and
    /// that nobody else watches.
    pub fn unmark(&mut self, spots: &[Spot]) {
        for spot in spots {
            let Ok(key) = HandleKey::of(spot.fd.as_fd()) else {
                continue;
            };
            for lane in &mut self.lanes {
                if let Lane::Keyed(lane) = lane {
                    lane.unmark(&key, spot);
                }
            }
        }
    }
}
