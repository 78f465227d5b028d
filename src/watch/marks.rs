//! The book of marks: which object stands for which root filesystem, on the best
//! rung its kernel and filesystem allow.
//!
//! Containers of one image report the same directory handle; the fsid tells them
//! apart, and on some hosts not even that. Events of two different objects with
//! one key could not be told apart in one group, so the second goes into a group
//! of its own: a lane. A filesystem without an id gets a lane to itself.
//!
//! The rung is found by trying: a refused named mark leads to inotify for what
//! happened and to a descriptor group for who wrote. The writable layer lies on a
//! filesystem of its own, which may take named marks where overlay does not.

mod keep;

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use nix::sys::stat::fstat;

use crate::model::{RootfsId, Rung};
use crate::survey::spots::{Kind, Spot};
use crate::sys::epoll::{Interest, Waiter};
use crate::sys::fanotify::{Group, Reports};
use crate::sys::handle::HandleKey;
use crate::sys::poll;
use crate::watch::lane::keyed::Keyed;
use crate::watch::lane::notify::Notify;
use crate::watch::lane::opened::{Opened, is_overlay};
use crate::watch::lane::{Lane, Reading, Watch};
use crate::watch::owners::{MAX_STALE, Owners};

/// Groups used at most; the kernel's own limit is 128 per user.
const MAX_LANES: usize = 100;

/// All marks.
#[derive(Debug)]
pub struct Marks {
    lanes: Vec<Lane>,
    /// Whose each lane is, in their order.
    owners: Owners,
    first_token: u64,
    own_pid: i32,
    forced: Option<Rung>,
    dropped: Option<Kind>,
}

impl Marks {
    /// No mark yet. `first_token` and those after it are the lanes' tokens in the
    /// waiter; `forced` keeps everything to one rung.
    ///
    /// # Errors
    /// `EPERM` without the capability, `ENOSYS` without fanotify: no rung works.
    pub fn new(first_token: u64, forced: Option<Rung>) -> io::Result<Self> {
        // The least that every rung needs, tried once so that what is missing is
        // told at start.
        Group::new(Reports::Descriptors)?;
        let own_pid = nix::unistd::getpid().as_raw();
        Ok(Self {
            lanes: Vec::new(),
            owners: Owners::default(),
            first_token,
            own_pid,
            forced,
            dropped: dropped(),
        })
    }

    /// Events carry pidfds.
    #[must_use]
    pub fn has_pidfds(&self) -> bool {
        self.lanes.iter().any(|lane| match lane {
            Lane::Keyed(lane) => lane.has_pidfds(),
            Lane::Opened(lane) => lane.has_pidfds(),
            Lane::Notify(_) => false,
        })
    }

    /// Number of queues in use.
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

    /// Marks a spot of a root filesystem, and says on which rung. Marking twice does
    /// no harm; `round` tells this sighting from earlier ones, see `prune`.
    ///
    /// # Errors
    /// The errno with which the last rung was refused; `ladder` knows its meaning.
    pub fn add(
        &mut self,
        rootfs: RootfsId,
        spot: &Spot,
        round: u64,
        waiter: &Waiter,
    ) -> io::Result<Rung> {
        let watch = Watch {
            rootfs,
            name: spot.name.clone(),
            leaf: spot.leaf,
            kind: spot.kind,
            round,
            ghost: false,
        };
        if self.owners.stale(rootfs) > MAX_STALE {
            return Err(io::Error::from_raw_os_error(libc::ENOSPC));
        }
        if self.dropped == Some(spot.kind) {
            return Ok(self.forced.unwrap_or(Rung::Named));
        }
        let stat = fstat(&spot.fd)?;
        let object = (stat.st_dev, stat.st_ino);
        let named = match (spot.kind, self.forced) {
            (Kind::Upper, Some(Rung::Plain)) => return Ok(Rung::Plain),
            (Kind::Upper, _) | (_, None | Some(Rung::Named)) => {
                Some(self.add_keyed(spot, object, watch.clone(), waiter))
            }
            _ => None,
        };
        match named {
            Some(Ok(())) => Ok(Rung::Named),
            Some(Err(error)) if spot.kind == Kind::Upper || !leads_down(&error, self.forced) => {
                Err(error)
            }
            _ => self
                .add_split(spot, object, watch, waiter)
                .map(|()| Rung::Split),
        }
    }

    fn add_keyed(
        &mut self,
        spot: &Spot,
        object: (u64, u64),
        watch: Watch,
        waiter: &Waiter,
    ) -> io::Result<()> {
        let key = HandleKey::of(spot.fd.as_fd())?;
        let reports = match spot.kind {
            Kind::File => Reports::Objects,
            _ => Reports::Names,
        };
        let takes =
            |lane: &Lane| matches!(lane, Lane::Keyed(lane) if lane.takes(reports, &key, object));
        let exclusive = key.has_null_fsid();
        // A filesystem without an id has its lane to itself anyway.
        let owner = self.owners.of(watch.rootfs).filter(|_| !exclusive);
        let index = self.lane(waiter, owner, takes, || {
            Ok(Lane::Keyed(Keyed::new(
                Group::new(reports)?,
                reports,
                exclusive,
            )))
        })?;
        match self.lanes.get_mut(index) {
            Some(Lane::Keyed(lane)) => lane.add(spot, (key, object), watch),
            _ => Err(io::Error::from_raw_os_error(libc::EMFILE)),
        }
    }

    /// What happened by inotify; who wrote by descriptors, where the object can be
    /// written to or holds the file. Each is worth having without the other.
    fn add_split(
        &mut self,
        spot: &Spot,
        object: (u64, u64),
        watch: Watch,
        waiter: &Waiter,
    ) -> io::Result<()> {
        let who = if spot.kind == Kind::Root || !spot.leaf {
            Ok(())
        } else {
            self.add_opened(spot, object, watch.clone(), waiter)
        };
        let is_notify = |lane: &Lane| matches!(lane, Lane::Notify(_));
        let owner = self.owners.of(watch.rootfs);
        let index = self.lane(waiter, owner, is_notify, || {
            Ok(Lane::Notify(Notify::new()?))
        })?;
        if let Some(Lane::Notify(lane)) = self.lanes.get_mut(index) {
            lane.add(spot, object, watch)?;
        }
        who
    }

    fn add_opened(
        &mut self,
        spot: &Spot,
        object: (u64, u64),
        watch: Watch,
        waiter: &Waiter,
    ) -> io::Result<()> {
        let owner = self.owners.of(watch.rootfs);
        let alone = spot.kind != Kind::File && !is_overlay(&spot.fd);
        let index = match self.opened(owner, alone, object, waiter) {
            Err(error) if alone && error.raw_os_error() == Some(libc::EMFILE) => {
                self.opened(owner, false, object, waiter)
            }
            found => found,
        }?;
        match self.lanes.get_mut(index) {
            Some(Lane::Opened(lane)) => lane.add(spot, object, watch),
            _ => Ok(()),
        }
    }

    /// The lane of descriptors for an object; `alone`: it shares its with no other.
    fn opened(
        &mut self,
        owner: Option<RootfsId>,
        alone: bool,
        object: (u64, u64),
        waiter: &Waiter,
    ) -> io::Result<usize> {
        let fits = |lane: &Lane| matches!(lane, Lane::Opened(lane) if lane.takes(alone, object));
        self.lane(waiter, owner, fits, || {
            let group = Group::new(Reports::Descriptors)?;
            Ok(Lane::Opened(Opened::new(group, alone)))
        })
    }

    /// No lane has anything to read.
    #[must_use]
    pub fn are_quiet(&self) -> bool {
        let fds: Vec<_> = self
            .lanes
            .iter()
            .map(|lane| (lane.as_fd(), Interest::Readable))
            .collect();
        poll::wait(&fds, Some(Duration::ZERO)).is_ok_and(|ready| ready.is_empty())
    }

    /// What and who come from different queues.
    #[must_use]
    pub fn is_split(&self) -> bool {
        self.lanes
            .iter()
            .any(|lane| matches!(lane, Lane::Notify(_)))
    }

    /// The lanes in the order in which they say it all: who acted is queued when what
    /// happened is, so the lanes of inotify come first.
    pub fn in_order(&self) -> Vec<usize> {
        let is_notify = |index: &usize| matches!(self.lanes.get(*index), Some(Lane::Notify(_)));
        let (first, rest): (Vec<_>, Vec<_>) = (0..self.lanes.len()).partition(is_notify);
        first.into_iter().chain(rest).collect()
    }

    /// The owner's first lane that fits, or a fresh one. Without an owner: the shared ones.
    fn lane(
        &mut self,
        waiter: &Waiter,
        owner: Option<RootfsId>,
        fits: impl Fn(&Lane) -> bool,
        fresh: impl FnOnce() -> io::Result<Lane>,
    ) -> io::Result<usize> {
        if let Some(index) = self.owners.find(owner, &self.lanes, &fits) {
            return Ok(index);
        }
        let index = self.lanes.len();
        if index >= MAX_LANES {
            return Err(io::Error::from_raw_os_error(libc::EMFILE));
        }
        let lane = fresh()?;
        waiter.add(&lane, Interest::Readable, self.first_token + index as u64)?;
        self.lanes.push(lane);
        self.owners.push(owner);
        Ok(index)
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

/// A refusal that says "not with names", so the next rung is tried: no file handles,
/// no fsid, or a kernel without such groups.
fn leads_down(error: &io::Error, forced: Option<Rung>) -> bool {
    forced.is_none()
        && matches!(
            error.raw_os_error(),
            Some(libc::EOPNOTSUPP | libc::EINVAL | libc::ENODEV | libc::ENOSYS | libc::EXDEV)
        )
}

/// A test build leaves the mount tables of containers out.
#[must_use]
pub fn leaves_tables_out() -> bool {
    cfg!(feature = "drop-mark")
        && std::env::var_os("LDWATCH_DROP_MARK").is_some_and(|word| word == "mounts")
}

/// The kind of mark that a test build leaves out, to show what it is for.
#[cfg(feature = "drop-mark")]
fn dropped() -> Option<Kind> {
    let word = std::env::var("LDWATCH_DROP_MARK").ok()?;
    Kind::ALL.into_iter().find(|kind| kind.name() == word)
}

#[cfg(not(feature = "drop-mark"))]
fn dropped() -> Option<Kind> {
    None
}
