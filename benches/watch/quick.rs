//! Writers in a hurry: each opens, writes, closes and ends, and is reaped at once.

#![allow(unsafe_code)]

use std::fs;
use std::io::{Error, Result};
use std::process::Command;

use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, fork};

use crate::clock::now;
use crate::support::PRELOAD;
use crate::support::overlay::Image;
use crate::support::{dynamic, gate, tiny};
use crate::writer::{PROGRAM, Stamps, in_the_container, write as write_here};

/// Where the static writer, the script and a static shell are in the container.
pub const STATIC: &str = "/bin/writer";
pub const SCRIPT: &str = "/bin/script";
pub const SHELL: &str = "/bin/busybox";
/// A link to `etc` that exists in the bench's containers alone: the static writer, which
/// asks no questions, finds nothing elsewhere.
const WAY: &str = "/ldwatch-bench-etc";

/// How a writer comes to be, and the executable that then writes.
pub struct How {
    /// Its name, also on the command line.
    pub name: String,
    /// What must be named.
    pub executable: String,
}

/// Puts the writers into the image, for texts of that length; gives those that there are.
pub fn place(image: &Image, length: usize) -> Vec<How> {
    let lower = image.lower();
    let at = |path: &str| lower.join(path.trim_start_matches('/'));
    std::os::unix::fs::symlink("etc", at(WAY)).unwrap();
    let target = format!("{WAY}/ld.so.preload");
    if !tiny::writer(&at(STATIC), &target, u8::try_from(length).unwrap()) {
        fs::copy(at(PROGRAM), at(STATIC)).unwrap();
    }
    let how = |name: &str, executable: &str| How {
        name: name.to_owned(),
        executable: executable.to_owned(),
    };
    let mut all = vec![how("exec", STATIC), how("fork", PROGRAM)];
    match gate::find("busybox") {
        Some(busybox) => {
            fs::copy(busybox, at(SHELL)).unwrap();
            let text = format!("#!{SHELL} sh\necho \"$1\" > {PRELOAD}\n");
            fs::write(at(SCRIPT), text).unwrap();
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            fs::set_permissions(at(SCRIPT), mode).unwrap();
            all.extend([how("sh", SHELL), how("script", SHELL)]);
        }
        None => println!("left out: sh, script (no busybox)"),
    }
    match dynamic::place(image, "dash") {
        Ok(dash) => all.push(how(&format!("dynamic:{dash}"), &dash)),
        Err(reason) => println!("left out: dynamic ({reason})"),
    }
    all
}

/// One write, by a process that comes for it.
pub fn write(how: &str, text: &str) -> Result<Stamps> {
    let echo = format!("echo {text} > {PRELOAD}");
    let before = now();
    match how {
        "exec" if fs::metadata(STATIC)?.len() < 4096 => run(STATIC, &[text])?,
        "exec" => run(STATIC, &["quick", text])?,
        "sh" => run(SHELL, &["sh", "-c", &echo])?,
        "script" => run(SCRIPT, &[text])?,
        "fork" => forked(text)?,
        _ => match how.split_once(':') {
            Some(("dynamic", dash)) => run(dash, &["-c", &echo])?,
            _ => return Err(Error::other(format!("no such writer: {how}"))),
        },
    }
    Ok((before, now()))
}

/// `quick TEXT`: the static writer of an architecture that has no smaller one.
pub fn once(text: &str) -> Result<()> {
    in_the_container()?;
    write_here(text)?;
    exit_at_once(0)
}

fn run(program: &str, args: &[&str]) -> Result<()> {
    // A loader complains of what the file names.
    let status = Command::new(program)
        .args(args)
        .stderr(fs::File::create("/tmp/complaints")?)
        .status()?;
    if status.success() {
        return Ok(());
    }
    Err(Error::other(format!("{program}: {status}")))
}

fn forked(text: &str) -> Result<()> {
    // SAFETY: this process has one thread, so no lock is held by another.
    match unsafe { fork() }? {
        ForkResult::Child => exit_at_once(i32::from(write_here(text).is_err())),
        ForkResult::Parent { child } => {
            waitpid(child, None)?;
            Ok(())
        }
    }
}

fn exit_at_once(status: i32) -> ! {
    // SAFETY: ends the process; nothing of it is needed any more.
    unsafe { libc::_exit(status) }
}
