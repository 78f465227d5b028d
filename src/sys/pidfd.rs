//! Questions to a pidfd: does its process still live, and where did it belong
//! (pidfd_send_signal(2), `PIDFD_GET_INFO`, Linux 6.13 and for the dead 6.15).

#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// Opens a pidfd (Linux 5.3).
///
/// # Errors
/// `ESRCH` when there is no such process, `ENOSYS` on older kernels.
pub fn open(pid: i32) -> io::Result<OwnedFd> {
    // SAFETY: a call with two plain integers.
    let raw = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    let raw = i32::try_from(raw).unwrap_or(-1);
    if raw < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(raw) })
}

/// The process exists, as a living one or a zombie. While it does its pid cannot
/// be another's, so what `/proc/PID` said in between is true of it.
#[must_use]
pub fn exists(pidfd: BorrowedFd<'_>) -> bool {
    // SAFETY: signal 0 sends nothing; the siginfo pointer may be null.
    let done = unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            pidfd.as_raw_fd(),
            0,
            std::ptr::null::<libc::siginfo_t>(),
            0,
        )
    };
    done == 0 || io::Error::last_os_error().raw_os_error() == Some(libc::EPERM)
}

/// `PIDFD_GET_INFO`, with the size of the struct's first version
/// (`include/uapi/linux/pidfd.h`).
const GET_INFO: libc::c_ulong = 0xc040_ff0b;
/// `PIDFD_INFO_CGROUPID` and `PIDFD_INFO_EXIT`.
const CGROUP: u64 = 1 << 2;
const EXIT: u64 = 1 << 3;

/// `struct pidfd_info`, first version.
#[repr(C)]
#[allow(dead_code, reason = "the kernel fills it")]
struct Info {
    mask: u64,
    cgroup: u64,
    /// Ids of process and parent, credentials, exit status: `/proc` tells them better.
    rest: [u32; 12],
}

/// Id of the cgroup (v2) that a process is in, or was in when it ended: of a reaped
/// one, too (Linux 6.15). `None` where the kernel does not tell.
#[must_use]
pub fn cgroup(pidfd: BorrowedFd<'_>) -> Option<u64> {
    let mut info = Info {
        mask: CGROUP | EXIT,
        cgroup: 0,
        rest: [0; 12],
    };
    // SAFETY: the request carries the size of the struct, which is live and writable;
    // a kernel that knows a longer one fills no more than that size.
    let done = unsafe { libc::ioctl(pidfd.as_raw_fd(), GET_INFO, &raw mut info) };
    (done == 0 && info.mask & CGROUP != 0).then_some(info.cgroup)
}
