//! Who did it: writers that are gone at once, and writers that want to be taken for
//! another. A wrong name is never told as a fact.

#![allow(clippy::unwrap_used, clippy::expect_used)]
#![allow(clippy::indexing_slicing, clippy::print_stderr)]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::os::fd::AsFd;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use ldwatch::model::WriterSource;
use ldwatch::sys::pidfd;
use ldwatch::who::boot::Boot;
use ldwatch::who::process::writer;
use serde_json::Value;
use support::cgroup::Cgroup;
use support::overlay::{Image, Overlay, Wish};
use support::program::{self, Outcome, act};
use support::record::{carries, field, is_alert, text};
use support::scratch::{container_id, nonce};
use support::watcher::Watcher;
use support::{PRELOAD, dynamic, gate};

/// Acts of each writer.
const ROUNDS: usize = 10;
/// Acts this far apart are never folded: each is told with its own writer.
const WITHIN_BUDGET: Duration = Duration::from_millis(60);

/// What an alert says of its writer's program.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Named {
    Confirmed(String),
    Hinted(String),
    Not,
}

fn named(value: &Value) -> Named {
    let hint = text(value, "ldwatch.writer.hint.executable");
    match (text(value, "process.executable"), hint) {
        ("", "") => Named::Not,
        ("", hint) => Named::Hinted(hint.to_owned()),
        (confirmed, "") => Named::Confirmed(confirmed.to_owned()),
        both => panic!("a fact and a hint: {both:?}"),
    }
}

/// Acts again and again; gives what was said of the writer, and how often.
fn said_of(
    watcher: &Watcher,
    container: &Overlay,
    run: impl Fn(&str) -> Outcome,
) -> BTreeMap<Named, usize> {
    let mut all = BTreeMap::new();
    let mut sources: BTreeMap<String, usize> = BTreeMap::new();
    for _ in 0..ROUNDS {
        sleep(WITHIN_BUDGET);
        let own = nonce();
        assert_eq!(run(&own), Outcome::Done);
        let seen = watcher
            .claim("the alert", |seen| {
                is_alert(&seen.value) && carries(&seen.value, &own)
            })
            .unwrap();
        assert_eq!(text(&seen.value, "container.id"), container.id);
        holds_together(&seen.value);
        *all.entry(named(&seen.value)).or_default() += 1;
        let source = text(&seen.value, "ldwatch.writer.source").to_owned();
        *sources.entry(source).or_default() += 1;
    }
    eprintln!("sources: {sources:?}");
    all
}

/// What must be so in every alert, whoever the writer was.
fn holds_together(value: &Value) {
    let confirmed = field(value, "ldwatch.writer.confirmed") == Some(&Value::Bool(true));
    let source = text(value, "ldwatch.writer.source");
    let facts =
        ["executable", "name", "args", "user"].map(|key| field(value, &format!("process.{key}")));
    assert!(confirmed || facts.iter().all(Option::is_none), "{value}");
    match source {
        "exec-trail" => {
            assert!(!confirmed, "{value}");
            assert_eq!(
                text(value, "ldwatch.writer.hint.source"),
                "exec-trail",
                "{value}"
            );
        }
        "unknown" => assert!(!confirmed, "{value}"),
        "reaped" => assert!(confirmed && facts.iter().all(Option::is_none), "{value}"),
        "live" | "zombie" => {}
        other => panic!("source {other}: {value}"),
    }
}

/// An image with a second copy of the attack program, and a container of it.
fn container(image: &Image, wish: &Wish) -> Option<Overlay> {
    let lower = image.lower();
    fs::copy(program::attack(), lower.join("bin/other")).unwrap();
    gate::have(image.start_as(wish))
}

fn confirmed(all: &BTreeMap<Named, usize>) -> Vec<&str> {
    let names = all.keys().filter_map(|named| match named {
        Named::Confirmed(name) => Some(name.as_str()),
        _ => None,
    });
    names.collect()
}

/// With and without real time, since a slow watcher knows less.
const PACES: [&str; 2] = ["sweep = \"off\"\n", "sweep = \"off\"\nrealtime = false\n"];

#[test]
#[ignore = "needs root: overlay mounts, cgroups and fanotify"]
fn a_writer_that_executed_a_program_is_always_named() {
    let Some(_turn) = gate::enter(&[]) else {
        return;
    };
    let image = Image::new();
    for pace in PACES {
        let Some(container) = container(&image, &Wish::default()) else {
            return;
        };
        let mut watcher = Watcher::start(pace);
        watcher.mine(&container.id);
        let create = |own: &str| container.attack(&["create", PRELOAD, own]);
        let all = said_of(&watcher, &container, create);
        eprintln!("create: {all:?}");
        let of = |name: &str| [Named::Confirmed(name.into()), Named::Hinted(name.into())];
        assert!(
            all.keys().all(|named| of("/bin/attack").contains(named)),
            "{all:?}"
        );
        watcher.stop();
    }
}

/// The ways of one process to be taken for another. Each verb with its argument, and
/// the program that writes.
const FORGERIES: [(&str, &str, &str); 11] = [
    ("execve-too-big", "/bin/other", "/bin/attack"),
    ("renamed-briefly", "dockerd", "/bin/attack"),
    ("handover", "/tmp/attack", "/tmp/attack"),
    ("handover", "/vol/attack", "/vol/attack"),
    ("forked", "", "/bin/attack"),
    // It is another program before it is looked at, unless the watcher is real time.
    ("write-execve", "/bin/other", "/bin/attack"),
    ("write-execve", "/tmp/attack", "/bin/attack"),
    ("write-execve", "/vol/attack", "/bin/attack"),
    ("child-write-execve", "/bin/other", "/bin/attack"),
    ("child-write-execve", "/tmp/attack", "/bin/attack"),
    ("script-write-execve", "/bin/other", "/bin/attack"),
];

#[test]
#[ignore = "needs root: overlay mounts, cgroups and fanotify"]
fn no_forgery_makes_a_confirmed_wrong_name() {
    let Some(_turn) = gate::enter(&[]) else {
        return;
    };
    let image = Image::with(&["bin", "etc", "tmp", "proc", "vol"]);
    // A tmpfs, and a directory of the host's filesystem: neither is on the trail.
    let (tmpfs, volume) = (image.layer_elsewhere("tmp"), image.directory("volume"));
    let Some(tmpfs) = gate::have(tmpfs) else {
        return;
    };
    for directory in [&tmpfs, &volume] {
        fs::copy(program::attack(), directory.join("attack")).unwrap();
    }
    let wish = Wish {
        binds: vec![(tmpfs, "/tmp"), (volume, "/vol")],
        ..Wish::default()
    };
    for pace in PACES {
        let Some(container) = container(&image, &wish) else {
            return;
        };
        let mut watcher = Watcher::start(pace);
        watcher.mine(&container.id);
        for (verb, extra, writes) in FORGERIES {
            let forge = |own: &str| container.attack(&[verb, PRELOAD, own, extra]);
            let all = said_of(&watcher, &container, forge);
            eprintln!("{verb} {extra}: {all:?}");
            assert!(
                confirmed(&all).iter().all(|name| *name == writes),
                "{verb}: {all:?}"
            );
        }
        watcher.stop();
    }
}

#[test]
#[ignore = "needs root: overlay mounts, cgroups and fanotify"]
fn shells_and_env_by_one_pid_are_told_as_what_wrote() {
    let Some(_turn) = gate::enter(&["dash", "env"]) else {
        return;
    };
    let image = Image::new();
    let place = |name| gate::have(dynamic::place(&image, name));
    let (Some(dash), Some(env)) = (place("dash"), place("env")) else {
        return;
    };
    for pace in PACES {
        let Some(container) = container(&image, &Wish::default()) else {
            return;
        };
        let mut watcher = Watcher::start(pace);
        watcher.mine(&container.id);
        let chain = |own: &str| {
            let echo = format!("test -e /bin/attack && echo /tmp/{own}.so > {PRELOAD}");
            let outer = format!("exec {env} {dash} -c '{echo}'");
            act(container.command(&dash).args(["-c", &outer]))
        };
        let all = said_of(&watcher, &container, chain);
        eprintln!("{dash} -> {env} -> {dash}: {all:?}");
        assert!(confirmed(&all).iter().all(|name| *name == dash), "{all:?}");
        watcher.stop();
    }
}

/// A process that was reaped before it could be read: its pidfd still tells the cgroup.
#[test]
#[ignore = "needs root: overlay mounts, cgroups and fanotify"]
fn the_container_of_a_reaped_process_is_told_where_the_kernel_tells_its_cgroup() {
    let Some(_turn) = gate::enter(&[]) else {
        return;
    };
    let id = container_id();
    let made = Cgroup::new(&format!("/docker/{id}")).map_err(|error| format!("no cgroup: {error}"));
    let Some(cgroup) = gate::have(made) else {
        return;
    };
    let mut child = Command::new("sleep").arg("60").spawn().unwrap();
    let pid = i32::try_from(child.id()).unwrap();
    for directory in cgroup.directories() {
        fs::write(directory.join("cgroup.procs"), pid.to_string()).unwrap();
    }
    let pidfd = pidfd::open(pid).unwrap();
    let told = pidfd::cgroup(pidfd.as_fd()).is_some();
    child.kill().unwrap();
    child.wait().unwrap();
    let writer = writer(&Boot::read(), pid, Some(&pidfd));
    eprintln!("{writer:?}");
    if !told {
        assert_eq!(writer.source, WriterSource::Unknown);
        return;
    }
    assert_eq!(
        (writer.source, writer.confirmed),
        (WriterSource::Reaped, true)
    );
    assert_eq!(writer.member.unwrap().id.unwrap(), id);
}
