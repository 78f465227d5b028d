//! The root filesystems that the host's own mount table shows, and the runtimes' files
//! that their mount points lead to.

use std::collections::HashMap;
use std::time::Instant;

use crate::reach::{Reach, pinned, read_table};
use crate::survey::known::{Known, host_mount, sighting};
use crate::survey::layers::Layers;
use crate::survey::mounts::{RootKey, RootMount, overlays};
use crate::survey::runtime::Owner;
use crate::survey::sight::{News, Survey, unnamed};
use crate::survey::spots::upper_spots;

impl Survey {
    /// Takes up what the host's table says now.
    pub(super) fn host(&mut self, tell: &mut dyn FnMut(News)) {
        match read_table("/proc/self/mountinfo".as_ref()) {
            Ok(table) => {
                let (found, unreadable) = overlays(&table);
                if unreadable > 0 {
                    tell(News::Blind(format!(
                        "{unreadable} lines of the mount table were not understood"
                    )));
                }
                self.host_mounts(found, &mut Layers::new(&table), tell);
            }
            Err(error) => tell(News::Blind(format!("/proc/self/mountinfo: {error}"))),
        }
    }

    fn host_mounts(
        &mut self,
        found: Vec<RootMount>,
        layers: &mut Layers<'_>,
        tell: &mut dyn FnMut(News),
    ) {
        self.inits.hosts = found.iter().map(|overlay| overlay.key.device).collect();
        let mut by_root: HashMap<RootKey, RootMount> = HashMap::new();
        for overlay in found {
            // The first mount of a superblock is the runtime's; later ones are binds.
            by_root.entry(overlay.key.clone()).or_insert(overlay);
        }
        let ended = self.guard.ended();
        for known in self.known.iter_mut().filter(|one| ended.contains(&one.id)) {
            (known.reach.host, known.guarded) = (None, false);
        }
        self.drop_gone(&by_root, tell);
        for overlay in by_root.into_values() {
            self.host_mount(overlay, layers, tell);
        }
    }

    /// Forgets what is neither mounted on the host nor the root of a living init.
    fn drop_gone(&mut self, mounted: &HashMap<RootKey, RootMount>, tell: &mut dyn FnMut(News)) {
        self.known.retain_mut(|known| {
            let now = mounted.get(&known.root).and_then(host_mount);
            let within = known.reach.host.as_ref().and_then(|mount| mount.within);
            let same = now.is_some() && now == known.reach.host;
            // What is mounted in another namespace is that namespace's to tell.
            if same || within.is_some_and(|key| pinned(key).is_ok()) {
                return true;
            }
            if known.reach.host.take().is_some() && within.is_none() {
                let upper = known.upper.as_ref();
                self.departed.note(Instant::now(), &known.root, upper);
            }
            let lives = known
                .reach
                .init
                .is_some_and(|init| pinned(init.key).is_ok());
            if !lives {
                self.guard.forget(known.id);
                tell(News::Gone(known.id, upper_spots(known.upper.as_deref())));
            }
            lives
        });
        if self.known.capacity() > 4 * (self.known.len() + 16) {
            self.known.shrink_to_fit();
        }
    }

    fn host_mount(
        &mut self,
        overlay: RootMount,
        layers: &mut Layers<'_>,
        tell: &mut dyn FnMut(News),
    ) {
        let same = |known: &Known| known.root == overlay.key;
        let elsewhere = |known: &Known| same(known) && known.reach.host_path().is_none();
        if self.known.iter().any(elsewhere) {
            self.drop_stale(&overlay.key, tell);
        }
        if let Some(index) = self.known.iter().position(same) {
            return self.seen_again(index, &overlay, layers, tell);
        }
        let (owner, papers) = self.readers.described(&overlay.mountpoint);
        let untold = owner == Owner::Unknown;
        let container = match owner {
            Owner::Work(_) => return,
            Owner::Container(container) => *container,
            Owner::Unknown => unnamed(),
        };
        let mut known = Known {
            id: self.fresh(),
            layers_answer: layers.answer(&overlay),
            root: overlay.key.clone(),
            closed: None,
            reach: Reach::by_host(host_mount(&overlay)),
            mount_ns: None,
            upper: overlay.upper,
            container,
            papers,
            untold,
            guarded: false,
        };
        known.guard(&mut self.guard);
        if !untold {
            sighting(&known, tell);
        }
        self.known.push(known);
    }

    /// A root filesystem that is in the book already. One that was met by its init first has
    /// files that name it better.
    fn seen_again(
        &mut self,
        index: usize,
        overlay: &RootMount,
        layers: &mut Layers<'_>,
        tell: &mut dyn FnMut(News),
    ) {
        let Some(known) = self.known.get_mut(index) else {
            return;
        };
        let host = known.reach.host.as_ref();
        let first = host.is_none_or(|mount| mount.within.is_some());
        if first {
            known.reach.host = host_mount(overlay);
            known.layers_answer = layers.answer(overlay);
        }
        // Guarded before it is walked: what replaces it meanwhile is told.
        let mut changed = first || !known.is_told_apart();
        known.guard(&mut self.guard);
        if first || known.container.id.is_none() {
            let (owner, papers) = self.readers.described(&overlay.mountpoint);
            known.papers = papers;
            if let Owner::Container(container) = owner {
                changed |= known.take_files(*container);
            }
        } else if known.waits_for_papers() {
            changed |= known.read_again(&mut self.readers);
        }
        if changed {
            sighting(known, tell);
        }
    }
}
