//! The self-test: the real watcher against the throw-away container.
//!
//! The watcher runs on a thread of this process, the attacks in processes of their
//! own, so that pid, cgroup and exit are as real as they get.

use std::io::{self, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, unbounded};

use crate::model::{Action, Finding, Record};
use crate::selftest::attacks::{ATTACKS, Attack};
use crate::selftest::overlay::Sandbox;
use crate::sys::namespace::private_mounts;
use crate::watch::deliver::Outlet;
use crate::watch::run::{Options, Watch};

/// The hidden verb under which this program attacks.
pub const VERB: &str = "selftest-attack";
/// How long a finding may take before the attack counts as missed.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long a preparation is given to be told, too.
const CALM: Duration = Duration::from_millis(120);

/// Longest life of the container's init; it is killed at the end of the test.
const LIFETIME: Duration = Duration::from_secs(300);

/// What came of one attack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Told truly, that long after the attacker had ended its act.
    Caught {
        /// Time from the start of the attacking process to the finding.
        after: Duration,
        /// The executable of the writer was named.
        named: bool,
    },
    /// Not told, or told of another container or as something else; what was told.
    Missed(String),
    /// The kernel refused the attack itself.
    NotPossible(String),
}

/// One attack and its outcome.
#[derive(Debug, Clone)]
pub struct Row {
    /// What the attack is called.
    pub name: &'static str,
    /// What came of it.
    pub outcome: Outcome,
}

struct Collect(Sender<Option<Record>>);

impl Outlet for Collect {
    fn record(&mut self, record: &Record) -> Result<(), String> {
        self.0
            .send(Some(record.clone()))
            .map_err(|_| "the self-test is over".to_owned())
    }

    fn ready(&mut self, _watched: usize) {
        let _ = self.0.send(None);
    }
}

/// Runs all attacks. Takes a mount namespace of its own: call it before any thread
/// exists, in a process that does nothing else.
///
/// # Errors
/// The container or the watcher cannot be made; `EPERM` without the capabilities.
pub fn run(mut options: Options) -> io::Result<Vec<Row>> {
    // The states are the service's, and the container is thrown away.
    options.state_dir = None;
    let mut sandbox = Sandbox::enter()?;
    sandbox.make_cgroups();
    let mut init = start(&sandbox, 0, "init", "")?;
    let (send, records) = unbounded();
    let watch = Watch::new(options, Box::new(Collect(send)))?;
    let watcher = thread::Builder::new()
        .name("watch".to_owned())
        .spawn(move || watch.run())?;
    // Ready: the host's containers and the sandbox are marked.
    while !matches!(
        records.recv_timeout(Duration::from_secs(10)),
        Ok(None) | Err(_)
    ) {}
    let rows = (0..ATTACKS.len())
        .filter_map(|index| Some(row(&sandbox, index, ATTACKS.get(index)?, &records)))
        .collect();
    init.kill()?;
    init.wait()?;
    nix::sys::signal::raise(nix::sys::signal::Signal::SIGTERM)?;
    let _ = watcher.join();
    Ok(rows)
}

fn row(
    sandbox: &Sandbox,
    index: usize,
    attack: &Attack,
    records: &Receiver<Option<Record>>,
) -> Row {
    let nonce = format!("ldwatch-selftest-{}", uuid::Uuid::now_v7().simple());
    let outcome = match spawn(sandbox, index, "prepare", &nonce) {
        Err(error) => Outcome::NotPossible(error.to_string()),
        Ok(()) => {
            while records.recv_timeout(CALM).is_ok() {}
            let start = Instant::now();
            match spawn(sandbox, index, "act", &nonce) {
                Err(error) => Outcome::NotPossible(error.to_string()),
                Ok(()) => await_finding(sandbox, attack, records, start),
            }
        }
    };
    Row {
        name: attack.name,
        outcome,
    }
}

fn await_finding(
    sandbox: &Sandbox,
    attack: &Attack,
    records: &Receiver<Option<Record>>,
    start: Instant,
) -> Outcome {
    let mut other = "nothing".to_owned();
    while let Some(left) = PATIENCE.checked_sub(start.elapsed()) {
        match records.recv_timeout(left) {
            Ok(Some(Record::Finding(finding))) if is_told(sandbox, attack.action, &finding) => {
                let named = finding
                    .writer
                    .is_some_and(|writer| writer.executable.is_some());
                return Outcome::Caught {
                    after: start.elapsed(),
                    named,
                };
            }
            Ok(Some(Record::Finding(finding))) => {
                let id = finding
                    .container
                    .id
                    .unwrap_or_else(|| "no container".to_owned());
                other = format!("{} in {id}", finding.change.action.name());
            }
            Ok(_) => {}
            Err(_) => break,
        }
    }
    Outcome::Missed(other)
}

fn is_told(sandbox: &Sandbox, action: Action, finding: &Finding) -> bool {
    finding.change.action == action && finding.container.id.as_deref() == Some(sandbox.container())
}

/// Runs this program as the attacker, and waits for its end.
fn spawn(sandbox: &Sandbox, index: usize, step: &str, nonce: &str) -> io::Result<()> {
    let output = start(sandbox, index, step, nonce)?.wait_with_output()?;
    if output.status.success() {
        return Ok(());
    }
    let why = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    let signal = output
        .status
        .signal()
        .map(|signal| format!(" (signal {signal})"));
    Err(io::Error::other(format!(
        "{why}{}",
        signal.unwrap_or_default()
    )))
}

/// Starts this program as a process of the container, and waits until it is in.
fn start(sandbox: &Sandbox, index: usize, step: &str, nonce: &str) -> io::Result<Child> {
    let mut child = Command::new("/proc/self/exe")
        .arg(VERB)
        .args([&index.to_string(), step, nonce])
        .arg(sandbox.merged())
        .args(sandbox.cgroups())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    if step == "init" {
        // Its one byte, or the end of its output when it failed.
        let mut byte = [0];
        let _ = child.stdout.take().map(|mut stdout| stdout.read(&mut byte));
    }
    Ok(child)
}

/// The attacker: enters cgroups and root, and does one step of one attack. In a
/// mount namespace of its own, as a container's process is.
///
/// # Errors
/// The errno of whatever did not work.
pub fn attack(
    index: usize,
    step: &str,
    nonce: &str,
    merged: &Path,
    cgroups: &[&Path],
) -> io::Result<()> {
    for cgroup in cgroups {
        std::fs::write(cgroup.join("cgroup.procs"), std::process::id().to_string())?;
    }
    private_mounts()?;
    std::os::unix::fs::chroot(merged)?;
    std::env::set_current_dir("/")?;
    let attack = ATTACKS
        .get(index)
        .ok_or_else(|| io::Error::other("no such attack"))?;
    match step {
        "init" => {
            io::stdout().write_all(b".")?;
            io::stdout().flush()?;
            thread::sleep(LIFETIME);
            Ok(())
        }
        "prepare" => attack.prepare(nonce),
        _ => attack.act(nonce),
    }
}
