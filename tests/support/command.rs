//! Running other programs with a bound on time, and with what they said in the error.

use std::ffi::OsStr;
use std::process::{Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A command that `timeout(1)` ends after two minutes, without input.
pub fn bounded<A: AsRef<OsStr>>(program: &str, args: impl IntoIterator<Item = A>) -> Command {
    let mut command = Command::new("timeout");
    command.args(["-k", "5", "120", program]).args(args);
    command.stdin(Stdio::null());
    command
}

/// Runs it; gives its trimmed stdout, or the command with its stderr.
pub fn try_run(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|e| format!("{command:?}: {e}"))?;
    if output.status.success() {
        return Ok(text(&output.stdout));
    }
    Err(failure(command, &output))
}

/// Runs it; panics with what it said when it fails.
pub fn run(command: &mut Command) -> String {
    try_run(command).unwrap_or_else(|error| panic!("{error}"))
}

/// What a failed command was and said, in one string.
pub fn failure(command: &Command, output: &Output) -> String {
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    format!("{command:?}: {}: {out} {err}", output.status)
}

/// Waits for a condition, looking every few milliseconds.
pub fn wait_until(limit: Duration, mut holds: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + limit;
    loop {
        if holds() {
            return true;
        }
        if Instant::now() >= end {
            return false;
        }
        sleep(Duration::from_millis(5));
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim().to_owned()
}

/// A process that is stopped, and goes on with the end of this value.
pub struct Stopped(Pid);

impl Stopped {
    pub fn stop(pid: Pid) -> Self {
        kill(pid, Signal::SIGSTOP).unwrap();
        Self(pid)
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        let _ = kill(self.0, Signal::SIGCONT);
    }
}
