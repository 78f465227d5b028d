//! Memory, descriptors and start-up time with no container and with many.

use std::fs;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::Duration;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use serde_json::Value;

use crate::clock::{micros, now};
use crate::process::{cpu, descriptors, status};
use crate::support::command::wait_until;
use crate::support::scratch::Scratch;
use crate::tail::Tail;

/// After this the survey has given up waiting for inits that never come.
const SETTLED: Duration = Duration::from_secs(7);

/// After this nothing is kept of a container that is gone: the last of it are the words of
/// its runtime, for alerts that are still under way.
const FORGOTTEN: Duration = Duration::from_secs(45);

/// Root filesystems without processes: overlays on a tmpfs that share one lower layer.
pub struct Many {
    scratch: Scratch,
    mounted: Vec<PathBuf>,
}

impl Many {
    /// None yet.
    pub fn new() -> Self {
        let scratch = Scratch::new();
        let none = None::<&str>;
        let flags = MsFlags::empty();
        mount(Some("tmpfs"), scratch.path(), Some("tmpfs"), flags, none).unwrap();
        scratch.directory("lower/etc");
        scratch.directory("lower/opt/etc");
        Self {
            scratch,
            mounted: Vec::new(),
        }
    }

    /// Mounts `count` more; gives the last one's root.
    pub fn mount(&mut self, count: usize) -> PathBuf {
        let first = self.mounted.len();
        for number in first..first + count {
            let made = |name: &str| self.scratch.directory(&format!("{number}/{name}"));
            let (upper, work, merged) = (made("upper"), made("work"), made("merged"));
            let options = format!(
                "lowerdir={},upperdir={},workdir={}",
                self.scratch.join("lower").display(),
                upper.display(),
                work.display()
            );
            let kind = Some("overlay");
            let options = Some(options.as_str());
            mount(kind, &merged, kind, MsFlags::empty(), options).unwrap();
            self.mounted.push(merged);
        }
        self.mounted.last().cloned().unwrap_or_default()
    }

    /// Unmounts them all; gives how many would not go.
    pub fn unmount(&mut self) -> usize {
        let gone = |point: &PathBuf| umount2(point, MntFlags::empty()).is_ok();
        self.mounted.drain(..).filter(|point| !gone(point)).count()
    }
}

/// Prints the table for `count` root filesystems.
pub fn run(count: usize) {
    let mut many = Many::new();
    println!(
        "{:<44}{:>12}{:>14}{:>8}{:>14}{:>10}",
        "", "VmRSS KiB", "RssAnon KiB", "fds", "watched", "CPU ms"
    );
    let files = Scratch::new();
    let ldwatch = Tail::ldwatch(files.path());
    sleep(Duration::from_secs(1));
    row("none", &ldwatch, &files);
    many.mount(count);
    sleep(SETTLED);
    row(&format!("{count} came while it watched"), &ldwatch, &files);
    ldwatch.stop();

    let ldwatch = Tail::ldwatch(files.path());
    let ready = ldwatch.logged("ldwatch ready");
    let (at, line) = ready.unwrap_or((now(), String::new()));
    let took = at - ldwatch.started;
    sleep(Duration::from_millis(500));
    row(&format!("{count} were there, just ready"), &ldwatch, &files);
    sleep(SETTLED);
    row("the same, settled", &ldwatch, &files);
    let busy = many.unmount();
    wait_until(SETTLED, || watched(&files) == 0);
    sleep(Duration::from_millis(500));
    row("all unmounted", &ldwatch, &files);
    sleep(FORGOTTEN);
    row("the same, 45 s later", &ldwatch, &files);
    println!("refused to unmount: {busy} (EBUSY)");
    println!("from start to ready: {} us ({line})", micros(took));
    ldwatch.stop();
}

fn row(name: &str, ldwatch: &Tail, files: &Scratch) {
    let path = format!("/proc/{}", ldwatch.pid());
    println!(
        "{name:<44}{:>12}{:>14}{:>8}{:>14}{:>10}",
        status(&path, "VmRSS"),
        status(&path, "RssAnon"),
        descriptors(ldwatch.pid()),
        watched(files),
        cpu(ldwatch.pid()).values().sum::<u64>() / 1_000_000,
    );
}

/// Root filesystems in the status file.
fn watched(files: &Scratch) -> usize {
    let text = fs::read(files.join("status.json")).unwrap_or_default();
    let value: Value = serde_json::from_slice(&text).unwrap_or_default();
    value["containers"].as_array().map_or(0, Vec::len)
}
