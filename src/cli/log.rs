//! The own log: what ldwatch says about itself, on standard error, through the
//! `log` crate. Records never come here.
//!
//! Lines carry `<n>` priorities only when standard error is the journal. Text is
//! escaped, since names in it may be a container's. Writing never panics: a log
//! whose reader is gone costs the line, not the watcher.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::panic;

use log::{Level, LevelFilter, Log, Metadata, Record};

use crate::output::escape::escape;

/// Environment variable that sets the level.
pub const LEVEL_VARIABLE: &str = "LDWATCH_LOG";
/// Bytes of one line; the rest is cut.
const LONGEST: usize = 8 * 1024;
/// Lines of one message.
const MOST_LINES: usize = 64;

struct Stderr {
    journal: bool,
}

impl Log for Stderr {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            write(&render(
                self.journal,
                record.level(),
                &record.args().to_string(),
            ));
        }
    }

    fn flush(&self) {}
}

/// Sets the logger and the panic hook. Called once, first of all.
pub fn init() {
    let stream = std::env::var_os("JOURNAL_STREAM");
    let journal = identity().is_some_and(|(dev, ino)| names(stream.as_deref(), dev, ino));
    let wanted = std::env::var_os(LEVEL_VARIABLE);
    let level = level(wanted.as_deref());
    log::set_max_level(level.unwrap_or(LevelFilter::Info));
    // A second call leaves the first logger in place.
    let _ = log::set_boxed_logger(Box::new(Stderr { journal }));
    if level.is_none() {
        log::warn!("{}", unknown_level(&wanted.unwrap_or_default()));
    }
    hook(journal);
}

/// A panic is told in the log's own form before the process goes down. The
/// backtrace is printed as well when `RUST_BACKTRACE` asks for it.
fn hook(journal: bool) {
    let verbose = std::env::var_os("RUST_BACKTRACE").is_some_and(|value| value != "0");
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |what| {
        let text = format!("internal error, please report: {what}");
        write(&render(journal, Level::Error, &text.replace('\n', " ")));
        if verbose {
            before(what);
        }
    }));
}

/// Each line of `text` as one line of the log.
fn render(journal: bool, level: Level, text: &str) -> String {
    let mut out = String::new();
    for line in text.lines().take(MOST_LINES) {
        match journal {
            true => out.push_str(priority(level)),
            false => {
                out.push_str("ldwatch: ");
                out.push_str(word(level));
                out.push_str(": ");
            }
        }
        out.push_str(&escape(line.as_bytes(), LONGEST).shown);
        out.push('\n');
    }
    out
}

/// `sd-daemon(3)` priorities.
fn priority(level: Level) -> &'static str {
    match level {
        Level::Error => "<3>",
        Level::Warn => "<4>",
        Level::Info => "<6>",
        Level::Debug | Level::Trace => "<7>",
    }
}

fn word(level: Level) -> &'static str {
    match level {
        Level::Error => "error",
        Level::Warn => "warning",
        Level::Info => "info",
        Level::Debug | Level::Trace => "debug",
    }
}

/// One write for all of it; an error has nowhere to be told.
fn write(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

fn level(wanted: Option<&OsStr>) -> Option<LevelFilter> {
    match wanted.map(OsStr::as_encoded_bytes) {
        None | Some(b"" | b"info") => Some(LevelFilter::Info),
        Some(b"error") => Some(LevelFilter::Error),
        Some(b"warn" | b"warning") => Some(LevelFilter::Warn),
        Some(b"debug") => Some(LevelFilter::Debug),
        Some(_) => None,
    }
}

fn unknown_level(wanted: &OsString) -> String {
    let wanted = wanted.to_string_lossy();
    format!("{LEVEL_VARIABLE}={wanted} is no level (error, warn, info, debug); using info")
}

/// Device and inode of standard error.
fn identity() -> Option<(u64, u64)> {
    let copy = io::stderr().as_fd().try_clone_to_owned().ok()?;
    let metadata = File::from(copy).metadata().ok()?;
    Some((metadata.dev(), metadata.ino()))
}

/// Whether `JOURNAL_STREAM` (`systemd.exec(5)`) names this device and inode: a
/// redirected standard error is not the journal, though the variable is set.
fn names(stream: Option<&OsStr>, dev: u64, ino: u64) -> bool {
    stream
        .and_then(OsStr::to_str)
        .and_then(|text| text.split_once(':'))
        .is_some_and(|(d, i)| d.parse() == Ok(dev) && i.parse() == Ok(ino))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn priorities_are_for_the_journal_alone() {
        assert_eq!(render(true, Level::Warn, "x"), "<4>x\n");
        assert_eq!(render(false, Level::Warn, "x"), "ldwatch: warning: x\n");
    }

    #[test]
    fn every_line_of_a_message_carries_its_prefix_and_no_control_character() {
        let text = render(true, Level::Error, "a\n  b\x1b[2J\r");
        assert_eq!(text, "<3>a\n<3>  b\\x1b[2J\\r\n");
    }

    #[test]
    fn a_long_message_is_cut_at_a_character() {
        let text = render(true, Level::Info, &"ä".repeat(LONGEST));
        assert!(text.len() <= LONGEST + "<6>\n".len() && text.ends_with("…\n"));
    }

    #[test]
    fn only_the_very_stream_is_the_journal() {
        let stream = OsString::from("8:12345");
        assert!(names(Some(&stream), 8, 12345));
        assert!(!names(Some(&stream), 8, 1));
        assert!(!names(None, 8, 12345));
        assert!(!names(Some(OsStr::new("nonsense")), 8, 12345));
    }

    #[test]
    fn levels_have_plain_names() {
        assert_eq!(level(None), Some(LevelFilter::Info));
        assert_eq!(level(Some(OsStr::new("debug"))), Some(LevelFilter::Debug));
        assert_eq!(level(Some(OsStr::new("loud"))), None);
    }
}
