//! What the mark costs others: open and close of a file in a marked `etc`, against a
//! file in a directory of the same root filesystem that is not marked, in turns.

use std::fs;
use std::os::fd::OwnedFd;

use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::Mode;

use crate::bare::Bare;
use crate::clock::{Series, now, ratio};
use crate::memory::Many;
use crate::support::scratch::Scratch;
use crate::tail::Tail;

/// Prints the table of `count` turns each.
pub fn run(count: usize) {
    // Without a process, so that no other watcher on this machine finds it.
    let mut many = Many::new();
    let root = many.mount(1);
    let marked = directory(&root.join("etc"));
    let unmarked = directory(&root.join("opt/etc"));
    println!("open and close of a file in etc / in another directory; {count} turns, ns");
    println!(
        "  {:<40}{:>10}{:>10}{:>8}",
        "", "etc p50", "other p50", "ratio"
    );
    let measure = |name: &str| {
        for (how, flags) in [("read", OFlag::O_RDONLY), ("write", OFlag::O_WRONLY)] {
            turns(
                &format!("{name}, opened to {how}"),
                &marked,
                &unmarked,
                flags,
                count,
            );
        }
    };
    measure("before ldwatch runs");
    let files = Scratch::new();
    let ldwatch = Tail::ldwatch(files.path());
    measure("ldwatch runs");
    ldwatch.stop();
    let bare = Bare::start(&root.join("etc"));
    measure("an inotify reader instead");
    drop(bare.stop());
    measure("nobody watches");
}

fn directory(path: &std::path::Path) -> OwnedFd {
    fs::write(path.join("beside"), "x\n").unwrap();
    let flags = OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    open(path, flags, Mode::empty()).unwrap()
}

fn once(directory: &OwnedFd, flags: OFlag) -> OwnedFd {
    openat(directory, "beside", flags | OFlag::O_CLOEXEC, Mode::empty()).unwrap()
}

fn turns(name: &str, marked: &OwnedFd, unmarked: &OwnedFd, flags: OFlag, count: usize) {
    let time = |directory: &OwnedFd| {
        let start = now();
        drop(once(directory, flags));
        now() - start
    };
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for _ in 0..count {
        with.push(time(marked));
        without.push(time(unmarked));
    }
    let (with, without) = (Series::of(with), Series::of(without));
    let (with, without) = (with.percentile(50), without.percentile(50));
    println!(
        "  {name:<40}{with:>10}{without:>10}{:>8}",
        ratio(with, without)
    );
}
