//! The ways to change what a name means: renames, links, symbolic links, swaps.

use std::fs;
use std::io::{Error, Result};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::raw;
use crate::verbs::{line, outside, outside_link};

/// Does what `verb` says to the name `path`.
pub fn act(verb: &str, path: &Path, nonce: &str, extra: Option<&str>) -> Result<()> {
    match verb {
        "rename-outside" => fs::rename(outside(nonce)?, path),
        "rename-inside" => {
            let beside = path.with_file_name(format!(".{nonce}"));
            fs::write(&beside, line(nonce))?;
            fs::rename(beside, path)
        }
        "rename-link" => fs::rename(outside_link(nonce)?, path),
        "rename-fifo" => {
            let fifo = PathBuf::from(format!("/tmp/{nonce}.fifo"));
            raw::mkfifo(&fifo)?;
            fs::rename(fifo, path)
        }
        "exchange" => raw::exchange(&outside(nonce)?, path),
        "link" => fs::hard_link(outside(nonce)?, path),
        "symlink" => symlink(outside(nonce)?, path),
        "tmpfile-link" => raw::tmpfile_link(path, line(nonce).as_bytes()),
        "unlink" => fs::remove_file(path),
        "rename-away" => fs::rename(path, format!("/tmp/{nonce}.away")),
        "mkfifo" => raw::mkfifo(path),
        "mkdir" => fs::create_dir(path),
        "remove-all" => fs::remove_dir_all(path),
        // Long enough for the watcher to have looked at what came before.
        "pause" => {
            std::thread::sleep(std::time::Duration::from_millis(600));
            Ok(())
        }
        "mknod" => raw::mknod(path),
        "flip" => flip(path, nonce, extra),
        _ => with_another(verb, path, nonce, extra),
    }
}

/// The name is a link that leads to one new file after the other, `extra` times; all of
/// them stay. Slowly enough that each may be noticed.
fn flip(path: &Path, nonce: &str, extra: Option<&str>) -> Result<()> {
    let count: u32 = extra.and_then(|text| text.parse().ok()).unwrap_or(100);
    for number in 0..count {
        let target = PathBuf::from(format!("/tmp/{nonce}.{number}"));
        fs::write(&target, line(nonce))?;
        let link = path.with_file_name(format!(".{nonce}"));
        symlink(target, &link)?;
        fs::rename(link, path)?;
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    Ok(())
}

/// Verbs that need a second path.
fn with_another(verb: &str, path: &Path, nonce: &str, extra: Option<&str>) -> Result<()> {
    let another = || extra.ok_or_else(|| Error::other(format!("{verb} needs another path")));
    match verb {
        // A further name for the file, elsewhere.
        "link-to" => fs::hard_link(path, another()?),
        // The name leads to a new file at a place of the caller's choice.
        "symlink-to" => {
            let target = another()?;
            parents(target)?;
            fs::write(target, format!("{}/tmp/{nonce}-tail.so\n", line(nonce)))?;
            symlink(target, path)
        }
        // The directory makes room for one that holds the file below it.
        "swap-directory" => raw::exchange(&made(path, nonce, another()?)?, path),
        "replace-directory" => {
            let made = made(path, nonce, another()?)?;
            fs::rename(path, path.with_file_name(format!("{nonce}.away")))?;
            fs::rename(made, path)
        }
        // The directory makes room for a link to one that holds the file.
        "swap-for-link" => {
            let link = PathBuf::from(format!("/tmp/{nonce}.link"));
            symlink(made(path, nonce, another()?)?, &link)?;
            raw::exchange(&link, path)
        }
        _ => Err(Error::other(format!("unknown verb {verb}"))),
    }
}

/// A directory beside `path` with the file at `below` in it; an empty one for `-`.
fn made(path: &Path, nonce: &str, below: &str) -> Result<PathBuf> {
    let directory = path.with_file_name(format!("{nonce}.directory"));
    fs::create_dir(&directory)?;
    if below != "-" {
        let file = directory.join(below);
        parents(&file)?;
        fs::write(file, line(nonce))?;
    }
    Ok(directory)
}

fn parents(path: impl AsRef<Path>) -> Result<()> {
    path.as_ref().parent().map_or(Ok(()), fs::create_dir_all)
}
