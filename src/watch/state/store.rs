//! The directory of states: one file per container, replaced whole.
//!
//! Everything is looked up below the directory held open, and no symbolic link is
//! followed. Nothing is synced to the disk: a crash of the watcher loses nothing
//! that was written, and after a loss of power an older or a damaged state makes a
//! repeated alert, never a lost one. Waiting for the disk would hold up alerts.

use std::fs::{DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, open, openat, renameat};
use nix::sys::stat::{FileStat, Mode, SFlag, UtimensatFlags, fstat, fstatat, utimensat};
use nix::sys::time::TimeSpec;
use nix::unistd::{UnlinkatFlags, geteuid, unlinkat};

use crate::judge::restart::Doubt;
use crate::watch::state::form::{LIMIT, Refusal, Stored, decode, encode_note};
use crate::watch::state::identity::Key;

/// What state files end in.
const ENDING: &str = ".json";
/// Files set aside; beyond, one that cannot be read is removed at once.
const ASIDE: usize = 16;
/// Names of the directory that are looked at.
const NAMES: usize = 65_536;

/// The directory of states.
#[derive(Debug)]
pub struct Store {
    dir: OwnedFd,
    failures: AtomicU64,
}

/// What was found under a key.
#[derive(Debug, PartialEq, Eq)]
pub enum Loaded {
    /// No state.
    Nothing,
    /// A state.
    State(Box<Stored>),
    /// Something that is not used; why, and what became of it.
    Refused(String),
}

/// One name in the directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The name.
    pub name: String,
    /// When it was last written or used.
    pub used: SystemTime,
}

impl Entry {
    /// The key of a state file; `None` for anything else.
    #[must_use]
    pub fn key(&self) -> Option<Key> {
        Key::parse(self.name.strip_suffix(ENDING)?)
    }
}

impl Store {
    /// Opens the directory, made first when it is missing.
    ///
    /// # Errors
    /// The errno of mkdir or open, or that others may write to it: a state that
    /// another user can plant could hide a change.
    pub fn open(path: &Path) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let dir = open(path, flags, Mode::empty())?;
        let stat = fstat(&dir)?;
        let owner = stat.st_uid == 0 || stat.st_uid == geteuid().as_raw();
        if !owner || stat.st_mode & 0o022 != 0 {
            return Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                "others than its owner may write to it",
            ));
        }
        Ok(Self {
            dir,
            failures: AtomicU64::new(0),
        })
    }

    /// Reads the state under `key`. What cannot be understood is set aside.
    #[must_use]
    pub fn load(&self, key: &Key) -> Loaded {
        let name = name(key);
        let (why, ending) = match self.read(&name) {
            Ok(text) => match decode(&text) {
                Ok(stored) => return Loaded::State(Box::new(stored)),
                Err(Refusal::Future(version)) => (
                    format!("version {version} is newer than this program"),
                    format!(".v{version}"),
                ),
                Err(Refusal::Damaged(why)) => (why.to_owned(), ".bad".to_owned()),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Loaded::Nothing,
            Err(error) => (error.to_string(), ".bad".to_owned()),
        };
        self.failed();
        let aside = format!("{name}{ending}");
        Loaded::Refused(match self.set_aside(&name, &aside) {
            Ok(true) => format!("{why}; it was renamed to {aside}"),
            Ok(false) => format!("{why}; it was removed, {ASIDE} such files lie there already"),
            Err(error) => format!("{why}; it could not be renamed: {error}"),
        })
    }

    /// The state under `key`, when it is one; anything else is left as it is.
    #[must_use]
    pub fn peek(&self, key: &Key) -> Option<Stored> {
        decode(&self.read(&name(key)).ok()?).ok()
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
        let file = File::from(openat(&self.dir, name, flags, Mode::empty())?);
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("it is no regular file"));
        }
        let mut text = Vec::new();
        file.take(LIMIT + 1).read_to_end(&mut text)?;
        if u64::try_from(text.len()).is_ok_and(|length| length > LIMIT) {
            return Err(io::Error::other("it is too long"));
        }
        Ok(text)
    }

    fn set_aside(&self, name: &str, aside: &str) -> io::Result<bool> {
        let others = self.entries()?;
        let others = others.iter().filter(|entry| is_aside(&entry.name));
        if others.count() >= ASIDE {
            return self.remove(name).map(|()| false);
        }
        renameat(&self.dir, name, &self.dir, aside)?;
        Ok(true)
    }

    /// Replaces the state under `key` whole, with all notes behind it.
    ///
    /// # Errors
    /// The errno of making, writing or renaming the file.
    pub fn save(&self, key: &Key, text: &[u8]) -> io::Result<()> {
        // A dot before it: a name that no state has.
        let temporary = format!(".{}.{}", key.text(), std::process::id());
        let written = self.write(&temporary, text).and_then(|()| {
            Ok(renameat(
                &self.dir,
                temporary.as_str(),
                &self.dir,
                name(key).as_str(),
            )?)
        });
        if written.is_err() {
            self.failed();
            let _ = self.remove(&temporary);
        }
        written
    }

    fn write(&self, name: &str, text: &[u8]) -> io::Result<()> {
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_CLOEXEC;
        let mode = Mode::S_IRUSR | Mode::S_IWUSR;
        let fd = match openat(&self.dir, name, flags, mode) {
            // A crash left it behind.
            Err(Errno::EEXIST) => {
                self.remove(name)?;
                openat(&self.dir, name, flags, mode)?
            }
            opened => opened?,
        };
        File::from(fd).write_all(text)
    }

    /// Puts a note behind the state under `key`; `false` when there is no state.
    ///
    /// # Errors
    /// The errno of opening or writing the file.
    pub fn note(&self, key: &Key, doubt: &Doubt) -> io::Result<bool> {
        let flags = OFlag::O_WRONLY
            | OFlag::O_APPEND
            | OFlag::O_NOFOLLOW
            | OFlag::O_NONBLOCK
            | OFlag::O_CLOEXEC;
        let noted = match openat(&self.dir, name(key).as_str(), flags, Mode::empty()) {
            Ok(fd) => encode_note(doubt).and_then(|text| File::from(fd).write_all(&text)),
            Err(Errno::ENOENT) => return Ok(false),
            Err(error) => Err(error.into()),
        };
        if noted.is_err() {
            self.failed();
        }
        noted.map(|()| true)
    }

    /// Removes a name of the directory.
    ///
    /// # Errors
    /// The errno of unlinkat(2).
    pub fn remove(&self, name: &str) -> io::Result<()> {
        Ok(unlinkat(&self.dir, name, UnlinkatFlags::NoRemoveDir)?)
    }

    /// When the state under `key` was last written or used.
    #[must_use]
    pub fn used(&self, key: &Key) -> Option<SystemTime> {
        self.stat(&name(key))
    }

    /// Removes the state under `key`: it is another container's.
    pub fn forget(&self, key: &Key) {
        let _ = self.remove(&name(key));
    }

    /// The state under a key is still in use, though nothing changed.
    pub fn touch(&self, key: &Key) {
        let (now, no_follow) = (TimeSpec::UTIME_NOW, UtimensatFlags::NoFollowSymlink);
        let _ = utimensat(&self.dir, name(key).as_str(), &now, &now, no_follow);
    }

    /// What the directory holds, bounded.
    ///
    /// # Errors
    /// The errno of opening or reading it.
    pub fn entries(&self) -> io::Result<Vec<Entry>> {
        let flags = OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let mut dir = Dir::openat(&self.dir, ".", flags, Mode::empty())?;
        let names = dir.iter().take(NAMES).filter_map(|entry| {
            let name = entry.ok()?.file_name().to_str().ok()?.to_owned();
            let used = self.stat(&name)?;
            Some(Entry { name, used })
        });
        Ok(names.collect())
    }

    fn stat(&self, name: &str) -> Option<SystemTime> {
        let stat: FileStat = fstatat(&self.dir, name, AtFlags::AT_SYMLINK_NOFOLLOW).ok()?;
        let kind = SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT;
        if kind == SFlag::S_IFDIR {
            return None;
        }
        let seconds = u64::try_from(stat.st_mtime).unwrap_or(0);
        SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
    }

    /// Operations that failed since the start.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// Counts an operation that failed.
    pub(super) fn failed(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
    }
}

/// A name under which an unreadable state was set aside.
#[must_use]
pub fn is_aside(name: &str) -> bool {
    name.split_once(ENDING)
        .is_some_and(|(key, rest)| Key::parse(key).is_some() && rest.starts_with('.'))
}

fn name(key: &Key) -> String {
    format!("{}{ENDING}", key.text())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
