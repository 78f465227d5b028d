//! FLOOR 6: what the person types, and what it sets going.
//!
//! [`main`] reads the words, does what the verb says and turns the outcome into
//! an exit code. Records go to standard output or the sinks; everything else
//! that is said goes to the own log on standard error.

pub mod args;
pub mod check;
mod help;
pub mod log;

use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

use crate::cli::args::{Command, Verb};
use crate::error::{EXIT_OK, Error};

/// The program.
#[must_use]
pub fn main() -> ExitCode {
    log::init();
    let words = std::env::args_os().skip(1);
    match args::parse(words).and_then(dispatch) {
        Ok(()) => ExitCode::from(EXIT_OK),
        Err(error) => {
            ::log::error!("{error}");
            ExitCode::from(error.exit_code())
        }
    }
}

fn dispatch(command: Command) -> Result<(), Error> {
    match command {
        Command::Help(verb) => say(&help::text(verb)),
        Command::Version => say(concat!("ldwatch ", env!("CARGO_PKG_VERSION"), "\n")),
        Command::Check(options) => say(&check::run(options.config.as_deref())?),
        Command::Run(_) => absent(Verb::Run),
        Command::Scan(_) => absent(Verb::Scan),
        Command::List(_) => absent(Verb::List),
        Command::Whois { .. } => absent(Verb::Whois),
        Command::Probe(_) => absent(Verb::Probe),
        Command::Selftest(_) => absent(Verb::Selftest),
        Command::Status(_) => absent(Verb::Status),
    }
}

fn absent(verb: Verb) -> Result<(), Error> {
    Err(Error::Absent { verb: verb.name() })
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
