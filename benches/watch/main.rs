//! Measures the running watcher against the targets that the design sets (`scripts/bench`).
//!
//! Nothing here asserts a time: machines differ. It prints figures, and ratios of
//! things measured side by side in one run. Containers are made by hand, in a mount
//! namespace of this process's own, so that nothing of them is seen elsewhere.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]
#![allow(clippy::print_stdout, clippy::print_stderr)]

#[path = "../../tests/support/mod.rs"]
mod support;

mod attribution;
mod bare;
mod clock;
mod idle;
mod latency;
mod memory;
mod overhead;
mod process;
mod quick;
mod tail;
mod trail;
mod writer;

use std::io::{Error, Result};
use std::process::ExitCode;

use ldwatch::survey::mounts::overlays;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};

fn main() -> ExitCode {
    // Cargo adds `--bench`.
    let args: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| word != "--bench")
        .collect();
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &[String]) -> Result<()> {
    let word = |at: usize| args.get(at).map_or("", String::as_str);
    let number = |at: usize, or: usize| word(at).parse().unwrap_or(or);
    match word(0) {
        "write" => {
            let gap = word(4).parse().unwrap_or(5000);
            return writer::many(word(1), word(2), (number(5, 0), number(3, 1)), gap);
        }
        "once" => return writer::once(word(1)),
        "quick" => return quick::once(word(1)),
        how @ ("execs" | "forks") => {
            return trail::execs(word(1), word(2), how == "forks");
        }
        _ => {}
    }
    own_mounts()?;
    match word(0) {
        "latency" => latency::run(number(1, 1000)),
        "memory" => memory::run(number(1, 1000)),
        "idle" => idle::run(number(1, 60)),
        "overhead" => overhead::run(number(1, 10_000)),
        "attribution" => attribution::run(number(1, 2000)),
        "trail" => return trail::run(number(1, 20_000), word(2)),
        _ => {
            return Err(Error::other(
                "latency, memory, idle, overhead, attribution or trail?",
            ));
        }
    }
    Ok(())
}

/// Leaves the host's mount namespace; what is mounted from here on goes with us. The
/// overlays of others that came along are taken out of our copy.
fn own_mounts() -> Result<()> {
    unshare(CloneFlags::CLONE_NEWNS)?;
    let none = None::<&str>;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)?;
    let table = std::fs::read("/proc/self/mountinfo")?;
    let (found, _) = overlays(&table);
    for overlay in found {
        let _ = umount2(&overlay.mountpoint, MntFlags::MNT_DETACH);
    }
    Ok(())
}
