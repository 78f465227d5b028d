//! Directories of the host by paths that somebody else may have named.

use std::cell::RefCell;
use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use super::ground::answers;
use super::{HOST_TABLE, host_root, read_table};
use crate::sys::epoll::Interest;
use crate::sys::poll;
use crate::sys::walk::{End, mount_id, walk};

thread_local! {
    static CROSSED: RefCell<Crossed> = RefCell::default();
}

/// Opens a directory of the host whose path somebody else may have named, or may change
/// meanwhile: what may never answer is not entered.
///
/// # Errors
/// The errno of a step; `NotFound` when it leads to no directory that can be asked.
pub fn open_on_host(path: &Path) -> io::Result<OwnedFd> {
    let gone = || io::Error::from(io::ErrorKind::NotFound);
    let root = host_root().ok_or_else(gone)?;
    let here = mount_id(root.fd().as_fd())?;
    let by_table = |mount| {
        let table = read_table(HOST_TABLE.as_ref()).unwrap_or_default();
        answers(&table, mount, here, &|| table.clone())
            || root.is_plain_overlay(&table, mount, here)
    };
    let path = path.as_os_str().as_bytes();
    match walk(root.fd().as_fd(), path, &mut |mount| {
        CROSSED.with_borrow_mut(|crossed| crossed.answers(mount, by_table))
    })?
    .end
    {
        End::Found(found) => Ok(found.fd),
        _ => Err(gone()),
    }
}

/// Mounts of the host that answer, while its mount table stays as it is: the table is long
/// where many containers run, and the way to each of them crosses the same few mounts.
///
/// An id is used again only after its mount was taken off, and the table tells that before
/// the id is free (umount_tree() in fs/namespace.c). Who asks here holds a descriptor below
/// the mount in question.
#[derive(Default)]
struct Crossed {
    /// Open as long as what it tells is kept in mind.
    table: Option<File>,
    known: HashSet<u64>,
}

impl Crossed {
    fn answers(&mut self, mount: u64, look_up: impl Fn(u64) -> bool) -> bool {
        if !self
            .table
            .as_ref()
            .is_some_and(|table| is_still(table.as_fd()))
        {
            self.known.clear();
            // Opened before the look: what changes after it is told.
            self.table = self.table.take().or_else(|| File::open(HOST_TABLE).ok());
        }
        if self.known.contains(&mount) {
            return true;
        }
        let answers = look_up(mount);
        if answers && self.table.is_some() {
            self.known.insert(mount);
        }
        answers
    }
}

/// Nothing was mounted or taken off since this was asked before (or opened).
fn is_still(table: BorrowedFd<'_>) -> bool {
    poll::wait(&[(table, Interest::Priority)], Some(Duration::ZERO))
        .is_ok_and(|changed| changed.is_empty())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// A table that never changes: only mount tables know priority events.
    fn still() -> Crossed {
        Crossed {
            table: File::open("/proc/self/stat").ok(),
            known: HashSet::new(),
        }
    }

    #[test]
    fn only_what_answers_is_kept_in_mind() {
        let mut crossed = still();
        assert!(!crossed.answers(7, |_| false));
        assert!(crossed.answers(7, |_| true));
        assert!(crossed.answers(7, |_| false), "it did, and nothing changed");
        assert!(!crossed.answers(8, |_| false));
    }

    #[test]
    fn a_table_that_moved_is_looked_up_again() {
        // A pipe without its writer says that it changed whenever it is asked.
        let (reader, _) = std::io::pipe().unwrap();
        let mut crossed = Crossed {
            table: Some(File::from(OwnedFd::from(reader))),
            known: HashSet::from([7]),
        };
        assert!(!crossed.answers(7, |_| false));
        assert!(crossed.answers(7, |_| true));
        assert!(!crossed.answers(7, |_| false));
    }
}
