//! What is the same for every process of this boot.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use sha2::{Digest, Sha256};

use crate::reach::{mount_ns, read_table};
use crate::who::cgroup::unified;

/// What is the same for every process of this boot.
#[derive(Debug, Clone)]
pub struct Boot {
    /// `/proc/sys/kernel/random/boot_id`.
    pub id: String,
    /// When the host booted.
    pub time: SystemTime,
    /// Clock ticks per second.
    pub ticks: u64,
    /// Our own mount namespace: the host's.
    pub mount_ns: Option<u64>,
    /// Where cgroup2 is mounted.
    pub unified: Option<PathBuf>,
}

impl Boot {
    /// Reads the facts of this boot. A missing one costs time stamps or ids only.
    #[must_use]
    pub fn read() -> Self {
        let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
        let seconds = stat
            .lines()
            .find_map(|line| line.strip_prefix("btime ")?.trim().parse().ok());
        let ticks = nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK)
            .ok()
            .flatten();
        Self {
            id: id.trim().to_owned(),
            time: SystemTime::UNIX_EPOCH + Duration::from_secs(seconds.unwrap_or(0)),
            ticks: ticks
                .and_then(|ticks| u64::try_from(ticks).ok())
                .unwrap_or(100),
            mount_ns: mount_ns(Path::new("/proc/self/ns/mnt")),
            unified: unified(&read_table("/proc/self/mountinfo".as_ref()).unwrap_or_default()),
        }
    }

    pub(super) fn start(&self, ticks: u64) -> SystemTime {
        self.time + Duration::from_millis(ticks.saturating_mul(1000) / self.ticks.max(1))
    }

    /// Names one process of one boot, for joining records.
    pub(super) fn entity(&self, pid: i32, start_ticks: u64) -> String {
        let digest = Sha256::digest(format!("{} {pid} {start_ticks}", self.id));
        digest
            .iter()
            .take(16)
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}
