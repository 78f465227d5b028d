//! The survey's own book: which root filesystems exist now, against what it last
//! told. One pass reads the host's mount table, then `/proc`; what is new or
//! changed goes to the watch loop as `News`, with directories held open to mark.
//!
//! A root filesystem is a superblock, not a path: a docker restart brings the
//! same path, device and often mount id back for another mount. The unique mount
//! id tells them apart (Linux 6.8); without it, every overlay is sighted anew at
//! every pass, and marking twice does no harm.

use std::collections::HashMap;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use crate::model::{Container, RootfsId};
use crate::reach::{HostMount, ProcessKey, Reach, pinned, read_table};
use crate::survey::init::by_cgroup;
use crate::survey::mounts::{OverlayMount, overlays};
use crate::survey::processes::{Init, Inits};
use crate::survey::runtime::{Owner, Readers};
use crate::survey::spots::{Spot, spots, upper_spots};

use crate::sys::pidfd;

/// A root filesystem to watch, or one to watch anew.
#[derive(Debug)]
pub struct Sighting {
    /// Its name within this run.
    pub id: RootfsId,
    /// Whose it is.
    pub container: Container,
    /// The ways in.
    pub reach: Reach,
    /// The container's mount namespace, once its init is known.
    pub mount_ns: Option<u64>,
    /// Device of its superblock.
    pub device: (u32, u32),
    /// Its writable layer, as the host names it.
    pub upper: Option<PathBuf>,
    /// What to mark on every way in.
    pub spots: Vec<Spot>,
    /// The mount table of the container's namespace, to be told of changes; `None`
    /// when the loop has it already, or there is none.
    pub table: Option<Table>,
    /// What could not be looked at, in words.
    pub trouble: Vec<String>,
}

/// The mount table of a container's namespace, held open, and the process that
/// keeps the namespace: a table held open would keep a dead namespace's mounts.
#[derive(Debug)]
pub struct Table {
    /// Whose table it is.
    pub init: ProcessKey,
    /// `/proc/PID/mountinfo`.
    pub mounts: File,
    /// Readable when the process ends.
    pub pidfd: OwnedFd,
}

/// What a pass tells the loop.
#[derive(Debug)]
pub enum News {
    /// Mark this.
    Sighted(Box<Sighting>),
    /// Forget this, and take the marks off what outlives it.
    Gone(RootfsId, Vec<Spot>),
    /// The pass is over; that many root filesystems exist.
    Done(usize),
    /// The host could not be read, in words.
    Blind(String),
}

/// What the book knows of one root filesystem.
#[derive(Debug)]
struct Known {
    id: RootfsId,
    device: (u32, u32),
    reach: Reach,
    mount_ns: Option<u64>,
    upper: Option<PathBuf>,
    container: Container,
}

/// Reads the host and keeps the book.
#[derive(Debug)]
pub struct Survey {
    readers: Readers,
    inits: Inits,
    host_ns: u64,
    known: Vec<Known>,
    next: u64,
}

impl Survey {
    /// A survey that knows nothing yet. `host_ns` is the host's mount namespace.
    #[must_use]
    pub fn new(readers: Readers, host_ns: u64) -> Self {
        Self {
            readers,
            inits: Inits::default(),
            host_ns,
            known: Vec::new(),
            next: 1,
        }
    }

    /// One pass over the host. `tell` is called as soon as something is known:
    /// a new container may run any moment.
    pub fn pass(&mut self, tell: &mut dyn FnMut(News)) {
        match read_table("/proc/self/mountinfo".as_ref()) {
            Ok(table) => {
                let (found, unreadable) = overlays(&table);
                if unreadable > 0 {
                    tell(News::Blind(format!(
                        "{unreadable} lines of the mount table were not understood"
                    )));
                }
                self.host_mounts(found, tell);
            }
            Err(error) => tell(News::Blind(format!("/proc/self/mountinfo: {error}"))),
        }
        self.processes(tell);
        tell(News::Done(self.known.len()));
    }

    /// Looks again at the directories on the way to one container's file.
    pub fn again(&mut self, id: RootfsId, tell: &mut dyn FnMut(News)) {
        if let Some(known) = self.known.iter().find(|known| known.id == id) {
            tell(sighting(known));
        }
    }

    /// Looks again at the ways to every container's file.
    pub fn all_again(&mut self, tell: &mut dyn FnMut(News)) {
        for known in &self.known {
            tell(sighting(known));
        }
    }

    /// Some root filesystem still waits for its init or its name.
    #[must_use]
    pub fn is_incomplete(&self) -> bool {
        self.known
            .iter()
            .any(|known| known.reach.init.is_none() || known.container.id.is_none())
    }

    fn host_mounts(&mut self, found: Vec<OverlayMount>, tell: &mut dyn FnMut(News)) {
        let mut by_device: HashMap<(u32, u32), OverlayMount> = HashMap::new();
        for overlay in found {
            // The first mount of a superblock is the runtime's; later ones are binds.
            by_device.entry(overlay.device).or_insert(overlay);
        }
        self.drop_gone(&by_device, tell);
        for overlay in by_device.into_values() {
            self.host_mount(overlay, tell);
        }
    }

    /// Forgets what is neither mounted on the host nor the root of a living init.
    fn drop_gone(
        &mut self,
        mounted: &HashMap<(u32, u32), OverlayMount>,
        tell: &mut dyn FnMut(News),
    ) {
        self.known.retain_mut(|known| {
            let now = mounted.get(&known.device).and_then(host_mount);
            if now.is_some() && now == known.reach.host {
                return true;
            }
            known.reach.host = None;
            let lives = known.reach.init.is_some_and(|init| pinned(init).is_ok());
            if !lives {
                tell(News::Gone(known.id, upper_spots(known.upper.as_deref())));
            }
            lives
        });
    }

    fn host_mount(&mut self, overlay: OverlayMount, tell: &mut dyn FnMut(News)) {
        if let Some(index) = self
            .known
            .iter()
            .position(|known| known.device == overlay.device)
        {
            return self.seen_again(index, &overlay, tell);
        }
        let container = match self.readers.owner(&overlay.mountpoint) {
            Owner::Work(_) => return,
            Owner::Container(container) => *container,
            Owner::Unknown => Container {
                missing: vec!["id"],
                ..Container::default()
            },
        };
        let known = Known {
            id: self.fresh(),
            device: overlay.device,
            reach: Reach {
                host: host_mount(&overlay),
                init: None,
                init_root: None,
            },
            mount_ns: None,
            upper: overlay.upper,
            container,
        };
        tell(sighting(&known));
        self.known.push(known);
    }

    /// A root filesystem that is in the book already.
    fn seen_again(&mut self, index: usize, overlay: &OverlayMount, tell: &mut dyn FnMut(News)) {
        let Some(known) = self.known.get_mut(index) else {
            return;
        };
        if known.reach.host.is_none() {
            known.reach.host = host_mount(overlay);
        }
        let told_apart = known
            .reach
            .host
            .as_ref()
            .is_some_and(|mount| mount.unique.is_some());
        let mut changed = !told_apart;
        if known.container.id.is_none()
            && let Owner::Container(container) = self.readers.owner(&overlay.mountpoint)
            && *container != known.container
        {
            known.container = *container;
            changed = true;
        }
        if changed {
            tell(sighting(known));
        }
    }

    fn processes(&mut self, tell: &mut dyn FnMut(News)) {
        let inits = self.inits.scan("/proc".as_ref(), self.host_ns);
        for known in &mut self.known {
            let init = inits.get(&known.device);
            if init.map(|init| (init.key, init.root.mount))
                == known.reach.init.zip(known.reach.init_root)
                && known.container.id.is_some()
            {
                continue;
            }
            if take_init(known, init) {
                tell(sighting(known));
            }
        }
        for (device, init) in inits {
            let is_new = !self.known.iter().any(|known| known.device == device);
            if is_new && init.overlay {
                self.hidden(init, tell);
            }
        }
    }

    /// A root filesystem that the host's mount table does not show.
    fn hidden(&mut self, init: Init, tell: &mut dyn FnMut(News)) {
        let mut known = Known {
            id: self.fresh(),
            device: init.root.device,
            reach: Reach {
                host: None,
                init: None,
                init_root: None,
            },
            mount_ns: None,
            upper: None,
            container: Container {
                missing: vec!["id"],
                ..Container::default()
            },
        };
        take_init(&mut known, Some(&init));
        tell(sighting(&known));
        self.known.push(known);
    }

    fn fresh(&mut self) -> RootfsId {
        self.next += 1;
        RootfsId(self.next)
    }
}

/// Takes what the init tells: the way in, the namespace, and a name when no file
/// gave one. Whether anything changed.
fn take_init(known: &mut Known, init: Option<&Init>) -> bool {
    let key = init.map(|init| init.key);
    let mut changed = key != known.reach.init;
    changed |= init.map(|init| init.root.mount) != known.reach.init_root;
    known.reach.init = key;
    known.reach.init_root = init.map(|init| init.root.mount);
    known.mount_ns = init.map(|init| init.mount_ns);
    if known.container.id.is_none()
        && let Some(key) = key
        && let Some(container) = by_cgroup(key)
        && !known.container.build
        && container != known.container
    {
        known.container = container;
        changed = true;
    }
    changed
}

fn host_mount(overlay: &OverlayMount) -> Option<HostMount> {
    HostMount::find(&overlay.mountpoint, overlay.mount)
}

fn sighting(known: &Known) -> News {
    // Opened first: it tells what is mounted from here on, the walk what was before.
    let table = known.reach.init.and_then(table);
    let (spots, trouble) = spots(&known.reach, known.upper.as_deref());
    News::Sighted(Box::new(Sighting {
        id: known.id,
        container: known.container.clone(),
        reach: known.reach.clone(),
        mount_ns: known.mount_ns,
        device: known.device,
        upper: known.upper.clone(),
        spots,
        table,
        trouble,
    }))
}

/// Opens a table only while its namespace's init is the one meant.
fn table(init: ProcessKey) -> Option<Table> {
    let pidfd = pidfd::open(init.pid).ok()?;
    let mounts = File::open(format!("/proc/{}/mountinfo", init.pid)).ok()?;
    pinned(init).ok()?;
    Some(Table {
        init,
        mounts,
        pidfd,
    })
}
