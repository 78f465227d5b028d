//! Names of users and groups, from the container's own files: what its processes would
//! be told. A name is a claim of the container, never more.

use std::io::{self, Read};

use nix::sys::stat::SFlag;

use crate::parse::accounts::{inside, name_of};
use crate::reach::{Reach, Root, pinned, read_of};
use crate::sys::walk::End;

use super::file::reopen;

/// Bytes of a file read; names behind them stay unknown.
const MAX_FILE: u64 = 256 * 1024;
/// Bytes of an id map: the kernel allows 340 lines.
const MAX_MAP: u64 = 16 * 1024;

/// Which of the two files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `etc/passwd`.
    User,
    /// `etc/group`.
    Group,
}

/// The names of `ids`, which are the host's numbers, in the container behind `reach`.
/// What the files do not tell is left out; so is everything while the container's init,
/// and with it its user namespace, is not known.
#[must_use]
pub fn names(reach: &Reach, kind: Kind, ids: &[u32]) -> Vec<(u32, Vec<u8>)> {
    look_up(reach, kind, ids).unwrap_or_default()
}

fn look_up(reach: &Reach, kind: Kind, ids: &[u32]) -> io::Result<Vec<(u32, Vec<u8>)>> {
    let unknown = || io::Error::from(io::ErrorKind::NotFound);
    let (map, path) = match kind {
        Kind::User => ("uid_map", &b"etc/passwd"[..]),
        Kind::Group => ("gid_map", &b"etc/group"[..]),
    };
    let init = pinned(reach.init.ok_or_else(unknown)?.key)?;
    let map = read_of(&init, map, MAX_MAP)?;
    let text = read(&reach.open()?, path)?;
    let named = |&id: &u32| Some((id, name_of(&text, inside(&map, id)?)?.to_vec()));
    Ok(ids.iter().filter_map(named).collect())
}

/// A regular file on a filesystem that answers, up to the last whole line within the cap.
fn read(root: &Root, path: &[u8]) -> io::Result<Vec<u8>> {
    let End::Found(found) = root.walk(path)?.end else {
        return Err(io::Error::from(io::ErrorKind::NotFound));
    };
    if found.stat.st_mode & SFlag::S_IFMT.bits() != SFlag::S_IFREG.bits() {
        return Err(io::Error::other("not a regular file"));
    }
    let mut text = Vec::new();
    let length = reopen(&found.fd)?.take(MAX_FILE).read_to_end(&mut text)?;
    if length as u64 == MAX_FILE {
        let whole = text.iter().rposition(|&byte| byte == b'\n').unwrap_or(0);
        text.truncate(whole);
    }
    Ok(text)
}
