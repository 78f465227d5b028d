//! The writers, run inside a container: one that stays, and one that opens, writes,
//! closes and ends, a new process for each write.
//!
//! Each write is stamped just before close(2) is called and just after it returned.
//! The stamps of a process that ends at once go through a shared page, so that it
//! does nothing after the close but look at the clock.

#![allow(unsafe_code)]

use std::fs::File;
use std::io::{Error, Result, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::ptr;
use std::thread::sleep;
use std::time::Duration;

use nix::sys::memfd::{MFdFlags, memfd_create};

use crate::clock::now;
use crate::quick;
use crate::support::PRELOAD;

/// Stands at the root of the bench's own container, and nowhere else: without it
/// nothing is written.
pub const MARKER: &str = "/ldwatch-bench";
/// Where this program is in the container.
pub const PROGRAM: &str = "/bin/ldwatch-bench";

/// When close(2) was called, and when it had returned.
pub type Stamps = (u64, u64);

/// What a write leaves in the file.
pub fn nonce(tag: &str, number: usize) -> String {
    format!("/tmp/{tag}-{number:06}.so")
}

/// `write HOW TAG COUNT GAP FIRST`: COUNT writes, numbered from FIRST, GAP microseconds
/// apart; the stamps are printed at the end.
pub fn many(how: &str, tag: &str, (first, count): (usize, usize), gap: u64) -> Result<()> {
    in_the_container()?;
    let mut all = Vec::with_capacity(count);
    for number in first..first + count {
        let text = nonce(tag, number);
        all.push(match how {
            "resident" => write(&text)?,
            "once" => by_a_process_of_its_own(&text)?,
            _ => quick::write(how, &text)?,
        });
        sleep(Duration::from_micros(gap));
    }
    let mut out = std::io::stdout().lock();
    for (before, after) in all {
        writeln!(out, "{before} {after}")?;
    }
    Ok(())
}

/// `once TEXT`: one write, the stamps into the page on stdin, and the end.
pub fn once(text: &str) -> Result<()> {
    in_the_container()?;
    let page = shared_page()?;
    let stamps = write(text)?;
    // SAFETY: the page is mapped, writable, aligned and larger than two numbers.
    unsafe { page.write_volatile(stamps) };
    // SAFETY: ends the process at once; nothing of it is needed any more.
    unsafe { libc::_exit(0) }
}

pub fn in_the_container() -> Result<()> {
    if Path::new(MARKER).exists() {
        return Ok(());
    }
    Err(Error::other("this is not the container of the bench"))
}

/// One write by this process.
pub fn write(text: &str) -> Result<Stamps> {
    let mut file = File::create(PRELOAD)?;
    file.write_all(text.as_bytes())?;
    let before = now();
    drop(file);
    Ok((before, now()))
}

fn by_a_process_of_its_own(text: &str) -> Result<Stamps> {
    let page = File::from(memfd_create("stamps", MFdFlags::MFD_CLOEXEC)?);
    page.set_len(4096)?;
    let status = Command::new(PROGRAM)
        .args(["once", text])
        .stdin(Stdio::from(page.try_clone()?))
        .status()?;
    if !status.success() {
        return Err(Error::other("the writer failed"));
    }
    let mut bytes = [0; 8];
    page.read_exact_at(&mut bytes, 0)?;
    let before = u64::from_ne_bytes(bytes);
    page.read_exact_at(&mut bytes, 8)?;
    Ok((before, u64::from_ne_bytes(bytes)))
}

/// Stdin as memory. Touched, so that it costs nothing later.
fn shared_page() -> Result<*mut Stamps> {
    // SAFETY: a fresh mapping at an address of the kernel's choice; nothing is replaced.
    let at = unsafe {
        libc::mmap(
            ptr::null_mut(),
            4096,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED,
            std::io::stdin().as_raw_fd(),
            0,
        )
    };
    if at == libc::MAP_FAILED {
        return Err(Error::last_os_error());
    }
    let page = at.cast::<Stamps>();
    // SAFETY: the page is mapped, writable, aligned and larger than two numbers.
    unsafe { page.write_volatile((0, 0)) };
    Ok(page)
}
