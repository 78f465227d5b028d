//! FLOOR 6: the configuration. The structs below are the whole of it, their
//! defaults stand in one place, and `packaging/ldwatch.toml` says the same in words.
//!
//! Reading has three steps: the file (`read`), its text to values with unknown
//! keys refused (`document`), and what the values mean together (`validate`).
//! All problems are told at once.

mod document;
mod fields;
mod read;
mod validate;
mod values;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use crate::error::{Error, Problem};
use crate::output::syslog::LOCAL_CAP;

pub use document::{keys, parse};
pub use values::{Facility, RungChoice, StdoutFormat, SyslogFormat};

/// The file read when none is named. It may be missing.
pub const DEFAULT_PATH: &str = "/etc/ldwatch/ldwatch.toml";
/// Environment variable that forces a rung, whatever the file says.
pub const RUNG_VARIABLE: &str = "LDWATCH_RUNG";

/// Everything that can be configured.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// `event.module` of alerts.
    pub event_module: String,
    /// Time between two looks at every container; `None`: no sweep.
    #[serde(deserialize_with = "values::duration_or_off")]
    pub sweep: Option<Duration>,
    /// Time between two signs of life; `None`: none.
    #[serde(deserialize_with = "values::duration_or_off")]
    pub heartbeat: Option<Duration>,
    /// How long triggers of one act are gathered.
    #[serde(deserialize_with = "values::duration")]
    pub settle: Duration,
    /// Where the last known state is kept; `None`: nowhere.
    #[serde(deserialize_with = "values::path_or_off")]
    pub state_dir: Option<PathBuf>,
    /// The status file; `None`: not written.
    #[serde(deserialize_with = "values::path_or_off")]
    pub status_file: Option<PathBuf>,
    /// Bytes of the file quoted in an alert, at most.
    pub content_limit: usize,
    /// The watch loop runs under `SCHED_FIFO` when the kernel allows.
    pub realtime: bool,
    /// A trail is kept of the programs that containers execute.
    pub exec_trail: bool,
    /// Forces one rung for all root filesystems.
    pub rung: RungChoice,
    /// Standard output.
    pub stdout: Stdout,
    /// A file of JSON lines.
    pub file: File,
    /// Syslog.
    pub syslog: Syslog,
    /// The journal's own socket.
    pub journal: Journal,
    /// Where runtimes keep their files.
    pub runtimes: Runtimes,
}

/// `[stdout]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Stdout {
    /// What is printed.
    pub format: StdoutFormat,
}

/// `[file]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct File {
    /// The file appended to; `None`: off.
    #[serde(deserialize_with = "values::path_or_off")]
    pub path: Option<PathBuf>,
}

/// `[syslog]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Syslog {
    /// Records are sent.
    pub enabled: bool,
    /// The datagram socket of the local daemon.
    pub socket: PathBuf,
    /// The facility.
    pub facility: Facility,
    /// The framing.
    pub format: SyslogFormat,
    /// Bytes of one message without its frame, at most.
    pub max_length: usize,
}

/// `[journal]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Journal {
    /// Records are sent.
    pub enabled: bool,
    /// The journal's native socket.
    pub socket: PathBuf,
}

/// `[runtimes]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Runtimes {
    /// Further state roots of runc and crun, beside the usual ones.
    pub state_roots: Vec<PathBuf>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            event_module: "ldwatch".to_owned(),
            sweep: Some(Duration::from_secs(30)),
            heartbeat: None,
            settle: Duration::from_millis(5),
            state_dir: Some(PathBuf::from("/var/lib/ldwatch")),
            status_file: Some(PathBuf::from("/run/ldwatch/status.json")),
            content_limit: 4096,
            realtime: true,
            exec_trail: true,
            rung: RungChoice::Auto,
            stdout: Stdout {
                format: StdoutFormat::Auto,
            },
            file: File { path: None },
            syslog: Syslog {
                enabled: false,
                socket: PathBuf::from("/dev/log"),
                facility: Facility::Authpriv,
                format: SyslogFormat::Rfc3164,
                max_length: LOCAL_CAP,
            },
            journal: Journal {
                enabled: false,
                socket: PathBuf::from("/run/systemd/journal/socket"),
            },
            runtimes: Runtimes {
                state_roots: Vec::new(),
            },
        }
    }
}

/// A table that is not in the file is the one of [`Config::default`].
macro_rules! default_from_config {
    ($($table:ident: $field:ident),+) => {$(
        impl Default for $table {
            fn default() -> Self {
                Config::default().$field
            }
        }
    )+};
}

default_from_config!(Stdout: stdout, File: file, Syslog: syslog, Journal: journal, Runtimes: runtimes);

impl Config {
    /// What standard output gets, once the command line and the terminal are known.
    ///
    /// `auto` prints text on a terminal; into a pipe it prints JSON lines, unless
    /// another sink is on, since the records are then already going somewhere.
    #[must_use]
    pub fn printing(&self, json: bool, terminal: bool) -> StdoutFormat {
        match self.stdout.format {
            _ if json => StdoutFormat::Json,
            StdoutFormat::Auto if terminal => StdoutFormat::Text,
            StdoutFormat::Auto if self.sinks_elsewhere() => StdoutFormat::Off,
            StdoutFormat::Auto => StdoutFormat::Json,
            fixed => fixed,
        }
    }

    /// A sink besides standard output is on.
    #[must_use]
    pub fn sinks_elsewhere(&self) -> bool {
        self.file.path.is_some() || self.syslog.enabled || self.journal.enabled
    }

    /// Forces the rung named by the environment.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`], when it is no rung.
    pub fn force_rung(&mut self, value: Option<&OsStr>) -> Result<(), Error> {
        let Some(value) = value else { return Ok(()) };
        let word = value.to_string_lossy();
        self.rung = RungChoice::named(&word).ok_or_else(|| Error::ConfigInvalid {
            origin: format!("environment variable {RUNG_VARIABLE}"),
            problems: vec![Problem {
                place: None,
                text: format!("`{word}` is no rung; use auto, named, split or plain"),
            }],
        })?;
        Ok(())
    }
}

/// Where a configuration came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// This file.
    File(PathBuf),
    /// There is no file; nothing was configured.
    Defaults,
}

/// The configuration a verb runs with: the named file, or the default one, which
/// may be missing.
///
/// # Errors
/// [`Error::ConfigUnreadable`] or [`Error::ConfigInvalid`].
pub fn load(explicit: Option<&Path>) -> Result<(Config, Source), Error> {
    load_from(explicit, Path::new(DEFAULT_PATH))
}

fn load_from(explicit: Option<&Path>, default: &Path) -> Result<(Config, Source), Error> {
    let path = explicit.unwrap_or(default);
    if explicit.is_none() && read::is_missing(path) {
        return Ok((Config::default(), Source::Defaults));
    }
    Ok((check(path)?, Source::File(path.to_owned())))
}

/// Reads and validates one file, which must exist.
///
/// # Errors
/// [`Error::ConfigUnreadable`] or [`Error::ConfigInvalid`], with every problem found.
pub fn check(path: &Path) -> Result<Config, Error> {
    let bytes = read::read(path)?;
    document::parse_bytes(&bytes).map_err(|problems| Error::ConfigInvalid {
        origin: path.to_string_lossy().into_owned(),
        problems,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests;
