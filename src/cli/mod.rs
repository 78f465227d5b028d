//! FLOOR 6: what the person types, and what it sets going.
//!
//! [`main`] reads the words, does what the verb says and turns the outcome into
//! an exit code. Records go to standard output or the sinks; everything else
//! that is said goes to the own log on standard error.

pub mod args;
pub mod check;
mod help;
pub mod host;
pub mod list;
pub mod log;
pub mod look;
pub mod outlet;
pub mod probe;
pub mod run;
pub mod scan;
pub mod selftest;
pub mod status;
pub mod whois;

use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

use crate::cli::args::Command;
use crate::error::{EXIT_OK, Error};
use crate::selftest::run::VERB;
use crate::watch::outpost;

/// The program.
#[must_use]
pub fn main() -> ExitCode {
    log::init();
    let words: Vec<_> = std::env::args_os().skip(1).collect();
    let outcome = match words.split_first() {
        // Not for people: the watcher starts itself as an outpost.
        Some((verb, rest)) if verb == outpost::VERB => outpost::run(rest).map_err(lost),
        // Not for people: the self-test starts itself as the attacker.
        Some((verb, rest)) if verb == VERB => selftest::attacker(rest),
        _ => args::parse(words).and_then(dispatch),
    };
    match outcome {
        Ok(()) => ExitCode::from(EXIT_OK),
        Err(error) => {
            ::log::error!("{error}");
            ExitCode::from(error.exit_code())
        }
    }
}

fn lost(source: io::Error) -> Error {
    Error::Failed {
        act: "look from",
        on: "an outpost".to_owned(),
        source,
        advice: "this is a part of `ldwatch run`",
    }
}

fn dispatch(command: Command) -> Result<(), Error> {
    match command {
        Command::Help(verb) => say(&help::text(verb)),
        Command::Version => say(concat!("ldwatch ", env!("CARGO_PKG_VERSION"), "\n")),
        Command::Check(options) => say(&check::run(options.config.as_deref())?),
        Command::Run(options) => run::run(options),
        Command::Scan(options) => scan::run(options),
        Command::List(options) => list::run(&options),
        Command::Whois {
            pid,
            proc_root,
            json,
        } => whois::run(pid, proc_root.as_deref(), json),
        Command::Probe(options) => probe::run(&options),
        Command::Selftest(options) => selftest::run(&options),
        Command::Status(options) => status::run(&options),
    }
}

/// Text for the person, on standard output. A reader that has seen enough
/// (`ldwatch --help | head`) is no failure; a full disk is one.
pub(crate) fn say(text: &str) -> Result<(), Error> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(source) if source.kind() != ErrorKind::BrokenPipe => Err(Error::Failed {
            act: "write to",
            on: "standard output".to_owned(),
            source,
            advice: "see where it is redirected to",
        }),
        _ => Ok(()),
    }
}
