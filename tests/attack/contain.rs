//! Makes and enters the hand-made containers of `tests/support/overlay.rs`.
//!
//! `attack contain MERGED CGROUP… [bind:FROM:TO…] -- ARGV` joins the cgroups, takes
//! MERGED as root of a private mount namespace, binds FROM (of the host) on TO (in the
//! container) and runs ARGV there; `attack enter PID CGROUP… -- ARGV` joins the cgroups,
//! enters the mount namespace and the root of PID, and runs ARGV; it refuses a root that
//! is the machine's. `attack rooted` tells whether such containers can be made here
//! without harm.

use std::env::set_current_dir;
use std::ffi::OsString;
use std::fs::{self, File, Metadata};
use std::io::{Error, Result};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, setns, unshare};
use nix::unistd::{chroot, fchdir, pivot_root};

/// Becomes the first process of a container whose root is `merged`.
pub fn contain(merged: &Path, rest: &[OsString]) -> Result<()> {
    let argv = join_cgroups(rest)?;
    unshare(CloneFlags::CLONE_NEWNS)?;
    let none = None::<&str>;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)?;
    for (from, to) in binds(rest) {
        let to = merged.join(to.trim_start_matches('/'));
        mount(Some(from), &to, none, MsFlags::MS_BIND, none)?;
    }
    set_current_dir(merged)?;
    // pivot_root(2): with "." twice the old root is stacked on the new one, and goes at once.
    pivot_root(".", ".")?;
    umount2(".", MntFlags::MNT_DETACH)?;
    set_current_dir("/")?;
    exec(argv)
}

/// Runs a program inside the container whose first process is `pid`.
pub fn enter(pid: &str, rest: &[OsString]) -> Result<()> {
    let namespace = File::open(format!("/proc/{pid}/ns/mnt"))?;
    let root = File::open(format!("/proc/{pid}/root"))?;
    let there = place(&root.metadata()?);
    for machine in ["/", "/proc/1/root"] {
        // Where pid 1 is out of sight there is nothing to compare.
        let same = fs::metadata(machine).is_ok_and(|here| place(&here) == there);
        if same {
            return Err(Error::other(format!("the root of {pid} is the machine's")));
        }
    }
    let argv = join_cgroups(rest)?;
    setns(&namespace, CloneFlags::CLONE_NEWNS)?;
    fchdir(&root)?;
    chroot(".")?;
    if place(&fs::metadata("/")?) != there {
        return Err(Error::other("this is not the container's root"));
    }
    exec(argv)
}

/// Whether this process has the root of its mount namespace as its root.
///
/// In a chroot it has not, and there a runtime's exec (setns(2) takes the namespace's
/// root) lands outside the container: the attack would hit the machine itself.
pub fn rooted() -> Result<()> {
    let namespace = File::open("/proc/self/ns/mnt")?;
    let before = place(&fs::metadata("/")?);
    setns(&namespace, CloneFlags::CLONE_NEWNS)?;
    if place(&fs::metadata("/")?) == before {
        return Ok(());
    }
    Err(Error::other(
        "this is a chroot: containers made here reach the machine's own files",
    ))
}

fn place(root: &Metadata) -> (u64, u64) {
    (root.dev(), root.ino())
}

/// What stands before `--` as `bind:FROM:TO`.
fn binds(rest: &[OsString]) -> impl Iterator<Item = (&str, &str)> {
    let words = rest.iter().take_while(|word| *word != "--");
    words
        .filter_map(|word| word.to_str()?.strip_prefix("bind:"))
        .filter_map(|pair| pair.split_once(':'))
}

/// Moves this process to each directory named before `--`; gives what follows it.
fn join_cgroups(rest: &[OsString]) -> Result<&[OsString]> {
    let mut parts = rest.splitn(2, |word| word == "--");
    let words = parts.next().unwrap_or_default();
    let is_bind = |word: &OsString| word.to_string_lossy().starts_with("bind:");
    for directory in words.iter().filter(|word| !is_bind(word)) {
        fs::write(PathBuf::from(directory).join("cgroup.procs"), "0")?;
    }
    parts
        .next()
        .ok_or_else(|| Error::other("no -- in the arguments"))
}

fn exec(argv: &[OsString]) -> Result<()> {
    let (program, args) = argv
        .split_first()
        .ok_or_else(|| Error::other("nothing to run"))?;
    // A container's environment is not the host's.
    Err(Command::new(program).env_clear().args(args).exec())
}
