//! Real runtimes, and writers from outside: another container with the host's pids,
//! the runtimes' own copy tools, a session, a writer that leaves its cgroup.

#![allow(clippy::unwrap_used, clippy::expect_used)]
#![allow(clippy::indexing_slicing, clippy::print_stderr)]

mod support;

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::process::Command;
use std::time::Duration;

use ldwatch::examine::program::is_of_the_host;
use ldwatch::parse::stat::stat;
use ldwatch::reach::ProcessKey;
use nix::sched::{CloneFlags, unshare};
use nix::unistd::gettid;
use support::command::wait_until;
use support::record::{carries, field, is_cross_boundary, text, texts};
use support::runtimes::Runtime;
use support::runtimes::docker::{self, Docker};
use support::runtimes::podman::{self, Podman};
use support::scratch::{Scratch, nonce};
use support::watcher::{Seen, Watcher};
use support::{PRELOAD, gate};

/// The watcher sees every container of the machine, and others may be flooding theirs.
const PATIENCE: Duration = Duration::from_secs(60);
const SLEEP: &[&str] = &["/bin/sleep", "600"];

/// A runtime that can copy a file into a container.
trait Copies: Runtime {
    fn copy(&self, from: &str, id: &str, to: &str);
    /// What the record calls the tool.
    const TOOL: &str;
}

impl Copies for Docker {
    const TOOL: &str = "docker cp";
    fn copy(&self, from: &str, id: &str, to: &str) {
        Docker::copy(self, from, id, to);
    }
}

impl Copies for Podman {
    const TOOL: &str = "podman cp";
    fn copy(&self, from: &str, id: &str, to: &str) {
        Podman::copy(self, from, id, to);
    }
}

fn with<R: Runtime>(
    programs: &[&str],
    start: fn() -> Result<R, String>,
    scenario: fn(&R, &mut Watcher),
) {
    let Some(_turn) = gate::enter(programs) else {
        return;
    };
    let Some(runtime) = gate::have(start()) else {
        return;
    };
    let mut watcher = Watcher::start(&runtime.config());
    scenario(&runtime, &mut watcher);
    watcher.stop();
}

fn started(runtime: &impl Runtime, watcher: &mut Watcher) -> String {
    let id = runtime.run(&nonce(), SLEEP);
    watcher.mine(&id);
    id
}

fn alert(watcher: &Watcher, own: &str) -> Seen {
    let fits =
        |seen: &Seen| carries(&seen.value, own) && text(&seen.value, "event.kind") == "alert";
    let seen = watcher.claim_within(PATIENCE, fits);
    seen.unwrap_or_else(|| panic!("no alert with {own}"))
}

fn crosses(seen: &Seen, victim: &str, origin: &str) {
    let value = &seen.value;
    assert_eq!(text(value, "container.id"), victim, "{}", seen.raw);
    assert_eq!(text(value, "ldwatch.writer.origin"), origin, "{}", seen.raw);
    assert!(is_cross_boundary(value), "{}", seen.raw);
}

/// The runtime's own copy tool is named by what it is.
fn copy<R: Copies>(runtime: &R, watcher: &mut Watcher) {
    let id = started(runtime, watcher);
    let scratch = Scratch::new();
    let file = scratch.join("made");
    // The tool may be ending when it is read, or live on for a while.
    for _ in 0..gate::runtime_runs() * 3 {
        let own = nonce();
        fs::write(&file, format!("/tmp/{own}.so\n")).unwrap();
        runtime.copy(&file.display().to_string(), &id, PRELOAD);
        let seen = alert(watcher, &own);
        names_the_tool::<R>(&seen, &id);
        // The file that was there is removed first, or a new one put in its place;
        // owner and times are set afterwards.
        watcher.pass_over();
    }
    runtime.remove(&id);
}

fn names_the_tool<R: Copies>(seen: &Seen, victim: &str) {
    let (value, raw) = (&seen.value, &seen.raw);
    crosses(seen, victim, "host");
    // What podman was doing stands in its arguments, which end with it.
    let known = !texts(value, "process.args").is_empty();
    let engine = R::TOOL.trim_end_matches(" cp");
    let tool = match known || engine == "docker" {
        true => R::TOOL,
        false => engine,
    };
    assert_eq!(text(value, "ldwatch.writer.tool"), tool, "{raw}");
    assert!(texts(value, "tags").contains(&"runtime-tool"), "{raw}");
    assert!(text(value, "message").contains(tool), "{raw}");
}

/// A container with the host's pids writes another's file.
fn attacked_by_another<R: Runtime>(
    runtime: &R,
    watcher: &mut Watcher,
    run_with_host_pids: fn(&R, &str, &[&str]) -> String,
) {
    let victim = started(runtime, watcher);
    let pid = support::cgroup::members(&victim)[0];
    for _ in 0..gate::runtime_runs() {
        let own = nonce();
        let target = format!("/proc/{pid}/root{PRELOAD}");
        let attacker =
            run_with_host_pids(runtime, &nonce(), &["/bin/attack", "linger", &target, &own]);
        watcher.mine(&attacker);
        let seen = alert(watcher, &own);
        crosses(&seen, &victim, "other-container");
        let home = text(&seen.value, "ldwatch.writer.container.id");
        assert_eq!(home, attacker, "{}", seen.raw);
        assert_eq!(
            text(&seen.value, "process.executable"),
            "/bin/attack",
            "{}",
            seen.raw
        );
        runtime.remove(&attacker);
    }
    runtime.remove(&victim);
}

/// What the container's first process starts is told from a session.
fn entries(runtime: &impl Runtime, watcher: &mut Watcher) {
    let own = nonce();
    // The survey knows the init before its child writes.
    let line = format!("sleep 2; /bin/attack linger {PRELOAD} {own}; sleep 600");
    let id = runtime.run(&nonce(), &["/bin/sh", "-c", &line]);
    watcher.mine(&id);
    let seen = alert(watcher, &own);
    assert_eq!(
        text(&seen.value, "ldwatch.writer.entry"),
        "init",
        "{}",
        seen.raw
    );
    assert_eq!(text(&seen.value, "user.name"), "root", "{}", seen.raw);
    assert_eq!(
        text(&seen.value, "ldwatch.writer.container.id"),
        id,
        "{}",
        seen.raw
    );
    let own = nonce();
    let line = format!("/bin/attack linger {PRELOAD} {own}; true");
    runtime.exec(&id, &["/bin/sh", "-c", &line]);
    let seen = alert(watcher, &own);
    assert_eq!(
        text(&seen.value, "ldwatch.writer.entry"),
        "session",
        "{}",
        seen.raw
    );
    assert_eq!(
        text(&seen.value, "ldwatch.writer.origin"),
        "inside",
        "{}",
        seen.raw
    );
    runtime.remove(&id);
}

/// It moves itself to the root of every hierarchy and is still told as the container's.
fn leaves_its_cgroup(docker: &Docker, watcher: &mut Watcher) {
    let own = nonce();
    let line = format!(
        "test -x /bin/attack || exit 1; sleep 2; \
         for tasks in /cg/cgroup.procs /cg/*/cgroup.procs; do \
         [ ! -e $tasks ] || echo 0 > $tasks; done; \
         /bin/attack linger {PRELOAD} {own}; sleep 600"
    );
    let options = [
        "-v",
        "/sys/fs/cgroup:/cg",
        "--security-opt",
        "systempaths=unconfined",
    ];
    let id = docker.run_with(&options, &nonce(), &["/bin/sh", "-c", &line]);
    watcher.mine(&id);
    let seen = alert(watcher, &own);
    let value = &seen.value;
    let pid = field(value, "process.pid").unwrap().to_string();
    let cgroup = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
    assert_eq!(text(value, "container.id"), id, "{}", seen.raw);
    assert_eq!(
        text(value, "ldwatch.writer.origin"),
        "inside",
        "{}",
        seen.raw
    );
    assert_eq!(text(value, "ldwatch.writer.entry"), "init", "{}", seen.raw);
    assert_eq!(
        text(value, "ldwatch.writer.container.id"),
        id,
        "{}",
        seen.raw
    );
    let told_by = text(value, "ldwatch.writer.container.told_by");
    assert_eq!(told_by, "mount-namespace", "{}", seen.raw);
    assert!(!cgroup.contains(&id), "it did not leave: {cgroup}");
    docker.remove(&id);
}

const HOST_PIDS: &[&str] = &[
    "--pid=host",
    "--cap-add=SYS_PTRACE",
    "--cap-add=SYS_ADMIN",
    "--security-opt=seccomp=unconfined",
    "--security-opt=apparmor=unconfined",
];

#[test]
#[ignore = "needs root: docker"]
fn docker_cp_is_named() {
    with(docker::PROGRAMS, Docker::start, copy);
}

#[test]
#[ignore = "needs root: podman"]
fn podman_cp_is_named() {
    with(podman::PROGRAMS, Podman::start, copy);
}

#[test]
#[ignore = "needs root: docker"]
fn docker_a_container_with_the_hosts_pids_is_told_as_the_attacker() {
    with(docker::PROGRAMS, Docker::start, |docker, watcher| {
        attacked_by_another(docker, watcher, |docker, name, argv| {
            docker.run_with(HOST_PIDS, name, argv)
        });
    });
}

#[test]
#[ignore = "needs root: podman"]
fn podman_a_container_with_the_hosts_pids_is_told_as_the_attacker() {
    with(podman::PROGRAMS, Podman::start, |podman, watcher| {
        attacked_by_another(podman, watcher, |podman, name, argv| {
            podman.run_with(HOST_PIDS, name, argv)
        });
    });
}

#[test]
#[ignore = "needs root: docker"]
fn docker_a_session_is_told_from_the_containers_own_start() {
    with(docker::PROGRAMS, Docker::start, entries);
}

#[test]
#[ignore = "needs root: podman"]
fn podman_a_session_is_told_from_the_containers_own_start() {
    with(podman::PROGRAMS, Podman::start, entries);
}

#[test]
#[ignore = "needs root: docker"]
fn docker_a_writer_that_left_its_cgroup_is_still_the_containers() {
    with(docker::PROGRAMS, Docker::start, leaves_its_cgroup);
}

/// Whether a process's executable is the host's file of that path, and that path.
fn compared(pid: i32) -> (bool, String) {
    let link = fs::read_link(format!("/proc/{pid}/exe")).unwrap();
    let line = fs::read(format!("/proc/{pid}/stat")).unwrap();
    let start_ticks = stat(&line).unwrap().start_ticks;
    let is_hosts = is_of_the_host(ProcessKey { pid, start_ticks }, link.as_os_str().as_bytes());
    (is_hosts, link.display().to_string())
}

#[test]
#[ignore = "needs root: mount namespaces"]
fn a_program_of_the_host_is_known_when_it_left_the_hosts_mounts() {
    let Some(_turn) = gate::enter(&["busybox", "sleep"]) else {
        return;
    };
    // As `podman cp` does, after it was executed.
    let left = std::thread::spawn(|| {
        unshare(CloneFlags::CLONE_FS | CloneFlags::CLONE_NEWNS).unwrap();
        compared(gettid().as_raw())
    });
    let (is_hosts, path) = left.join().unwrap();
    assert!(is_hosts, "{path}");
    // Another file under a path that the host has, too.
    let line = "mount --bind $(command -v busybox) $(command -v sleep) && exec sleep 30";
    let mut command = Command::new("unshare");
    let mut child = command.args(["-m", "sh", "-c", line]).spawn().unwrap();
    let pid = i32::try_from(child.id()).unwrap();
    let words = || fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let runs = wait_until(PATIENCE, || words().starts_with(b"sleep"));
    let (is_hosts, path) = compared(pid);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(runs && !is_hosts && path.ends_with("/sleep"), "{path}");
}
