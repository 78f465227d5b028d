//! The ways to change a file, by name. What each leaves in the file carries the nonce.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{Error, Read, Result, Write};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use crate::raw;

/// Does what `verb` says to `path`. `extra` is the verb's own argument.
pub fn act(verb: &str, path: &Path, nonce: &str, extra: Option<&str>) -> Result<()> {
    match verb {
        "create" => fs::write(path, line(nonce)),
        "create-long" => fs::write(path, format!("{}/tmp/{nonce}-tail.so\n", line(nonce))),
        "append" => OpenOptions::new()
            .append(true)
            .open(path)?
            .write_all(line(nonce).as_bytes()),
        "truncate-write" => OpenOptions::new()
            .write(true)
            .truncate(true)
            .open(path)?
            .write_all(line(nonce).as_bytes()),
        "truncate2" => raw::truncate(path, first_line_length(path)?),
        "held-fd" => held(path, nonce, extra),
        "double" => double(path, nonce),
        "mmap-store" => raw::mmap_store(path, line(nonce).as_bytes()),
        "fallocate" => raw::fallocate(&OpenOptions::new().write(true).open(path)?),
        "copy_file_range" | "sendfile" | "splice" => kernel_copy(verb, path, nonce),
        "read" => File::open(path)?.read_to_end(&mut Vec::new()).map(|_| ()),
        _ => act_on_the_name(verb, path, nonce),
    }
}

fn act_on_the_name(verb: &str, path: &Path, nonce: &str) -> Result<()> {
    match verb {
        "rename-outside" => fs::rename(outside(nonce)?, path),
        "rename-inside" => {
            let beside = path.with_file_name(format!(".{nonce}"));
            fs::write(&beside, line(nonce))?;
            fs::rename(beside, path)
        }
        "exchange" => raw::exchange(&outside(nonce)?, path),
        "link" => fs::hard_link(outside(nonce)?, path),
        "symlink" => symlink(outside(nonce)?, path),
        "tmpfile-link" => raw::tmpfile_link(path, line(nonce).as_bytes()),
        "chmod" => {
            let mode = fs::metadata(path)?.permissions().mode();
            fs::set_permissions(path, Permissions::from_mode((mode & 0o7777) ^ 0o022))
        }
        "chown" => chown(path, Some(1), Some(1)),
        "unlink" => fs::remove_file(path),
        "rename-away" => fs::rename(path, format!("/tmp/{nonce}.away")),
        "mkfifo" => raw::mkfifo(path),
        "mkdir" => fs::create_dir(path),
        _ => Err(Error::other(format!("unknown verb {verb}"))),
    }
}

fn line(nonce: &str) -> String {
    format!("/tmp/{nonce}.so\n")
}

/// A file with the content, made in another directory than the target's.
fn outside(nonce: &str) -> Result<PathBuf> {
    let path = PathBuf::from(format!("/tmp/{nonce}.made"));
    fs::write(&path, line(nonce))?;
    Ok(path)
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
