//! Where alerts go: a real rsyslogd on a socket of its own, also across its restart,
//! and a reader of stdout that goes away.

#![allow(clippy::unwrap_used, clippy::expect_used)]
#![allow(clippy::indexing_slicing, clippy::print_stderr)]

mod support;

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use support::command::wait_until;
use support::overlay::{Image, Overlay};
use support::runtimes::Daemon;
use support::scratch::{Scratch, nonce};
use support::watcher::Watcher;
use support::{PRELOAD, gate};

const PATIENCE: Duration = Duration::from_secs(10);

/// A private rsyslogd. Fields drop in this order.
struct Rsyslog {
    daemon: Option<Daemon>,
    scratch: Scratch,
}

impl Rsyslog {
    fn start() -> Result<Self, String> {
        let mut made = Self {
            daemon: None,
            scratch: Scratch::new(),
        };
        made.write_config();
        made.resume()?;
        Ok(made)
    }

    fn write_config(&self) {
        let text = format!(
            "global(workDirectory={:?})\n\
             module(load=\"imuxsock\" SysSock.Use=\"off\")\n\
             input(type=\"imuxsock\" Socket={:?} CreatePath=\"on\" RateLimit.Interval=\"0\")\n\
             *.* action(type=\"omfile\" file={:?})\n",
            self.scratch.path(),
            self.socket(),
            self.file(),
        );
        fs::write(self.scratch.join("rsyslog.conf"), text).unwrap();
    }

    fn resume(&mut self) -> Result<(), String> {
        let path = |name: &str| self.scratch.join(name);
        let mut command = Command::new("rsyslogd");
        command.arg("-n").arg("-f").arg(path("rsyslog.conf"));
        command.arg("-i").arg(path("pid"));
        let up = || self.socket().exists();
        self.daemon = Some(Daemon::start(&mut command, &path("log"), up)?);
        Ok(())
    }

    fn end(&mut self) {
        self.daemon = None;
        let _ = fs::remove_file(self.socket());
    }

    fn socket(&self) -> PathBuf {
        self.scratch.join("socket")
    }

    fn file(&self) -> PathBuf {
        self.scratch.join("messages")
    }

    /// The line that carries the nonce, once it has come.
    fn line(&self, nonce: &str) -> Option<String> {
        let mut found = None;
        wait_until(PATIENCE, || {
            let bytes = fs::read(self.file()).unwrap_or_default();
            let text = String::from_utf8_lossy(&bytes);
            let line = text.lines().find(|line| line.contains(nonce));
            found = line.map(str::to_owned);
            found.is_some()
        });
        found
    }
}

fn container(image: &Image) -> Option<Overlay> {
    gate::have(image.start())
}

#[test]
#[ignore = "needs root: rsyslogd and an overlay container"]
fn rsyslogd_receives_alerts_before_and_after_its_restart() {
    let Some(_turn) = gate::enter(&["rsyslogd"]) else {
        return;
    };
    let image = Image::new();
    let Some(container) = container(&image) else {
        return;
    };
    let Some(mut rsyslog) = gate::have(Rsyslog::start()) else {
        return;
    };
    let config = format!(
        "[syslog]\nenabled = true\nsocket = {:?}\n",
        rsyslog.socket()
    );
    let watcher = Watcher::start(&config);
    let (first, second) = (nonce(), nonce());

    container.attack(&["create", PRELOAD, &first]);
    let line = rsyslog.line(&first);
    let line = line.unwrap_or_else(|| panic!("no message; the log says:\n{}", watcher.log()));
    assert!(
        line.contains(&container.id),
        "without its container: {line}"
    );

    rsyslog.end();
    rsyslog.resume().unwrap();
    container.attack(&["append", PRELOAD, &second]);
    let line = rsyslog.line(&second);
    assert!(line.is_some(), "none after the restart: {}", watcher.log());
}

#[test]
#[ignore = "needs root: an overlay container"]
fn a_reader_of_stdout_that_goes_away_ends_the_watcher_with_a_message() {
    let Some(_turn) = gate::enter(&[]) else {
        return;
    };
    let image = Image::new();
    let Some(container) = container(&image) else {
        return;
    };
    let mut watcher = Watcher::start_unread("");
    let before = watcher.log().lines().count();
    container.attack(&["create", PRELOAD, &nonce()]);
    let status = watcher.ended().expect("it ends");
    let log = watcher.log();
    assert_eq!(status.code(), Some(1), "{status}: {log}");
    assert!(log.lines().count() > before, "no word on stderr: {log}");
    assert!(log.contains("stdout"), "the message names no stdout: {log}");
    assert!(!log.contains("panicked"), "{log}");
}
