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

/// Ends the calling thread alone: the main thread's end is not the process's.
pub fn end_thread() {
    // SAFETY: ends this thread; nothing it owns is used by another.
    unsafe { libc::syscall(libc::SYS_exit, 0) };
}

/// Lays a file over the page of the stack on which the arguments stand: the same bytes,
/// from another place. To be called while the main thread, whose stack it is, sleeps.
pub fn arguments_from(path: &Path) -> Result<()> {
    const PAGE: usize = 4096;
    // SAFETY: takes a number; the kernel put the address there when the program started.
    let name = unsafe { libc::getauxval(libc::AT_EXECFN) };
    // The name of the program stands behind its arguments, at the very end of the stack.
    let page = usize::try_from(name).map_err(Error::other)? & !(PAGE - 1);
    let at = ptr::with_exposed_provenance_mut::<u8>(page);
    // SAFETY: the page is mapped, readable, and nobody writes to it meanwhile.
    let bytes = unsafe { std::slice::from_raw_parts(at, PAGE) };
    std::fs::write(path, bytes)?;
    let file = File::open(path)?;
    let (rights, flags) = (
        libc::PROT_READ | libc::PROT_WRITE,
        libc::MAP_PRIVATE | libc::MAP_FIXED,
    );
    // SAFETY: replaces one page by another with the same content and the same rights.
    let new = unsafe { libc::mmap(at.cast(), PAGE, rights, flags, file.as_raw_fd(), 0) };
    if new == libc::MAP_FAILED {
        return Err(Error::last_os_error());
    }
    Ok(())
}

/// A write lease (fcntl(2), F_SETLEASE), and no heed to being asked for it.
pub fn lease(file: &File) -> Result<()> {
    // SAFETY: ignores a signal; no handler runs.
    unsafe { libc::signal(libc::SIGIO, libc::SIG_IGN) };
    // SAFETY: the descriptor is open; the call takes a number.
    let done = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETLEASE, libc::F_WRLCK) };
    check(i64::from(done))
}

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

/// A shared, writable mapping of the start of a file; unmapped at its end.
pub struct Mapping {
    at: *mut libc::c_void,
    length: usize,
}

impl Mapping {
    /// Maps the first `length` bytes, which the file must have.
    pub fn new(file: &File, length: usize) -> Result<Self> {
        if file.metadata()?.len() < length as u64 {
            return Err(Error::other("the file is too short for the store"));
        }
        // SAFETY: a fresh mapping at an address of the kernel's choice; nothing is replaced.
        let at = unsafe {
            libc::mmap(
                ptr::null_mut(),
                length,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                file.as_raw_fd(),
                0,
            )
        };
        if at == libc::MAP_FAILED {
            return Err(Error::last_os_error());
        }
        Ok(Self { at, length })
    }

    /// Writes at the start, no more than was mapped.
    pub fn store(&self, content: &[u8]) {
        let length = content.len().min(self.length);
        // SAFETY: the mapping is at least `length` bytes long, writable, backed by the
        // file (checked in `new`) and does not overlap `content`.
        unsafe { ptr::copy_nonoverlapping(content.as_ptr(), self.at.cast::<u8>(), length) };
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the range is exactly the mapping made in `new`, not used afterwards.
        unsafe { libc::munmap(self.at, self.length) };
    }
}

/// Overwrites the start of the file through a shared mapping.
pub fn mmap_store(path: &Path, content: &[u8]) -> Result<()> {
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    Mapping::new(&file, content.len())?.store(content);
    Ok(())
}

/// Sets or clears the immutable flag (`chattr +i`, `chattr -i`).
pub fn immutable(path: &Path, on: bool) -> Result<()> {
    const FLAG: libc::c_int = 0x10; // FS_IMMUTABLE_FL, linux/fs.h
    let file = File::open(path)?;
    let mut flags: libc::c_int = 0;
    // SAFETY: the descriptor is open; the kernel writes one int (ioctl_iflags(2)).
    let got = unsafe { libc::ioctl(file.as_raw_fd(), libc::FS_IOC_GETFLAGS, &raw mut flags) };
    unsupported(check(i64::from(got)))?;
    flags = if on { flags | FLAG } else { flags & !FLAG };
    // SAFETY: as above; the kernel reads one int.
    let set = unsafe { libc::ioctl(file.as_raw_fd(), libc::FS_IOC_SETFLAGS, &raw const flags) };
    unsupported(check(i64::from(set)))
}

/// A filesystem without such flags answers ENOTTY.
fn unsupported(done: Result<()>) -> Result<()> {
    done.map_err(|error| match error.raw_os_error() {
        Some(libc::ENOTTY) => Error::from_raw_os_error(libc::EOPNOTSUPP),
        _ => error,
    })
}

/// setxattr(2) of a user attribute.
pub fn setxattr(path: &Path, value: &[u8]) -> Result<()> {
    let path = c_path(path)?;
    // SAFETY: both names are NUL-terminated; `value` is valid for its length.
    let done = unsafe {
        libc::setxattr(
            path.as_ptr(),
            c"user.ldwatch".as_ptr(),
            value.as_ptr().cast(),
            value.len(),
            0,
        )
    };
    check(i64::from(done))
}

/// mknod(2): the device "null", which is harmless to whoever opens it.
pub fn mknod(path: &Path) -> Result<()> {
    let path = c_path(path)?;
    // SAFETY: the path is NUL-terminated; the call reads no other memory.
    let done = unsafe { libc::mknod(path.as_ptr(), libc::S_IFCHR | 0o644, libc::makedev(1, 3)) };
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

/// fork(2), in a process of one thread.
pub fn fork() -> Result<nix::unistd::ForkResult> {
    // SAFETY: this program has one thread, so no lock is held by another.
    Ok(unsafe { nix::unistd::fork() }?)
}

/// _exit(2): nothing of the process is needed any more.
pub fn exit_at_once(status: i32) -> ! {
    // SAFETY: ends the process; nothing runs after it.
    unsafe { libc::_exit(status) }
}
