//! Whether every layer of an overlay lies where the kernel alone answers. Reading an
//! event of the exec trail opens the program, and a layer on a server that is mute
//! would hold the reader for ever.

use std::collections::HashMap;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use crate::parse::fstype::is_trusted;
use crate::parse::mountinfo::by_id;
use crate::survey::mounts::{RootMount, path};
use crate::sys::walk::{End, open_dir, walk};

/// Parents of a mount point below which a relative layer is looked for: docker names
/// layers relative to its own directory when their names grow too long.
const MAX_PARENTS: usize = 4;
/// Overlays above each other that are followed.
const MAX_DEPTH: usize = 4;

/// What is known of the host's layers in one pass: containers share most of them.
#[derive(Debug)]
pub struct Layers<'a> {
    table: &'a [u8],
    layers: HashMap<PathBuf, Option<bool>>,
    mounts: HashMap<u64, bool>,
}

impl<'a> Layers<'a> {
    /// Nothing known yet, for this mount table of the host.
    #[must_use]
    pub fn new(table: &'a [u8]) -> Self {
        Self {
            table,
            layers: HashMap::new(),
            mounts: HashMap::new(),
        }
    }

    /// Every layer of an overlay of the host's table was found, and answers.
    pub fn answer(&mut self, overlay: &RootMount) -> bool {
        self.all(&overlay.layers, &overlay.mountpoint, 0)
    }

    /// Nothing on the way to this path of the host is known not to answer.
    pub fn may_ask(&mut self, path: &Path) -> bool {
        self.at(path, 0) != Some(false)
    }

    fn all(&mut self, layers: &[Vec<u8>], mountpoint: &Path, depth: usize) -> bool {
        !layers.is_empty()
            && layers
                .iter()
                .all(|layer| self.one(layer, mountpoint, depth))
    }

    /// A name that is not found anywhere proves nothing.
    fn one(&mut self, layer: &[u8], mountpoint: &Path, depth: usize) -> bool {
        use std::os::unix::ffi::OsStrExt;
        let layer = Path::new(std::ffi::OsStr::from_bytes(layer));
        if layer.is_absolute() {
            return self.at(layer, depth) == Some(true);
        }
        let parents = mountpoint.ancestors().skip(1).take(MAX_PARENTS);
        let mut found = parents.filter_map(|parent| self.at(&parent.join(layer), depth));
        found.next() == Some(true)
    }

    /// The directory at a path of the host answers; `None`: there is none.
    fn at(&mut self, path: &Path, depth: usize) -> Option<bool> {
        use std::os::unix::ffi::OsStrExt;
        if let Some(&known) = self.layers.get(path) {
            return known;
        }
        let root = open_dir(Path::new("/")).ok()?;
        let trust = &mut |mount| self.mount(mount, depth);
        let answer = match walk(root.as_fd(), path.as_os_str().as_bytes(), trust)
            .ok()?
            .end
        {
            End::Found(_) => Some(true),
            End::Untrusted { .. } => Some(false),
            End::Absent | End::Dangling(_) => None,
        };
        self.layers.insert(path.to_owned(), answer);
        answer
    }

    /// What the host mounted there answers by itself; an overlay, when its layers do.
    fn mount(&mut self, id: u64, depth: usize) -> bool {
        if let Some(&known) = self.mounts.get(&id) {
            return known;
        }
        let answer = by_id(self.table, id).is_some_and(|mount| {
            is_trusted(mount.fstype)
                && (!mount.is_overlay()
                    || (depth < MAX_DEPTH
                        && self.all(&mount.layers(), &path(&mount.mountpoint), depth + 1)))
        });
        self.mounts.insert(id, answer);
        answer
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::survey::mounts::overlays;

    fn answer(layers: &str, mountpoint: &Path) -> bool {
        let table = std::fs::read("/proc/self/mountinfo").unwrap();
        let line = format!(
            "99999 1 0:999 / {} rw - overlay overlay rw,{layers}\n",
            mountpoint.display()
        );
        let (found, _) = overlays(line.as_bytes());
        Layers::new(&table).answer(found.first().unwrap())
    }

    #[test]
    fn layers_that_the_kernel_serves_answer_also_by_relative_names() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["l/A", "one/diff", "one/merged"] {
            std::fs::create_dir_all(dir.path().join(name)).unwrap();
        }
        let merged = dir.path().join("one/merged");
        let absolute = format!(
            "lowerdir={}/l/A,upperdir={0}/one/diff",
            dir.path().display()
        );
        assert!(answer(&absolute, &merged));
        assert!(answer("lowerdir=l/A,upperdir=one/diff", &merged));
        assert!(!answer("lowerdir=l/A:l/B,upperdir=one/diff", &merged));
    }

    #[test]
    fn a_layer_on_a_type_that_is_not_known_to_answer_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let table = std::fs::read("/proc/self/mountinfo").unwrap();
        let mut layers = Layers::new(&table);
        assert!(layers.may_ask(dir.path()) && layers.may_ask(&dir.path().join("absent")));
        assert!(!layers.may_ask(Path::new("/proc/self/status")));
        assert!(!answer("lowerdir=/proc/self", dir.path()));
        assert!(!answer("", dir.path()));
    }
}
