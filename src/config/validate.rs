//! What the values mean together: ranges, paths, sinks. Pure; tells all faults.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::config::{Config, StdoutFormat};

/// One fault, and the key it is laid to.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub key: &'static str,
    pub text: String,
}

/// Of the sweep and of the heartbeat.
const INTERVAL: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(24 * 60 * 60));
const SETTLE: Duration = Duration::from_secs(1);
const CONTENT_LIMIT: usize = 64 * 1024;
/// RFC 5424 §6.1: each receiver takes 480 bytes. Above, a datagram socket's limit.
const MAX_LENGTH: (usize, usize) = (480, 64 * 1024);
const STATE_ROOTS: usize = 32;
/// `unix(7)`: bytes of `sun_path` without the terminating null.
const SOCKET_PATH: usize = 107;
const MODULE_LENGTH: usize = 64;

/// Faults of single values.
pub(super) fn values(config: &Config) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut tell = |key, text: Option<String>| faults.extend(text.map(|text| Fault { key, text }));
    tell("event-module", module(&config.event_module));
    tell("sweep", config.sweep.and_then(interval));
    tell("heartbeat", config.heartbeat.and_then(interval));
    tell("settle", settle(config.settle));
    tell("content-limit", content_limit(config.content_limit));
    tell("state-dir", config.state_dir.as_deref().and_then(path));
    tell("status-file", config.status_file.as_deref().and_then(path));
    tell("file.path", config.file.path.as_deref().and_then(path));
    tell("syslog.socket", socket(&config.syslog.socket));
    tell("syslog.max-length", max_length(config.syslog.max_length));
    tell("journal.socket", socket(&config.journal.socket));
    tell(
        "runtimes.state-roots",
        state_roots(&config.runtimes.state_roots),
    );
    faults
}

/// Faults between values that are good by themselves.
pub(super) fn together(config: &Config) -> Vec<Fault> {
    let same = same(config.file.path.as_ref(), config.status_file.as_ref());
    let faults = [("file.path", same), ("stdout.format", sinks(config))];
    faults
        .into_iter()
        .filter_map(|(key, text)| Some(Fault { key, text: text? }))
        .collect()
}

fn module(name: &str) -> Option<String> {
    let fits =
        |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-' | b'.');
    let good = (1..=MODULE_LENGTH).contains(&name.len()) && name.bytes().all(fits);
    (!good).then(|| format!("takes 1 to {MODULE_LENGTH} of the characters a-z 0-9 _ - ."))
}

fn interval(time: Duration) -> Option<String> {
    let good = (INTERVAL.0..=INTERVAL.1).contains(&time);
    (!good).then(|| "must lie between 1s and 24h; \"off\" switches it off".to_owned())
}

fn settle(time: Duration) -> Option<String> {
    (time > SETTLE).then(|| "must be at most 1s: alerts wait for it".to_owned())
}

fn content_limit(bytes: usize) -> Option<String> {
    (bytes > CONTENT_LIMIT).then(|| format!("must be at most {CONTENT_LIMIT}"))
}

fn max_length(bytes: usize) -> Option<String> {
    let (least, most) = MAX_LENGTH;
    (!(least..=most).contains(&bytes)).then(|| format!("must lie between {least} and {most}"))
}

fn path(path: &Path) -> Option<String> {
    if !path.is_absolute() {
        return Some("must be an absolute path".to_owned());
    }
    let null = path.as_os_str().as_encoded_bytes().contains(&0);
    null.then(|| "must not hold a null character".to_owned())
}

fn socket(at: &Path) -> Option<String> {
    let long = at.as_os_str().len() > SOCKET_PATH;
    path(at).or_else(|| long.then(|| format!("must be at most {SOCKET_PATH} bytes long")))
}

fn same(file: Option<&PathBuf>, status: Option<&PathBuf>) -> Option<String> {
    (file.is_some() && file == status).then(|| "is the status file, which is rewritten".to_owned())
}

fn state_roots(roots: &[PathBuf]) -> Option<String> {
    if roots.len() > STATE_ROOTS {
        return Some(format!("must name at most {STATE_ROOTS} directories"));
    }
    roots.iter().find_map(|root| path(root))
}

fn sinks(config: &Config) -> Option<String> {
    let mute = config.stdout.format == StdoutFormat::Off && !config.sinks_elsewhere();
    mute.then(|| {
        "is \"off\" while no other sink is on, so alerts would go nowhere; \
         set file.path, syslog.enabled or journal.enabled"
            .to_owned()
    })
}
