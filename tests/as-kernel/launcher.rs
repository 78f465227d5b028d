//! `as-kernel VERSION [--no-bpf] -- COMMAND…` runs a command as if the kernel were older.
//!
//! A seccomp filter refuses what that kernel does not have, with the errno with which it
//! would; children inherit it. `--no-bpf` (with a version or alone, as root) refuses
//! bpf(2), perf_event_open(2) and audit sockets and hides `/sys/kernel/btf`.
//! `as-kernel --table` prints what is refused, since when it exists, and who says so.
//!
//! A filter sees numbers only. What it cannot do: tell filesystems apart (a named mark on
//! overlay stays accepted), take a field out of an answer (`statx` is refused as a whole
//! when it is asked for a later field), or change what stands in `/proc`.

#![allow(clippy::print_stdout, clippy::print_stderr)]

mod filter;
mod hide;
mod table;

use std::env::args_os;
use std::ffi::OsString;
use std::io::{Error, Result};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use table::{PROFILES, Profile};

const USAGE: &str = "usage: as-kernel VERSION [--no-bpf] -- COMMAND [ARGUMENT...]
       as-kernel --no-bpf -- COMMAND [ARGUMENT...]
       as-kernel --table";

fn main() -> ExitCode {
    let words: Vec<OsString> = args_os().skip(1).collect();
    let told = if words.first().is_some_and(|word| word == "--table") {
        print!("{}", table::text());
        return ExitCode::SUCCESS;
    } else {
        run(&words)
    };
    eprintln!("as-kernel: {told}");
    ExitCode::from(125)
}

/// Becomes the command; comes back with what kept it from that.
fn run(words: &[OsString]) -> Error {
    match prepare(words) {
        Ok([program, arguments @ ..]) => Command::new(program).args(arguments).exec(),
        Ok([]) => Error::other(USAGE),
        Err(error) => error,
    }
}

fn prepare(words: &[OsString]) -> Result<&[OsString]> {
    let mut halves = words.splitn(2, |word| word == "--");
    let (options, command) = (halves.next().unwrap_or_default(), halves.next());
    let command = command.ok_or_else(|| Error::other(USAGE))?;
    let (mut profile, mut no_bpf) = (None, false);
    for option in options {
        match option.to_str() {
            Some("--no-bpf") => no_bpf = true,
            Some(name) => profile = Some(profile_of(name)?),
            None => return Err(Error::other(USAGE)),
        }
    }
    if profile.is_none() && !no_bpf {
        return Err(Error::other(USAGE));
    }
    if no_bpf {
        hide::btf()?;
    }
    filter::install(profile, no_bpf)?;
    Ok(command)
}

fn profile_of(name: &str) -> Result<&'static Profile> {
    let found = PROFILES.iter().find(|profile| profile.name == name);
    found.ok_or_else(|| {
        let names: Vec<&str> = PROFILES.iter().map(|profile| profile.name).collect();
        Error::other(format!("no profile {name}: {}", names.join(", ")))
    })
}
