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
