//! Directories of the host by paths that somebody else may have named.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{Duration, Instant};

use super::ground::answers;
use super::{HOST_TABLE, host_root, read_table};
use crate::sys::walk::{End, mount_id, walk};

/// A mount of the host that answers is not looked up again for so long: the host's table is
/// long where many containers run, and the way to each of them crosses the same few mounts.
/// Mount ids are used again: for so long a FUSE that got the id of such a mount, and was
/// mounted on the way, would be entered.
const CROSSED: Duration = Duration::from_secs(1);

thread_local! {
    static ANSWERS: RefCell<HashMap<u64, Instant>> = RefCell::default();
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
        crossed(mount, by_table)
    })?
    .end
    {
        End::Found(found) => Ok(found.fd),
        _ => Err(gone()),
    }
}

fn crossed(mount: u64, look_up: impl Fn(u64) -> bool) -> bool {
    ANSWERS.with_borrow_mut(|known| {
        known.retain(|_, at| at.elapsed() < CROSSED);
        if known.contains_key(&mount) {
            return true;
        }
        let answers = look_up(mount);
        if answers {
            known.insert(mount, Instant::now());
        }
        answers
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_answers_is_kept_in_mind() {
        assert!(!crossed(7, |_| false));
        assert!(crossed(7, |_| true));
        assert!(crossed(7, |_| false), "a moment ago it did");
        assert!(!crossed(8, |_| false));
    }
}
