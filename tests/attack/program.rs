//! The attack program of the black-box tests: one verb, one way to change a file.
//!
//! `attack VERB PATH NONCE [EXTRA]` leaves a line `/tmp/NONCE.so` in the file (or
//! changes what is there), prints nothing and exits 0; 77 means that the act is not
//! possible here, with the reason on stderr. `first`, `sleep`, `hand`, `mute`,
//! `contain`, `enter` and `rooted` make, enter and keep containers (see these modules). It knows
//! nothing of the watcher it is to be caught by, and it is linked statically so that it
//! runs in an empty root. It changes nothing below the `etc` of any other root.

#![allow(clippy::print_stderr)]

mod contain;
mod disguise;
mod execs;
mod hand;
mod mounts;
mod mute;
mod names;
mod odd;
mod raw;
mod uring;
mod verbs;

use std::ffi::OsString;
use std::io::{Error, Result};
use std::path::{Component, Path};
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
            change("create", Path::new("/etc/ld.so.preload"), nonce, None)?;
            sleep()
        }
        (Some("sleep"), ..) => sleep(),
        (Some("headless"), ..) => headless(),
        (Some("rooted"), ..) => contain::rooted(),
        (Some("hand"), Some(path), _) => {
            harmless("hand", Path::new(path))?;
            hand::obey(Path::new(path))
        }
        (Some("mute"), Some(path), Some(operation)) => {
            harmless("mute", Path::new(path))?;
            mute::serve(Path::new(path), operation)
        }
        (Some(verb), Some(path), Some(nonce)) => change(verb, Path::new(path), nonce, word(3)),
        _ => Err(Error::other("usage: attack VERB PATH NONCE [EXTRA]")),
    }
}

fn change(verb: &str, path: &Path, nonce: &str, extra: Option<&str>) -> Result<()> {
    harmless(verb, path)?;
    if let Some(done) = mounts::mount_act(verb, path, nonce, extra) {
        return done;
    }
    if let Some(done) = odd::odd_act(verb, path, nonce, extra) {
        return done;
    }
    if let Some(done) = disguise::act(verb, path, nonce, extra) {
        return done;
    }
    if let Some(done) = execs::act(verb, path, nonce, extra) {
        return done;
    }
    verbs::act(verb, path, nonce, extra)
}

/// Refuses what would reach the machine: an act outside the temporary directories, or
/// a mount, in a root that is no container of the tests. Those hold this program.
fn harmless(verb: &str, path: &Path) -> Result<()> {
    if Path::new("/bin/attack").exists() {
        return Ok(());
    }
    let below = |top: &str| path.starts_with(top);
    let plain = path
        .components()
        .all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
    let mounts = matches!(
        verb,
        "bind" | "bind-directory" | "bomb" | "full" | "mute" | "proc" | "read-only" | "umount"
    ) || verb.starts_with("tmpfs")
        || verb.starts_with("overlay");
    let own = ["/etc", "/proc", "/sys", "/dev", "/bin", "/usr", "/lib"];
    if plain && path.is_absolute() && !mounts && !own.iter().any(|top| below(top)) {
        return Ok(());
    }
    Err(Error::other(format!(
        "{verb} {}: not in a container of the tests",
        path.display()
    )))
}

/// After a moment the main thread ends; another one stays.
fn headless() -> Result<()> {
    std::thread::spawn(sleep);
    std::thread::sleep(Duration::from_secs(2));
    raw::end_thread();
    Ok(())
}

fn rest(args: &[OsString]) -> &[OsString] {
    args.get(2..).unwrap_or_default()
}

/// Ten minutes: longer than any test, short enough that nothing stays for ever.
fn sleep() -> Result<()> {
    std::thread::sleep(Duration::from_secs(600));
    Ok(())
}
