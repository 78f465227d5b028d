//! Real-time scheduling of the calling thread (sched_setscheduler(2)). A writer
//! that opens, writes, closes and exits is gone before a thread of ordinary
//! priority has read the event; a FIFO thread preempts it.

#![allow(unsafe_code)]

use std::io;

/// Nice value of a thread that must not wait behind a busy machine.
const FAVOURED: i32 = -10;
/// Priority asked for: above ordinary work, below kernel threads (50).
const PRIORITY: i32 = 10;

/// Puts the calling thread under `SCHED_FIFO`; children and new threads do not
/// inherit it.
///
/// # Errors
/// `EPERM` without `CAP_SYS_NICE` or room in `RLIMIT_RTPRIO`.
pub fn fifo() -> io::Result<()> {
    set(libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK, PRIORITY)
}

/// Puts the calling thread back under the ordinary scheduler.
///
/// # Errors
/// The errno of sched_setscheduler(2).
pub fn ordinary() -> io::Result<()> {
    set(libc::SCHED_OTHER | libc::SCHED_RESET_ON_FORK, 0)
}

/// Favours the calling thread among the ordinary ones (setpriority(2)).
///
/// # Errors
/// `EACCES` without `CAP_SYS_NICE` or room in `RLIMIT_NICE`.
pub fn favoured() -> io::Result<()> {
    // SAFETY: a call with plain integers; pid 0 is the calling thread.
    let done = unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, FAVOURED) };
    if done == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

fn set(policy: i32, priority: i32) -> io::Result<()> {
    let parameters = libc::sched_param {
        sched_priority: priority,
    };
    // SAFETY: pid 0 is the calling thread; the pointer is to a live struct.
    let done = unsafe { libc::sched_setscheduler(0, policy, &raw const parameters) };
    if done == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
