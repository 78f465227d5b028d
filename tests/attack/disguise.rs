//! Writers that are not what they seem, and that stay for a moment afterwards, so that
//! whoever looks at them finds them alive.

use std::ffi::CString;
use std::fs;
use std::io::{Error, Result, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::prctl::set_name;
use nix::unistd::fexecve;

use crate::uring;
use crate::verbs::line;

/// How long they stay.
const STAY: Duration = Duration::from_secs(3);
/// Long enough to be read once, and gone when the executable is looked for.
const SEEN: Duration = Duration::from_millis(3);
const OWN: &str = "/bin/attack";

/// `None`: the verb is none of these. `extra` is the name taken or the time stayed.
pub fn act(verb: &str, path: &Path, nonce: &str, extra: Option<&str>) -> Option<Result<()>> {
    Some(match verb {
        "linger" => linger(path, nonce),
        "leave" => {
            let written = late(path, nonce);
            thread::sleep(SEEN);
            written
        }
        "thread" => in_a_thread(path, nonce),
        "worker" => by_a_worker(path, nonce),
        "renamed" => renamed(path, nonce, extra.unwrap_or("dockerd")),
        "copied" => copied(path, nonce, "linger"),
        "deleted" => copied(path, nonce, "linger-unnamed"),
        "linger-unnamed" => fs::remove_file(copy_of(nonce)).and_then(|()| linger(path, nonce)),
        "memfd" => from_memory(path, nonce),
        _ => return None,
    })
}

/// It writes some time after it was executed: of one that executed another program about
/// when it wrote it is not known which of the two did.
fn linger(path: &Path, nonce: &str) -> Result<()> {
    late(path, nonce)?;
    thread::sleep(STAY);
    Ok(())
}

fn late(path: &Path, nonce: &str) -> Result<()> {
    thread::sleep(Duration::from_millis(100));
    fs::write(path, line(nonce))
}

/// The write comes from a worker of the kernel, and the process stays.
fn by_a_worker(path: &Path, nonce: &str) -> Result<()> {
    uring::create(path, line(nonce).as_bytes())?;
    thread::sleep(STAY);
    Ok(())
}

/// The write comes from a thread with a name of its own.
fn in_a_thread(path: &Path, nonce: &str) -> Result<()> {
    let (to, nonce) = (path.to_owned(), nonce.to_owned());
    let writer = thread::Builder::new().name("a-thread".to_owned());
    let writer = writer.spawn(move || linger(&to, &nonce))?;
    let panicked = |_| Error::other("the thread panicked");
    writer.join().map_err(panicked)?
}

fn renamed(path: &Path, nonce: &str, name: &str) -> Result<()> {
    set_name(&CString::new(name)?)?;
    linger(path, nonce)
}

fn copy_of(nonce: &str) -> PathBuf {
    PathBuf::from(format!("/tmp/{nonce}.prog"))
}

/// The write comes from a copy of this program that is new in the container.
fn copied(path: &Path, nonce: &str, verb: &str) -> Result<()> {
    fs::copy(OWN, copy_of(nonce))?;
    let mut command = Command::new(copy_of(nonce));
    Err(command.arg(verb).arg(path).arg(nonce).exec())
}

/// The write comes from a copy of this program that never was a file.
fn from_memory(path: &Path, nonce: &str) -> Result<()> {
    let memory = memfd_create("box", MFdFlags::MFD_CLOEXEC)?;
    fs::File::from(memory.try_clone()?).write_all(&fs::read(OWN)?)?;
    let words = [
        b"box",
        b"linger".as_slice(),
        path.as_os_str().as_bytes(),
        nonce.as_bytes(),
    ];
    let words: Vec<CString> = words
        .into_iter()
        .map(CString::new)
        .collect::<std::result::Result<_, _>>()?;
    let none: &[CString] = &[];
    fexecve(&memory, &words, none)?;
    Ok(())
}
