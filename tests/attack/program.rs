//! The attack program of the black-box tests: one verb, one way to change a file.
//!
//! `attack VERB PATH NONCE` leaves a line `/tmp/NONCE.so` in the file (or changes
//! what is there), prints nothing and exits 0; 77 means that the act is not possible
//! here, with the reason on stderr. `first`, `sleep`, `contain`, `enter` and `rooted`
//! make and enter containers (see `contain`). It knows nothing of the watcher it is to be
//! caught by, and it is linked statically so that it runs in an empty root.

#![allow(clippy::print_stderr)]

mod contain;
mod raw;
mod verbs;

use std::ffi::OsString;
use std::io::{Error, Result};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

/// Exit status for an act that this filesystem or kernel does not offer.
const NOT_POSSIBLE: u8 = 77;

fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().skip(1).collect();
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if not_possible(&error) => {
            eprintln!("attack: not possible here: {error}");
            ExitCode::from(NOT_POSSIBLE)
        }
        Err(error) => {
            eprintln!("attack: {error}");
            ExitCode::FAILURE
        }
    }
}

fn not_possible(error: &Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EOPNOTSUPP | libc::ENOSYS | libc::EXDEV | libc::EROFS)
    )
}

fn run(args: &[OsString]) -> Result<()> {
    let word = |n: usize| args.get(n).and_then(|a| a.to_str());
    match (word(0), word(1), word(2)) {
        (Some("contain"), Some(merged), _) => contain::contain(Path::new(merged), rest(args)),
        (Some("enter"), Some(pid), _) => contain::enter(pid, rest(args)),
        (Some("first"), Some(nonce), _) => {
            verbs::act("create", Path::new("/etc/ld.so.preload"), nonce, None)?;
            sleep()
        }
        (Some("sleep"), ..) => sleep(),
        (Some("rooted"), ..) => contain::rooted(),
        (Some(verb), Some(path), Some(nonce)) => verbs::act(verb, Path::new(path), nonce, word(3)),
        _ => Err(Error::other("usage: attack VERB PATH NONCE")),
    }
}

fn rest(args: &[OsString]) -> &[OsString] {
    args.get(2..).unwrap_or_default()
}

/// Ten minutes: longer than any test, short enough that nothing stays for ever.
fn sleep() -> Result<()> {
    std::thread::sleep(Duration::from_secs(600));
    Ok(())
}
