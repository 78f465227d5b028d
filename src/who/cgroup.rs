//! The container of a process that is gone, from the number of its cgroup, which a
//! pidfd still tells when `/proc` does not (Linux 6.15).

use std::fs::{self, File};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::parse::cgroup::{Member, member};
use crate::parse::mountinfo::mounts;
use crate::sys::handle::open_kernfs;
use crate::sys::pidfd;

/// Where cgroup2 is mounted: the only hierarchy whose ids a pidfd tells.
#[must_use]
pub fn unified(table: &[u8]) -> Option<PathBuf> {
    let (all, _) = mounts(table);
    let found = all
        .iter()
        .find(|mount| mount.fstype == b"cgroup2" && &*mount.root == b"/")?;
    Some(PathBuf::from(std::ffi::OsStr::from_bytes(
        &found.mountpoint,
    )))
}

/// The container whose cgroup the process of the pidfd is in, or was in at its end;
/// `None`: the kernel does not tell, or the cgroup is gone or nobody's.
#[must_use]
pub fn member_of(unified: &Path, pidfd: BorrowedFd<'_>) -> Option<Member> {
    let id = pidfd::cgroup(pidfd)?;
    let mount = File::open(unified).ok()?;
    let directory = open_kernfs(mount.as_fd(), id).ok()?;
    let path = fs::read_link(format!("/proc/self/fd/{}", directory.as_raw_fd())).ok()?;
    let below = path.strip_prefix(unified).ok()?;
    member(&[b"0::/", below.as_os_str().as_bytes()].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unified_hierarchy_is_found_beside_those_of_v1() {
        let table = b"30 1 0:26 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
            31 1 0:27 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
        assert_eq!(
            unified(table).as_deref(),
            Some(Path::new("/sys/fs/cgroup/unified"))
        );
        assert_eq!(unified(b""), None);
    }
}
