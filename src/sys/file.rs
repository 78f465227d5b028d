//! Facts of a file held open that the standard library does not give: birth
//! time, chattr flags, extended attributes, unique mount id.

#![allow(unsafe_code)]

use std::ffi::{CStr, CString};
use std::fs;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};

/// `FS_IOC_GETFLAGS` for a 64-bit long (`_IOR('f', 1, long)`); the value written
/// is an int all the same.
const GETFLAGS: libc::c_ulong = 0x8008_6601;
/// `STATX_ATTR_MOUNT_ROOT` (`include/uapi/linux/stat.h`).
const MOUNT_ROOT: u64 = 0x2000;
/// chattr flags and their words (`include/uapi/linux/fs.h`).
const FLAGS: [(u32, &str); 3] = [(0x10, "immutable"), (0x20, "append"), (0x40, "nodump")];
/// Extended attributes looked at, and bytes taken of each.
const MAX_XATTRS: usize = 64;
const MAX_XATTR: usize = 4096;

/// Birth time, where the filesystem keeps one (statx(2), `STATX_BTIME`).
#[must_use]
pub fn birth(fd: BorrowedFd<'_>) -> Option<SystemTime> {
    let stat = statx(fd, libc::STATX_BTIME)?;
    if stat.stx_mask & libc::STATX_BTIME == 0 {
        return None;
    }
    let seconds = u64::try_from(stat.stx_btime.tv_sec).ok()?;
    SystemTime::UNIX_EPOCH.checked_add(Duration::new(seconds, stat.stx_btime.tv_nsec))
}

/// Mount id, and the one that is never used again, of what a path leads to. Nothing
/// is held open meanwhile, so an unmount is not refused for our sake; `None` on
/// kernels that do not tell (before 5.8) and when the path leads nowhere.
#[must_use]
pub fn mount_ids(path: &Path) -> Option<(u64, Option<u64>)> {
    let path = CString::new(path.as_os_str().as_bytes()).ok()?;
    let flags = libc::AT_STATX_DONT_SYNC | libc::AT_NO_AUTOMOUNT | libc::AT_SYMLINK_NOFOLLOW;
    let id = |mask| {
        let stat = statx_at(libc::AT_FDCWD, &path, flags, mask)?;
        (stat.stx_mask & mask != 0).then_some(stat.stx_mnt_id)
    };
    Some((id(libc::STATX_MNT_ID)?, id(libc::STATX_MNT_ID_UNIQUE)))
}

/// Mount id that is never used again (`STATX_MNT_ID_UNIQUE`, Linux 6.8); `None`
/// on older kernels.
#[must_use]
pub fn unique_mount_id(fd: BorrowedFd<'_>) -> Option<u64> {
    let stat = statx(fd, libc::STATX_MNT_ID_UNIQUE)?;
    (stat.stx_mask & libc::STATX_MNT_ID_UNIQUE != 0).then_some(stat.stx_mnt_id)
}

/// The directory is the root of the mount it lies on; `None` on kernels that do
/// not tell (before 5.8). Asks the filesystem: only where it is trusted.
#[must_use]
pub fn is_mount_root(fd: BorrowedFd<'_>) -> Option<bool> {
    let stat = statx(fd, libc::STATX_TYPE)?;
    (stat.stx_attributes_mask & MOUNT_ROOT != 0).then_some(stat.stx_attributes & MOUNT_ROOT != 0)
}

/// What tells one file under one path from others, and from itself after a change, as far
/// as one call tells: mount, device, inode, change time.
pub type Identity = (u64, u64, u64, SystemTime);

/// Of an open file with one name only; `None` for a file with several, and on kernels that
/// do not tell mounts (before 5.8).
#[must_use]
pub fn identity(fd: BorrowedFd<'_>) -> Option<Identity> {
    let mask = libc::STATX_INO | libc::STATX_CTIME | libc::STATX_NLINK | libc::STATX_MNT_ID;
    let stat = statx(fd, mask)?;
    if stat.stx_mask & mask != mask || stat.stx_nlink != 1 {
        return None;
    }
    let device = libc::makedev(stat.stx_dev_major, stat.stx_dev_minor);
    let seconds = u64::try_from(stat.stx_ctime.tv_sec).ok()?;
    let changed =
        SystemTime::UNIX_EPOCH.checked_add(Duration::new(seconds, stat.stx_ctime.tv_nsec))?;
    Some((stat.stx_mnt_id, device, stat.stx_ino, changed))
}

/// Device number of the filesystem that an open file belongs to. An overlay says
/// another one in `stat` for files of a layer on another filesystem; the kernel's list of
/// an inotify instance's watches has the real one (proc(5), `fdinfo`).
///
/// # Errors
/// The errno of inotify, `EMFILE` at its limit; `InvalidData` for a list that is not
/// understood.
pub fn superblock(fd: BorrowedFd<'_>) -> io::Result<u64> {
    let inotify = Inotify::init(InitFlags::IN_CLOEXEC)?;
    let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
    inotify.add_watch(path.as_str(), AddWatchFlags::IN_DELETE_SELF)?;
    let list = format!("/proc/self/fdinfo/{}", inotify.as_fd().as_raw_fd());
    let text = fs::read_to_string(list)?;
    let device = text.split_once(" sdev:").and_then(|(_, rest)| {
        let word = rest.split_ascii_whitespace().next()?;
        u64::from_str_radix(word, 16).ok()
    });
    // The kernel's own way to write one number for both parts (`MINORBITS`).
    device
        .and_then(|device| {
            let major = u32::try_from(device >> 20).ok()?;
            let minor = u32::try_from(device & 0xf_ffff).ok()?;
            Some(libc::makedev(major, minor))
        })
        .ok_or_else(|| io::ErrorKind::InvalidData.into())
}

fn statx(fd: BorrowedFd<'_>, mask: u32) -> Option<libc::statx> {
    let flags = libc::AT_EMPTY_PATH | libc::AT_STATX_DONT_SYNC;
    statx_at(fd.as_raw_fd(), c"", flags, mask)
}

fn statx_at(dir: i32, path: &CStr, flags: i32, mask: u32) -> Option<libc::statx> {
    let mut stat = MaybeUninit::<libc::statx>::zeroed();
    // SAFETY: the path is a C string, the pointer is to a live struct of the type the
    // call fills.
    let done = unsafe { libc::statx(dir, path.as_ptr(), flags, mask, stat.as_mut_ptr()) };
    // SAFETY: zeroed before, and every field is a plain integer.
    (done == 0).then(|| unsafe { stat.assume_init() })
}

/// Words for the chattr flags of an open file; empty where the filesystem has none.
#[must_use]
pub fn attributes(fd: BorrowedFd<'_>) -> Vec<&'static str> {
    let mut flags: libc::c_long = 0;
    // SAFETY: the request writes an int into the long the pointer refers to.
    let done = unsafe { libc::ioctl(fd.as_raw_fd(), GETFLAGS, &raw mut flags) };
    if done != 0 {
        return Vec::new();
    }
    let flags = u32::try_from(flags & 0xffff_ffff).unwrap_or(0);
    FLAGS
        .iter()
        .filter(|(bit, _)| flags & bit != 0)
        .map(|&(_, word)| word)
        .collect()
}

/// The word for a chattr flag as it stands in [`attributes`], when `word` is one.
#[must_use]
pub fn attribute_word(word: &str) -> Option<&'static str> {
    FLAGS
        .iter()
        .map(|&(_, known)| known)
        .find(|&known| known == word)
}

/// Names and values of the extended attributes of an open file, sorted by name,
/// bounded in number and size. Filesystems without any give none.
#[must_use]
pub fn xattrs(fd: BorrowedFd<'_>) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut names = vec![0_u8; MAX_XATTR];
    // SAFETY: the pointer and length describe one live buffer.
    let length =
        unsafe { libc::flistxattr(fd.as_raw_fd(), names.as_mut_ptr().cast(), names.len()) };
    names.truncate(usize::try_from(length).unwrap_or(0));
    let mut found: Vec<_> = names
        .split_inclusive(|&byte| byte == 0)
        .take(MAX_XATTRS)
        .filter_map(|name| {
            let name = CStr::from_bytes_with_nul(name).ok()?;
            Some((name.to_bytes().to_vec(), xattr(fd, name)?))
        })
        .collect();
    found.sort();
    found
}

fn xattr(fd: BorrowedFd<'_>, name: &CStr) -> Option<Vec<u8>> {
    let mut value = vec![0_u8; MAX_XATTR];
    // SAFETY: the name is a C string; pointer and length describe one live buffer.
    let length = unsafe {
        libc::fgetxattr(
            fd.as_raw_fd(),
            name.as_ptr(),
            value.as_mut_ptr().cast(),
            value.len(),
        )
    };
    match usize::try_from(length) {
        Ok(length) => {
            value.truncate(length);
            Some(value)
        }
        // Larger than what is compared: its presence still counts.
        Err(_) if io::Error::last_os_error().raw_os_error() == Some(libc::ERANGE) => {
            Some(b"(large)".to_vec())
        }
        Err(_) => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_list_of_watches_names_the_device_that_stat_does() {
        for file in [
            tempfile::tempfile().unwrap(),
            fs::File::open("/proc/self/stat").unwrap(),
        ] {
            let stat = nix::sys::stat::fstat(&file).unwrap();
            assert_eq!(superblock(file.as_fd()).unwrap(), stat.st_dev);
        }
    }
}
