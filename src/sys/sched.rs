//! Real-time scheduling of the calling thread (sched_setscheduler(2)). A writer
//! that opens, writes, closes and exits is gone before a thread of ordinary
//! priority has read the event; a FIFO thread preempts it.

#![allow(unsafe_code)]

use std::fs;
use std::io;

use nix::unistd::{getpid, getsid};

/// Nice value of a thread that must not wait behind a busy machine, and of one that an
/// alert goes through, which must not wait behind the former either.
const FAVOURED: i32 = -10;
const FOREMOST: i32 = -20;
/// Priorities: above ordinary work, below kernel threads (50). The loop, whose writers are
/// gone at once, comes before the threads that its alerts go through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Priority {
    /// The loop's.
    Loop = 10,
    /// An alert's.
    Alert = 9,
}

/// Puts the calling thread under `SCHED_FIFO`; children and new threads do not
/// inherit it.
///
/// # Errors
/// `EPERM` without `CAP_SYS_NICE` or room in `RLIMIT_RTPRIO`.
pub fn fifo(priority: Priority) -> io::Result<()> {
    set(
        libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK,
        priority as i32,
    )
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
    nice(FAVOURED)
}

/// Favours the calling thread before all of them.
///
/// # Errors
/// As `favoured`.
pub fn foremost() -> io::Result<()> {
    nice(FOREMOST)
}

/// Favours the whole session before others, when it is this process's own: where the
/// kernel groups ordinary threads by session (sched(7), "The autogroup feature"), a nice
/// value counts within it alone.
///
/// # Errors
/// `NotFound` where the kernel does not; `EPERM` without `CAP_SYS_NICE`.
pub fn favour_session() -> io::Result<()> {
    if getsid(None)? == getpid() {
        fs::write("/proc/self/autogroup", FAVOURED.to_string())?;
    }
    Ok(())
}

fn nice(value: i32) -> io::Result<()> {
    // SAFETY: a call with plain integers; pid 0 is the calling thread.
    let done = unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, value) };
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
