//! `ldwatch run`: watch, until told to stop.

use std::io;

use crate::cli::args;
use crate::cli::outlet::{Configured, load, options};
use crate::error::Error;
use crate::watch::run::{Ended, Watch};

/// Watches until a signal asks to end.
///
/// # Errors
/// Configuration, capability, kernel, or the reader of the records that is gone.
pub fn run(typed: args::Options) -> Result<(), Error> {
    let config = load(&typed)?;
    let outlet = Configured::open(&config, typed)?;
    let watch = Watch::new(options(&config), Box::new(outlet)).map_err(refused)?;
    match watch.run() {
        Ok(Ended::Asked) => Ok(()),
        Ok(Ended::ReaderGone(why)) => Err(Error::ReaderGone {
            sink: "standard output",
            source: io::Error::other(why),
        }),
        Err(source) => Err(Error::Failed {
            act: "wait for",
            on: "events".to_owned(),
            source,
            advice: "the service manager starts the watcher again",
        }),
    }
}

/// What a group that cannot be made means to the person.
pub fn refused(source: io::Error) -> Error {
    match source.raw_os_error() {
        Some(libc::EPERM) => Error::Privilege {
            act: "open a fanotify group",
            capability: "CAP_SYS_ADMIN",
            source,
        },
        Some(libc::EINVAL | libc::ENOSYS) => Error::NoRung {
            tried: "named: a fanotify group that reports names".to_owned(),
            source,
        },
        _ => Error::Failed {
            act: "open",
            on: "a fanotify group".to_owned(),
            source,
            advice: "see fs.fanotify.max_user_groups and the limit of open files",
        },
    }
}
