//! What the host's mount table does not show: the roots of processes in other mount
//! namespaces, and the overlays that are mounted there before they become a root.
//!
//! A user's containers are mounted in the namespace of the user's pause process, a
//! nested container in that of the one around it, and LXC mounts in the container's
//! own. Whoever owns such a namespace chooses its paths: a runtime's files are asked
//! about one only when it leads to the same place as on the host.

use std::collections::HashSet;
use std::time::Instant;

use crate::reach::{ProcessKey, Reach, pinned};
use crate::survey::known::{Known, sighting, take_init};
use crate::survey::mounts::{RootKey, RootMount};
use crate::survey::processes::{Init, Inner, root_now};
use crate::survey::runtime::Papers;
use crate::survey::sight::{News, Survey, unnamed};
use crate::survey::spots::upper_spots;
use crate::survey::within::{found_within, upper};

const PROC: &str = "/proc";

impl Survey {
    /// Looks at the processes of a new cgroup. The mount namespace of the first that has
    /// one of its own: a runtime in a container is in the container's for a moment more.
    pub fn processes_of(&mut self, pids: &[i32], tell: &mut dyn FnMut(News)) -> Option<u64> {
        let host_ns = self.host_ns;
        let met = |known: &Known, namespace| {
            known.mount_ns == Some(namespace) && known.reach.init.is_some()
        };
        let namespace = pids.iter().find_map(|&pid| {
            let namespace = self.inits.look(PROC.as_ref(), pid, host_ns)?;
            let is_met = self.known.iter().any(|known| met(known, namespace));
            (!is_met).then_some(namespace)
        })?;
        self.settle(namespace, tell);
        Some(namespace)
    }

    /// The mount table of a namespace changed.
    pub fn table(&mut self, namespace: u64, tell: &mut dyn FnMut(News)) {
        if self.inits.refresh(PROC.as_ref(), namespace).is_some() {
            self.settle(namespace, tell);
        }
    }

    /// The namespaces whose tables may bring a container, with a process of each: those
    /// that are new, and those of users and of containers' surroundings. The tables of
    /// known containers are waited for elsewhere.
    #[must_use]
    pub fn to_follow(&self) -> Vec<(u64, ProcessKey)> {
        let known: HashSet<u64> = self
            .known
            .iter()
            .filter(|known| known.reach.init.is_some())
            .filter_map(|known| known.mount_ns)
            .collect();
        let foreign = |init: &Init| init.own_users || init.root.key != self.host_root;
        self.inits
            .all()
            .filter(|(init, young)| !known.contains(&init.mount_ns) && (*young || foreign(init)))
            .map(|(init, _)| (init.mount_ns, init.key))
            .collect()
    }

    /// Takes up what the table of one namespace says now.
    fn settle(&mut self, namespace: u64, tell: &mut dyn FnMut(News)) {
        self.inner_mounts(tell);
        let Some(init) = self.inits.get(namespace).cloned() else {
            return;
        };
        let key = &init.root.key;
        for known in &mut self.known {
            // A process that went on to another root is no way to the one before.
            if known.root != *key && known.reach.init.is_some_and(|way| way.key == init.key) {
                known.reach.init = None;
            }
        }
        self.drop_ended(tell);
        self.drop_stale(key, tell);
        if init.root.is_overlay() && !self.known.iter().any(|known| known.root == *key) {
            // The host's mount of it leads to the files that name it.
            self.host(tell);
        }
        let Some(known) = self.known.iter_mut().find(|known| known.root == *key) else {
            return self.hidden(&init, tell);
        };
        let elder = known.reach.init.map(|way| way.key).is_some_and(|known| {
            known != init.key && known.age() < init.key.age() && pinned(known).is_ok()
        });
        if elder {
            return;
        }
        if take_init(known, Some(&init), &mut self.readers) || known.untold {
            known.untold = false;
            sighting(known, tell);
        }
    }

    /// Takes up the overlays in the tables that were read: each may become the root of a
    /// container, and can be marked before.
    pub(super) fn inner_mounts(&mut self, tell: &mut dyn FnMut(News)) {
        let inner = self.inits.take_inner();
        let is_new = |one: &Inner, mount: &RootMount| {
            let is_it = |known: &Known| known.root == mount.key;
            self.may_be_root(&one.init, mount) && !self.known.iter().any(is_it)
        };
        let has_new = |one: &Inner| one.overlays.iter().any(|mount| is_new(one, mount));
        if inner.iter().any(has_new) {
            // A copy of the host's table may be younger than what was read of the host's.
            self.host(tell);
        }
        for Inner { init, overlays } in inner {
            self.unmounted(init.key, &overlays);
            self.rooted(&init, tell);
            let now = Instant::now();
            for overlay in &overlays {
                if self.inits.hosts.contains(&overlay.key.device)
                    || self.departed.holds(now, overlay)
                    || !self.may_be_root(&init, overlay)
                {
                    continue;
                }
                if !self.is_met(&init, overlay) {
                    self.drop_stale(&overlay.key, tell);
                }
                self.inner_mount(&init, overlay, tell);
            }
        }
        self.drop_ended(tell);
    }

    /// Forgets the root filesystem of that device, or directory, when no way leads to it any
    /// more: the device may be another's by now, and the directory used again.
    pub(super) fn drop_stale(&mut self, key: &RootKey, tell: &mut dyn FnMut(News)) {
        self.known.retain(|known| {
            let there = known.root != *key || known.reach.is_open();
            if !there {
                self.guard.forget(known.id);
                tell(News::Gone(known.id, upper_spots(known.upper.as_deref())));
            }
            there
        });
    }

    /// What a namespace does not mount any more is not reached through it. Path, device
    /// and mount id may be those of a later mount: the unique mount id tells.
    fn unmounted(&mut self, key: ProcessKey, overlays: &[RootMount]) {
        for known in &mut self.known {
            let here = known.reach.host.as_ref();
            let Some(here) = here.filter(|mount| mount.within == Some(key)) else {
                continue;
            };
            let same = |o: &&RootMount| o.mount == here.id && o.mountpoint == here.path;
            let found = overlays.iter().find(same);
            let now = found.and_then(|o| found_within(key, o));
            if now.as_ref() != Some(here) {
                known.reach.host = None;
                known.reach.init = known.reach.init.filter(|init| pinned(init.key).is_ok());
            }
        }
    }

    /// What was mounted in the namespace and is its root by now, maybe since its table was
    /// read, is reached through its process: it is the same root filesystem.
    fn rooted(&mut self, init: &Init, tell: &mut dyn FnMut(News)) {
        let left = |known: &Known| known.reach.host.is_none() && known.reach.init.is_none();
        if !self.known.iter().any(left) {
            return;
        }
        let Some(root) = root_now(init.key) else {
            return;
        };
        let init = Init {
            root,
            ..init.clone()
        };
        let mut known = self.known.iter_mut().filter(|known| left(known));
        if let Some(known) = known.find(|known| known.root == init.root.key) {
            take_init(known, Some(&init), &mut self.readers);
            sighting(known, tell);
        }
    }

    /// It is known by that namespace, which was asked a moment ago.
    fn is_met(&self, init: &Init, mount: &RootMount) -> bool {
        let within = |known: &Known| known.reach.host.as_ref().and_then(|host| host.within);
        let met = |known: &Known| known.root == mount.key && within(known) == Some(init.key);
        self.known.iter().any(met)
    }

    /// Of what is no overlay only LXC itself, before it goes to the new root, is believed
    /// that it will be one.
    fn may_be_root(&self, init: &Init, mount: &RootMount) -> bool {
        let at_work = init.root.key == self.host_root && mount.key != self.host_root;
        mount.is_overlay() || mount.closed().is_some() || at_work
    }

    fn inner_mount(&mut self, init: &Init, overlay: &RootMount, tell: &mut dyn FnMut(News)) {
        if let Some(index) = self.known.iter().position(|one| one.root == overlay.key) {
            self.complete(index, init, overlay, tell);
            if let Some(known) = self.known.get_mut(index) {
                mounted_again(known, init.key, overlay, tell);
            }
            return;
        }
        let Some((container, papers)) = self.owner_within(init, overlay) else {
            return;
        };
        let closed = overlay.closed();
        if closed.is_some() && container.id.is_none() && !container.build {
            // Whoever has it as a root will be met; until then anybody may mount one.
            return;
        }
        let Some(host) = found_within(init.key, overlay) else {
            return;
        };
        let upper = self.upper_within(init, overlay);
        let known = Known {
            id: self.fresh(),
            root: overlay.key.clone(),
            reach: Reach {
                closed: closed.is_some(),
                ..Reach::by_host(Some(host))
            },
            closed,
            mount_ns: None,
            // They are named in a namespace of the container's own making.
            layers_answer: false,
            upper,
            container,
            papers,
            untold: false,
            guarded: false,
        };
        sighting(&known, tell);
        self.known.push(known);
    }

    /// A root filesystem that the host's mount table does not show, or not as one. A
    /// service with private mounts has the host's root, or a part of it.
    pub(super) fn hidden(&mut self, init: &Init, tell: &mut dyn FnMut(News)) {
        let key = &init.root.key;
        if !init.root.is_overlay() && (!init.contained || *key == self.host_root) {
            return;
        }
        let closed = init.root.closed();
        let mut known = Known {
            id: self.fresh(),
            root: key.clone(),
            reach: Reach {
                closed: closed.is_some(),
                ..Reach::by_host(None)
            },
            closed,
            mount_ns: None,
            // They are named in a namespace of the container's own making.
            layers_answer: false,
            upper: upper(init),
            container: unnamed(),
            papers: Papers::default(),
            untold: false,
            guarded: false,
        };
        take_init(&mut known, Some(init), &mut self.readers);
        sighting(&known, tell);
        self.known.push(known);
    }
}

/// A mount of a root filesystem in the book. Where no unique mount id tells it from the
/// one before, it is marked anew at each look.
fn mounted_again(
    known: &mut Known,
    key: ProcessKey,
    overlay: &RootMount,
    tell: &mut dyn FnMut(News),
) {
    let within = known.reach.host.as_ref().map(|mount| mount.within);
    if within.is_some_and(|within| within != Some(key)) {
        return;
    }
    if within.is_none() {
        known.reach.host = found_within(key, overlay);
    }
    let host = known.reach.host.as_ref();
    // What only an outpost looks at is looked at when something tells of a change.
    if !known.reach.closed && host.is_some_and(|mount| mount.unique.is_none()) {
        sighting(known, tell);
    }
}
