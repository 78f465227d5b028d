//! `ldwatch status`: what the running watcher says of itself.

use std::fmt::Write;
use std::fs;
use std::io;
use std::path::PathBuf;

use crate::cli::outlet::load;
use crate::cli::{args, say};
use crate::error::{Error, shown};
use crate::watch::status::Status;

/// Reads the status file and shows it.
///
/// # Errors
/// There is none, or it cannot be understood: no watcher runs, or an older one.
pub fn run(typed: &args::Options) -> Result<(), Error> {
    let config = load(typed)?;
    let path = config.status_file.ok_or_else(|| {
        failed(
            PathBuf::from("the status file"),
            io::Error::other("it is switched off in the configuration"),
        )
    })?;
    let text = fs::read_to_string(&path).map_err(|source| failed(path.clone(), source))?;
    let status: Status =
        serde_json::from_str(&text).map_err(|error| failed(path, io::Error::other(error)))?;
    if typed.json {
        return say(&text);
    }
    say(&page(&status))
}

fn page(status: &Status) -> String {
    let counters = status.counters;
    let alive = fs::metadata(format!("/proc/{}", status.pid)).is_ok();
    let mut page = String::new();
    let state = if alive {
        "running"
    } else {
        "NOT RUNNING (this is what it last said)"
    };
    let _ = writeln!(
        page,
        "ldwatch {}  pid {}  {state}  up {} s",
        shown(&status.version),
        status.pid,
        status.uptime
    );
    let scheduling = if status.realtime {
        "SCHED_FIFO"
    } else {
        "ordinary"
    };
    let pidfds = if status.pidfds {
        "with pidfds"
    } else {
        "without pidfds"
    };
    let _ = writeln!(
        page,
        "scheduling {scheduling}, events {pidfds}, {} groups, {} marks",
        status.groups, status.marks
    );
    let _ = writeln!(
        page,
        "events {}  triggers {}  acts {}  overflows {}  broken reads {}  refused marks {}  records dropped {}",
        counters.events,
        counters.triggers,
        counters.acts,
        counters.overflows,
        counters.broken_reads,
        counters.refused_marks,
        counters.records_dropped,
    );
    let gaps = status
        .containers
        .iter()
        .filter(|container| !container.gaps.is_empty())
        .count();
    let _ = writeln!(
        page,
        "{} containers watched, {gaps} with gaps",
        status.containers.len()
    );
    for container in status
        .containers
        .iter()
        .filter(|container| !container.gaps.is_empty())
    {
        let id = container
            .id
            .as_deref()
            .or(container.rootfs.as_deref())
            .unwrap_or("unknown");
        let _ = writeln!(
            page,
            "  {}: {}",
            shown(id),
            shown(&container.gaps.join("; "))
        );
    }
    page
}

fn failed(path: PathBuf, source: io::Error) -> Error {
    Error::Failed {
        act: "read",
        on: path.to_string_lossy().into_owned(),
        source,
        advice: "is `ldwatch run` running, with the same configuration?",
    }
}
