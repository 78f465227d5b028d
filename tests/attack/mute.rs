//! A FUSE server that never answers one kind of question: `attack mute PATH OPERATION`
//! mounts it on PATH (a directory, or a file that is there), says `ok` and serves until
//! it is killed, three minutes at most. Below it is one file of any name that begins
//! with `l` (linux/fuse.h; only what a look at that file needs).

use std::fs::{self, File, OpenOptions};
use std::io::{Error, Read, Result, Write, stdout};
use std::os::fd::{AsFd, AsRawFd};
use std::path::Path;
use std::time::{Duration, Instant};

use nix::mount::{MsFlags, mount};
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::stat::{Mode, SFlag, makedev, mknod};

const LOOKUP: u32 = 1;
const FORGET: u32 = 2;
const GETATTR: u32 = 3;
const OPEN: u32 = 14;
const READ: u32 = 15;
const STATFS: u32 = 17;
const INIT: u32 = 26;
const OPENDIR: u32 = 27;
const INTERRUPT: u32 = 36;
const BATCH_FORGET: u32 = 42;
/// RELEASE, FLUSH, READDIR, RELEASEDIR, DESTROY: nothing to say, and no error.
const NOTHING: [u32; 5] = [18, 25, 28, 29, 38];

const ROOT: u64 = 1;
const CONTENT: &[u8] = b"/tmp/behind-fuse.so\n";
/// Longer than any test, short enough that nothing stays for ever.
const LIFE: Duration = Duration::from_secs(180);

/// Mounts and serves.
pub fn serve(path: &Path, operation: &str) -> Result<()> {
    let muted = match operation {
        "lookup" => LOOKUP,
        "getattr" => GETATTR,
        "open" => OPEN,
        "read" => READ,
        "statfs" => STATFS,
        // Answers everything.
        "none" => 0,
        _ => return Err(Error::other(format!("no operation {operation}"))),
    };
    let root_is_file = fs::symlink_metadata(path)?.is_file();
    let mut device = device()?;
    let mode = if root_is_file { "100644" } else { "40000" };
    let options = format!(
        "fd={},rootmode={mode},user_id=0,group_id=0,allow_other",
        device.as_raw_fd()
    );
    let (kind, flags) = (Some("fuse"), MsFlags::empty());
    mount(Some("ldwt-mute"), path, kind, flags, Some(options.as_str()))?;
    stdout().write_all(b"ok\n")?;
    stdout().flush()?;
    let end = Instant::now() + LIFE;
    let mut request = vec![0; 256 * 1024];
    while Instant::now() < end {
        let mut ready = [PollFd::new(device.as_fd(), PollFlags::POLLIN)];
        if poll(&mut ready, 1000u16)? == 0 {
            continue;
        }
        let length = device.read(&mut request)?;
        let request = request.get(..length).unwrap_or_default();
        let (opcode, unique, node) = (u32_at(request, 4), u64_at(request, 8), u64_at(request, 16));
        if opcode == muted || [FORGET, BATCH_FORGET, INTERRUPT].contains(&opcode) {
            continue;
        }
        let is_file = root_is_file || node != ROOT;
        answer(&mut device, unique, reply(opcode, request, is_file))?;
    }
    Ok(())
}

/// A device of its own: a container's root has none.
fn device() -> Result<File> {
    let path = format!("/tmp/{}.fuse", std::process::id());
    let mode = Mode::from_bits_truncate(0o600);
    mknod(path.as_str(), SFlag::S_IFCHR, mode, makedev(10, 229))?;
    let device = OpenOptions::new().read(true).write(true).open(&path);
    fs::remove_file(&path)?;
    device
}

fn answer(device: &mut File, unique: u64, reply: std::result::Result<Vec<u8>, i32>) -> Result<()> {
    let (error, body) = match reply {
        Ok(body) => (0, body),
        Err(errno) => (-errno, Vec::new()),
    };
    let length = u32::try_from(16 + body.len()).map_err(Error::other)?;
    let mut message = Vec::new();
    message.extend(length.to_ne_bytes());
    message.extend(error.to_ne_bytes());
    message.extend(unique.to_ne_bytes());
    message.extend(body);
    match device.write_all(&message) {
        // Whoever asked did not wait for the answer.
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(()),
        done => done,
    }
}

fn reply(opcode: u32, request: &[u8], is_file: bool) -> std::result::Result<Vec<u8>, i32> {
    match opcode {
        // Major 7, minor 31; the largest write 64 KiB; nothing else is asked for.
        INIT => Ok(words(&[
            7, 31, 0, 0, 0, 65536, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        ])),
        LOOKUP if request.get(40) == Some(&b'l') => {
            Ok([words(&[2, 0, 0, 0, 0, 0, 0, 0, 0, 0]), attributes(true)].concat())
        }
        LOOKUP => Err(libc::ENOENT),
        GETATTR => Ok([words(&[0; 4]), attributes(is_file)].concat()),
        OPEN | OPENDIR => Ok(words(&[0; 4])),
        READ if u64_at(request, 48) == 0 => Ok(CONTENT.to_vec()),
        READ => Ok(Vec::new()),
        STATFS => Ok(words(&[0; 20])),
        _ if NOTHING.contains(&opcode) => Ok(Vec::new()),
        _ => Err(libc::ENOSYS),
    }
}

/// `struct fuse_attr`.
fn attributes(is_file: bool) -> Vec<u8> {
    let (node, size, mode) = match is_file {
        true => (2, u32::try_from(CONTENT.len()).unwrap_or(0), 0o100_644),
        false => (1, 0, 0o40_755),
    };
    // ino, size, blocks, three times, their nanoseconds; mode, links, uid, gid, rdev, block size, flags.
    words(&[
        node, 0, size, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0,
    ])
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_ne_bytes()).collect()
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let word = bytes.get(at..at + 4).and_then(|word| word.try_into().ok());
    u32::from_ne_bytes(word.unwrap_or_default())
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let word = bytes.get(at..at + 8).and_then(|word| word.try_into().ok());
    u64::from_ne_bytes(word.unwrap_or_default())
}
