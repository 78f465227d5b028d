//! `ldwatch status`: what the running watcher says of itself.

use std::fs;
use std::io;
use std::path::PathBuf;

use crate::cli::outlet::load;
use crate::cli::{args, say};
use crate::error::{Error, shown};
use crate::watch::status::{Counters, Covered, Status};
use crate::watch::trail::ON;

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
    let alive = fs::metadata(format!("/proc/{}", status.pid)).is_ok();
    let state = if alive {
        "running"
    } else {
        "NOT RUNNING (this is what it last said)"
    };
    let scheduling = if status.realtime {
        "SCHED_FIFO"
    } else {
        "ordinary"
    };
    let pidfds = if status.pidfds { "with" } else { "without" };
    let version = shown(&status.version);
    let gaps: Vec<_> = status
        .containers
        .iter()
        .filter(|container| !container.gaps.is_empty())
        .collect();
    let mut page = format!(
        "ldwatch {version}  pid {}  {state}  up {} s\n\
         scheduling {scheduling}, events {pidfds} pidfds, {} groups, {} marks\n\
         {}\n{} containers watched, {} with gaps, {} with an exec trail\n",
        status.pid,
        status.uptime,
        status.groups,
        status.marks,
        counted(status.counters),
        status.containers.len(),
        gaps.len(),
        status
            .containers
            .iter()
            .filter(|container| container.exec_trail == ON)
            .count(),
    );
    page.extend(gaps.into_iter().map(gap));
    page
}

fn gap(container: &Covered) -> String {
    let id = container
        .id
        .as_deref()
        .or(container.rootfs.as_deref())
        .unwrap_or("unknown");
    format!("  {}: {}\n", shown(id), shown(&container.gaps.join("; ")))
}

fn counted(counters: Counters) -> String {
    let words = |(name, count): (&str, u64)| format!("{} {count}", name.replace('_', " "));
    counters.named().map(words).join("  ")
}

fn failed(path: PathBuf, source: io::Error) -> Error {
    Error::Failed {
        act: "read",
        on: path.to_string_lossy().into_owned(),
        source,
        advice: "is `ldwatch run` running, with the same configuration?",
    }
}
