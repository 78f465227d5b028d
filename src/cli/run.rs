//! `ldwatch run`: watch, until told to stop.

use std::env;
use std::io;

use crate::cli::args;
use crate::cli::outlet::{Configured, load, options};
use crate::error::Error;
use crate::sys::limits::without_thread_caches;
use crate::sys::notify::{Notify, watchdog};
use crate::sys::sched::favour_session;
use crate::watch::run::{Ended, Watch};
use crate::watch::service::Service;

/// Watches until a signal asks to end.
///
/// # Errors
/// Configuration, capability, kernel, or the reader of the records that is gone.
pub fn run(typed: args::Options) -> Result<(), Error> {
    let config = load(&typed)?;
    without_thread_caches();
    // Where it is refused, alerts are later on a busy machine.
    let _ = favour_session();
    let outlet = Configured::open(&config, typed)?;
    let mut watch = Watch::new(options(&config), Box::new(outlet)).map_err(refused)?;
    watch.service = service();
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

/// The service manager that started this process, if one did (sd_notify(3)). One
/// that cannot be spoken to is no reason not to watch.
fn service() -> Service {
    let Some(name) = env::var_os("NOTIFY_SOCKET") else {
        return Service::default();
    };
    let var = |name| env::var_os(name);
    let (usec, pid) = (var("WATCHDOG_USEC"), var("WATCHDOG_PID"));
    let every = watchdog(usec.as_deref(), pid.as_deref(), std::process::id());
    match Notify::to(&name) {
        Ok(notify) => Service::new(notify, every),
        Err(error) => {
            let name = name.to_string_lossy();
            log::warn!("cannot speak to the service manager (NOTIFY_SOCKET={name}): {error}");
            Service::default()
        }
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
            tried: "a fanotify group, the least that every rung needs".to_owned(),
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
