//! The system calls that `std` does not offer. The only unsafe code of the tests.

#![allow(unsafe_code)]

use std::ffi::CString;
use std::fs::{File, OpenOptions};
use std::io::{Error, Result, Write};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::ptr;

use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
use nix::sys::stat::Mode;
use nix::unistd::pipe;

/// truncate(2): no descriptor, so no close either.
pub fn truncate(path: &Path, length: usize) -> Result<()> {
    let length = i64::try_from(length).map_err(Error::other)?;
    Ok(nix::unistd::truncate(path, length)?)
}

/// renameat2(2) with RENAME_EXCHANGE.
pub fn exchange(from: &Path, to: &Path) -> Result<()> {
    Ok(renameat2(
        AT_FDCWD,
        from,
        AT_FDCWD,
        to,
        RenameFlags::RENAME_EXCHANGE,
    )?)
}

/// mkfifo(3).
pub fn mkfifo(path: &Path) -> Result<()> {
    Ok(nix::unistd::mkfifo(path, Mode::from_bits_truncate(0o644))?)
}

/// A file without a name (O_TMPFILE) that then gets one.
pub fn tmpfile_link(path: &Path, content: &[u8]) -> Result<()> {
    let directory = path.parent().unwrap_or(Path::new("/"));
    let mut file = OpenOptions::new()
        .write(true)
        .custom_flags(libc::O_TMPFILE)
        .mode(0o644)
        .open(directory)?;
    file.write_all(content)?;
    let new = c_path(path)?;
    // SAFETY: both paths are NUL-terminated and live across the call; the descriptor is open.
    let done = unsafe {
        libc::linkat(
            file.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_FDCWD,
            new.as_ptr(),
            libc::AT_EMPTY_PATH,
        )
    };
    if done == 0 {
        return Ok(());
    }
    // Without CAP_DAC_READ_SEARCH the name below /proc is the way (open(2), O_TMPFILE).
    let old = c_path(Path::new(&format!("/proc/self/fd/{}", file.as_raw_fd())))?;
    // SAFETY: both paths are NUL-terminated and live across the call.
    let done = unsafe {
        libc::linkat(
            libc::AT_FDCWD,
            old.as_ptr(),
            libc::AT_FDCWD,
            new.as_ptr(),
            libc::AT_SYMLINK_FOLLOW,
        )
    };
    check(i64::from(done))
}

/// Grows the file by a page without a write.
pub fn fallocate(file: &File) -> Result<()> {
    let length = i64::try_from(file.metadata()?.len()).map_err(Error::other)?;
    // SAFETY: the descriptor is open; the call touches no memory of this process.
    let done = unsafe { libc::fallocate(file.as_raw_fd(), 0, length, 4096) };
    check(i64::from(done))
}

/// Overwrites the start of the file through a shared mapping.
pub fn mmap_store(path: &Path, content: &[u8]) -> Result<()> {
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    if file.metadata()?.len() < content.len() as u64 {
        return Err(Error::other("the file is too short for the store"));
    }
    // SAFETY: a fresh mapping at an address of the kernel's choice; nothing is replaced.
    let at = unsafe {
        libc::mmap(
            ptr::null_mut(),
            content.len(),
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED,
            file.as_raw_fd(),
            0,
        )
    };
    if at == libc::MAP_FAILED {
        return Err(Error::last_os_error());
    }
    // SAFETY: the mapping is `content.len()` bytes long, writable and backed by the
    // file (checked above), and does not overlap `content`.
    unsafe { ptr::copy_nonoverlapping(content.as_ptr(), at.cast::<u8>(), content.len()) };
    // SAFETY: the range is exactly the mapping made above and is not used afterwards.
    let done = unsafe { libc::munmap(at, content.len()) };
    check(i64::from(done))
}

/// copy_file_range(2).
pub fn copy_file_range(from: &File, to: &File, length: usize) -> Result<()> {
    let (from, to) = (from.as_raw_fd(), to.as_raw_fd());
    // SAFETY: both descriptors are open; null offsets mean the files' own positions.
    let done =
        unsafe { libc::copy_file_range(from, ptr::null_mut(), to, ptr::null_mut(), length, 0) };
    check(i64::try_from(done).map_err(Error::other)?)
}

/// sendfile(2).
pub fn sendfile(from: &File, to: &File, length: usize) -> Result<()> {
    let (from, to) = (from.as_raw_fd(), to.as_raw_fd());
    // SAFETY: both descriptors are open; a null offset means the file's own position.
    let done = unsafe { libc::sendfile(to, from, ptr::null_mut(), length) };
    check(i64::try_from(done).map_err(Error::other)?)
}

/// splice(2) through a pipe.
pub fn splice(from: &File, to: &File, length: usize) -> Result<()> {
    let (read, write) = pipe()?;
    splice_once(from.as_raw_fd(), write.as_raw_fd(), length)?;
    splice_once(read.as_raw_fd(), to.as_raw_fd(), length)
}

fn splice_once(from: i32, to: i32, length: usize) -> Result<()> {
    // SAFETY: both descriptors are open; null offsets mean the files' own positions.
    let done = unsafe { libc::splice(from, ptr::null_mut(), to, ptr::null_mut(), length, 0) };
    check(i64::try_from(done).map_err(Error::other)?)
}

fn check(result: i64) -> Result<()> {
    if result < 0 {
        return Err(Error::last_os_error());
    }
    Ok(())
}

fn c_path(path: &Path) -> Result<CString> {
    CString::new(path.as_os_str().as_bytes()).map_err(Error::other)
}
