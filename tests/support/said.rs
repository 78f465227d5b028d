//! What the product says, line by line, while it runs.

use std::io::{BufRead, BufReader, Read};
use std::process::Command;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use serde_json::Value;

use super::gate;

/// A line of stdout.
#[derive(Debug, Clone)]
pub struct Seen {
    /// When it was read.
    pub at: Instant,
    /// The line.
    pub raw: String,
    /// The line as JSON.
    pub value: Value,
    pub(super) claimed: bool,
}

/// All lines so far.
#[derive(Default)]
pub struct Said {
    pub(super) seen: Vec<Seen>,
    pub(super) broken: Vec<String>,
    pub(super) log: Vec<String>,
    pub(super) ended: bool,
    pub(super) log_ended: bool,
}

/// What the readers fill and the test waits for.
pub type Shared = Arc<(Mutex<Said>, Condvar)>;

/// The lines, for a moment.
pub fn lock(said: &Shared) -> MutexGuard<'_, Said> {
    said.0.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reads stdout to its end.
pub fn read_records(stdout: impl Read + Send + 'static, said: Shared) {
    thread::spawn(move || {
        let _ = gate::full().then(favoured);
        for line in BufReader::new(stdout).split(b'\n').map_while(Result::ok) {
            let at = Instant::now();
            let raw = String::from_utf8_lossy(&line).into_owned();
            let mut guard = lock(&said);
            match serde_json::from_slice(&line) {
                Ok(value) => guard.seen.push(Seen {
                    at,
                    raw,
                    value,
                    claimed: false,
                }),
                Err(error) => guard.broken.push(format!("not JSON ({error}): {raw}")),
            }
            said.1.notify_all();
        }
        lock(&said).ended = true;
        said.1.notify_all();
    });
}

/// Where times are measured they are the watcher's, not those of this thread, which waits
/// for a processor like any other.
fn favoured() {
    let thread = nix::unistd::gettid().to_string();
    let mut command = Command::new("chrt");
    let favoured = command.args(["-f", "-p", "5", &thread]).status();
    assert!(favoured.is_ok_and(|status| status.success()), "chrt(1)");
}

/// Reads stderr to its end.
pub fn read_log(stderr: impl Read + Send + 'static, said: Shared) {
    thread::spawn(move || {
        for line in BufReader::new(stderr).split(b'\n').map_while(Result::ok) {
            let text = String::from_utf8_lossy(&line).into_owned();
            lock(&said).log.push(text);
        }
        lock(&said).log_ended = true;
    });
}
