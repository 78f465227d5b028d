//! The product, started as a user starts it, and everything it says.
//!
//! Each record must be claimed by one expectation of the test; what is left over at
//! the end and concerns the test's containers is a false alert.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::command::wait_until;
use super::record::{Expect, field, is_about_the_file, text};
pub use super::said::Seen;
use super::said::{Shared, lock, read_log, read_records};
use super::scratch::{Scratch, tag};
use super::{program, record};

/// Longest wait for a record that must come.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long silence is listened to before it counts as silence.
const QUIET: Duration = Duration::from_millis(300);

/// A running `ldwatch run --json`.
pub struct Watcher {
    child: Child,
    said: Shared,
    ids: Vec<String>,
    directory: PathBuf,
    _scratch: Option<Scratch>,
}

impl Watcher {
    /// Starts it with `config` added to a private configuration; returns when it is ready.
    pub fn start(config: &str) -> Self {
        let scratch = Scratch::new();
        let mut watcher = Self::start_in(scratch.path(), config);
        watcher._scratch = Some(scratch);
        watcher
    }

    /// The same with its files in a directory that outlives it: the state in `state`.
    pub fn start_in(directory: &Path, config: &str) -> Self {
        let mut watcher = Self::start_hastily(directory, config);
        watcher.wait_ready();
        watcher
    }

    /// The same, with a reader of stdout that goes away once it is ready.
    pub fn start_unread(config: &str) -> Self {
        let scratch = Scratch::new();
        let mut watcher = Self::spawn(scratch.path(), config);
        watcher._scratch = Some(scratch);
        watcher.wait_ready();
        drop(watcher.child.stdout.take());
        watcher
    }

    /// Starts it and does not wait until it is ready. Its records are read from the
    /// start: what was there before it may be more than a pipe holds.
    pub fn start_hastily(directory: &Path, config: &str) -> Self {
        let mut watcher = Self::spawn(directory, config);
        let stdout = watcher.child.stdout.take().expect("a pipe");
        read_records(stdout, Arc::clone(&watcher.said));
        watcher
    }

    fn spawn(directory: &Path, config: &str) -> Self {
        let path = directory.join("ldwatch.toml");
        let state = directory.join("state");
        let status = directory.join("status.json");
        let own = format!("state-dir = {state:?}\nstatus-file = {status:?}\n{config}");
        fs::write(&path, own).unwrap();
        let mut child = Command::new(program::ldwatch())
            .args(["run", "--json", "-c"])
            .arg(&path)
            // Must never be told: no container has a way to it.
            .env("LDWATCH_TEST_SECRET", "-")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("ldwatch starts");
        let said = Shared::default();
        read_log(child.stderr.take().unwrap(), Arc::clone(&said));
        Self {
            child,
            said,
            ids: Vec::new(),
            directory: directory.to_owned(),
            _scratch: None,
        }
    }

    fn wait_ready(&mut self) {
        let said = Arc::clone(&self.said);
        let child = &mut self.child;
        let ready = wait_until(PATIENCE * 3, || {
            let ready = lock(&said).log.iter().any(|l| l.contains("ldwatch ready"));
            ready || child.try_wait().is_ok_and(|status| status.is_some())
        });
        let ended = child.try_wait().ok().flatten();
        if ended.is_some() {
            wait_until(PATIENCE, || lock(&said).log_ended);
        }
        assert!(
            ready && ended.is_none(),
            "not ready ({ended:?}): {}",
            self.log()
        );
    }

    /// Names a container of this test: records that name it must be claimed.
    pub fn mine(&mut self, id: &str) {
        self.ids.push(id.to_owned());
    }

    /// Waits for an unclaimed record that fits, and claims it.
    pub fn claim(&self, what: &str, fits: impl Fn(&Seen) -> bool) -> Result<Seen, String> {
        self.claim_within(PATIENCE, fits).ok_or_else(|| {
            let others = self.unclaimed().join("\n  ");
            format!("no record: {what}; unclaimed:\n  {others}")
        })
    }

    /// The same, with a patience of the caller's.
    pub fn claim_within(&self, limit: Duration, fits: impl Fn(&Seen) -> bool) -> Option<Seen> {
        let end = Instant::now() + limit;
        let mut said = lock(&self.said);
        loop {
            if let Some(seen) = said.seen.iter_mut().find(|s| !s.claimed && fits(s)) {
                seen.claimed = true;
                return Some(seen.clone());
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() || said.ended {
                return None;
            }
            let waited = self.said.1.wait_timeout(said, left);
            said = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Takes the records that fit out, as if they were claimed; gives their number.
    pub fn forget_claiming(&self, fits: impl Fn(&Seen) -> bool) -> usize {
        lock(&self.said).seen.extract_if(.., |s| fits(s)).count()
    }

    /// Claims the record about this act and holds it against what it must say.
    ///
    /// With a nonce the record is found by it, so a wrong container is told as such;
    /// without one by the container and the kind.
    pub fn expect(&self, expect: &Expect<'_>) -> Result<Seen, String> {
        let seen = self.claim(&format!("{expect:?}"), |seen| match expect.nonce {
            Some(nonce) => record::carries(&seen.value, nonce),
            None => {
                record::text(&seen.value, "container.id") == expect.container
                    && record::text(&seen.value, "event.kind") == expect.kind
            }
        })?;
        let checked = expect.check(&seen.value);
        checked.map_err(|wrong| format!("{wrong}: {}", seen.raw))?;
        Ok(seen)
    }

    /// Lines about the file in this test's containers that nothing claimed, at this moment.
    pub fn unclaimed(&self) -> Vec<String> {
        let said = lock(&self.said);
        let left = said.seen.iter().filter(|seen| !seen.claimed);
        left.filter(|seen| self.concerns(seen))
            .map(|seen| seen.raw.clone())
            .chain(said.broken.iter().cloned())
            .collect()
    }

    /// The same after a moment of listening, as an error when there is any.
    pub fn nothing_else(&self) -> Result<(), String> {
        thread::sleep(QUIET);
        let left = self.unclaimed();
        if left.is_empty() {
            return Ok(());
        }
        Err(format!("more than expected:\n  {}", left.join("\n  ")))
    }

    /// No alert is left unclaimed after a moment; lesser records (`present`) may be.
    pub fn no_alert(&self) -> Result<(), String> {
        thread::sleep(QUIET);
        let said = lock(&self.said);
        let left = said.seen.iter().filter(|seen| !seen.claimed);
        let alerts: Vec<&str> = left
            .filter(|seen| record::is_alert(&seen.value) && self.concerns(seen))
            .map(|seen| seen.raw.as_str())
            .collect();
        if alerts.is_empty() {
            return Ok(());
        }
        let alerts = alerts.join("\n  ");
        Err(format!("alerts that nothing called for:\n  {alerts}"))
    }

    /// How many lines of stdout fit, claimed or not.
    pub fn count(&self, fits: impl Fn(&Seen) -> bool) -> usize {
        lock(&self.said).seen.iter().filter(|s| fits(s)).count()
    }

    /// Takes what was said since the last time, claimed or not: it is forgotten here.
    pub fn take(&self) -> Vec<Seen> {
        let mut said = lock(&self.said);
        assert!(said.broken.is_empty(), "{:?}", said.broken);
        std::mem::take(&mut said.seen)
    }

    /// After a failure was told: what came of it is not told again.
    pub fn pass_over(&self) {
        thread::sleep(QUIET);
        for seen in &mut lock(&self.said).seen {
            seen.claimed = true;
        }
    }

    /// On a machine of its own (`LDWATCH_ALONE=1`) every record about the file counts;
    /// elsewhere those that name a container, a path or a nonce of this test.
    fn concerns(&self, seen: &Seen) -> bool {
        let alone = std::env::var_os("LDWATCH_ALONE").is_some_and(|value| value == "1");
        let named = || seen.raw.contains(&tag()) || self.ids.iter().any(|id| seen.raw.contains(id));
        is_about_the_file(&seen.value) && (alone || named())
    }

    /// Ends it with SIGKILL; every line about the file that it had written.
    pub fn kill(mut self) -> Vec<Seen> {
        let _ = self.child.kill();
        let _ = self.child.wait();
        wait_until(PATIENCE, || lock(&self.said).ended);
        let said = lock(&self.said);
        assert!(said.broken.len() <= 1, "{:?}", said.broken);
        let all = said.seen.iter();
        all.filter(|seen| is_about_the_file(&seen.value))
            .cloned()
            .collect()
    }

    /// Its own log so far.
    pub fn log(&self) -> String {
        lock(&self.said).log.join("\n")
    }

    /// What it says of itself in its status file, if it has written one.
    pub fn status(&self) -> Option<Value> {
        let text = fs::read(self.directory.join("status.json")).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// A counter of the status file.
    pub fn counter(&self, name: &str) -> u64 {
        let status = self.status().unwrap_or_default();
        let value = field(&status, &format!("counters.{name}"));
        value.and_then(Value::as_u64).unwrap_or(0)
    }

    /// The status file has the container.
    pub fn lists(&self, id: &str) -> bool {
        let status = self.status().unwrap_or_default();
        let all = field(&status, "containers").and_then(Value::as_array);
        all.into_iter().flatten().any(|one| text(one, "id") == id)
    }

    /// Root filesystems in the status file that lie below a directory.
    pub fn watched_below(&self, base: &Path) -> usize {
        let status = self.status().unwrap_or_default();
        let all = field(&status, "containers").and_then(Value::as_array);
        all.into_iter()
            .flatten()
            .filter(|one| Path::new(text(one, "rootfs")).starts_with(base))
            .count()
    }

    /// Its process.
    pub fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).expect("a pid"))
    }

    /// Waits for its end.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        let child = &mut self.child;
        wait_until(PATIENCE, || child.try_wait().is_ok_and(|s| s.is_some()));
        wait_until(PATIENCE, || lock(&self.said).log_ended);
        self.child.try_wait().ok().flatten()
    }

    /// Asks it to end: exit 0, every line parsed, no panic, nothing left unclaimed.
    pub fn stop(self) {
        self.nothing_else()
            .unwrap_or_else(|error| panic!("{error}"));
        let ended = self.stop_anyway();
        let left = ended.unclaimed();
        assert!(left.is_empty(), "told while ending: {left:?}");
    }

    /// The same, whatever it has said: exit 0, no panic.
    pub fn stop_anyway(mut self) -> Self {
        kill(self.pid(), Signal::SIGTERM).unwrap();
        let status = self.ended().expect("it ends after SIGTERM");
        assert_eq!(
            status.code(),
            Some(0),
            "signal {:?}: {}",
            status.signal(),
            self.log()
        );
        assert!(!self.log().contains("panicked"), "{}", self.log());
        self
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("log of ldwatch:\n{}", self.log());
        }
    }
}
