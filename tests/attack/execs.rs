//! Writers that execute, rename themselves or fork: what they do to be taken for another.

use std::convert::Infallible;
use std::ffi::{CString, OsStr};
use std::fs;
use std::io::{Error, ErrorKind, Result};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use nix::sys::prctl::set_name;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, execv};

use crate::verbs::line;
use crate::{harmless, raw};

/// Longer than any argument may be (`MAX_ARG_STRLEN`, 128 KiB).
const TOO_LONG: usize = 256 * 1024;
/// As long as a watcher may be late that is not real time.
const STAY: Duration = Duration::from_millis(50);

/// Does what `verb` says, when it is one of these. `extra` is a program or a name.
pub fn act(verb: &str, path: &Path, nonce: &str, extra: Option<&str>) -> Option<Result<()>> {
    let extra = extra.unwrap_or_default();
    Some(match verb {
        "renamed-briefly" => renamed(path, nonce, extra),
        "execve-too-big" => too_big(path, nonce, extra),
        "handover" => become_one(extra, &["create", &path.to_string_lossy(), nonce]),
        "write-execve" => write_first(path, nonce, extra),
        "child-write-execve" => child_writes_first(path, nonce, extra),
        "script-write-execve" => fails_first(path, nonce, extra),
        "stay" => {
            sleep(STAY);
            Ok(())
        }
        "forked" => forked(path, nonce),
        "execs" => execs(nonce, extra),
        _ => return None,
    })
}

fn write(path: &Path, nonce: &str) -> Result<()> {
    harmless("create", path)?;
    fs::write(path, line(nonce))
}

/// Takes another name, as ps shows it, before it writes.
fn renamed(path: &Path, nonce: &str, name: &str) -> Result<()> {
    set_name(&CString::new(name)?)?;
    write(path, nonce)
}

/// Opens a program to execute it, fails, and writes.
fn too_big(path: &Path, nonce: &str, program: &str) -> Result<()> {
    let long = "x".repeat(TOO_LONG);
    match become_one(program, &[&long]) {
        Err(error) if error.raw_os_error() == Some(libc::E2BIG) => write(path, nonce),
        Err(error) => Err(error),
        Ok(()) => Err(Error::other("it was executed")),
    }
}

/// Writes, and is another program at once.
fn write_first(path: &Path, nonce: &str, program: &str) -> Result<()> {
    write(path, nonce)?;
    become_one(program, &["stay", &path.to_string_lossy(), nonce])
}

/// The same after a script that has no interpreter: the next program could be taken for that.
fn fails_first(path: &Path, nonce: &str, program: &str) -> Result<()> {
    let script = format!("/bin/{nonce}.sh");
    fs::write(&script, "#!/bin/missing\n")?;
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755))?;
    match become_one(&script, &[]) {
        Err(error) if error.kind() == ErrorKind::NotFound => sleep(STAY),
        done => return done,
    }
    write_first(path, nonce, program)
}

/// The same by a child that has executed nothing until then.
fn child_writes_first(path: &Path, nonce: &str, program: &str) -> Result<()> {
    in_a_child(|| write_first(path, nonce, program))
}

/// Executes a program in this very process.
fn become_one(program: &str, args: &[&str]) -> Result<()> {
    let text = |text: &str| CString::new(OsStr::new(text).as_bytes()).map_err(Error::other);
    let mut argv = vec![text(program)?];
    for arg in args {
        argv.push(text(arg)?);
    }
    let never: Infallible = execv(&text(program)?, &argv)?;
    match never {}
}

/// A child writes that executed nothing itself.
fn forked(path: &Path, nonce: &str) -> Result<()> {
    in_a_child(|| write(path, nonce))
}

fn in_a_child(act: impl FnOnce() -> Result<()>) -> Result<()> {
    match raw::fork()? {
        ForkResult::Child => raw::exit_at_once(i32::from(act().is_err())),
        ForkResult::Parent { child } => match waitpid(child, None)? {
            WaitStatus::Exited(_, 0) => Ok(()),
            status => Err(Error::other(format!("the child: {status:?}"))),
        },
    }
}

/// Executes the program `nonce` as often as `count` says, one process after the other.
fn execs(program: &str, count: &str) -> Result<()> {
    let count: u32 = count.parse().map_err(Error::other)?;
    for _ in 0..count {
        Command::new(program).status()?;
    }
    Ok(())
}
