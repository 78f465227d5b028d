//! What each profile refuses, since when it exists, and who says so.
//!
//! Numbers of the calls are those of the kernel's own table, which are the same on every
//! architecture from 424 on. For arguments all bits that the profile's kernel knows are
//! listed, and every other is refused, as that kernel does it.

#![allow(dead_code, reason = "the test and the launcher use their part")]

use std::fmt::Write;

/// Major and minor number.
pub type Version = (u8, u8);

/// An old kernel.
pub struct Profile {
    /// As it is called on the command line.
    pub name: &'static str,
    pub version: Version,
    /// Its last system call: the end of `arch/x86/entry/syscalls/syscall_64.tbl`, and of
    /// `include/uapi/asm-generic/unistd.h`, at that tag.
    pub last_x86: u32,
    pub last_generic: u32,
}

/// 4.18 and 4.19 differ in nothing that a filter could see. A distribution's kernel of
/// that number may have more: these are the kernels as they were released.
pub const PROFILES: &[Profile] = &[
    profile("4.18", (4, 18), 334, 293),
    profile("4.19", (4, 19), 334, 293),
    profile("5.4", (5, 4), 435, 435),
];

const fn profile(name: &'static str, version: Version, last: u32, generic: u32) -> Profile {
    Profile {
        name,
        version,
        last_x86: last,
        last_generic: generic,
    }
}

/// A whole call: refused with ENOSYS, by its number, as all after the profile's last.
pub struct Call {
    pub name: &'static str,
    pub number: u32,
    pub since: Version,
}

const fn call(name: &'static str, number: u32, major: u8, minor: u8) -> Call {
    Call {
        name,
        number,
        since: (major, minor),
    }
}

/// Source: syscalls(2), the list of calls with the kernel of each; from cachestat on the
/// kernel's `scripts/syscall.tbl` at the tag. They name what the filter takes away by the
/// profile's last number; the self-check calls each.
pub const CALLS: &[Call] = &[
    call("pidfd_send_signal", 424, 5, 1),
    call("io_uring_setup", 425, 5, 1),
    call("io_uring_enter", 426, 5, 1),
    call("io_uring_register", 427, 5, 1),
    call("open_tree", 428, 5, 2),
    call("move_mount", 429, 5, 2),
    call("fsopen", 430, 5, 2),
    call("fsconfig", 431, 5, 2),
    call("fsmount", 432, 5, 2),
    call("fspick", 433, 5, 2),
    call("pidfd_open", 434, 5, 3),
    call("clone3", 435, 5, 3),
    call("close_range", 436, 5, 9),
    call("openat2", 437, 5, 6),
    call("pidfd_getfd", 438, 5, 6),
    call("faccessat2", 439, 5, 8),
    call("process_madvise", 440, 5, 10),
    call("epoll_pwait2", 441, 5, 11),
    call("mount_setattr", 442, 5, 12),
    call("quotactl_fd", 443, 5, 14),
    call("landlock_create_ruleset", 444, 5, 13),
    call("memfd_secret", 447, 5, 14),
    call("process_mrelease", 448, 5, 15),
    call("futex_waitv", 449, 5, 16),
    call("cachestat", 451, 6, 5),
    call("fchmodat2", 452, 6, 6),
    call("statmount", 457, 6, 8),
    call("listmount", 458, 6, 8),
    call("lsm_get_self_attr", 459, 6, 8),
    call("mseal", 462, 6, 10),
];

/// Bits of an argument.
pub struct Bits {
    pub name: &'static str,
    pub bits: u64,
    pub since: Version,
}

const fn bits(name: &'static str, bits: u64, major: u8, minor: u8) -> Bits {
    Bits {
        name,
        bits,
        since: (major, minor),
    }
}

/// An argument of which a kernel takes only the bits that it knows.
pub struct Argument {
    pub call: &'static str,
    pub number: libc::c_long,
    pub index: u8,
    /// 64 bits of it count, not 32.
    pub wide: bool,
    pub errno: i32,
    pub source: &'static str,
    pub known: &'static [Bits],
}

impl Argument {
    /// The bits that a kernel of this version does not know.
    pub fn unknown(&self, version: Version) -> u64 {
        let known = self.known.iter().filter(|bits| bits.since <= version);
        let all = if self.wide { u64::MAX } else { 0xffff_ffff };
        all & !known.fold(0, |sum, bits| sum | bits.bits)
    }
}

pub const ARGUMENTS: &[Argument] = &[INIT, MARK_FLAGS, MARK_MASK, HANDLE, STATX];

const INIT: Argument = Argument {
    call: "fanotify_init",
    number: libc::SYS_fanotify_init,
    index: 0,
    wide: false,
    errno: libc::EINVAL,
    source: "fanotify_init(2), the flags and ERRORS",
    known: &[
        bits("FAN_CLOEXEC|FAN_NONBLOCK", 0x3, 2, 6),
        bits("FAN_CLASS_CONTENT|FAN_CLASS_PRE_CONTENT", 0xc, 2, 6),
        bits("FAN_UNLIMITED_QUEUE|FAN_UNLIMITED_MARKS", 0x30, 2, 6),
        bits("FAN_ENABLE_AUDIT", 0x40, 4, 15),
        bits("FAN_REPORT_TID", 0x100, 4, 20),
        bits("FAN_REPORT_FID", 0x200, 5, 1),
        bits("FAN_REPORT_DIR_FID", 0x400, 5, 9),
        bits("FAN_REPORT_NAME", 0x800, 5, 9),
        bits("FAN_REPORT_PIDFD", 0x80, 5, 15),
        bits("FAN_REPORT_TARGET_FID", 0x1000, 5, 17),
        bits("FAN_REPORT_FD_ERROR", 0x2000, 6, 13),
        bits("FAN_REPORT_MNT", 0x4000, 6, 14),
    ],
};

const MARK_FLAGS: Argument = Argument {
    call: "fanotify_mark",
    number: libc::SYS_fanotify_mark,
    index: 1,
    wide: false,
    errno: libc::EINVAL,
    source: "fanotify_mark(2), the flags and ERRORS",
    known: &[
        bits("FAN_MARK_ADD|REMOVE|FLUSH", 0x83, 2, 6),
        bits("FAN_MARK_DONT_FOLLOW|ONLYDIR|MOUNT", 0x1c, 2, 6),
        bits("FAN_MARK_IGNORED_*", 0x60, 2, 6),
        bits("FAN_MARK_FILESYSTEM", 0x100, 4, 20),
        bits("FAN_MARK_EVICTABLE", 0x200, 5, 19),
        bits("FAN_MARK_IGNORE", 0x400, 6, 0),
    ],
};

const MARK_MASK: Argument = Argument {
    call: "fanotify_mark",
    number: libc::SYS_fanotify_mark,
    index: 2,
    wide: true,
    errno: libc::EINVAL,
    source: "fanotify_mark(2), the mask and ERRORS",
    known: &[
        bits("FAN_ACCESS|MODIFY|CLOSE_*|OPEN", 0x3b, 2, 6),
        bits("FAN_OPEN_PERM|ACCESS_PERM", 0x3_0000, 2, 6),
        bits("FAN_EVENT_ON_CHILD|FAN_ONDIR", 0x4800_0000, 2, 6),
        bits("FAN_OPEN_EXEC", 0x1000, 5, 0),
        bits("FAN_OPEN_EXEC_PERM", 0x4_0000, 5, 0),
        bits("FAN_ATTRIB", 0x4, 5, 1),
        bits("FAN_MOVED_FROM|MOVED_TO", 0xc0, 5, 1),
        bits("FAN_CREATE", 0x100, 5, 1),
        bits("FAN_DELETE", 0x200, 5, 1),
        bits("FAN_DELETE_SELF|MOVE_SELF", 0xc00, 5, 1),
        bits("FAN_FS_ERROR", 0x8000, 5, 16),
        bits("FAN_RENAME", 0x1000_0000, 5, 17),
        bits("FAN_PRE_ACCESS", 0x10_0000, 6, 14),
        bits("FAN_MNT_ATTACH|MNT_DETACH", 0x300_0000, 6, 14),
    ],
};

const HANDLE: Argument = Argument {
    call: "name_to_handle_at",
    number: libc::SYS_name_to_handle_at,
    index: 4,
    wide: false,
    errno: libc::EINVAL,
    source: "open_by_handle_at(2); fanotify_mark(2) on AT_HANDLE_FID",
    known: &[
        bits("AT_SYMLINK_FOLLOW|AT_EMPTY_PATH", 0x1400, 2, 6),
        bits("AT_HANDLE_FID", 0x200, 6, 5),
        bits("AT_HANDLE_MNT_ID_UNIQUE", 0x1, 6, 12),
    ],
};

/// A stand-in: that kernel leaves the field out of its answer, which no filter can do.
/// A program that asks for a later field must do without it in both cases.
const STATX: Argument = Argument {
    call: "statx",
    number: libc::SYS_statx,
    index: 3,
    wide: false,
    errno: libc::ENOSYS,
    source: "statx(2), the mask (a stand-in: see above)",
    known: &[
        bits("STATX_BASIC_STATS|STATX_BTIME", 0xfff, 4, 11),
        bits("STATX_MNT_ID", 0x1000, 5, 8),
        bits("STATX_DIOALIGN", 0x2000, 6, 1),
        bits("STATX_MNT_ID_UNIQUE", 0x4000, 6, 8),
    ],
};

/// One value of an argument, seen through a mask.
pub struct Value {
    pub call: &'static str,
    pub name: &'static str,
    pub number: libc::c_long,
    pub index: u8,
    pub mask: u32,
    pub value: u32,
    pub since: Version,
    pub errno: i32,
    pub source: &'static str,
}

pub const VALUES: &[Value] = &[
    Value {
        call: "waitid",
        name: "P_PIDFD",
        number: libc::SYS_waitid,
        index: 0,
        mask: u32::MAX,
        value: 3,
        since: (5, 4),
        errno: libc::EINVAL,
        source: "waitid(2), idtype",
    },
    Value {
        call: "ioctl",
        name: "PIDFD_GET_*",
        number: libc::SYS_ioctl,
        index: 1,
        mask: 0xff00,
        value: 0xff00,
        since: (6, 11),
        errno: libc::ENOTTY,
        source: "include/uapi/linux/pidfd.h (type 0xFF); no such file before 5.10",
    },
];

/// The table as a person reads it.
pub fn text() -> String {
    let mut lines = String::new();
    let mut line = |what: String, since: Version, errno: i32, source: &str| {
        let errno = nix::errno::Errno::from_raw(errno);
        let since = format!("{}.{}", since.0, since.1);
        let _ = writeln!(lines, "{since:<6} {errno:?}  {what:<52} {source}");
    };
    for call in CALLS {
        line(
            call.name.to_owned(),
            call.since,
            libc::ENOSYS,
            "syscalls(2)",
        );
    }
    for argument in ARGUMENTS {
        for bits in argument.known {
            let what = format!("{} {}", argument.call, bits.name);
            line(what, bits.since, argument.errno, argument.source);
        }
    }
    for value in VALUES {
        let what = format!("{} {}", value.call, value.name);
        line(what, value.since, value.errno, value.source);
    }
    lines
}
