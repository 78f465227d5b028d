//! fsid and file handle of a directory, in the very bytes a fanotify group
//! reports for it (fanotify(7), `FAN_REPORT_FID`): the key that tells which mark
//! an event belongs to.

#![allow(unsafe_code)]

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// Largest handle the kernel makes (`MAX_HANDLE_SZ`).
const MAX_HANDLE: usize = 128;
/// Fixed part of `struct file_handle`: length and type.
const FIXED: usize = 8;

/// Handle type of kernfs: the inode number is the handle (`FILEID_KERNFS`).
const KERNFS: i32 = 0xfe;

/// fsid (8 bytes), handle length, handle type, handle: as in an event record.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HandleKey(Vec<u8>);

impl HandleKey {
    /// Key of the directory held open. Asks the filesystem (statfs and encode):
    /// only for filesystems that are trusted to answer.
    ///
    /// # Errors
    /// `EOPNOTSUPP` where the filesystem has no handles, `EINVAL` where the
    /// kernel knows no `AT_HANDLE_FID` (before 6.5) and no plain handle either.
    pub fn of(dir: BorrowedFd<'_>) -> io::Result<Self> {
        let mut key = fsid(dir)?.to_vec();
        let handle = match encode(dir, libc::AT_HANDLE_FID) {
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => encode(dir, 0),
            other => other,
        };
        key.extend(handle?);
        Ok(Self(key))
    }

    /// The bytes, to compare with an event's.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The bytes, to keep.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// The filesystem has no id of its own: such a mark wants a group of its own
    /// (fanotify refuses a second superblock beside it with `EXDEV`).
    #[must_use]
    pub fn has_null_fsid(&self) -> bool {
        self.0.iter().take(8).all(|&byte| byte == 0)
    }
}

/// `f_fsid` of statfs(2), as bytes.
fn fsid(dir: BorrowedFd<'_>) -> io::Result<[u8; 8]> {
    let mut stat = MaybeUninit::<libc::statfs>::zeroed();
    // SAFETY: the pointer is to a live, writable struct of the type the call fills.
    let done = unsafe { libc::fstatfs(dir.as_raw_fd(), stat.as_mut_ptr()) };
    if done != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: zeroed before and filled by a call that succeeded.
    let stat = unsafe { stat.assume_init() };
    // SAFETY: fsid_t is two C ints, eight bytes without padding.
    Ok(unsafe { std::mem::transmute::<libc::fsid_t, [u8; 8]>(stat.f_fsid) })
}

/// Length, type and bytes of the handle (name_to_handle_at(2)).
fn encode(dir: BorrowedFd<'_>, flags: i32) -> io::Result<Vec<u8>> {
    let mut buffer = vec![0_u8; FIXED + MAX_HANDLE];
    let room = u32::try_from(MAX_HANDLE).unwrap_or(u32::MAX);
    if let Some(length) = buffer.get_mut(..4) {
        length.copy_from_slice(&room.to_ne_bytes());
    }
    let mut mount_id = 0_i32;
    // SAFETY: the path is an empty C string; the buffer holds the fixed part and
    // as many bytes as its length field says; the call takes `void *` semantics
    // for alignment of two 32-bit fields, which the allocator's alignment meets.
    let done = unsafe {
        libc::syscall(
            libc::SYS_name_to_handle_at,
            dir.as_raw_fd(),
            c"".as_ptr(),
            buffer.as_mut_ptr(),
            &raw mut mount_id,
            flags | libc::AT_EMPTY_PATH,
        )
    };
    if done != 0 {
        return Err(io::Error::last_os_error());
    }
    let written = buffer
        .first_chunk::<4>()
        .map_or(0, |bytes| u32::from_ne_bytes(*bytes));
    buffer.truncate(FIXED + usize::try_from(written).unwrap_or(MAX_HANDLE));
    Ok(buffer)
}

/// A handle of kernfs, as open_by_handle_at(2) takes it.
#[repr(C)]
#[allow(dead_code, reason = "the kernel reads it")]
struct KernfsHandle {
    bytes: u32,
    kind: i32,
    id: u64,
}

/// Opens, with `O_PATH`, the object of a kernfs (cgroup2, sysfs) that has that id.
/// `mount` is any object of it, not opened with `O_PATH`.
///
/// # Errors
/// `ESTALE` when it is gone, `EPERM` without `CAP_DAC_READ_SEARCH`.
pub fn open_kernfs(mount: BorrowedFd<'_>, id: u64) -> io::Result<OwnedFd> {
    let mut handle = KernfsHandle {
        bytes: 8,
        kind: KERNFS,
        id,
    };
    // SAFETY: the handle is live, laid out as the call wants it, and as long as it says.
    let raw = unsafe {
        libc::syscall(
            libc::SYS_open_by_handle_at,
            mount.as_raw_fd(),
            &raw mut handle,
            libc::O_PATH | libc::O_CLOEXEC,
        )
    };
    let raw = i32::try_from(raw).unwrap_or(-1);
    if raw < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(raw) })
}
