//! Which root filesystems the exec trail covers.

use std::os::fd::AsFd;
use std::time::Instant;

use nix::sys::stat::{fstat, major, minor};

use crate::survey::sight::Sighting;
use crate::survey::spots::Kind;
use crate::watch::run::{TRAIL, Watch};
use crate::who::trail::Trail;

/// The word for a root filesystem whose programs are on the trail.
pub const ON: &str = "on";

impl Watch {
    /// The first program after a while: read at once, so that a file event after it is known
    /// to be later.
    pub(super) fn trail_rings(&mut self, now: Instant) {
        let again = self.trail.rings(now);
        if self.marks.are_quiet() {
            self.trail.files_are_quiet();
        }
        if again {
            self.wait_for_trail();
        }
    }

    /// Reads the trail when it is time: file events come first, whatever containers
    /// execute, and a storm costs one waking for many programs.
    pub(super) fn read_trail(&mut self, now: Instant) {
        if self.trail.due().is_none_or(|due| due > now) {
            return;
        }
        let waits = self.trail.read();
        if self.marks.are_quiet() {
            self.trail.files_are_quiet();
        } else {
            self.trail.later(now);
        }
        if waits {
            self.wait_for_trail();
        }
    }

    fn wait_for_trail(&self) {
        if let Some(queue) = self.trail.queue()
            && let Err(error) = self.waiter.again(queue, TRAIL)
        {
            log::warn!("the exec trail is not waited for any more: {error}");
        }
    }
}

/// Marks the root filesystem of a sighting, where it may be: `on`, or why not.
#[must_use]
pub fn trail_of(trail: &Trail, sighting: &Sighting) -> String {
    if trail.queue().is_some() && !sighting.layers_answer {
        return "not all its layers are known to answer".to_owned();
    }
    // Only the superblock that was judged; the root may be another one by now.
    let is_it = |fd: &std::os::fd::OwnedFd| {
        fstat(fd).is_ok_and(|stat| {
            let device = sighting.root.device;
            (major(stat.st_dev), minor(stat.st_dev)) == (device.0.into(), device.1.into())
        })
    };
    let mut roots = sighting.spots.iter().filter(|spot| spot.kind == Kind::Root);
    match roots.find(|spot| is_it(&spot.fd)) {
        Some(root) => match trail.mark(root.fd.as_fd()) {
            Ok(()) => ON.to_owned(),
            Err(why) => why,
        },
        None => "its root directory was not found".to_owned(),
    }
}
