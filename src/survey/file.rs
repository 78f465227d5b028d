//! Bounded reading of the host's own files. All absolute paths are looked up below
//! a root directory, so that a captured tree can stand in for the host. A runtime
//! may be writing the file at this moment, or have left garbage: reading gives
//! `None` then, and never blocks on what is no regular file.

use std::cell::RefCell;
use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Component, Path, PathBuf};

use nix::fcntl::OFlag;
use serde_json::Value;

/// Longest file that is read.
const LIMIT: u64 = 1 << 20;
/// Most entries of a directory that are looked at.
const ENTRIES: usize = 16_384;

/// The directory below which absolute paths are looked up.
#[derive(Debug, Clone)]
pub struct Root {
    base: PathBuf,
    /// The papers that were read, as they were before.
    papers: RefCell<Vec<(PathBuf, Stamp)>>,
}

/// What a file was: one that was written anew has another. `None`: there was none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp(Option<[i64; 5]>);

impl Root {
    /// Looks up below `path`; the host itself is `/`.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        Self {
            base: path.to_path_buf(),
            papers: RefCell::default(),
        }
    }

    /// Where `path` is found. A `..` in it is dropped: it leads nowhere but up.
    #[must_use]
    pub fn at(&self, path: &Path) -> PathBuf {
        let inner = path
            .components()
            .filter(|part| matches!(part, Component::Normal(_)));
        let mut at = self.base.clone();
        at.extend(inner);
        at
    }

    /// The content of a regular file, when it is one and not longer than the limit.
    #[must_use]
    pub fn read(&self, path: &Path) -> Option<Vec<u8>> {
        read_up_to(&self.at(path), LIMIT)
    }

    /// The content of a JSON file.
    #[must_use]
    pub fn json(&self, path: &Path) -> Option<Value> {
        serde_json::from_slice(&self.read(path)?).ok()
    }

    /// The content of a JSON file that describes a container, and may be written anew: it is
    /// kept in mind until `take_papers`.
    #[must_use]
    pub fn paper(&self, path: &Path) -> Option<Value> {
        let stamp = self.stamp(path);
        self.papers.borrow_mut().push((path.to_path_buf(), stamp));
        self.json(path)
    }

    /// The papers read since this was last asked, as they were before they were read.
    #[must_use]
    pub fn take_papers(&self) -> Vec<(PathBuf, Stamp)> {
        self.papers.take()
    }

    /// What a file is now.
    #[must_use]
    pub fn stamp(&self, path: &Path) -> Stamp {
        let facts = std::fs::symlink_metadata(self.at(path)).ok();
        let numbers = |facts: &std::fs::Metadata| {
            let [device, inode, size] =
                [facts.dev(), facts.ino(), facts.size()].map(u64::cast_signed);
            [device, inode, size, facts.mtime(), facts.mtime_nsec()]
        };
        Stamp(facts.as_ref().map(numbers))
    }

    /// The names in a directory, in no order; `None` when it cannot be read.
    #[must_use]
    pub fn names(&self, path: &Path) -> Option<Vec<OsString>> {
        let entries = std::fs::read_dir(self.at(path)).ok()?;
        Some(
            entries
                .take(ENTRIES)
                .filter_map(|entry| Some(entry.ok()?.file_name()))
                .collect(),
        )
    }

    /// The uid that owns what is there.
    #[must_use]
    pub fn owner(&self, path: &Path) -> Option<u32> {
        std::fs::metadata(self.at(path))
            .ok()
            .map(|metadata| metadata.uid())
    }

    /// The directory exists.
    #[must_use]
    pub fn has_dir(&self, path: &Path) -> bool {
        self.at(path).is_dir()
    }
}

/// Reads a regular file of at most `limit` bytes. A symlink as the last component, a
/// FIFO or a device is refused without waiting for anything.
#[must_use]
pub fn read_up_to(path: &Path, limit: u64) -> Option<Vec<u8>> {
    let file = open(path)?;
    let mut content = Vec::new();
    file.take(limit + 1).read_to_end(&mut content).ok()?;
    (u64::try_from(content.len()).ok()? <= limit).then_some(content)
}

fn open(path: &Path) -> Option<File> {
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits())
        .open(path)
        .ok()?;
    file.metadata().ok()?.is_file().then_some(file)
}
