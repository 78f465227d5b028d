//! Mounts over the file and over `etc`. Only inside a container's mount namespace:
//! the caller has made sure of it.

use std::fs;
use std::io::{Error, Result};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};

use crate::verbs::{act, outside};

const NONE: Option<&str> = None;

/// Does what `verb` says; `None` when it is no mount.
pub fn mount_act(verb: &str, path: &Path, nonce: &str, extra: Option<&str>) -> Option<Result<()>> {
    let done = match verb {
        "bind" => bind(&outside_or(extra, nonce), path),
        "bind-directory" => bind_directory(path, nonce),
        "tmpfs" => tmpfs(path),
        "tmpfs-create" => within(path, nonce, tmpfs),
        "overlay" => overlay(path, nonce),
        "overlay-create" => within(path, nonce, |parent| overlay(parent, nonce)),
        "proc" => fs::create_dir_all(path).and_then(|()| {
            mounted(mount(
                Some("proc"),
                path,
                Some("proc"),
                MsFlags::empty(),
                NONE,
            ))
        }),
        "umount" => umount(path),
        "bomb" => bomb(nonce, extra.unwrap_or_default()),
        _ => return None,
    };
    Some(done)
}

/// The file named, or a fresh one with the content.
fn outside_or(extra: Option<&str>, nonce: &str) -> Result<PathBuf> {
    extra.map_or_else(|| outside(nonce), |path| Ok(PathBuf::from(path)))
}

fn bind(from: &Result<PathBuf>, path: &Path) -> Result<()> {
    match from {
        Ok(from) => mounted(mount(Some(from), path, NONE, MsFlags::MS_BIND, NONE)),
        Err(error) => Err(Error::other(error.to_string())),
    }
}

/// Whoever looks at the mount in this moment keeps it busy, and not for long.
fn umount(path: &Path) -> Result<()> {
    for _ in 0..100 {
        match umount2(path, MntFlags::empty()) {
            Err(Errno::EBUSY) => sleep(Duration::from_millis(10)),
            done => return mounted(done),
        }
    }
    Err(Error::other("the mount stays busy"))
}

/// Mounts in a tree of them.
const TREE: u64 = 1000;

/// `COUNT:SECONDS`: so many mounts, or as many as the kernel allows one namespace
/// (sysctl fs.mount-max), and then the last one comes and goes.
fn bomb(nonce: &str, extra: &str) -> Result<()> {
    let numbers: Vec<u64> = extra
        .split(':')
        .filter_map(|one| one.parse().ok())
        .collect();
    let &[count, seconds] = &*numbers else {
        return Err(Error::other("COUNT:SECONDS"));
    };
    let base = PathBuf::from(format!("/tmp/{nonce}.bomb"));
    fs::create_dir(&base)?;
    tmpfs(&base)?;
    let (first, last) = (base.join("first"), base.join("last"));
    fs::create_dir(&last)?;
    bind(&Ok(last.clone()), &last)?;
    fs::create_dir(&first)?;
    bind(&Ok(first.clone()), &first)?;
    for number in 0..count.min(TREE) {
        let next = first.join(number.to_string());
        fs::create_dir(&next)?;
        bind(&Ok(next.clone()), &next)?;
    }
    // Whole trees: each single mount would cost time by the number of all before it.
    let tree = MsFlags::MS_BIND | MsFlags::MS_REC;
    for number in 1..count / TREE {
        let next = base.join(number.to_string());
        fs::create_dir(&next)?;
        match mount(Some(&first), &next, NONE, tree, NONE) {
            Err(Errno::ENOSPC) => break,
            done => mounted(done)?,
        }
    }
    let end = Instant::now() + Duration::from_secs(seconds);
    while Instant::now() < end {
        umount(&last)?;
        bind(&Ok(last.clone()), &last)?;
    }
    Ok(())
}

/// A directory that holds the file, over the one in which it is looked up.
fn bind_directory(path: &Path, nonce: &str) -> Result<()> {
    let made = PathBuf::from(format!("/tmp/{nonce}.etc"));
    fs::create_dir(&made)?;
    act("create", &beside(&made, path)?, nonce, None)?;
    bind(&Ok(made), parent(path)?)
}

fn tmpfs(path: &Path) -> Result<()> {
    let flags = MsFlags::empty();
    mounted(mount(Some("tmpfs"), path, Some("tmpfs"), flags, NONE))
}

/// An overlay over a directory, with its writable layer on a tmpfs: an overlay takes
/// no other overlay as its upper.
fn overlay(path: &Path, nonce: &str) -> Result<()> {
    let base = PathBuf::from(format!("/tmp/{nonce}.layer"));
    fs::create_dir(&base)?;
    tmpfs(&base)?;
    for name in ["upper", "work"] {
        fs::create_dir(base.join(name))?;
    }
    let (lower, base) = (path.display(), base.display());
    let options = format!("lowerdir={lower},upperdir={base}/upper,workdir={base}/work");
    let (kind, flags) = (Some("overlay"), MsFlags::empty());
    mounted(mount(kind, path, kind, flags, Some(options.as_str())))
}

/// Mounts over the file's directory and at once creates the file in what is there now.
fn within(path: &Path, nonce: &str, over: impl Fn(&Path) -> Result<()>) -> Result<()> {
    over(parent(path)?)?;
    act("create", path, nonce, None)
}

fn parent(path: &Path) -> Result<&Path> {
    path.parent().ok_or_else(|| Error::other("no directory"))
}

fn beside(directory: &Path, path: &Path) -> Result<PathBuf> {
    let name = path.file_name().ok_or_else(|| Error::other("no name"))?;
    Ok(directory.join(name))
}

fn mounted(done: nix::Result<()>) -> Result<()> {
    Ok(done?)
}
