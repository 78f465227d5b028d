//! Files that were executed a moment ago: path and head, without asking for them again.

use std::collections::HashMap;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use nix::fcntl::{OFlag, open, readlinkat};
use nix::sys::stat::Mode;
use nix::sys::uio::pread;

use crate::parse::elf::{Head, head};
use crate::sys::file::{Identity, identity};

/// Where the kernel names what descriptors lead to.
const LINKS: &str = "/proc/self/fd";
/// Bytes of a program's head: its program headers and the name of its loader.
const HEAD: usize = 1024;
/// Longest path kept.
const MAX_PATH: usize = 512;
/// Files kept, and how long: a directory above may have been renamed since.
const MAX_FILES: usize = 64;
const KEPT: Duration = Duration::from_secs(1);
/// Age of the last change from which on another one gives another change time.
const SETTLED: Duration = Duration::from_millis(100);

/// A file that was opened to be executed.
#[derive(Debug)]
pub(super) struct Opened {
    /// `None`: its path is too long to be kept.
    pub path: Option<Box<[u8]>>,
    /// What it is to execve(2).
    pub head: Head,
}

/// The files of the last second.
#[derive(Debug)]
pub(super) struct Files {
    /// `/proc/self/fd`, held open: finding it costs more than the rest of a link.
    links: OwnedFd,
    known: HashMap<Identity, Arc<Opened>>,
    since: Instant,
}

impl Files {
    /// None yet.
    pub(super) fn new() -> Result<Self, String> {
        let flags = OFlag::O_PATH | OFlag::O_CLOEXEC;
        Ok(Self {
            links: open(LINKS, flags, Mode::empty())
                .map_err(|error| format!("{LINKS}: {error}"))?,
            known: HashMap::new(),
            since: Instant::now(),
        })
    }

    /// Those of before a second ago are asked for again.
    pub(super) fn at(&mut self, now: Instant) {
        if now.duration_since(self.since) >= KEPT || self.known.len() >= MAX_FILES {
            self.known.clear();
            self.since = now;
        }
    }

    /// A file held open. It was read by the kernel just now.
    pub(super) fn opened(&mut self, object: &OwnedFd) -> Arc<Opened> {
        let identity = identity(object.as_fd());
        if let Some(known) = identity.and_then(|identity| self.known.get(&identity)) {
            return Arc::clone(known);
        }
        let opened = Arc::new(Opened {
            path: self.path(object),
            head: head_of(object),
        });
        if let Some(identity) = identity.filter(is_settled) {
            self.known.insert(identity, Arc::clone(&opened));
        }
        opened
    }

    /// The path under which the process opened it, as `/proc/PID/exe` would name it.
    fn path(&self, object: &OwnedFd) -> Option<Box<[u8]>> {
        let path = readlinkat(&self.links, object.as_raw_fd().to_string().as_str()).ok()?;
        (path.len() <= MAX_PATH).then(|| path.into_vec().into_boxed_slice())
    }
}

/// A change from now on is seen by the change time.
fn is_settled((.., changed): &Identity) -> bool {
    let age = SystemTime::now().duration_since(*changed);
    age.is_ok_and(|age| age >= SETTLED)
}

/// What the file is to execve(2).
fn head_of(object: &OwnedFd) -> Head {
    let mut bytes = [0; HEAD];
    let length = pread(object, &mut bytes, 0).unwrap_or(0);
    head(bytes.get(..length).unwrap_or_default())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
