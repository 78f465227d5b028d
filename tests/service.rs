//! The real watcher under a service manager that is a socket of this test.

use std::io;
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// The watcher; it ends with the test.
struct Watcher(Child);

impl Watcher {
    fn start(dir: &std::path::Path) -> io::Result<Self> {
        let config = dir.join("ldwatch.toml");
        let status = dir.join("status.json");
        let text = format!(
            "state-dir = \"\"\nstatus-file = {status:?}\nsweep = \"off\"\n[stdout]\nformat = \"json\"\n"
        );
        std::fs::write(&config, text)?;
        let child = Command::new(env!("CARGO_BIN_EXE_ldwatch"))
            .args(["run".as_ref(), "-c".as_ref(), config.as_os_str()])
            .env("NOTIFY_SOCKET", dir.join("notify"))
            .env("WATCHDOG_USEC", "1000000")
            .env_remove("WATCHDOG_PID")
            .stdout(Stdio::null())
            .spawn()?;
        Ok(Self(child))
    }

    fn signal(&self, signal: Signal) -> io::Result<()> {
        let pid = i32::try_from(self.0.id()).map_err(io::Error::other)?;
        Ok(kill(Pid::from_raw(pid), signal)?)
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Whether a message that begins with `word` comes within the time.
fn hears(manager: &UnixDatagram, word: &str, within: Duration) -> bool {
    let end = Instant::now() + within;
    let mut bytes = [0; 512];
    while let Some(left) = end.checked_duration_since(Instant::now()) {
        let wait = left.max(Duration::from_millis(1));
        if manager.set_read_timeout(Some(wait)).is_err() {
            return false;
        }
        if let Ok(count) = manager.recv(&mut bytes)
            && bytes
                .get(..count)
                .is_some_and(|said| said.starts_with(word.as_bytes()))
        {
            return true;
        }
    }
    false
}

#[test]
#[ignore = "needs root: fanotify"]
fn the_manager_hears_of_readiness_of_each_turn_and_of_the_end() -> io::Result<()> {
    const LONG: Duration = Duration::from_secs(10);
    let dir = tempfile::tempdir()?;
    let manager = UnixDatagram::bind(dir.path().join("notify"))?;
    let mut watcher = Watcher::start(dir.path())?;
    assert!(hears(&manager, "READY=1\nSTATUS=Watching", LONG));
    for _ in 0..3 {
        assert!(hears(&manager, "WATCHDOG=1", Duration::from_millis(900)));
    }
    // A watcher that stands still starves its watchdog.
    watcher.signal(Signal::SIGSTOP)?;
    while hears(&manager, "WATCHDOG=1", Duration::from_millis(100)) {}
    assert!(!hears(&manager, "WATCHDOG=1", Duration::from_millis(1500)));
    watcher.signal(Signal::SIGCONT)?;
    assert!(hears(&manager, "WATCHDOG=1", Duration::from_millis(900)));
    watcher.signal(Signal::SIGTERM)?;
    assert!(hears(&manager, "STOPPING=1", LONG));
    assert!(watcher.0.wait()?.success());
    Ok(())
}

/// Heartbeats that the watcher tells within the time, with `sweep` in its configuration.
fn beats(sweep: &str, heartbeat: &str, time: Duration) -> io::Result<Vec<serde_json::Value>> {
    let dir = tempfile::tempdir()?;
    let (config, alerts) = (
        dir.path().join("ldwatch.toml"),
        dir.path().join("alerts.json"),
    );
    let text = format!(
        "state-dir = \"\"\nstatus-file = \"\"\nsweep = \"{sweep}\"\nheartbeat = \"{heartbeat}\"\n\
         [stdout]\nformat = \"off\"\n[file]\npath = {alerts:?}\n"
    );
    std::fs::write(&config, text)?;
    let child = Command::new(env!("CARGO_BIN_EXE_ldwatch"))
        .args(["run".as_ref(), "-c".as_ref(), config.as_os_str()])
        .env_remove("NOTIFY_SOCKET")
        .stdout(Stdio::null())
        .spawn()?;
    let watcher = Watcher(child);
    std::thread::sleep(time);
    drop(watcher);
    let told = std::fs::read_to_string(&alerts)?;
    let records = told
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    let beats = records.filter(|record: &serde_json::Value| {
        record
            .pointer("/event/action")
            .is_some_and(|word| word == "heartbeat")
    });
    Ok(beats.collect())
}

#[test]
#[ignore = "needs root: fanotify"]
fn a_heartbeat_comes_at_the_start_and_then_with_the_sweep_or_alone() -> io::Result<()> {
    const TIME: Duration = Duration::from_secs(8);
    // A sweep that is rarer does not hold it up, and none does not, either.
    for sweep in ["off", "1h", "1s"] {
        let beats = beats(sweep, "1s", TIME)?;
        assert!((3..=9).contains(&beats.len()), "{sweep}: {}", beats.len());
        let number = |beat: &serde_json::Value, name: &str| {
            beat.pointer(&format!("/ldwatch/heartbeat/{name}"))?
                .as_u64()
        };
        assert!(
            beats
                .iter()
                .all(|beat| number(beat, "containers").is_some()),
            "{beats:?}"
        );
        let up: Vec<_> = beats.iter().map(|beat| number(beat, "uptime")).collect();
        assert!(up.is_sorted() && up.first() < up.last(), "{up:?}");
    }
    assert_eq!(beats("1s", "24h", TIME)?.len(), 1);
    assert!(beats("1s", "off", TIME / 4)?.is_empty());
    Ok(())
}
