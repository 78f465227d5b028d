//! A FUSE server in a container that never answers one kind of question, at each place
//! that a look may come to: the others' alerts come, the container is told as not seen,
//! and the watcher ends when it is asked to, and when it is killed.
//!
//! What was measured is printed. It is held against the product's own bounds when
//! `LDWATCH_STRICT=1`; else, on a machine that others use, against `SLOW` times as much.

#![allow(clippy::unwrap_used, clippy::expect_used)]
#![allow(clippy::indexing_slicing, clippy::print_stderr)]

mod support;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use support::command::wait_until;
use support::hand::Hand;
use support::overlay::{Image, Overlay};
use support::record::{self, text};
use support::scratch::nonce;
use support::watcher::{Seen, Watcher};
use support::{PRELOAD, gate};

const OPERATIONS: [&str; 5] = ["lookup", "getattr", "open", "read", "statfs"];
/// For a machine that is shared.
const SLOW: u32 = 8;
/// An alert of another container, the end after SIGTERM, the end after SIGKILL.
const BOUNDS: [Duration; 3] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(1),
];

/// Where the server is mounted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// On `etc`.
    Etc,
    /// On the file itself.
    File,
    /// On the directory that a symbolic link at the path leads into.
    Target,
    /// On the directory of a library that the file names.
    Library,
}

const PLACES: [Place; 4] = [Place::Etc, Place::File, Place::Target, Place::Library];

impl Place {
    /// Makes what must be there first; where to mount.
    fn prepare(self, container: &Overlay) -> &'static str {
        // A link to where nothing is yet, and an honest file elsewhere.
        let link = ["symlink-to", PRELOAD, "-", "/opt/etc/list"];
        match self {
            Self::Etc => return "/etc",
            Self::File => container.attack(&["create", PRELOAD, "-"]),
            Self::Target => container.attack(&link),
            Self::Library => container.attack(&["content", PRELOAD, "-", "/opt/etc/lib.so\n"]),
        };
        if self == Self::File {
            PRELOAD
        } else {
            "/opt/etc"
        }
    }
}

/// A mute server at work. Its end ends the connection, and with it every wait.
struct Mute {
    _server: Hand,
    _container: Overlay,
    id: String,
}

impl Mute {
    fn start(image: &Image, place: Place, operation: &str) -> Result<Self, String> {
        let container = image.start()?;
        let path = place.prepare(&container);
        let mut command = container.command("/bin/attack");
        let server = Hand::start(command.args(["mute", path, operation]));
        let mut mute = Self {
            _server: server,
            id: container.id.clone(),
            _container: container,
        };
        mute._server.answered("mute")?;
        Ok(mute)
    }
}

#[derive(Default)]
struct Worst([Duration; 3]);

impl Worst {
    fn note(&mut self, which: usize, took: Duration) -> Result<(), String> {
        self.0[which] = self.0[which].max(took);
        let strict = std::env::var_os("LDWATCH_STRICT").is_some_and(|value| value == "1");
        let bound = BOUNDS[which] * if strict { 1 } else { SLOW };
        if took <= bound {
            return Ok(());
        }
        Err(format!("{took:?}, not within {bound:?}"))
    }
}

/// One write in a container that has nothing to do with it.
fn other_alerts(watcher: &Watcher, other: &Overlay, worst: &mut Worst) -> Result<(), String> {
    let own = nonce();
    other.attack(&["create", PRELOAD, &own]);
    let done = Instant::now();
    let carries = |seen: &Seen| record::carries(&seen.value, &own);
    let seen = watcher
        .claim_within(Duration::from_secs(20), carries)
        .ok_or("the other container's alert does not come")?;
    worst.note(0, seen.at.saturating_duration_since(done))
}

/// What was told of the mute container: gaps, and alerts about its file.
fn told(watcher: &Watcher, id: &str) -> (usize, usize) {
    // A container that was met before it had its cgroup is known by its root.
    let of = |seen: &Seen| {
        text(&seen.value, "container.id") == id || text(&seen.value, "ldwatch.rootfs").contains(id)
    };
    let gap = |seen: &Seen| record::field(&seen.value, "ldwatch.gap").is_some();
    (
        watcher.count(|seen| of(seen) && gap(seen)),
        watcher.count(|seen| of(seen) && record::is_alert(&seen.value)),
    )
}

/// Children that the watcher has sent there.
fn outposts(watcher: Pid) -> Vec<i32> {
    let is_child = |pid: &i32| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        status.contains(&format!("\nPPid:\t{watcher}\n"))
    };
    let all = support::scratch::pids().filter_map(|pid| pid.parse().ok());
    all.filter(is_child).collect()
}

/// Sends the signal; how long the end took.
fn end(watcher: &mut Watcher, signal: Signal) -> Result<Duration, String> {
    let start = Instant::now();
    kill(watcher.pid(), signal).unwrap();
    watcher.ended().ok_or(format!("{signal} does not end it"))?;
    Ok(start.elapsed())
}

/// With the server goes what waited for it.
fn all_gone(outposts: &[i32]) -> Result<(), String> {
    let lives = |pid: &i32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        !stat.is_empty() && !stat.contains(") Z ")
    };
    if wait_until(Duration::from_secs(10), || !outposts.iter().any(lives)) {
        return Ok(());
    }
    Err(format!(
        "outposts are left when the server is gone: {outposts:?}"
    ))
}

/// The server comes while the watcher runs, and is there when the next one starts.
fn row(
    image: &Image,
    other: &Overlay,
    place: Place,
    operation: &str,
    worst: &mut Worst,
) -> Result<String, String> {
    let mut watcher = Watcher::start("sweep = \"1s\"\n");
    other_alerts(&watcher, other, worst)?;
    let mute = Mute::start(image, place, operation)?;
    let until = Instant::now() + Duration::from_millis(2500);
    while Instant::now() < until {
        other_alerts(&watcher, other, worst)?;
    }
    let (gaps, alerts) = told(&watcher, &mute.id);
    let mut left = outposts(watcher.pid());
    worst.note(1, end(&mut watcher, Signal::SIGTERM)?)?;
    let mut second = Watcher::start("sweep = \"1s\"\n");
    for _ in 0..3 {
        other_alerts(&second, other, worst)?;
    }
    left.extend(outposts(second.pid()));
    worst.note(2, end(&mut second, Signal::SIGKILL)?)?;
    drop(mute);
    all_gone(&left)?;
    let said = format!("{gaps} gaps, {alerts} alerts, {} outposts", left.len());
    let seen = match place {
        // What lies behind is not seen, or seen by an outpost and not covered.
        Place::Etc | Place::File | Place::Target => gaps > 0,
        // The file itself is seen, whatever it names.
        Place::Library => alerts > 0,
    };
    if seen {
        Ok(said)
    } else {
        Err(format!("it looks calm: {said}"))
    }
}

#[test]
#[ignore = "needs root: FUSE, overlay mounts, cgroups and fanotify"]
fn a_mute_server_holds_up_neither_the_others_nor_the_end() {
    let Some(_turn) = gate::enter(&[]) else {
        return;
    };
    if !Path::new("/dev/fuse").exists() {
        gate::skip::<()>("needs FUSE (/dev/fuse)");
        return;
    }
    let image = Image::new();
    let Some(other) = gate::have(image.start()) else {
        return;
    };
    let (mut worst, mut failures) = (Worst::default(), Vec::new());
    eprintln!();
    for place in PLACES {
        for operation in OPERATIONS {
            match row(&image, &other, place, operation, &mut worst) {
                Ok(said) => eprintln!("mute {operation} as {place:?}: {said}"),
                Err(wrong) => failures.push(format!("mute {operation} as {place:?}: {wrong}")),
            }
        }
    }
    let [alert, term, killed] = worst.0;
    eprintln!("worst: alert {alert:?}, SIGTERM {term:?}, SIGKILL {killed:?}");
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
