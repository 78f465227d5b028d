//! What the mark costs others: open and close of a file in a marked `etc`, against a
//! file in a directory of the same root filesystem that is not marked, in turns.

use std::fs::{self, File};
use std::os::fd::OwnedFd;

use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::Mode;

use crate::clock::{Series, now, ratio};
use crate::support::overlay::Image;
use crate::support::scratch::Scratch;
use crate::tail::Tail;

/// Prints the table of `count` turns each.
pub fn run(count: usize) {
    let image = Image::new();
    for directory in ["etc", "opt/etc"] {
        fs::write(image.lower().join(directory).join("beside"), "x\n").unwrap();
    }
    let container = image.start().unwrap_or_else(|reason| panic!("{reason}"));
    let marked = directory(&container.merged.join("etc"));
    let unmarked = directory(&container.merged.join("opt/etc"));
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
    measure("after it has ended");
}

fn directory(path: &std::path::Path) -> OwnedFd {
    let flags = OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let fd = open(path, flags, Mode::empty()).unwrap();
    // The first open for writing copies the file up; that is not to be measured.
    drop(File::from(once(&fd, OFlag::O_WRONLY)));
    fd
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
