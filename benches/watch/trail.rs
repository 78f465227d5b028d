//! What the exec trail costs those who execute, and the watcher: loops of programs that
//! do nothing, with the trail and without, in turns.

use std::fmt::{Display, Formatter};
use std::fs;
use std::io::{BufRead, BufReader, Error, Result, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;
use serde_json::Value;

use crate::clock::{Series, micros, now, ratio};
use crate::process::taken;
use crate::support::overlay::{Image, Overlay, Wish};
use crate::support::scratch::{Scratch, nonce};
use crate::support::{dynamic, tiny};
use crate::tail::Tail;
use crate::writer::{MARKER, PROGRAM, in_the_container};

const NOTHING: &str = "/bin/nothing";
/// Where the loop runs: a process that is free may be moved whenever another wakes, and
/// what it costs to be moved is more than what the trail does.
const BOUND: &str = "bound";
const FREE: &str = "free";
/// Programs that a loop executes before it is the other's turn: some ten milliseconds, so
/// that both see the same weather.
const BLOCK: usize = 100;
/// Watchers and pairs of containers, one after the other: where their memory lies, and on
/// which processor the watcher rests, differs.
const PAIRS: usize = 10;
/// After a turn, so that what the trail still has to read is not read in the other's.
const REST: Duration = Duration::from_millis(5);

/// Prints the table, or its rows whose name begins with `only`; `count` programs with the
/// trail, and as many without.
pub fn run(count: usize, only: &str) -> Result<()> {
    let image = Image::new();
    let inside = |path: &str| image.lower().join(path.trim_start_matches('/'));
    fs::copy(std::env::current_exe().unwrap(), inside(PROGRAM)).unwrap();
    fs::write(inside(MARKER), "").unwrap();
    let programs = programs(&image);
    head(count);
    let mut rows = 0;
    for (name, how, program) in &programs {
        for place in [BOUND, FREE] {
            let name = format!("{name}, {place}");
            if !name.starts_with(only) {
                continue;
            }
            let mut row = Row::default();
            for _ in 0..PAIRS {
                row.add(&image, &[how, program, place], (count / PAIRS).max(1));
            }
            println!("  {name:<24}{row}");
            rows += 1;
        }
    }
    if rows == 0 {
        return Err(Error::other(format!("no row's name begins with {only:?}")));
    }
    Ok(())
}

/// As a shell does it, and as cheap as it can be: name, verb of this program, path.
fn programs(image: &Image) -> Vec<(&'static str, &'static str, String)> {
    let mut programs = Vec::new();
    let path = image.lower().join(NOTHING.trim_start_matches('/'));
    if tiny::nothing(&path) {
        programs.push(("static, fork", "forks", NOTHING.to_owned()));
        programs.push(("static, vfork", "execs", NOTHING.to_owned()));
    } else {
        println!("left out: static (no program for this architecture)");
    }
    match dynamic::place(image, "true") {
        Ok(path) => programs.push(("dynamic, vfork", "execs", path)),
        Err(reason) => println!("left out: dynamic ({reason})"),
    }
    programs
}

/// Two that one watcher sees and that differ in nothing but the name of a layer: where a
/// layer is not found by the name it was mounted with, no trail is kept.
fn containers(image: &Image) -> [Overlay; 2] {
    ["kept", "renamed"].map(|name| {
        let layer = image.directory(&format!("{name}-{}", nonce()));
        let wish = Wish {
            layer: Some(layer.clone()),
            ..Wish::default()
        };
        let container = image.start_as(&wish);
        let container = container.unwrap_or_else(|reason| panic!("{reason}"));
        if name == "renamed" {
            fs::rename(&layer, layer.with_extension("elsewhere")).unwrap();
        }
        container
    })
}

fn head(count: usize) {
    println!(
        "{count} programs each, with and without trail in turns of {BLOCK}: fork, execve, exit,\n\
         wait; us. Turns: the ratio of the means of two turns beside each other, its median and\n\
         where that lies with 95 %. The loop is bound to one processor, or free. Read: records of\n\
         the trail, which only the one container has"
    );
    println!(
        "  {:<24}{:>19}{:>19}{:>18}{:>9}{:>9}{:>6}",
        "", "p50, ratio", "mean, ratio", "turns", "CPU/exec", "read", "lost"
    );
}

/// What one row of the table says.
#[derive(Default)]
struct Row {
    with: Vec<u64>,
    without: Vec<u64>,
    /// CPU of the watcher's loop.
    spent: u64,
    read: u64,
    lost: u64,
}

impl Row {
    /// A watcher and two containers more.
    fn add(&mut self, image: &Image, way: &[&str; 3], count: usize) {
        let pair = containers(image);
        let files = Scratch::new();
        let ldwatch = Tail::ldwatch_with(files.path(), "sweep = \"1s\"\n");
        sleep(Duration::from_secs(3));
        let [mut with, mut without] = pair.each_ref().map(|one| Loop::start(one, way));
        // The loop is the first thread, which is named as the program's file is.
        let of_loop = || taken(&format!("/proc/{0}/task/{0}", ldwatch.pid()));
        let before = of_loop();
        for number in 0..count.div_ceil(BLOCK) {
            // Now the one comes first and now the other.
            let turns = match number % 2 {
                0 => [&mut with, &mut without],
                _ => [&mut without, &mut with],
            };
            turns.into_iter().for_each(Loop::turn);
        }
        self.spent += of_loop() - before;
        self.with.extend(with.finish());
        self.without.extend(without.finish());
        sleep(Duration::from_millis(1500));
        let (read, lost) = counters(&files);
        (self.read, self.lost) = (self.read + read, self.lost + lost);
        ldwatch.stop();
    }

    fn compared(&self, of: fn(&[u64]) -> u64) -> String {
        let (with, without) = (of(&self.with), of(&self.without));
        let ratio = ratio(with, without);
        format!("{} {} {ratio}", micros(with), micros(without))
    }

    /// Of the ratios of turns the median, and an interval that it lies in with 95 %: the
    /// ranks by the binomial distribution.
    fn turns(&self) -> String {
        let pairs = self.with.chunks(BLOCK).zip(self.without.chunks(BLOCK));
        let ratios = Series::of(pairs.map(|(with, without)| mean(with) * 1000 / mean(without)));
        let half = (98 / ratios.len().isqrt().max(2)).min(49);
        let at = |percent| ratio(ratios.percentile(percent), 1000);
        format!("{} ({}-{})", at(50), at(50 - half), at(50 + half))
    }
}

impl Display for Row {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let (p50, mean, turns) = (self.compared(median), self.compared(mean), self.turns());
        let each = micros(self.spent / self.with.len().max(1) as u64);
        write!(f, "{p50:>19}{mean:>19}{turns:>18}{each:>9}")?;
        write!(f, "{:>9}{:>6}", self.read, self.lost)
    }
}

fn median(times: &[u64]) -> u64 {
    Series::of(times.to_vec()).percentile(50)
}

fn mean(times: &[u64]) -> u64 {
    times.iter().sum::<u64>() / times.len().max(1) as u64
}

/// Events read and lost.
fn counters(files: &Scratch) -> (u64, u64) {
    let text = fs::read(files.join("status.json")).unwrap_or_default();
    let status: Value = serde_json::from_slice(&text).unwrap_or_default();
    let counter = |name: &str| status["counters"][name].as_u64().unwrap_or(0);
    (counter("execs"), counter("execs-lost"))
}

/// The loop in a container, which waits for its turns.
struct Loop {
    child: Child,
    tell: ChildStdin,
    told: BufReader<ChildStdout>,
}

impl Loop {
    fn start(container: &Overlay, way: &[&str; 3]) -> Self {
        let mut child = container
            .command(PROGRAM)
            .args(way)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (tell, told) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let told = BufReader::new(told);
        let mut new = Self { child, tell, told };
        // What is found and read once only.
        new.turn();
        new
    }

    fn turn(&mut self) {
        writeln!(self.tell, "go").unwrap();
        let mut line = String::new();
        self.told.read_line(&mut line).unwrap();
        assert_eq!(line, "done\n", "the loop ended early");
        sleep(REST);
    }

    /// What each program took, without those of the first turn.
    fn finish(mut self) -> Vec<u64> {
        drop(self.tell);
        let lines = self.told.lines().map_while(Result::ok);
        let times: Vec<u64> = lines.filter_map(|line| line.parse().ok()).collect();
        let status = self.child.wait().unwrap();
        assert!(status.success(), "the loop: {status}");
        times.into_iter().skip(BLOCK).collect()
    }
}

/// `execs` or `forks PROGRAM PLACE`: a turn for each line of stdin: one process after the
/// other, started by posix_spawn(3) or by fork(2) and execve(2). Prints what each took.
pub fn execs(program: &str, place: &str, forks: bool) -> Result<()> {
    in_the_container()?;
    if place == BOUND {
        bind()?;
    }
    let mut times = Vec::new();
    for line in std::io::stdin().lines() {
        line?;
        for _ in 0..BLOCK {
            let start = now();
            execute(program, forks)?;
            times.push(now() - start);
        }
        println!("done");
    }
    let lines: Vec<String> = times.iter().map(u64::to_string).collect();
    println!("{}", lines.join("\n"));
    Ok(())
}

fn execute(program: &str, forks: bool) -> Result<()> {
    let mut command = Command::new(program);
    if forks {
        // Who gives the child a user id gets no posix_spawn(3).
        command.uid(0);
    }
    let status = command.status()?;
    if status.success() {
        return Ok(());
    }
    Err(Error::other(format!("{program}: {status}")))
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
