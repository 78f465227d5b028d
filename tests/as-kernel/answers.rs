//! The self-check: makes every call of the table, harmlessly, and tells its errno.

#![allow(unsafe_code)]

use std::io::Error;

use libc::c_long;

use crate::table::{ARGUMENTS, CALLS, VALUES, Version};

/// What came of one call.
pub struct Answer {
    pub what: String,
    pub since: Version,
    /// With which a kernel that lacks it answers.
    pub refusal: i32,
    /// `None`: it succeeded.
    pub errno: Option<i32>,
}

/// Six arguments, each a number.
type Arguments = [c_long; 6];

/// Makes each call once.
pub fn all() -> Vec<Answer> {
    calls().chain(arguments()).chain(values()).collect()
}

/// No descriptor and no address is -1, so each of these fails at once.
fn calls() -> impl Iterator<Item = Answer> {
    CALLS.iter().map(|call| Answer {
        what: call.name.to_owned(),
        since: call.since,
        refusal: libc::ENOSYS,
        errno: attempt(c_long::from(call.number), [-1; 6]),
    })
}

fn arguments() -> impl Iterator<Item = Answer> {
    ARGUMENTS.iter().flat_map(|argument| {
        argument.known.iter().map(|bits| {
            let asked = c_long::try_from(bits.bits).unwrap_or(-1);
            Answer {
                what: format!("{} {}", argument.call, bits.name),
                since: bits.since,
                refusal: argument.errno,
                errno: ask(argument.number, argument.index, asked),
            }
        })
    })
}

/// One flag or event, the rest of the call as it must be for that to count.
fn ask(number: c_long, index: u8, bits: c_long) -> Option<i32> {
    let here = c_long::from(libc::AT_FDCWD);
    match (number, index) {
        (libc::SYS_fanotify_init, _) => attempt(number, [bits, 0, 0, 0, 0, 0]),
        // The kernel looks at flags and mask before it looks for the group.
        (libc::SYS_fanotify_mark, 1) => attempt(number, [-1, bits | 1, 0x20, here, 0, 0]),
        (libc::SYS_fanotify_mark, _) => attempt(number, [-1, 1, bits, here, 0, 0]),
        (libc::SYS_statx, _) => attempt(number, [-1, 0, 0, bits, 0, 0]),
        _ => attempt(number, [-1, 0, 0, 0, bits, 0]),
    }
}

fn values() -> impl Iterator<Item = Answer> {
    VALUES.iter().map(|value| {
        let mut arguments: Arguments = [c_long::from(i32::MAX), c_long::from(i32::MAX), 0, 4, 0, 0];
        if let Some(argument) = arguments.get_mut(usize::from(value.index)) {
            *argument = c_long::from(value.value);
        }
        Answer {
            what: format!("{} {}", value.call, value.name),
            since: value.since,
            refusal: value.errno,
            errno: attempt(value.number, arguments),
        }
    })
}

/// A socket of this kind; its errno.
pub fn socket(domain: i32, protocol: i32) -> Option<i32> {
    let arguments = [domain, libc::SOCK_RAW, protocol].map(c_long::from);
    let [domain, kind, protocol] = arguments;
    attempt(libc::SYS_socket, [domain, kind, protocol, 0, 0, 0])
}

/// The call's errno. A descriptor that it gives stays open until the test is over.
pub fn attempt(number: c_long, arguments: Arguments) -> Option<i32> {
    let [a, b, c, d, e, f] = arguments;
    // SAFETY: every address among the arguments is null or -1, which the kernel refuses,
    // and every descriptor is one that does not exist: nothing of this process is touched.
    let done = unsafe { libc::syscall(number, a, b, c, d, e, f) };
    if done >= 0 {
        return None;
    }
    Error::last_os_error().raw_os_error()
}
