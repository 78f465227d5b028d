//! What the exec trail costs those who execute, and the watcher: loops of programs that
//! do nothing, with the trail and without, in turns.

use std::fs;
use std::io::{Error, Result};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;
use serde_json::Value;

use crate::clock::{Series, micros, now, ratio};
use crate::process::taken;
use crate::support::overlay::{Image, Overlay};
use crate::support::scratch::Scratch;
use crate::support::{dynamic, tiny};
use crate::tail::Tail;
use crate::writer::{MARKER, PROGRAM, in_the_container};

const NOTHING: &str = "/bin/nothing";
/// Where the loop runs: a process that is free may be moved whenever another wakes, and
/// what it costs to be moved is more than what the trail does.
const BOUND: &str = "bound";
const FREE: &str = "free";
/// Turns with and without.
const TURNS: usize = 10;

/// Prints the table; `count` programs in each turn.
pub fn run(count: usize) {
    let image = Image::new();
    let inside = |path: &str| image.lower().join(path.trim_start_matches('/'));
    fs::copy(std::env::current_exe().unwrap(), inside(PROGRAM)).unwrap();
    fs::write(inside(MARKER), "").unwrap();
    // As a shell does it, and as cheap as it can be.
    let mut programs = Vec::new();
    match tiny::nothing(&inside(NOTHING)) {
        true => {
            programs.push(("static, fork", "forks", NOTHING.to_owned()));
            programs.push(("static, vfork", "execs", NOTHING.to_owned()));
        }
        false => println!("left out: static (no program for this architecture)"),
    }
    match dynamic::place(&image, "true") {
        Ok(path) => programs.push(("dynamic, vfork", "execs", path)),
        Err(reason) => println!("left out: dynamic ({reason})"),
    }
    println!(
        "{TURNS} turns of {count} programs each: fork, execve, exit, wait; us. The loop is bound\n\
         to one processor, or free; the watcher is free"
    );
    println!(
        "  {:<24}{:>18}{:>20}{:>14}{:>10}{:>8}",
        "with and without", "p50, ratio", "mean, ratio", "CPU us/exec", "read", "lost"
    );
    for (name, how, program) in &programs {
        for place in [BOUND, FREE] {
            // One for each: its first process lives for some minutes only.
            let container = image.start().unwrap_or_else(|reason| panic!("{reason}"));
            measure(&container, name, &[how, program, place], count);
        }
    }
}

/// Watchers come and go for each turn, so that both kinds see the same weather. Where that
/// changes from turn to turn, as beside other virtual machines, a turn is compared with the
/// one beside it, and of these ratios the median is told. The mean has the programs in it
/// that the watcher interrupted.
fn measure(container: &Overlay, name: &str, way: &[&str; 3], count: usize) {
    let (mut without, mut with) = (Vec::new(), Vec::new());
    let (mut spent, mut read, mut lost) = (0, 0, 0);
    for number in 0..2 * TURNS {
        // Now the one comes first and now the other.
        let trail = matches!(number % 4, 1 | 2);
        let (times, took, counters) = turn(container, way, count, trail);
        if trail {
            with.push(times);
            spent += took;
            read += counters.0;
            lost += counters.1;
        } else {
            without.push(times);
        }
    }
    let each = spent / (TURNS * count) as u64;
    let name = format!("{name}, {}", way[2]);
    println!(
        "  {name:<24}{:>18}{:>20}{:>14}{read:>10}{lost:>8}",
        paired(&with, &without, median),
        paired(&with, &without, mean),
        micros(each)
    );
}

/// What `of` makes of all turns of either kind, and the median of its ratios of turns beside
/// each other.
fn paired(with: &[Vec<u64>], without: &[Vec<u64>], of: fn(&[u64]) -> u64) -> String {
    let pairs = with.iter().zip(without);
    let ratios = pairs.map(|(with, without)| of(with) * 1000 / of(without).max(1));
    let ratio = ratio(Series::of(ratios).percentile(50), 1000);
    let all = |turns: &[Vec<u64>]| micros(of(&turns.concat()));
    format!("{} {} {ratio}", all(with), all(without))
}

fn median(times: &[u64]) -> u64 {
    Series::of(times.to_vec()).percentile(50)
}

fn mean(times: &[u64]) -> u64 {
    times.iter().sum::<u64>() / times.len().max(1) as u64
}

/// Times, CPU of the watcher's loop, and events read and lost.
fn turn(
    container: &Overlay,
    way: &[&str; 3],
    count: usize,
    trail: bool,
) -> (Vec<u64>, u64, (u64, u64)) {
    let files = Scratch::new();
    let more = format!("exec-trail = {trail}\nsweep = \"1s\"\n");
    let ldwatch = Tail::ldwatch_with(files.path(), &more);
    sleep(Duration::from_secs(3));
    // The loop is the first thread, which is named as the program's file is.
    let of_loop = || taken(&format!("/proc/{0}/task/{0}", ldwatch.pid()));
    let before = of_loop();
    let output = container
        .command(PROGRAM)
        .args(way)
        .arg(count.to_string())
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(output.status.success(), "the loop: {}", output.status);
    let spent = of_loop() - before;
    sleep(Duration::from_millis(1500));
    let text = fs::read(files.join("status.json")).unwrap_or_default();
    let status: Value = serde_json::from_slice(&text).unwrap_or_default();
    let counter = |name: &str| status["counters"][name].as_u64().unwrap_or(0);
    let counters = (counter("execs"), counter("execs-lost"));
    ldwatch.stop();
    let text = String::from_utf8_lossy(&output.stdout);
    let times = text.lines().filter_map(|line| line.parse().ok());
    (times.collect(), spent, counters)
}

/// `execs` or `forks PROGRAM PLACE COUNT`: one process after the other, started by
/// posix_spawn(3) or by fork(2) and execve(2); prints what each took.
pub fn execs(program: &str, place: &str, count: usize, forks: bool) -> Result<()> {
    in_the_container()?;
    if place == BOUND {
        bind()?;
    }
    let mut times = Vec::with_capacity(count);
    for _ in 0..count {
        let start = now();
        let mut command = Command::new(program);
        if forks {
            // Who gives the child a user id gets no posix_spawn(3).
            command.uid(0);
        }
        let status = command.status()?;
        times.push(now() - start);
        if !status.success() {
            return Err(Error::other(format!("{program}: {status}")));
        }
    }
    let lines: Vec<String> = times.iter().map(u64::to_string).collect();
    println!("{}", lines.join("\n"));
    Ok(())
}

/// Binds this process and its children to the first processor that it may run on.
fn bind() -> Result<()> {
    let own = Pid::from_raw(0);
    let may = sched_getaffinity(own)?;
    let first = (0..CpuSet::count()).find(|&at| may.is_set(at).unwrap_or(false));
    let mut one = CpuSet::new();
    one.set(first.unwrap_or(0))?;
    Ok(sched_setaffinity(own, &one)?)
}
