//! What the survey's book knows of one root filesystem, and how it becomes a
//! sighting: the ways in are walked, and what is to be marked is held open.

use std::fs::File;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use crate::model::{Container, RootfsId};
use crate::reach::{HostMount, ProcessKey, Reach, home, pinned};
use crate::survey::guard::Guard;
use crate::survey::init::by_init;
use crate::survey::mounts::{RootKey, RootMount};
use crate::survey::processes::Init;
use crate::survey::runtime::{Papers, Readers};
use crate::survey::sight::{News, Sighting, Table};
use crate::survey::spots::{Kind, Spot, spots, upper_spots};
use crate::sys::pidfd;

/// What the book knows of one root filesystem.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) id: RootfsId,
    pub(super) root: RootKey,
    /// The type of a filesystem whose server may never answer; `None`: it is asked.
    pub(super) closed: Option<String>,
    pub(super) reach: Reach,
    pub(super) mount_ns: Option<u64>,
    pub(super) upper: Option<PathBuf>,
    /// Every layer lies where the kernel alone answers.
    pub(super) layers_answer: bool,
    pub(super) container: Container,
    /// The files that describe it.
    pub(super) papers: Papers,
    /// Not told yet: no file names its container, its init may.
    pub(super) untold: bool,
    /// The end of its host mount's filesystem will be told.
    pub(super) guarded: bool,
}

impl Known {
    /// Its mount on the host is the one that was sighted, and no successor on the path.
    pub(super) fn is_told_apart(&self) -> bool {
        let is_named = |mount: &HostMount| mount.unique.is_some();
        self.guarded || self.reach.host.as_ref().is_some_and(is_named)
    }

    /// Takes what the runtime's files tell, where that is more than is known; whether it
    /// changed anything.
    pub(super) fn take_files(&mut self, container: Container) -> bool {
        let tells = container.id.is_some() || container.build || self.container.id.is_none();
        let changed = tells && container != self.container;
        if changed {
            self.container = container;
        }
        changed
    }

    /// A file that describes it was missing, or half-written.
    pub(super) fn waits_for_papers(&self) -> bool {
        let waits = |piece: &&'static str| matches!(*piece, "config" | "record");
        self.container.missing.iter().any(waits)
    }

    /// Reads the files that describe it, where they were written anew; whether they tell
    /// something else. What has no ID is asked about when the host's mounts are read: nothing
    /// but its mount tells whose files they are.
    pub(super) fn read_again(&mut self, readers: &mut Readers) -> bool {
        if self.container.id.is_none() {
            return false;
        }
        let Some((container, papers)) = readers.again(&self.papers, &self.container) else {
            return false;
        };
        self.papers = papers;
        let changed = container != self.container;
        self.container = container;
        changed
    }

    /// Has its end told, where nothing else would.
    pub(super) fn guard(&mut self, guard: &mut Guard) {
        if let Some(host) = self.reach.host.as_ref()
            && !self.is_told_apart()
            && let Ok(root) = host.open()
        {
            self.guarded = guard.watch(self.id, root.as_fd());
        }
    }
}

/// Takes what the init tells: the way in, the namespace, and a name when no file
/// gave one. Whether anything changed.
pub(super) fn take_init(known: &mut Known, init: Option<&Init>, readers: &mut Readers) -> bool {
    let way = init.map(Init::way);
    let mut changed = way != known.reach.init;
    known.reach.init = way;
    known.mount_ns = init.map(|init| init.mount_ns);
    if known.container.id.is_none()
        && let Some(init) = init
        && let Some((container, papers)) = by_init(init, readers)
        && !known.container.build
        && container != known.container
    {
        known.container = container;
        if !papers.is_empty() {
            known.papers = papers;
        }
        changed = true;
    }
    changed
}

pub(super) fn host_mount(overlay: &RootMount) -> Option<HostMount> {
    HostMount::find(&overlay.mountpoint, overlay.mount)
}

pub(super) fn sighting(known: &Known, tell: &mut dyn FnMut(News)) {
    // Opened first: it tells what is mounted from here on, the walk what was before.
    let table = known.reach.init.and_then(|init| table(init.key));
    let (spots, trouble) = match &known.closed {
        None => spots(&known.reach, known.upper.as_deref()),
        Some(fstype) => by_layer(fstype, known.upper.as_deref()),
    };
    let ways = spots.iter().any(|spot| spot.kind != Kind::Upper);
    let ended = known.closed.is_none() && !ways && !known.reach.is_open();
    if ended || (spots.is_empty() && trouble.is_empty()) {
        // No way in is left: the next pass tells that it is gone.
        return;
    }
    tell(News::Sighted(Box::new(Sighting {
        id: known.id,
        container: known.container.clone(),
        papers: known.papers.clone(),
        reach: known.reach.clone(),
        mount_ns: known.mount_ns,
        root: known.root.clone(),
        upper: known.upper.clone(),
        spots,
        table,
        trouble,
        layers_answer: known.layers_answer,
    })));
}

/// What can be marked of a root filesystem that is not asked anything: its writable layer,
/// which lies where the kernel answers; and what is thereby not seen.
fn by_layer(fstype: &str, upper: Option<&Path>) -> (Vec<Spot>, Vec<String>) {
    let spots = upper_spots(upper);
    let left = match spots.is_empty() {
        true => "its writable layer is not known, so only the sweep looks",
        false => "marks on its writable layer tell when to look, and nothing tells who wrote",
    };
    let why = format!(
        "the root filesystem is {fstype}, whose server may not answer: a child process looks; {left}"
    );
    (spots, vec![why])
}

/// Opens a table only while its namespace's init is the one meant.
#[must_use]
pub fn table(init: ProcessKey) -> Option<Table> {
    let pidfd = pidfd::open(init.pid).ok()?;
    let mounts = File::open(home(init.pid).join("mountinfo")).ok()?;
    pinned(init).ok()?;
    Some(Table {
        init,
        mounts,
        pidfd,
    })
}
