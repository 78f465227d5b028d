//! The state of the watcher, as `/run/ldwatch/status.json` shows it: a file that
//! is replaced whole, never a listener in a root daemon.

use std::io::{self, Write};
use std::path::Path;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::model::{Heartbeat, Rung, Told};

/// Counters since the start. All only grow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Counters {
    /// File events read.
    pub events: u64,
    /// Of them, about a watched name.
    pub triggers: u64,
    /// Acts handed to the examiner.
    pub acts: u64,
    /// Acts folded into others: their containers were over their budget.
    #[serde(default)]
    pub folded: u64,
    /// Queue overflows.
    pub overflows: u64,
    /// Reads that failed or could not be understood.
    pub broken_reads: u64,
    /// Marks refused.
    pub refused_marks: u64,
    /// Records that were given up because the sinks were too slow.
    pub records_dropped: u64,
    /// Times that a thread did not get on with its work.
    #[serde(default)]
    pub stuck_threads: u64,
    /// States of containers that could not be read or written.
    #[serde(default)]
    pub state_failures: u64,
    /// Programs executed in containers, as the exec trail read them.
    #[serde(default)]
    pub execs: u64,
    /// Overflows and failed reads of the exec trail: they cost names of writers.
    #[serde(default)]
    pub execs_lost: u64,
    /// Alerts whose writer's executable was not looked at, for want of room.
    #[serde(default)]
    pub enrichments_left_out: u64,
    /// Alerts told.
    #[serde(default)]
    pub alerts: u64,
    /// Gaps told.
    #[serde(default)]
    pub gaps: u64,
    /// Records that a sink did not take, once for each sink.
    #[serde(default)]
    pub records_lost: u64,
}

impl Counters {
    /// Puts in what the delivery thread counts.
    pub fn tell(&mut self, told: Told) {
        self.alerts = told.alerts;
        self.gaps = told.gaps;
        self.records_lost = told.lost;
    }

    /// Each counter under its name, in the order in which they are shown.
    #[must_use]
    pub fn named(self) -> [(&'static str, u64); 16] {
        [
            ("events", self.events),
            ("triggers", self.triggers),
            ("acts", self.acts),
            ("folded", self.folded),
            ("alerts", self.alerts),
            ("gaps", self.gaps),
            ("overflows", self.overflows),
            ("broken_reads", self.broken_reads),
            ("refused_marks", self.refused_marks),
            ("records_dropped", self.records_dropped),
            ("records_lost", self.records_lost),
            ("stuck_threads", self.stuck_threads),
            ("state_failures", self.state_failures),
            ("execs", self.execs),
            ("execs_lost", self.execs_lost),
            ("enrichments_left_out", self.enrichments_left_out),
        ]
    }
}

/// One container in the status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Covered {
    /// Container ID.
    pub id: Option<String>,
    /// Name.
    pub name: Option<String>,
    /// Runtime.
    pub runtime: Option<String>,
    /// Path of the root filesystem on the host.
    pub rootfs: Option<String>,
    /// Rung.
    pub rung: String,
    /// What is not seen.
    pub gaps: Vec<String>,
    /// `on`, or why no trail is kept of the programs executed in it.
    #[serde(default)]
    pub exec_trail: String,
}

/// The whole state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Status {
    /// Version of the program.
    pub version: String,
    /// Its pid.
    pub pid: u32,
    /// When it was written, seconds since 1970.
    pub written: u64,
    /// Seconds it has run.
    pub uptime: u64,
    /// Runs under `SCHED_FIFO`.
    pub realtime: bool,
    /// Events carry pidfds.
    pub pidfds: bool,
    /// fanotify groups in use.
    pub groups: usize,
    /// Directories marked.
    pub marks: usize,
    /// Counters.
    pub counters: Counters,
    /// Threads that do not get on with their work now.
    #[serde(default)]
    pub stuck: Vec<String>,
    /// Watched root filesystems.
    pub containers: Vec<Covered>,
}

impl Status {
    /// The same as a sign of life.
    #[must_use]
    pub fn heartbeat(&self, at: SystemTime) -> Heartbeat {
        let on = |rung: Rung| {
            let fits = |container: &&Covered| container.rung == rung.name();
            self.containers.iter().filter(fits).count() as u64
        };
        let rungs = [Rung::Named, Rung::Split, Rung::Plain, Rung::None];
        let with_gaps = self.containers.iter().filter(|one| !one.gaps.is_empty());
        Heartbeat {
            at,
            uptime: self.uptime,
            rungs: rungs.map(|rung| (rung.name(), on(rung))).to_vec(),
            with_gaps: with_gaps.count() as u64,
            counters: self.counters.named().to_vec(),
        }
    }

    /// Replaces the file at `path` whole: a reader sees the old or the new.
    ///
    /// # Errors
    /// The errno of writing or renaming, in the directory of `path`.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let dir = path.parent().unwrap_or(Path::new("/"));
        std::fs::create_dir_all(dir)?;
        let mut name = path.as_os_str().to_owned();
        name.push(".new");
        let temporary = Path::new(&name);
        let mut text = serde_json::to_vec_pretty(self).map_err(io::Error::other)?;
        text.push(b'\n');
        let mut file = std::fs::File::create(temporary)?;
        file.write_all(&text)?;
        std::fs::rename(temporary, path)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn status() -> Status {
        Status {
            version: "1".to_owned(),
            pid: 7,
            written: 1,
            uptime: 2,
            realtime: true,
            pidfds: true,
            groups: 1,
            marks: 2,
            counters: Counters {
                events: 5,
                ..Counters::default()
            },
            stuck: Vec::new(),
            containers: Vec::new(),
        }
    }

    fn covered(rung: Rung, gaps: &[&str]) -> Covered {
        Covered {
            id: None,
            name: None,
            runtime: None,
            rootfs: None,
            rung: rung.name().to_owned(),
            gaps: gaps.iter().map(|gap| (*gap).to_owned()).collect(),
            exec_trail: String::new(),
        }
    }

    #[test]
    fn a_heartbeat_counts_each_container_on_its_rung() {
        let mut status = status();
        status.containers = vec![
            covered(Rung::Named, &[]),
            covered(Rung::Named, &["file: EPERM"]),
            covered(Rung::None, &["etc: EOPNOTSUPP"]),
        ];
        status.counters.tell(Told {
            alerts: 4,
            gaps: 2,
            lost: 1,
        });
        let beat = status.heartbeat(SystemTime::UNIX_EPOCH);
        let rungs = [("named", 2), ("split", 0), ("plain", 0), ("none", 1)];
        assert_eq!(beat.rungs, rungs);
        assert_eq!((beat.containers(), beat.with_gaps), (3, 2));
        let counts = ["events", "alerts", "gaps", "records_lost", "no such"];
        assert_eq!(counts.map(|name| beat.counter(name)), [5, 4, 2, 1, 0]);
    }

    #[test]
    fn what_is_written_is_read_back_and_nothing_else_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run/status.json");
        let status = status();
        status.write(&path).unwrap();
        status.write(&path).unwrap();
        let read: Status = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        assert_eq!(read, status);
        assert_eq!(
            std::fs::read_dir(path.parent().unwrap()).unwrap().count(),
            1
        );
    }
}
