//! FLOOR 6: what ends a run. Each variant says what was done, on what, what the
//! kernel answered and, where it helps, what the reader can do about it.
//!
//! Things that do not end a run (a vanished pid, a refused mark) are data, not
//! errors, and never come here.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::output::escape::escape;

mod words;

pub use words::nearest;

/// Bytes of one name or sentence in a message; the rest is cut.
const LONGEST: usize = 4096;

/// Exit code: asked to stop, or done.
pub const EXIT_OK: u8 = 0;
/// Exit code: a failure at run time, worth a restart.
pub const EXIT_FAILURE: u8 = 1;
/// Exit code: `scan` found something, or `selftest` missed something.
pub const EXIT_FINDING: u8 = 3;
/// Exit code: bad arguments (`EX_USAGE`).
pub const EXIT_USAGE: u8 = 64;
/// Exit code: the kernel lacks every rung (`EX_UNAVAILABLE`).
pub const EXIT_UNAVAILABLE: u8 = 69;
/// Exit code: a capability is missing (`EX_NOPERM`).
pub const EXIT_NOPERM: u8 = 77;
/// Exit code: configuration unreadable or invalid (`EX_CONFIG`).
pub const EXIT_CONFIG: u8 = 78;

/// One thing wrong in a configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Line and column, from 1; `None` when the file does not hold the key.
    pub place: Option<(usize, usize)>,
    /// What is wrong, where, and how to mend it.
    pub text: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown(&self.text))
    }
}

/// What ends a run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The command line does not make sense.
    #[error("{} (see `ldwatch {}--help`)", shown(.text), verb.map(|v| format!("{v} ")).unwrap_or_default())]
    Usage {
        /// What is wrong, with the nearest known word.
        text: String,
        /// The verb it was said to.
        verb: Option<&'static str>,
    },

    /// The configuration cannot be read.
    #[error("cannot read the configuration {}: {source}; {advice}", shown_path(.path))]
    ConfigUnreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
        /// What to do about it.
        advice: &'static str,
    },

    /// The configuration was read and is not valid.
    #[error("{}", listed(.origin, .problems))]
    ConfigInvalid {
        /// The file, or the environment variable.
        origin: String,
        /// All that is wrong with it.
        problems: Vec<Problem>,
    },

    /// A capability is missing.
    #[error(
        "cannot {act}: {source}; needs {capability}: start ldwatch as root, see CAPABILITIES in ldwatch(8)"
    )]
    Privilege {
        /// What was tried (`open a fanotify group`).
        act: &'static str,
        /// The capability it needs.
        capability: &'static str,
        /// What the kernel answered.
        source: io::Error,
    },

    /// No way of watching works on this kernel.
    #[error("this kernel offers no way to watch: {}: {source}; `ldwatch probe` shows what was tried", shown(.tried))]
    NoRung {
        /// What was tried last.
        tried: String,
        /// What the kernel answered.
        source: io::Error,
    },

    /// Something went wrong at run time.
    #[error("cannot {act} {}: {source}; {advice}", shown(.on))]
    Failed {
        /// What was done (`write the status file`).
        act: &'static str,
        /// On what.
        on: String,
        /// What the kernel answered.
        source: io::Error,
        /// What to do about it.
        advice: &'static str,
    },

    /// The reader of the records went away.
    #[error("nobody reads {sink} any more: {source}; the watcher ends, since alerts would be lost")]
    ReaderGone {
        /// The sink (`standard output`).
        sink: &'static str,
        /// What the kernel answered.
        source: io::Error,
    },

    /// The verb did its work, and what it found is bad news.
    #[error("{verb}: {}", shown(.text))]
    Finding {
        /// The verb.
        verb: &'static str,
        /// The bad news in one sentence.
        text: String,
    },
}

impl Error {
    /// The process's exit code.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage { .. } => EXIT_USAGE,
            Self::ConfigUnreadable { .. } | Self::ConfigInvalid { .. } => EXIT_CONFIG,
            Self::Privilege { .. } => EXIT_NOPERM,
            Self::NoRung { .. } => EXIT_UNAVAILABLE,
            Self::Finding { .. } => EXIT_FINDING,
            Self::Failed { .. } | Self::ReaderGone { .. } => EXIT_FAILURE,
        }
    }
}

/// Text from elsewhere as it may be shown: escaped and bounded.
#[must_use]
pub fn shown(text: &str) -> String {
    escape(text.as_bytes(), LONGEST).shown.into_owned()
}

fn shown_path(path: &Path) -> String {
    let bytes = path.as_os_str().as_encoded_bytes();
    escape(bytes, LONGEST).shown.into_owned()
}

/// One problem fits the line; several take a line each.
fn listed(origin: &str, problems: &[Problem]) -> String {
    let origin = shown(origin);
    match problems {
        [one] => format!("bad configuration: {origin}: {one}"),
        many => {
            let mut text = format!("bad configuration: {origin}: {} problems", many.len());
            for problem in many {
                text.push_str("\n  ");
                text.push_str(&problem.to_string());
            }
            text
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn eperm() -> io::Error {
        io::Error::from_raw_os_error(libc::EPERM)
    }

    #[test]
    fn a_missing_capability_names_act_errno_and_remedy() {
        let error = Error::Privilege {
            act: "open a fanotify group",
            capability: "CAP_SYS_ADMIN",
            source: eperm(),
        };
        let text = error.to_string();
        for part in ["open a fanotify group", "os error 1", "CAP_SYS_ADMIN"] {
            assert!(text.contains(part), "{text}");
        }
        assert_eq!(error.exit_code(), 77);
    }

    #[test]
    fn every_code_of_the_table_is_reachable() {
        let usage = Error::Usage {
            text: String::new(),
            verb: None,
        };
        let config = Error::ConfigInvalid {
            origin: "f".into(),
            problems: Vec::new(),
        };
        let none = Error::NoRung {
            tried: "plain".into(),
            source: eperm(),
        };
        let found = Error::Finding {
            verb: "scan",
            text: "1 file".into(),
        };
        let gone = Error::ReaderGone {
            sink: "standard output",
            source: eperm(),
        };
        let codes = [usage, config, none, found, gone].map(|e| e.exit_code());
        assert_eq!(codes, [64, 78, 69, 3, 1]);
    }

    #[test]
    fn several_problems_take_a_line_each_and_hostile_text_adds_none() {
        let problem = |line, text: &str| Problem {
            place: Some((line, 1)),
            text: text.into(),
        };
        let error = Error::ConfigInvalid {
            origin: "a\nb".into(),
            problems: vec![problem(1, "x\ny"), problem(2, "z")],
        };
        assert_eq!(error.to_string().lines().count(), 3);
    }
}
