//! What a mount in another namespace tells of itself: whose it is, where its writable layer
//! lies, and how it is reached. A path there is believed where it leads to the same place
//! as on the host.

use std::path::{Path, PathBuf};

use crate::model::Container;
use crate::reach::{HostMount, ProcessKey, is_on_host, same_on_host};
use crate::survey::init::{by_init, directory};
use crate::survey::known::{Known, sighting};
use crate::survey::mounts::RootMount;
use crate::survey::processes::Init;
use crate::survey::runtime::{Owner, Papers};
use crate::survey::sight::{News, Survey, unnamed};

impl Survey {
    /// An overlay by FUSE that was met as a root: its mount tells whose it is, and which
    /// layer of it can be marked.
    pub(super) fn complete(
        &mut self,
        index: usize,
        init: &Init,
        overlay: &RootMount,
        tell: &mut dyn FnMut(News),
    ) {
        let is_open =
            |known: &Known| known.reach.closed && known.upper.is_none() && known.mount_ns.is_some();
        if !self.known.get(index).is_some_and(is_open) {
            return;
        }
        let upper = self.upper_within(init, overlay);
        let owner = self.owner_within(init, overlay);
        let Some(known) = self.known.get_mut(index).filter(|_| upper.is_some()) else {
            return;
        };
        known.upper = upper;
        known.reach.host = found_within(init.key, overlay);
        if let Some((container, papers)) = owner.filter(|(owner, _)| owner.id.is_some()) {
            (known.container, known.papers) = (container, papers);
        }
        sighting(known, tell);
    }

    /// The writable layer, where the namespace's path leads to the same place as the host's.
    pub(super) fn upper_within(&self, init: &Init, overlay: &RootMount) -> Option<PathBuf> {
        let beside = || overlay.upper_beside(&overlay.mountpoint);
        let upper = overlay.upper.clone().or_else(beside);
        upper.filter(|upper| self.is_hosts(init, upper))
    }

    /// Whose overlay a mount of another namespace is; `None`: a runtime's own work.
    pub(super) fn owner_within(
        &mut self,
        init: &Init,
        overlay: &RootMount,
    ) -> Option<(Container, Papers)> {
        let (owner, papers) = match overlay.mountpoint.parent() {
            Some(parent) if self.is_hosts(init, parent) => {
                self.readers.described(&overlay.mountpoint)
            }
            _ => (Owner::Unknown, Papers::default()),
        };
        match owner {
            Owner::Work(_) => None,
            Owner::Container(container) => Some((*container, papers)),
            // In its cgroup, and with the host's root: LXC is about to start it.
            Owner::Unknown if init.by_lxc && init.root.key == self.host_root => {
                by_init(init, &mut self.readers).or_else(|| Some((unnamed(), papers)))
            }
            Owner::Unknown => {
                let source = init.contained.then_some("inner-mount");
                let container = Container {
                    source,
                    ..unnamed()
                };
                Some((container, papers))
            }
        }
    }

    /// A path of that namespace is the host's: nothing of its own covers it.
    fn is_hosts(&self, init: &Init, path: &Path) -> bool {
        init.root.key == self.host_root && same_on_host(init.key, path)
    }
}

/// The mount below the root of a process, when it is there; what may never answer is not
/// asked, and the table that showed it is believed.
pub(super) fn found_within(key: ProcessKey, overlay: &RootMount) -> Option<HostMount> {
    match overlay.closed() {
        Some(_) => Some(HostMount::listed(key, &overlay.mountpoint, overlay.mount)),
        None => HostMount::find_within(key, &overlay.mountpoint, overlay.mount),
    }
}

/// The writable layer, as the mounter named it. A user may name any path.
pub(super) fn upper(init: &Init) -> Option<PathBuf> {
    if init.root.closed().is_some() {
        // By the host's own table: a user's mounts are not in it.
        let upper = init.root.upper_beside(&directory(init)?)?;
        return is_on_host(&upper).then_some(upper);
    }
    let upper = init.root.upper.clone().filter(|_| !init.own_users)?;
    is_on_host(&upper).then_some(upper)
}
