//! A thread of the watcher that does not come back: told, replaced where that can be, and
//! no reason not to end. A debugger stands for whatever keeps it.

#![allow(clippy::unwrap_used, clippy::expect_used)]
#![allow(clippy::indexing_slicing, clippy::print_stderr)]

mod support;

use std::fs;
use std::time::{Duration, Instant};

use nix::sys::ptrace;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use support::command::wait_until;
use support::overlay::{Image, Overlay};
use support::record::{carries, field, text};
use support::scratch::nonce;
use support::watcher::{Seen, Watcher};
use support::{PRELOAD, gate};

const LONG: Duration = Duration::from_secs(60);

/// A thread that is kept from going on, in the middle of its work.
struct Kept(Pid);

impl Kept {
    /// Keeps the thread of that name at the first file that it opens; `act` gives it work.
    fn at_its_work(watcher: &Watcher, name: &str, act: impl FnOnce()) -> Self {
        let tasks = format!("/proc/{}/task", watcher.pid());
        let has_name = |tid: &String| {
            let comm = fs::read_to_string(format!("{tasks}/{tid}/comm"));
            comm.is_ok_and(|comm| comm.trim_end() == name)
        };
        let all = fs::read_dir(&tasks).unwrap().flatten();
        let mut all = all.map(|task| task.file_name().to_string_lossy().into_owned());
        let tid = all.find(has_name).expect("a thread of that name");
        let thread = Pid::from_raw(tid.parse().unwrap());
        ptrace::seize(thread, ptrace::Options::empty()).unwrap();
        ptrace::interrupt(thread).unwrap();
        waitpid(thread, Some(WaitPidFlag::__WALL)).unwrap();
        act();
        let opens = format!("{} ", libc::SYS_openat);
        loop {
            ptrace::syscall(thread, None).unwrap();
            assert!(wait_until(LONG, || has_stopped(thread)), "no work for it");
            let call = fs::read_to_string(format!("{tasks}/{tid}/syscall")).unwrap();
            if call.starts_with(&opens) {
                return Self(thread);
            }
        }
    }
}

/// It has stopped, or ended.
fn has_stopped(thread: Pid) -> bool {
    let flags = WaitPidFlag::__WALL | WaitPidFlag::WNOHANG;
    waitpid(thread, Some(flags)).is_ok_and(|status| status != WaitStatus::StillAlive)
}

impl Drop for Kept {
    fn drop(&mut self) {
        let _ = ptrace::detach(self.0, None);
    }
}

fn write(watcher: &Watcher, container: &Overlay) -> Result<Seen, String> {
    let own = nonce();
    container.attack(&["create", PRELOAD, &own]);
    watcher
        .claim_within(LONG, |seen| carries(&seen.value, &own))
        .ok_or_else(|| format!("a write was not told; the log: {}", watcher.log()))
}

fn is_stuck(watcher: &Watcher) -> bool {
    let status = watcher.status().unwrap_or_default();
    let stuck = field(&status, "stuck").cloned().unwrap_or_default();
    stuck.to_string().contains("examine")
}

#[test]
#[ignore = "needs root: overlay mounts, cgroups and fanotify"]
fn an_examiner_that_does_not_come_back_is_told_and_another_takes_over() {
    let Some(_turn) = gate::enter(&[]) else {
        return;
    };
    let image = Image::new();
    let Some((one, other)) = gate::have(image.start().and_then(|one| Ok((one, image.start()?))))
    else {
        return;
    };
    let mut watcher = Watcher::start("sweep = \"off\"\n");
    watcher.mine(&other.id);
    write(&watcher, &one).unwrap();
    write(&watcher, &other).unwrap();
    // The looks that follow marking anew are over: the next one is at what is written next.
    std::thread::sleep(Duration::from_secs(5));
    let kept = Kept::at_its_work(&watcher, "examine", || {
        one.attack(&["append", PRELOAD, &nonce()]);
    });
    let told = |seen: &Seen| text(&seen.value, "ldwatch.gap.reason") == "thread-stuck";
    let gap = watcher.claim_within(LONG, told).expect("that it is stuck");
    assert_eq!(text(&gap.value, "container.id"), one.id, "{}", gap.raw);
    assert!(gap.raw.contains("another one took over"), "{}", gap.raw);
    assert!(wait_until(LONG, || is_stuck(&watcher)), "not in the status");
    assert!(watcher.log().contains("has not got on"), "not in the log");
    // The other container is watched on, and nothing of it is told twice.
    write(&watcher, &other).unwrap();
    std::thread::sleep(Duration::from_secs(1));
    let left = watcher.unclaimed();
    let of_other = left.iter().filter(|line| line.contains(&other.id));
    assert_eq!(of_other.count(), 0, "{left:?}");
    drop(kept);
    assert!(wait_until(LONG, || !is_stuck(&watcher)), "it came back");
    write(&watcher, &one).unwrap();
    watcher.pass_over();
    watcher.stop();
}

#[test]
#[ignore = "needs root: overlay mounts, cgroups and fanotify"]
fn a_thread_that_does_not_come_back_does_not_keep_the_watcher_from_ending() {
    let Some(_turn) = gate::enter(&[]) else {
        return;
    };
    let image = Image::new();
    let Some(one) = gate::have(image.start()) else {
        return;
    };
    let mut watcher = Watcher::start("sweep = \"off\"\n");
    write(&watcher, &one).unwrap();
    let kept = Kept::at_its_work(&watcher, "examine", || {
        one.attack(&["append", PRELOAD, &nonce()]);
    });
    let asked = Instant::now();
    kill(watcher.pid(), Signal::SIGTERM).unwrap();
    // Whoever traces a thread has to take note of its end, else nobody can.
    assert!(wait_until(LONG, || has_stopped(kept.0)), "it goes on");
    let code = watcher.ended().and_then(|status| status.code());
    let took = asked.elapsed();
    drop(kept);
    eprintln!("ended after {took:?}");
    assert_eq!(code, Some(0), "{}", watcher.log());
    // Two seconds are its limit; the machine may be slow.
    assert!(took < Duration::from_secs(5), "{took:?}");
}
