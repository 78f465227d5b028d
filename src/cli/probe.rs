//! `ldwatch probe`: what this kernel and these privileges give, tried, not guessed.

use std::fs;
use std::io;

use caps::{CapSet, Capability};
use serde_json::json;

use crate::cli::{args, say};
use crate::error::Error;
use crate::selftest::overlay::Sandbox;
use crate::sys::epoll::Waiter;
use crate::sys::fanotify::{Group, Reports};
use crate::sys::{pidfd, sched};
use crate::watch::ladder::meaning;
use crate::watch::marks::Marks;

/// Capabilities the watcher uses, and what for.
const CAPABILITIES: [(Capability, &str); 4] = [
    (Capability::CAP_SYS_ADMIN, "fanotify groups and marks"),
    (
        Capability::CAP_SYS_PTRACE,
        "executable and root of processes in containers",
    ),
    (
        Capability::CAP_DAC_READ_SEARCH,
        "files of containers and of their runtimes",
    ),
    (
        Capability::CAP_SYS_NICE,
        "SCHED_FIFO, to catch writers that are gone at once",
    ),
];

/// One line of the answer.
struct Answer {
    what: &'static str,
    works: bool,
    detail: String,
}

/// Tries everything and prints it.
///
/// # Errors
/// `Error::Privilege` or `Error::NoRung` when no rung works: probing is then the
/// same as failing to run, with the same code.
pub fn run(typed: &args::Options) -> Result<(), Error> {
    let mut answers: Vec<Answer> = CAPABILITIES
        .iter()
        .map(|&(capability, what)| held(capability, what))
        .collect();
    let group = Group::new(Reports::Names);
    answers.extend(processes(&group));
    let named = named_marks();
    answers.push(named_answer(&named));
    answers.push(btf());
    let rung = if named.is_ok() { "named" } else { "none" };
    show(&answers, rung, typed.json)?;
    group.map(drop).map_err(super::run::refused)
}

/// What there is for naming the writer.
fn processes(group: &io::Result<Group>) -> Vec<Answer> {
    let mut answers = vec![tried(
        "events with names (Linux 5.9)",
        group.as_ref().map(|_| "available"),
    )];
    if let Ok(group) = group {
        let works = group.has_pidfds();
        let detail = if works {
            "in events"
        } else {
            "not in events: no writer can be confirmed"
        };
        answers.push(Answer {
            what: "pidfds in events (Linux 5.15)",
            works,
            detail: detail.to_owned(),
        });
    }
    let own = i32::try_from(std::process::id()).unwrap_or(0);
    answers.push(tried(
        "pidfd_open (Linux 5.3)",
        pidfd::open(own).as_ref().map(|_| "available"),
    ));
    answers.push(tried(
        "SCHED_FIFO",
        sched::fifo().as_ref().map(|()| "allowed"),
    ));
    let _ = sched::ordinary();
    answers
}

fn named_answer(named: &io::Result<()>) -> Answer {
    let what = "named marks on overlay (Linux 6.6)";
    match named {
        Ok(()) => tried(what, Ok("accepted")),
        Err(error) => {
            let meaning = meaning(error);
            Answer {
                what,
                works: false,
                detail: format!("{error}: {}; {}", meaning.why, meaning.remedy),
            }
        }
    }
}

fn btf() -> Answer {
    let there = if fs::metadata("/sys/kernel/btf/vmlinux").is_ok() {
        "there"
    } else {
        "not there"
    };
    Answer {
        what: "BTF",
        works: true,
        detail: format!("{there}; ldwatch does not need it"),
    }
}

fn held(capability: Capability, what: &'static str) -> Answer {
    let works = caps::has_cap(None, CapSet::Effective, capability).unwrap_or(false);
    Answer {
        what,
        works,
        detail: format!("{capability} {}", if works { "held" } else { "MISSING" }),
    }
}

fn tried(what: &'static str, outcome: Result<&str, &io::Error>) -> Answer {
    match outcome {
        Ok(detail) => Answer {
            what,
            works: true,
            detail: detail.to_owned(),
        },
        Err(error) => Answer {
            what,
            works: false,
            detail: error.to_string(),
        },
    }
}

/// Marks the `etc` of a throw-away overlay the way the watcher would. In a child
/// process: the sandbox takes a mount namespace of its own.
fn named_marks() -> io::Result<()> {
    let sandbox = Sandbox::enter()?;
    let waiter = Waiter::new()?;
    let mut marks = Marks::new(&waiter, 0)?;
    sandbox
        .spots()
        .iter()
        .try_for_each(|spot| marks.add(sandbox.id(), spot, 0, &waiter).map(drop))
}

fn show(answers: &[Answer], rung: &str, as_json: bool) -> Result<(), Error> {
    if as_json {
        let all: Vec<_> = answers
            .iter()
            .map(|answer| json!({"what": answer.what, "works": answer.works, "detail": answer.detail}))
            .collect();
        return say(&format!("{}\n", json!({"rung": rung, "answers": all})));
    }
    let mut text = String::new();
    for answer in answers {
        let mark = if answer.works { "yes" } else { "NO " };
        text.push_str(&format!("{mark}  {:<52} {}\n", answer.what, answer.detail));
    }
    text.push_str(&format!("\nRung for overlay containers: {rung}\n"));
    say(&text)
}
