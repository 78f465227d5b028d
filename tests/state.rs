//! What the watcher knows after a restart: its own, killed or asked, and that of a
//! container. Changes made meanwhile are told, nothing else is, and what may have been
//! told before says so.

#![allow(clippy::unwrap_used, clippy::expect_used)]
#![allow(clippy::indexing_slicing, clippy::print_stderr)]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::mount::{MsFlags, mount};
use support::command::wait_until;
use support::overlay::{Image, Overlay};
use support::program::Outcome;
use support::record::{self, Expect};
use support::scratch::{Scratch, nonce};
use support::watcher::{Seen, Watcher};
use support::{PRELOAD, gate};

fn containers(image: &Image, count: usize) -> Option<Vec<Overlay>> {
    gate::have((0..count).map(|_| image.start()).collect())
}

fn start(home: &Scratch, containers: &[Overlay]) -> Watcher {
    let mut watcher = Watcher::start_in(home.path(), "");
    for container in containers {
        watcher.mine(&container.id);
    }
    watcher
}

fn act(container: &Overlay, verb: &str) -> String {
    let nonce = nonce();
    let outcome = container.attack(&[verb, PRELOAD, &nonce]);
    assert_eq!(outcome, Outcome::Done);
    nonce
}

/// The record about an act that left the nonce in the file.
fn told(watcher: &Watcher, container: &Overlay, change: &str, action: &str, nonce: &str) -> Seen {
    let expect = Expect {
        kind: "alert",
        change,
        action,
        risk: Some(73.0),
        container: &container.id,
        nonce: Some(nonce),
    };
    watcher.expect(&expect).unwrap()
}

/// The record of a first look, which may come before anything named the container.
fn found(watcher: &Watcher, container: &Overlay, what: [&str; 2], nonce: Option<&str>) -> Seen {
    let said = |seen: &Seen, name: &str| record::text(&seen.value, name).to_owned();
    let fits = |seen: &Seen| {
        said(seen, "ldwatch.rootfs").contains(&container.id)
            && nonce.is_none_or(|nonce| record::carries(&seen.value, nonce))
    };
    let seen = watcher.claim(&format!("{what:?} {nonce:?}"), fits).unwrap();
    let id = said(&seen, "container.id");
    assert!(id.is_empty() || id == container.id, "{}", seen.raw);
    let action = said(&seen, "event.action");
    let kinds = record::texts(&seen.value, "event.type");
    assert_eq!((kinds, &*action), (vec![what[0]], what[1]), "{}", seen.raw);
    assert_eq!(said(&seen, "ldwatch.detection"), "scan", "{}", seen.raw);
    seen
}

fn deletion(container: &Overlay) -> Expect<'_> {
    Expect {
        kind: "event",
        change: "deletion",
        action: "deletion",
        risk: None,
        container: &container.id,
        nonce: None,
    }
}

/// An alert about what happened while nobody looked, told for the first time.
fn is_news(seen: &Seen) {
    assert!(record::is_alert(&seen.value), "{}", seen.raw);
    assert!(seen.raw.contains("while-unwatched"), "{}", seen.raw);
    let repeat = record::field(&seen.value, "ldwatch.repeat");
    assert!(repeat.is_some_and(|value| value == false), "{}", seen.raw);
}

fn gap(watcher: &Watcher, reason: &str) -> Seen {
    let fits = |seen: &Seen| record::text(&seen.value, "ldwatch.gap.reason") == reason;
    watcher.claim(reason, fits).unwrap()
}

/// The state file that names this container or its place, and what it holds.
fn state_of(home: &Scratch, container: &Overlay) -> Option<(PathBuf, String)> {
    let files = fs::read_dir(home.join("state")).ok()?;
    let texts = files.flatten().filter_map(|entry| {
        let text = fs::read_to_string(entry.path()).ok()?;
        Some((entry.path(), text))
    });
    let mut ours = texts.filter(|(_, text)| text.contains(&container.id));
    ours.next()
}

/// Waits until what was told of all of them is stored.
fn stored(home: &Scratch, containers: &[Overlay]) {
    let whole = |one| state_of(home, one).is_some_and(|(_, text)| text.lines().count() == 1);
    let all = || containers.iter().all(whole);
    assert!(wait_until(Duration::from_secs(10), all), "not stored");
}

#[test]
#[ignore = "needs root: overlay mounts, cgroups and fanotify"]
fn what_changed_while_the_watcher_was_killed_is_told_and_nothing_else() {
    let Some(_turn) = gate::enter(&[]) else {
        return;
    };
    let (home, image) = (Scratch::new(), Image::new());
    let Some(all) = containers(&image, 4) else {
        return;
    };
    let [created, modified, deleted, untouched] = &all[..] else {
        unreachable!()
    };
    let watcher = start(&home, &all);
    let mut before = String::new();
    for container in [deleted, untouched, modified] {
        before = act(container, "create");
        told(&watcher, container, "creation", "creation", &before);
    }
    watcher.nothing_else().unwrap();
    stored(&home, &all);
    watcher.kill();

    let fresh = act(created, "create");
    let changed = act(modified, "append");
    act(deleted, "unlink");

    let watcher = start(&home, &all);
    let what = ["creation", "creation"];
    is_news(&found(&watcher, created, what, Some(&fresh)));
    let what = ["change", "modification"];
    let second = found(&watcher, modified, what, Some(&changed));
    is_news(&second);
    let previous = record::text(&second.value, "ldwatch.previous.content");
    assert!(previous.contains(&before), "{}", second.raw);
    found(&watcher, deleted, ["deletion", "deletion"], None);
    watcher.stop();
    start(&home, &all).stop();
}

#[test]
#[ignore = "needs root: overlay mounts, cgroups and fanotify"]
fn a_file_of_the_image_is_present_and_its_change_an_alert_and_then_known() {
    let Some(_turn) = gate::enter(&[]) else {
        return;
    };
    let (home, image) = (Scratch::new(), Image::new());
    let shipped = nonce();
    let line = format!("/tmp/{shipped}.so\n");
    fs::write(image.lower().join("etc/ld.so.preload"), line).unwrap();
    let Some(all) = containers(&image, 1) else {
        return;
    };
    let watcher = start(&home, &all);
    found(&watcher, &all[0], ["info", "present"], Some(&shipped));
    watcher.stop();
    // Told once, not at every start.
    let watcher = start(&home, &all);
    watcher.nothing_else().unwrap();
    let changed = act(&all[0], "append");
    let alert = told(&watcher, &all[0], "change", "modification", &changed);
    let previous = record::text(&alert.value, "ldwatch.previous.content");
    assert!(previous.contains(&shipped), "{}", alert.raw);
    assert!(!previous.contains(&changed), "{}", alert.raw);
    watcher.stop();
    start(&home, &all).stop();
}

#[test]
#[ignore = "needs root: overlay mounts, cgroups and fanotify"]
fn a_container_that_comes_back_is_known() {
    let Some(_turn) = gate::enter(&[]) else {
        return;
    };
    let (home, image) = (Scratch::new(), Image::new());
    let Some(mut all) = containers(&image, 1) else {
        return;
    };
    let watcher = start(&home, &all);
    let first = act(&all[0], "create");
    told(&watcher, &all[0], "creation", "creation", &first);
    let again = |all: &mut Vec<Overlay>, meanwhile: &dyn Fn(&Path)| {
        let stopped = all.remove(0);
        let (id, upper) = (stopped.id.clone(), stopped.upper.clone());
        drop(stopped);
        meanwhile(&upper);
        let cgroup = format!("/docker/{id}");
        all.push(image.start_in(id, &cgroup).unwrap());
    };
    again(&mut all, &|_| {});
    watcher.nothing_else().unwrap();
    let written = nonce();
    again(&mut all, &|upper| {
        let line = format!("/tmp/{written}.so\n");
        fs::write(upper.join("etc/ld.so.preload"), line).unwrap();
    });
    let seen = found(
        &watcher,
        &all[0],
        ["change", "modification"],
        Some(&written),
    );
    is_news(&seen);
    watcher.stop();
}

#[test]
#[ignore = "needs root: overlay mounts, cgroups and fanotify"]
fn a_damaged_and_a_future_state_are_set_aside_and_reported() {
    let Some(_turn) = gate::enter(&[]) else {
        return;
    };
    let (home, image) = (Scratch::new(), Image::new());
    let Some(all) = containers(&image, 2) else {
        return;
    };
    let watcher = start(&home, &all);
    let nonces: Vec<String> = all.iter().map(|one| act(one, "create")).collect();
    for (one, nonce) in all.iter().zip(&nonces) {
        told(&watcher, one, "creation", "creation", nonce);
    }
    watcher.stop();
    let file = |one| state_of(&home, one).expect("a state file").0;
    let files = [file(&all[0]), file(&all[1])];
    fs::write(&files[0], "not a state at all").unwrap();
    fs::write(&files[1], "{\"version\":99,\"more\":[]}\n").unwrap();

    let watcher = start(&home, &all);
    let details = [(); 2].map(|()| {
        let seen = gap(&watcher, "state-unreadable");
        record::text(&seen.value, "ldwatch.gap.detail").to_owned()
    });
    assert!(details.concat().contains(".bad"), "{details:?}");
    assert!(details.concat().contains(".v99"), "{details:?}");
    for (file, ending) in files.iter().zip([".bad", ".v99"]) {
        let mut aside = file.clone().into_os_string();
        aside.push(ending);
        assert!(Path::new(&aside).exists(), "{aside:?}");
    }
    // Nothing is known of them: found, and told as at the first sight.
    for (one, nonce) in all.iter().zip(&nonces) {
        found(&watcher, one, ["creation", "creation"], Some(nonce));
    }
    watcher.stop();
    start(&home, &all).stop();
}

#[test]
#[ignore = "needs root: overlay mounts, cgroups and fanotify"]
fn a_state_directory_that_is_none_or_not_writable_is_reported_once() {
    let Some(_turn) = gate::enter(&[]) else {
        return;
    };
    let image = Image::new();
    let Some(all) = containers(&image, 1) else {
        return;
    };
    let (file, read_only) = (Scratch::new(), Scratch::new());
    fs::write(file.join("state"), "").unwrap();
    let (none, state) = (None::<&str>, read_only.directory("state"));
    let flags = MsFlags::MS_RDONLY;
    let options = Some("mode=0700");
    mount(none, &state, Some("tmpfs"), flags, options).unwrap();
    for (home, reason) in [(&file, "state-not-kept"), (&read_only, "state-not-written")] {
        let watcher = start(home, &all);
        gap(&watcher, reason);
        for verb in ["create", "append"] {
            let nonce = act(&all[0], verb);
            let carries = |seen: &Seen| record::carries(&seen.value, &nonce);
            watcher.claim(&nonce, carries).unwrap();
        }
        act(&all[0], "unlink");
        watcher.expect(&deletion(&all[0])).unwrap();
        watcher.nothing_else().unwrap();
        let reports = watcher.count(|seen| seen.raw.contains("state-not-"));
        assert_eq!(reports, 1);
        watcher.stop();
    }
}
