//! Objects, links and contents that an honest program does not make. A text
//! in hexadecimal may hold any byte.

use std::ffi::OsString;
use std::fs::{self, File, Permissions};
use std::io::{Error, Result, Write};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use nix::mount::{MsFlags, mount};

use crate::verbs::line;

/// A line that no list of libraries has.
const LONG: usize = 1 << 20;
const SPARSE: u64 = 64 << 30;

/// Does what `verb` says; `None` when it is no such verb.
pub fn odd_act(verb: &str, path: &Path, nonce: &str, extra: Option<&str>) -> Option<Result<()>> {
    let text = extra.unwrap_or_default();
    Some(match verb {
        "socket" => UnixListener::bind(path).map(drop),
        "sparse" => sparse(path, nonce),
        "long-line" => fs::write(path, line(nonce) + &"a".repeat(LONG)),
        "grow" => grow(path, nonce),
        "unreadable" => fs::write(path, line(nonce))
            .and_then(|()| fs::set_permissions(path, Permissions::from_mode(0o0))),
        "full" => full(path),
        "read-only" => read_only(path, nonce),
        "bytes" => fs::write(path, [line(nonce).as_bytes(), &hex(text)].concat()),
        "link-text" => symlink(OsString::from_vec(hex(text)), path),
        "symlink-text" => symlink(text, path),
        "relink" => {
            fs::rename(path, format!("/tmp/{nonce}.away")).and_then(|()| symlink(text, path))
        }
        "chain" => chain(path, nonce, text.parse().unwrap_or(1)),
        "directory" => fs::create_dir_all(path),
        "many" => many(path, nonce, text.parse().unwrap_or(100)),
        _ => return None,
    })
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .bytes()
        .filter_map(|byte| (byte as char).to_digit(16))
        .filter_map(|d| u8::try_from(d).ok())
        .collect();
    digits
        .chunks(2)
        .map(|pair| pair.iter().fold(0, |value, digit| value << 4 | digit))
        .collect()
}

fn sparse(path: &Path, nonce: &str) -> Result<()> {
    let mut file = File::create(path)?;
    file.write_all(line(nonce).as_bytes())?;
    file.set_len(SPARSE)
}

/// Writes without pause for a second: whoever reads to the end never gets there.
fn grow(path: &Path, nonce: &str) -> Result<()> {
    let mut file = File::create(path)?;
    file.write_all(line(nonce).as_bytes())?;
    let end = Instant::now() + Duration::from_secs(1);
    while Instant::now() < end {
        file.write_all(&[b'x'; 1 << 16])?;
    }
    Ok(())
}

/// A filesystem over `etc` in which there is room for a name, and for no byte behind it.
fn full(path: &Path) -> Result<()> {
    let parent = over(path, "size=4k")?;
    fs::write(parent.join("filler"), [0; 4096])?;
    match fs::write(path, "no room") {
        Err(error) if error.raw_os_error() == Some(libc::ENOSPC) => Ok(()),
        done => done,
    }
}

fn read_only(path: &Path, nonce: &str) -> Result<()> {
    let parent = over(path, "size=64k")?;
    fs::write(path, line(nonce))?;
    let (none, flags) = (None::<&str>, MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY);
    Ok(mount(none, parent, none, flags, none)?)
}

fn over<'a>(path: &'a Path, options: &str) -> Result<&'a Path> {
    let parent = path.parent().ok_or_else(|| Error::other("no directory"))?;
    let kind = Some("tmpfs");
    mount(kind, parent, kind, MsFlags::empty(), Some(options))?;
    Ok(parent)
}

/// `path` leads to a file by so many links.
fn chain(path: &Path, nonce: &str, links: u32) -> Result<()> {
    let mut target = PathBuf::from(format!("/tmp/{nonce}.end"));
    fs::write(&target, line(nonce))?;
    for number in 1..links {
        let link = PathBuf::from(format!("/tmp/{nonce}.{number}"));
        symlink(&target, &link)?;
        target = link;
    }
    symlink(target, path)
}

/// So many processes as fast as they can be made, each with a write of its own, and one more.
fn many(path: &Path, nonce: &str, count: usize) -> Result<()> {
    let one = |name: String| {
        Command::new("/bin/attack")
            .arg("create")
            .arg(path)
            .arg(name)
            .status()
    };
    thread::scope(|scope| {
        for hand in 0..4 {
            let one = &one;
            scope.spawn(move || {
                (0..count / 4).try_for_each(|n| one(format!("{nonce}-{hand}-{n}")).map(drop))
            });
        }
    });
    one(format!("{nonce}-end")).map(drop)
}
