//! `ldwatch probe`: what this kernel and these privileges give, tried, not guessed.

use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use caps::{CapSet, Capability};
use serde_json::json;

use crate::cli::{args, say};
use crate::error::Error;
use crate::model::{Coverage, Rung};
use crate::selftest::overlay::Sandbox;
use crate::sys::epoll::Waiter;
use crate::sys::fanotify::{Group, Reports};
use crate::sys::pidfd;
use crate::sys::sched::{self, Priority};
use crate::sys::walk::open_dir;
use crate::watch::ladder::Tried;
use crate::watch::marks::Marks;
use crate::who::trail::probe;

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

/// Rungs, best first.
const RUNGS: [Rung; 3] = [Rung::Named, Rung::Split, Rung::Plain];

/// What a rung gives: what is seen, whose writer is known, what is lost, what would
/// give more.
type Meaning = [(&'static str, &'static str); 4];

fn meaning(rung: Rung) -> Meaning {
    let (seen, writer, lost, better) = match rung {
        Rung::Named => (
            "every change of the name, by fanotify",
            "of every change",
            "nothing that another kernel would tell",
            "nothing",
        ),
        Rung::Split => (
            "every change of the name, by inotify",
            "of writes, and of every change of the container's writable layer",
            "who renames, links, cuts or changes attributes where a volume or tmpfs covers etc",
            "Linux 6.6, whose overlay takes marks with names",
        ),
        Rung::Plain => (
            "every change of the name, by inotify",
            "of writes only",
            "who renames, links, removes, cuts by truncate(2) or changes attributes",
            "Linux 5.9, and writable layers on a filesystem with an id, give split; Linux 6.6 gives named",
        ),
        Rung::None => (
            "what the sweep finds",
            "of nothing",
            "when it happened, and who it was",
            "what is marked NO above",
        ),
    };
    [
        ("seen", seen),
        ("writer", writer),
        ("lost", lost),
        ("better", better),
    ]
}

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
    let group = Group::new(Reports::Names).or_else(|_| Group::new(Reports::Descriptors));
    answers.extend(processes(&group));
    let rungs = Sandbox::enter().map(|sandbox| {
        answers.push(trail(&sandbox));
        RUNGS.map(|rung| (rung, mark(&sandbox, rung)))
    });
    let best = match &rungs {
        Ok(rungs) => {
            answers.extend(
                rungs
                    .iter()
                    .map(|(rung, outcome)| rung_answer(*rung, outcome)),
            );
            rungs
                .iter()
                .find(|(_, outcome)| works(outcome))
                .and_then(|(_, outcome)| outcome.as_ref().ok())
                .map_or(Rung::None, |coverage| coverage.rung)
        }
        Err(error) => {
            answers.push(tried("a throw-away overlay", Err(error)));
            Rung::None
        }
    };
    answers.push(watches());
    answers.push(btf());
    show(&answers, best, typed.json)?;
    group.map(drop).map_err(super::run::refused)
}

fn works(outcome: &io::Result<Coverage>) -> bool {
    outcome
        .as_ref()
        .is_ok_and(|coverage| coverage.rung != Rung::None)
}

fn rung_answer(rung: Rung, outcome: &io::Result<Coverage>) -> Answer {
    let what = match rung {
        Rung::Named => "rung named: what and who from one event (Linux 6.6)",
        Rung::Split => "rung split: inotify, descriptors, names in the upper",
        _ => "rung plain: inotify and descriptors",
    };
    let detail = match outcome {
        Ok(coverage) if coverage.gaps.is_empty() => format!("gives {}", coverage.rung.name()),
        Ok(coverage) => format!(
            "gives {}: {}",
            coverage.rung.name(),
            coverage.gaps.join("; ")
        ),
        Err(error) => error.to_string(),
    };
    Answer {
        what,
        works: works(outcome),
        detail,
    }
}

/// What there is for naming the writer.
fn processes(group: &io::Result<Group>) -> Vec<Answer> {
    let names = Group::new(Reports::Names);
    let mut answers = vec![tried(
        "events with names (Linux 5.9)",
        names.as_ref().map(|_| "available"),
    )];
    if let Ok(group) = group {
        let works = group.has_pidfds();
        let detail = if works {
            "in events"
        } else {
            "not in events: each writer is told as a hint"
        };
        answers.push(Answer {
            what: "pidfds in events (Linux 5.15)",
            works,
            detail: detail.to_owned(),
        });
    }
    let own = i32::try_from(std::process::id()).unwrap_or(0);
    let own = pidfd::open(own);
    answers.push(tried(
        "pidfd_open (Linux 5.3)",
        own.as_ref().map(|_| "available"),
    ));
    answers.push(cgroup(own.ok()));
    answers.push(tried(
        "SCHED_FIFO",
        sched::fifo(Priority::Loop).as_ref().map(|()| "allowed"),
    ));
    let _ = sched::ordinary();
    answers
}

/// Watches of inotify that a container takes on the lower rungs: root, etc and the file,
/// by the host's way and by the container's own, and the end of its root.
const WATCHES: u64 = 5;

fn watches() -> Answer {
    let limit = |name: &str| {
        let text = fs::read_to_string(format!("/proc/sys/fs/inotify/{name}"));
        text.ok().and_then(|text| text.trim().parse::<u64>().ok())
    };
    let (instances, watches) = (limit("max_user_instances"), limit("max_user_watches"));
    let detail = match (instances, watches) {
        (Some(instances), Some(watches)) => format!(
            "{watches} watches, {instances} instances: room for {} containers on split or plain",
            watches / WATCHES
        ),
        _ => "no limits are told: no inotify?".to_owned(),
    };
    Answer {
        what: "inotify limits (sysctl fs.inotify)",
        works: watches.is_some_and(|watches| watches >= WATCHES) && instances >= Some(2),
        detail,
    }
}

/// Whether the container of a reaped writer can be told.
fn cgroup(own: Option<OwnedFd>) -> Answer {
    let works = own.is_some_and(|own| pidfd::cgroup(own.as_fd()).is_some());
    let detail = if works { "available" } else { "not told" };
    Answer {
        what: "cgroup of a writer that is gone (Linux 6.15)",
        works,
        detail: detail.to_owned(),
    }
}

/// Whether executed programs can be followed, tried on the throw-away overlay.
fn trail(sandbox: &Sandbox) -> Answer {
    let marked = open_dir(&sandbox.merged()).and_then(|root| probe(root.as_fd()));
    let what = "exec trail, for writers that are gone (Linux 5.0)";
    tried(what, marked.as_ref().map(|()| "available"))
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

/// Marks a throw-away overlay the way the watcher would, on one rung only.
fn mark(sandbox: &Sandbox, rung: Rung) -> io::Result<Coverage> {
    let waiter = Waiter::new()?;
    let mut marks = Marks::new(0, Some(rung))?;
    let mut tried = Tried::default();
    for spot in sandbox.spots() {
        tried.take(spot.kind, marks.add(sandbox.id(), &spot, 0, &waiter));
    }
    Ok(tried.coverage(&[]))
}

fn show(answers: &[Answer], best: Rung, as_json: bool) -> Result<(), Error> {
    let rung = best.name();
    if as_json {
        let all: Vec<_> = answers
            .iter()
            .map(|answer| json!({"what": answer.what, "works": answer.works, "detail": answer.detail}))
            .collect();
        let gives: serde_json::Map<_, _> = meaning(best)
            .map(|(what, words)| (what.to_owned(), words.into()))
            .into_iter()
            .collect();
        return say(&format!(
            "{}\n",
            json!({"rung": rung, "gives": gives, "answers": all})
        ));
    }
    let mut text = String::new();
    for answer in answers {
        let mark = if answer.works { "yes" } else { "NO " };
        text.push_str(&format!("{mark}  {:<52} {}\n", answer.what, answer.detail));
    }
    text.push_str(&format!("\nRung for overlay containers: {rung}\n"));
    for (what, words) in meaning(best) {
        text.push_str(&format!("  {what:<7} {words}\n"));
    }
    say(&text)
}
