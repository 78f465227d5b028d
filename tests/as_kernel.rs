//! `scripts/as-kernel` refuses what it says that it refuses, and nothing else.
//!
//! A filter belongs to the thread that installs it, so each test takes one of its own.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "as-kernel/answers.rs"]
mod answers;
#[path = "as-kernel/filter.rs"]
mod filter;
#[path = "as-kernel/table.rs"]
mod table;

use std::process::Command;
use std::thread;

use answers::Answer;
use table::{PROFILES, Profile};

/// Does something on a thread of its own, as under that kernel.
fn under<T: Send + 'static>(
    profile: Option<&'static Profile>,
    no_bpf: bool,
    act: impl FnOnce() -> T + Send + 'static,
) -> T {
    let filtered = move || {
        filter::install(profile, no_bpf).expect("a filter can be installed");
        act()
    };
    thread::spawn(filtered).join().expect("no panic")
}

#[test]
fn what_a_kernel_lacks_is_refused_as_it_would_refuse_it() {
    for profile in PROFILES {
        let answers = under(Some(profile), false, answers::all);
        let later = |answer: &&Answer| answer.since > profile.version;
        let missing: Vec<&Answer> = answers.iter().filter(later).collect();
        assert!(missing.len() > 30, "{}: {}", profile.name, missing.len());
        for answer in missing {
            let told = (profile.name, &answer.what, answer.errno);
            assert_eq!(answer.errno, Some(answer.refusal), "{told:?}");
        }
    }
}

#[test]
fn what_a_kernel_has_is_answered_by_the_kernel() {
    for profile in PROFILES {
        let without = thread::spawn(answers::all).join().unwrap();
        let answers = under(Some(profile), false, answers::all);
        for (answer, without) in answers.iter().zip(&without) {
            if answer.since <= profile.version {
                let told = (profile.name, &answer.what);
                assert_eq!(answer.errno, without.errno, "{told:?}");
            }
        }
    }
}

/// Else the first test would hold without a filter, too.
#[test]
fn this_kernel_itself_answers_otherwise() {
    let answers = thread::spawn(answers::all).join().unwrap();
    let errno = |what: &str| {
        let found = answers.iter().find(|answer| answer.what == what);
        found.expect("it is in the table").errno
    };
    for (what, here) in [
        ("pidfd_open", libc::EINVAL),
        ("fanotify_mark FAN_MARK_FILESYSTEM", libc::EBADF),
        ("fanotify_mark FAN_OPEN_EXEC", libc::EBADF),
        ("fanotify_mark FAN_CREATE", libc::EBADF),
        ("waitid P_PIDFD", libc::EBADF),
        ("ioctl PIDFD_GET_*", libc::EBADF),
    ] {
        assert_eq!(errno(what), Some(here), "{what}");
    }
}

#[test]
fn without_bpf_there_is_no_bpf_no_perf_and_no_audit() {
    let netlink = libc::AF_NETLINK;
    let (bpf, perf, audit, route) = under(None, true, move || {
        (
            answers::attempt(libc::SYS_bpf, [-1; 6]),
            answers::attempt(libc::SYS_perf_event_open, [-1; 6]),
            answers::socket(netlink, libc::NETLINK_AUDIT),
            answers::socket(netlink, libc::NETLINK_ROUTE),
        )
    });
    let refused = Some(libc::EPERM);
    assert_eq!((bpf, perf, audit), (refused, refused, refused));
    assert_eq!(route, None, "another netlink socket stays possible");
}

/// A filter is inherited by every child, and programs still run under it.
#[test]
fn children_are_under_the_same_filter() {
    for profile in PROFILES {
        let status = under(Some(profile), true, || {
            Command::new("sh")
                .args(["-c", "exec cat /proc/self/status"])
                .output()
                .expect("a child starts")
        });
        let text = String::from_utf8_lossy(&status.stdout);
        assert!(text.contains("Seccomp:\t2"), "{}: {text}", profile.name);
    }
}
