//! The ways to change a file, by name. What each leaves in the file carries the nonce.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{Error, Read, Result, Write};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::{names, raw, uring};

/// Does what `verb` says to `path`. `extra` is the verb's own argument.
pub fn act(verb: &str, path: &Path, nonce: &str, extra: Option<&str>) -> Result<()> {
    match verb {
        "create" => fs::write(path, line(nonce)),
        "create-long" => fs::write(path, format!("{}/tmp/{nonce}-tail.so\n", line(nonce))),
        "content" => fs::write(path, extra.unwrap_or_default()),
        "touch" => OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .map(|_| ()),
        "append" => append(path, nonce),
        "truncate-write" => OpenOptions::new()
            .write(true)
            .truncate(true)
            .open(path)?
            .write_all(line(nonce).as_bytes()),
        "truncate2" => raw::truncate(path, first_line_length(path)?),
        "held-fd" => held(path, nonce, extra),
        "double" => double(path, nonce),
        "rewrite" => rewrite(path, nonce),
        "flap" => flap(path, nonce),
        "masked" => masked(path, nonce),
        "storm" => storm(path, nonce, extra),
        "flood" => flood(path, nonce, extra),
        "swarm" => swarm(path, nonce, extra),
        "mmap-store" => raw::mmap_store(path, line(nonce).as_bytes()),
        "fallocate" => raw::fallocate(&OpenOptions::new().write(true).open(path)?),
        "copy_file_range" | "sendfile" | "splice" => kernel_copy(verb, path, nonce),
        "io_uring" => uring::create(path, line(nonce).as_bytes()),
        "read" => File::open(path)?.read_to_end(&mut Vec::new()).map(|_| ()),
        "chmod" => {
            let mode = fs::metadata(path)?.permissions().mode();
            fs::set_permissions(path, Permissions::from_mode((mode & 0o7777) ^ 0o022))
        }
        "chown" => chown(path, Some(1), Some(1)),
        "setxattr" => raw::setxattr(path, nonce.as_bytes()),
        "chattr+i" => raw::immutable(path, true),
        "chattr-i" => raw::immutable(path, false),
        _ => names::act(verb, path, nonce, extra),
    }
}

/// The line that an act leaves.
pub fn line(nonce: &str) -> String {
    format!("/tmp/{nonce}.so\n")
}

/// A file with the content, made in another directory than the target's.
pub fn outside(nonce: &str) -> Result<PathBuf> {
    let path = PathBuf::from(format!("/tmp/{nonce}.made"));
    fs::write(&path, line(nonce))?;
    Ok(path)
}

/// A symbolic link that leads to such a file.
pub fn outside_link(nonce: &str) -> Result<PathBuf> {
    let path = PathBuf::from(format!("/tmp/{nonce}.link"));
    symlink(outside(nonce)?, &path)?;
    Ok(path)
}

fn append(path: &Path, nonce: &str) -> Result<()> {
    let mut file = OpenOptions::new().append(true).open(path)?;
    file.write_all(line(nonce).as_bytes())
}

fn first_line_length(path: &Path) -> Result<usize> {
    let content = fs::read(path)?;
    let end = content.iter().position(|byte| *byte == b'\n');
    end.map(|at| at.saturating_add(1))
        .ok_or_else(|| Error::other("the file has no line to keep"))
}

/// Writes and keeps the descriptor open for `extra` milliseconds.
fn held(path: &Path, nonce: &str, extra: Option<&str>) -> Result<()> {
    let ms = extra.and_then(|text| text.parse().ok()).unwrap_or(1000);
    let mut file = File::create(path)?;
    file.write_all(line(nonce).as_bytes())?;
    sleep(Duration::from_millis(ms));
    Ok(())
}

/// Two acts, far enough apart that they are not one.
fn double(path: &Path, nonce: &str) -> Result<()> {
    act("create", path, &format!("{nonce}-a"), None)?;
    sleep(Duration::from_millis(200));
    act("append", path, &format!("{nonce}-b"), None)
}

/// Two writes of one size as fast as they follow: within one tick of the clock that
/// stamps files, nothing but the content tells them apart.
fn rewrite(path: &Path, nonce: &str) -> Result<()> {
    act("create", path, &format!("{nonce}-one"), None)?;
    let mut file = OpenOptions::new().write(true).open(path)?;
    file.write_all(line(&format!("{nonce}-end")).as_bytes())
}

/// Takes the file away and puts it back again and again, as around a tool that looks.
fn flap(path: &Path, nonce: &str) -> Result<()> {
    for round in 0..20 {
        act("create", path, &format!("{nonce}-{round}"), None)?;
        sleep(Duration::from_millis(2));
        fs::remove_file(path)?;
    }
    act("create", path, &format!("{nonce}-end"), None)
}

/// Writes the file while the arguments lie in a file, and stays a moment.
fn masked(path: &Path, nonce: &str) -> Result<()> {
    let page = PathBuf::from(format!("/tmp/{nonce}.page"));
    std::thread::scope(|scope| {
        let all = || {
            raw::arguments_from(&page)?;
            act("held-fd", path, nonce, Some("300"))
        };
        let done = scope.spawn(all).join();
        done.unwrap_or_else(|_| Err(Error::other("the thread ended badly")))
    })
}

/// Makes and removes `extra` files of other names in the directory of `path`.
fn storm(path: &Path, nonce: &str, extra: Option<&str>) -> Result<()> {
    let count: u32 = extra.and_then(|text| text.parse().ok()).unwrap_or(1000);
    for number in 0..count {
        let other = path.with_file_name(format!("{nonce}.{number}"));
        File::create(&other)?;
        fs::remove_file(other)?;
    }
    Ok(())
}

/// For `extra` seconds ("SECONDS:ROUNDS", rounds a second): in each round the file is
/// written, and eight files of other names come and go beside it.
fn flood(path: &Path, nonce: &str, extra: Option<&str>) -> Result<()> {
    let words = extra.and_then(|text| text.split_once(':'));
    let numbers = words.and_then(|(time, rounds)| Some((time.parse().ok()?, rounds.parse().ok()?)));
    let (seconds, rounds): (u64, u32) = numbers.unwrap_or((1, 1000));
    let begun = Instant::now();
    for round in 0.. {
        let due = Duration::from_secs(1) / rounds * round;
        if due.max(begun.elapsed()) > Duration::from_secs(seconds) {
            return Ok(());
        }
        sleep(due.saturating_sub(begun.elapsed()));
        fs::write(path, line(&format!("{nonce}-{round}")))?;
        for number in 0..8 {
            let other = path.with_file_name(format!("{nonce}.{round}.{number}"));
            File::create(&other)?;
            fs::remove_file(other)?;
        }
    }
    Ok(())
}

/// For `extra` seconds: a process after the other writes the file and ends.
fn swarm(path: &Path, nonce: &str, extra: Option<&str>) -> Result<()> {
    let seconds = extra.and_then(|text| text.parse().ok()).unwrap_or(1);
    let end = Instant::now() + Duration::from_secs(seconds);
    while Instant::now() < end {
        let mut writer = Command::new("/bin/attack");
        writer.arg("truncate-write").arg(path).arg(nonce).status()?;
    }
    Ok(())
}

fn kernel_copy(verb: &str, path: &Path, nonce: &str) -> Result<()> {
    let from = File::open(outside(nonce)?)?;
    let to = File::create(path)?;
    let length = line(nonce).len();
    match verb {
        "copy_file_range" => raw::copy_file_range(&from, &to, length),
        "sendfile" => raw::sendfile(&from, &to, length),
        _ => raw::splice(&from, &to, length),
    }
}
