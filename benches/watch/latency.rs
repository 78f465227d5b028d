//! From close(2) of the write to the line that tells it: a bare inotify reader,
//! inotifywait(1) and ldwatch, first side by side, then ldwatch alone.

use std::fs;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::bare::Bare;
use crate::clock::{Series, micros, ratio};
use crate::process::cpu;
use crate::support::command::wait_until;
use crate::support::gate::find;
use crate::support::overlay::{Image, Overlay};
use crate::support::record::text;
use crate::support::scratch::{Scratch, tag};
use crate::tail::{Line, Tail};
use crate::writer::{MARKER, PROGRAM, Stamps};

/// Between two writes, in microseconds: what is more is folded (`watch::budget`).
const GAP: u64 = 55_000;

/// One way to write and to look.
struct Round {
    title: &'static str,
    how: &'static str,
    others: bool,
    busy: bool,
}

const ROUNDS: [Round; 5] = [
    Round {
        title: "a process that stays writes; all observers at once",
        how: "resident",
        others: true,
        busy: false,
    },
    Round {
        title: "a process per write; all observers at once",
        how: "once",
        others: true,
        busy: false,
    },
    Round {
        title: "a process that stays writes; ldwatch alone",
        how: "resident",
        others: false,
        busy: false,
    },
    Round {
        title: "a process per write; ldwatch alone",
        how: "once",
        others: false,
        busy: false,
    },
    Round {
        title: "a process per write; ldwatch alone, every CPU busy",
        how: "once",
        others: false,
        busy: true,
    },
];

/// Every round with `count` writes.
pub fn run(count: usize) {
    let image = image();
    let container = image.start().unwrap_or_else(|reason| panic!("{reason}"));
    println!("from the call of close(2) to the line, in microseconds; {count} writes each");
    for (number, round) in ROUNDS.iter().enumerate() {
        println!("\n{}", round.title);
        let tag = format!("{}r{number}", tag());
        round.run(&container, &tag, count);
    }
}

/// The layer with this program in it.
fn image() -> Image {
    let image = Image::new();
    let place = |path: &str| image.lower().join(path.trim_start_matches('/'));
    fs::copy(std::env::current_exe().unwrap(), place(PROGRAM)).unwrap();
    fs::write(place(MARKER), "").unwrap();
    image
}

impl Round {
    fn run(&self, container: &Overlay, tag: &str, count: usize) {
        let scratch = Scratch::new();
        let ldwatch = Tail::ldwatch(scratch.path());
        let etc = container.merged.join("etc");
        let inotifywait = (self.others && find("inotifywait").is_some()).then(|| {
            let mut command = Command::new("inotifywait");
            command.args(["-m", "-e", "close_write", "--format", "%f"]);
            command.arg(&etc);
            Tail::start(command, "Watches established")
        });
        let bare = self.others.then(|| Bare::start(&etc));
        let hogs = self.busy.then(Hogs::start);
        // The watcher also learns the container's init; then nothing else is going on.
        thread::sleep(Duration::from_secs(6));
        let cpu_before = cpu(ldwatch.pid());
        let stamps = write(container, self.how, tag, (0, count), GAP);
        wait_until(Duration::from_secs(5), || {
            alerts(&ldwatch.lines(), tag).len() >= count
        });
        drop(hogs);
        self.print(&stamps, bare, inotifywait, &alerts(&ldwatch.lines(), tag));
        let spent = cpu(ldwatch.pid());
        let each = spent.iter().map(|(name, spent)| {
            let spent = spent - cpu_before.get(name).unwrap_or(&0);
            format!("{name} {}", micros(spent / count.max(1) as u64))
        });
        let each: Vec<String> = each.collect();
        println!("  CPU per write, by thread: {}", each.join(", "));
        judge(container, &ldwatch.lines(), tag, count);
        ldwatch.stop();
    }

    fn print(
        &self,
        stamps: &[Stamps],
        bare: Option<Bare>,
        inotifywait: Option<Tail>,
        alerts: &[(usize, u64)],
    ) {
        println!(
            "  {:<26}{:>10}{:>10}{:>10}{:>10}",
            "", "arrived", "p50", "p99", "max"
        );
        let close = Series::of(stamps.iter().map(|(before, after)| after - before));
        row("close(2) itself", &close);
        if let Some(bare) = bare {
            row("inotify read", &by_time(stamps, &bare.stop()));
        }
        let line = inotifywait.map(|tail| {
            let arrivals: Vec<u64> = tail.lines().iter().map(|(at, _)| *at).collect();
            tail.stop();
            by_time(stamps, &arrivals)
        });
        if let Some(line) = &line {
            row("inotifywait line", line);
        }
        let told = alerts
            .iter()
            .filter_map(|(number, at)| Some(at.saturating_sub(stamps.get(*number)?.0)));
        let told = Series::of(told);
        row("ldwatch alert line", &told);
        if let Some(line) = line {
            let by = |percent| ratio(told.percentile(percent), line.percentile(percent));
            println!("  ldwatch / inotifywait: p50 {}, p99 {}", by(50), by(99));
        }
    }
}

fn row(name: &str, series: &Series) {
    let (p50, p99) = (series.percentile(50), series.percentile(99));
    println!(
        "  {name:<26}{:>10}{:>10}{:>10}{:>10}",
        series.len(),
        micros(p50),
        micros(p99),
        micros(series.max())
    );
}

/// Writes in the container; gives the stamps.
pub fn write(
    container: &Overlay,
    how: &str,
    tag: &str,
    (first, count): (usize, usize),
    gap: u64,
) -> Vec<Stamps> {
    let output = container
        .command(PROGRAM)
        .args(["write", how, tag, &count.to_string()])
        .args([gap.to_string(), first.to_string()])
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(output.status.success(), "the writer: {}", output.status);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines()
        .filter_map(|line| {
            let (before, after) = line.split_once(' ')?;
            Some((before.parse().ok()?, after.parse().ok()?))
        })
        .collect()
}

/// Lines without a nonce belong to the write before them; the first one counts.
fn by_time(stamps: &[Stamps], arrivals: &[u64]) -> Series {
    let mut waits: Vec<Option<u64>> = vec![None; stamps.len()];
    for at in arrivals {
        let index = stamps.partition_point(|(before, _)| before <= at);
        if let Some(index) = index.checked_sub(1) {
            waits[index].get_or_insert(at - stamps[index].0);
        }
    }
    Series::of(waits.into_iter().flatten())
}

/// Number of the write and arrival of each alert about this round's writes.
fn alerts(lines: &[Line], tag: &str) -> Vec<(usize, u64)> {
    let mut found: Vec<(usize, u64)> = lines
        .iter()
        .filter_map(|(at, line)| Some((number(line, tag)?, *at)))
        .collect();
    found.sort_unstable();
    found.dedup_by_key(|(number, _)| *number);
    found
}

/// Number of the write that an alert is about.
pub fn number(line: &[u8], tag: &str) -> Option<usize> {
    let line = std::str::from_utf8(line).ok()?;
    if !line.contains("\"kind\":\"alert\"") {
        return None;
    }
    let (_, rest) = line.split_once(&format!("/tmp/{tag}-"))?;
    rest.get(..6)?.parse().ok()
}

/// What the alerts said of container and writer.
fn judge(container: &Overlay, lines: &[Line], tag: &str, count: usize) {
    let values: Vec<Value> = lines
        .iter()
        .filter(|(_, line)| number(line, tag).is_some())
        .filter_map(|(_, line)| serde_json::from_slice(line).ok())
        .collect();
    let having = |fits: &dyn Fn(&Value) -> bool| values.iter().filter(|one| fits(one)).count();
    let executable = |one: &Value| text(one, "process.executable").to_owned();
    println!(
        "  alerts {} of {count}; container named {}, executable named {} ({} wrongly), gone {}",
        values.len(),
        having(&|one| text(one, "container.id") == container.id),
        having(&|one| executable(one) == PROGRAM),
        having(&|one| !matches!(executable(one).as_str(), "" | PROGRAM)),
        having(&|one| executable(one).is_empty()),
    );
}

/// A thread per CPU that never rests.
pub struct Hogs(Arc<AtomicBool>);

impl Hogs {
    /// Starts them; they end with the value.
    pub fn start() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let cpus = thread::available_parallelism().map_or(1, usize::from);
        for _ in 0..cpus {
            let told = Arc::clone(&stop);
            thread::spawn(move || while !told.load(Ordering::Relaxed) {});
        }
        Self(stop)
    }
}

impl Drop for Hogs {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
