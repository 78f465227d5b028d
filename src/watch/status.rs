//! The state of the watcher, as `/run/ldwatch/status.json` shows it: a file that
//! is replaced whole, never a listener in a root daemon.

use std::io::{self, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

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

    #[test]
    fn what_is_written_is_read_back_and_nothing_else_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run/status.json");
        let status = Status {
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
        };
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
