//! A program that prints lines, each stamped on arrival.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::clock::now;
use crate::support::command::wait_until;
use crate::support::program;

/// Longest wait for a program to be ready, or to end.
const PATIENCE: Duration = Duration::from_secs(30);

/// A line and when it came, in nanoseconds of `now`.
pub type Line = (u64, Vec<u8>);

/// The program.
pub struct Tail {
    child: Child,
    lines: Arc<Mutex<Vec<Line>>>,
    log: Arc<Mutex<Vec<Line>>>,
    /// When it was started.
    pub started: u64,
}

impl Tail {
    /// Starts a command; returns when its stderr has a line with `ready` in it.
    pub fn start(mut command: Command, ready: &str) -> Self {
        let started = now();
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let lines = gather(child.stdout.take().expect("a pipe"));
        let log = gather(child.stderr.take().expect("a pipe"));
        let tail = Self {
            child,
            lines,
            log,
            started,
        };
        let is_ready = wait_until(PATIENCE, || tail.logged(ready).is_some());
        assert!(is_ready, "{command:?} does not get ready: {}", tail.said());
        tail
    }

    /// `ldwatch run --json` with default settings; its files lie in `directory`.
    pub fn ldwatch(directory: &Path) -> Self {
        Self::ldwatch_with(directory, "")
    }

    /// The same with more lines in its configuration.
    pub fn ldwatch_with(directory: &Path, more: &str) -> Self {
        let config = directory.join("ldwatch.toml");
        let (state, status) = (directory.join("state"), directory.join("status.json"));
        fs::create_dir_all(&state).unwrap();
        let text = format!("state-dir = {state:?}\nstatus-file = {status:?}\n{more}");
        fs::write(&config, text).unwrap();
        let mut command = Command::new(program::ldwatch());
        command.args(["run", "--json", "-c"]).arg(config);
        Self::start(command, "ldwatch ready")
    }

    /// The lines so far.
    pub fn lines(&self) -> MutexGuard<'_, Vec<Line>> {
        lock(&self.lines)
    }

    /// Forgets them.
    pub fn forget_lines(&self) {
        lock(&self.lines).clear();
    }

    /// When a line with these words came on stderr, and the line.
    pub fn logged(&self, words: &str) -> Option<(u64, String)> {
        let log = lock(&self.log);
        let mut lines = log.iter().map(|(at, line)| (*at, lossy(line)));
        lines.find(|(_, line)| line.contains(words))
    }

    /// All of its stderr.
    pub fn said(&self) -> String {
        let log = lock(&self.log);
        let lines: Vec<String> = log.iter().map(|(_, line)| lossy(line)).collect();
        lines.join("\n")
    }

    /// Its pid.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to end, and waits.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        let Ok(pid) = i32::try_from(self.child.id()) else {
            return;
        };
        if self.child.try_wait().is_ok_and(|status| status.is_none()) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
            wait_until(Duration::from_secs(3), || {
                self.child.try_wait().is_ok_and(|status| status.is_some())
            });
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        self.end();
    }
}

fn lossy(line: &[u8]) -> String {
    String::from_utf8_lossy(line).into_owned()
}

fn lock(lines: &Mutex<Vec<Line>>) -> MutexGuard<'_, Vec<Line>> {
    lines.lock().unwrap_or_else(PoisonError::into_inner)
}

fn gather(stream: impl Read + Send + 'static) -> Arc<Mutex<Vec<Line>>> {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let shared = Arc::clone(&lines);
    thread::spawn(move || {
        for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
            let at = now();
            lock(&shared).push((at, line));
        }
    });
    lines
}
