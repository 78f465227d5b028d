//! The book of marks: which object, under which key, stands for which root
//! filesystem and which name in it.
//!
//! Containers of one image report the same directory handle; the fsid tells them
//! apart, and on some hosts not even that. Events of two different objects with
//! one key could not be told apart in one group, so the second goes into a group
//! of its own: a lane. A filesystem without an id gets a lane to itself. Files are
//! marked in lanes that report the object, directories in lanes that report names.

use std::io;
use std::os::fd::AsFd;

use nix::sys::stat::fstat;

use crate::model::RootfsId;
use crate::survey::spots::{Kind, Spot};
use crate::sys::epoll::{Interest, Waiter};
use crate::sys::fanotify::{Group, Reports, mask};
use crate::sys::handle::HandleKey;
use crate::watch::lane::{Lane, Reading, Watch};

/// Groups used at most; the kernel's own limit is 128 per user.
const MAX_LANES: usize = 100;

/// What is asked of a marked directory. Opening is not: it is no change.
const OF_DIRECTORY: u64 = mask::CREATE
    | mask::DELETE
    | mask::MOVED_FROM
    | mask::MOVED_TO
    | mask::MODIFY
    | mask::CLOSE_WRITE
    | mask::ATTRIB
    | mask::DELETE_SELF
    | mask::MOVE_SELF
    | mask::ONDIR
    | mask::ON_CHILD;
/// What is asked of a marked file.
const OF_FILE: u64 = mask::MODIFY | mask::CLOSE_WRITE | mask::ATTRIB;

/// All marks.
#[derive(Debug)]
pub struct Marks {
    lanes: Vec<Lane>,
    first_token: u64,
    own_pid: i32,
    dropped: Option<Kind>,
}

impl Marks {
    /// The first lane. `first_token` and those after it are the lanes' tokens in
    /// the waiter.
    ///
    /// # Errors
    /// As `Group::new`: `EPERM` without the capability, `EINVAL` on kernels that
    /// report no names.
    pub fn new(waiter: &Waiter, first_token: u64) -> io::Result<Self> {
        let own_pid = nix::unistd::getpid().as_raw();
        let mut marks = Self {
            lanes: Vec::new(),
            first_token,
            own_pid,
            dropped: dropped(),
        };
        marks.open_lane(waiter, Reports::Names, false)?;
        Ok(marks)
    }

    fn open_lane(
        &mut self,
        waiter: &Waiter,
        reports: Reports,
        exclusive: bool,
    ) -> io::Result<usize> {
        if self.lanes.len() >= MAX_LANES {
            return Err(io::Error::from_raw_os_error(libc::EMFILE));
        }
        let index = self.lanes.len();
        let group = Group::new(reports)?;
        waiter.add(&group, Interest::Readable, self.first_token + index as u64)?;
        self.lanes.push(Lane::new(group, reports, exclusive));
        Ok(index)
    }

    /// Events carry pidfds.
    #[must_use]
    pub fn has_pidfds(&self) -> bool {
        self.lanes.first().is_some_and(Lane::has_pidfds)
    }

    /// Number of groups in use.
    #[must_use]
    pub fn lanes(&self) -> usize {
        self.lanes.len()
    }

    /// Number of marked objects.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lanes.iter().map(Lane::marked).sum()
    }

    /// Nothing is marked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Marks a spot of a root filesystem; tells whether it was not marked before. Marking twice does no harm; `round` tells
    /// this sighting from earlier ones, see `prune`.
    ///
    /// # Errors
    /// The errno with which the kernel refused; the ladder decides what it means.
    pub fn add(
        &mut self,
        rootfs: RootfsId,
        spot: &Spot,
        round: u64,
        waiter: &Waiter,
    ) -> io::Result<bool> {
        if self.dropped == Some(spot.kind) {
            return Ok(false);
        }
        let key = HandleKey::of(spot.fd.as_fd())?;
        let stat = fstat(&spot.fd)?;
        let object = (stat.st_dev, stat.st_ino);
        let (reports, events) = match spot.kind {
            Kind::File => (Reports::Objects, OF_FILE),
            _ => (Reports::Names, OF_DIRECTORY),
        };
        let index = match self
            .lanes
            .iter()
            .position(|lane| lane.takes(reports, &key, object))
        {
            Some(index) => index,
            None => self.open_lane(waiter, reports, key.has_null_fsid())?,
        };
        let Some(lane) = self.lanes.get_mut(index) else {
            return Err(io::Error::from_raw_os_error(libc::EMFILE));
        };
        lane.mark(spot, events)?;
        let watch = Watch {
            rootfs,
            name: spot.name.clone(),
            leaf: spot.leaf,
            kind: spot.kind,
            round,
        };
        Ok(lane.note(key, object, watch))
    }

    /// Forgets what an earlier round of sighting marked for a root filesystem and
    /// this one did not: it is not on the way any more.
    pub fn prune(&mut self, rootfs: RootfsId, round: u64) {
        self.retain(|watch| watch.rootfs != rootfs || watch.round == round);
    }

    /// Forgets a root filesystem. The kernel's marks went with its superblock; one
    /// that did not gives events under a key that nobody knows.
    pub fn forget(&mut self, rootfs: RootfsId) {
        self.retain(|watch| watch.rootfs != rootfs);
    }

    fn retain(&mut self, keep: impl Fn(&Watch) -> bool) {
        for lane in &mut self.lanes {
            lane.retain(&keep);
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
                lane.unmark(&key, spot, OF_DIRECTORY);
            }
        }
    }

    /// Reads what is queued in one lane.
    ///
    /// # Errors
    /// The errno of read(2); `EMFILE` counts as lost sight.
    pub fn read(&mut self, lane: usize) -> io::Result<Reading> {
        match self.lanes.get_mut(lane) {
            Some(lane) => lane.read(self.own_pid),
            None => Ok(Reading::default()),
        }
    }
}

/// The kind of mark that a test build leaves out, to show what it is for.
#[cfg(feature = "drop-mark")]
fn dropped() -> Option<Kind> {
    let word = std::env::var("LDWATCH_DROP_MARK").ok()?;
    [Kind::Etc, Kind::Root, Kind::Chain, Kind::File, Kind::Upper]
        .into_iter()
        .find(|kind| kind.name() == word)
}

#[cfg(not(feature = "drop-mark"))]
fn dropped() -> Option<Kind> {
    None
}
