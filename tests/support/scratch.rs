//! A private directory on a disk filesystem, and its end: whatever runs from it,
//! is mounted below it or bears its name goes with it, also after a panic.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use nix::mount::{MntFlags, umount2};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::command::wait_until;
use super::program;

/// First part of every name that the harness gives to anything.
pub const PREFIX: &str = "ldwt";
static COUNT: AtomicU32 = AtomicU32::new(0);

/// The mark of this test process, part of each of its paths and nonces.
pub fn tag() -> String {
    format!("{PREFIX}{:07}", process::id())
}

/// A word never used before.
pub fn nonce() -> String {
    format!("{}n{:04}", tag(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// A container ID never used before: 64 hex digits, like a runtime's.
pub fn container_id() -> String {
    let seed = fs::read_to_string("/proc/sys/kernel/random/uuid").unwrap();
    let hex: String = seed.chars().filter(char::is_ascii_hexdigit).collect();
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("{hex}{:024x}{count:08x}", process::id())
}

/// The directory. `LDWATCH_TEST_DIR` (else /var/tmp) names where.
pub struct Scratch {
    path: PathBuf,
}

impl Scratch {
    /// Makes one; removes first what a killed test run left behind.
    pub fn new() -> Self {
        let base = std::env::var_os("LDWATCH_TEST_DIR").unwrap_or_else(|| "/var/tmp".into());
        sweep(Path::new(&base));
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = Path::new(&base).join(format!("{}d{count}", tag()));
        fs::create_dir_all(&path).unwrap();
        Self { path }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A path in it.
    pub fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path.join(name)
    }

    /// A directory in it, made.
    pub fn directory(&self, name: &str) -> PathBuf {
        let path = self.join(name);
        fs::create_dir_all(&path).unwrap();
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let left = clear(&self.path);
        if !std::thread::panicking() {
            assert!(left.is_empty(), "left behind: {left:?}");
        } else if !left.is_empty() {
            eprintln!("left behind: {left:?}");
        }
    }
}

/// Clears directories of test processes that are no more.
fn sweep(base: &Path) {
    for entry in fs::read_dir(base).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let pid = name
            .strip_prefix(PREFIX)
            .and_then(|rest| rest.get(..7))
            .and_then(|digits| digits.parse::<u32>().ok());
        if pid.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists()) {
            clear(&entry.path());
        }
    }
}

/// Ends the processes that name the path, takes the mounts below it away, removes it.
/// Gives what would not go.
fn clear(path: &Path) -> Vec<String> {
    let needle = path.to_string_lossy().into_owned();
    let gone = || {
        for pid in processes_naming(&needle) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        for point in mounts_below(path) {
            let _ = umount2(&point, MntFlags::MNT_DETACH);
        }
        let removed = processes_naming(&needle).is_empty() && fs::remove_dir_all(path).is_ok();
        if !removed {
            unlock(path);
        }
        removed
    };
    if wait_until(Duration::from_secs(10), gone) {
        return Vec::new();
    }
    let processes = processes_naming(&needle)
        .into_iter()
        .map(|pid| format!("process {pid}"));
    let mounts = mounts_below(path)
        .into_iter()
        .map(|point| format!("mount {}", point.display()));
    processes.chain(mounts).chain([needle.clone()]).collect()
}

/// An immutable file does not go. (A guest has no chattr(1); the attack program can.)
fn unlock(directory: &Path) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        let Ok(kind) = entry.file_type() else {
            continue;
        };
        if kind.is_dir() {
            unlock(&path);
        } else if kind.is_file() && path.ends_with("ld.so.preload") {
            let mut command = Command::new(program::attack());
            let _ = command.arg("chattr-i").arg(&path).arg("-").output();
        }
    }
}

fn processes_naming(needle: &str) -> Vec<i32> {
    let own = process::id().to_string();
    pids()
        .filter(|pid| *pid != own)
        .filter(|pid| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&line).contains(needle)
        })
        .filter_map(|pid| pid.parse().ok())
        .collect()
}

/// The names of all processes' directories below /proc.
pub fn pids() -> impl Iterator<Item = String> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()))
}

/// A path as a mount table writes it, with a space in octal.
fn unescaped(text: &str) -> PathBuf {
    PathBuf::from(text.replace("\\040", " "))
}

/// Mount points below a path in this mount namespace, innermost first.
pub fn mounts_below(path: &Path) -> Vec<PathBuf> {
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let points = table.lines().filter_map(|line| line.split(' ').nth(4));
    let mut below: Vec<PathBuf> = points
        .map(unescaped)
        .filter(|point| point.starts_with(path))
        .collect();
    below.reverse();
    below
}
