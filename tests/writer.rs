//! Who wrote: named by what it is, whatever it calls itself, and placed by where it
//! stands, whatever cgroup it is in.

#![allow(clippy::unwrap_used, clippy::expect_used)]
#![allow(clippy::indexing_slicing, clippy::print_stderr)]

mod support;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use support::command::try_run;
use support::overlay::{Image, Overlay, Wish};
use support::program::{self, Outcome, act};
use support::record::{carries, field, is_cross_boundary, text, texts};
use support::scratch::nonce;
use support::watcher::{Seen, Watcher};
use support::{PRELOAD, gate};

/// The watcher sees every container of the machine, and others may be flooding theirs.
const PATIENCE: Duration = Duration::from_secs(60);
const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nroot\u{202e}:x:1:1::/:\n";
const GROUP: &str = "wheel:x:0:\n";

/// A container whose files name its users, and a watcher.
fn with(scenario: fn(&Image, &Overlay, &mut Watcher)) {
    let Some(_turn) = gate::enter(&[]) else {
        return;
    };
    let image = Image::new();
    fs::write(image.lower().join("etc/passwd"), PASSWD).unwrap();
    fs::write(image.lower().join("etc/group"), GROUP).unwrap();
    strip(&image.lower().join("bin/attack"));
    let Some(container) = gate::have(image.start()) else {
        return;
    };
    let mut watcher = Watcher::start("sweep = \"off\"\n");
    watcher.mine(&container.id);
    scenario(&image, &container, &mut watcher);
    watcher.stop();
}

/// One act by the attack program, and the alert about it; `None` where the act is not
/// possible.
fn told(container: &Overlay, watcher: &Watcher, verb: &str, extra: &[&str]) -> Option<Seen> {
    let own = nonce();
    let mut words = vec![verb, PRELOAD, &own];
    words.extend(extra);
    match container.attack(&words) {
        Outcome::Done => {}
        Outcome::NotPossible(why) => return gate::skip(&format!("{verb}: {why}")),
    }
    Some(alert(watcher, &own))
}

fn alert(watcher: &Watcher, own: &str) -> Seen {
    let fits =
        |seen: &Seen| carries(&seen.value, own) && text(&seen.value, "event.kind") == "alert";
    let seen = watcher.claim_within(PATIENCE, fits);
    seen.unwrap_or_else(|| panic!("no alert with {own}"))
}

/// What came after the alert.
fn more(watcher: &Watcher, alert: &Seen) -> Value {
    let id = text(&alert.value, "event.id");
    let fits = |seen: &Seen| text(&seen.value, "ldwatch.alert.id") == id;
    let seen = watcher.claim("an enrichment", fits).unwrap();
    assert_eq!(text(&seen.value, "event.kind"), "enrichment");
    assert!(seen.at >= alert.at, "the alert goes first");
    let of_both = |name| (field(&seen.value, name), field(&alert.value, name));
    let (pid, pid_before) = of_both("process.pid");
    assert_eq!(pid, pid_before);
    let (process, before) = of_both("process.entity_id");
    assert!(before.is_none() || process == before, "{}", seen.raw);
    seen.value
}

/// Without what only a debugger reads: a watcher built for debugging is slow to hash it.
fn strip(path: &Path) {
    let _ = try_run(Command::new("strip").arg(path));
}

fn sha256(path: &Path) -> String {
    let digest = Sha256::digest(fs::read(path).unwrap());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The record names the process that wrote, as a fact.
fn is_confirmed(seen: &Seen) {
    let value = &seen.value;
    assert_eq!(
        field(value, "ldwatch.writer.confirmed"),
        Some(&json!(true)),
        "{}",
        seen.raw
    );
    assert_eq!(
        text(value, "ldwatch.writer.origin"),
        "inside",
        "{}",
        seen.raw
    );
    assert_eq!(
        field(value, "event.risk_score"),
        Some(&json!(73.0)),
        "{}",
        seen.raw
    );
}

/// The record names the process that wrote, and leaves open whether it had that program then.
fn is_doubted(seen: &Seen, program: &str) {
    let value = &seen.value;
    let sure = field(value, "ldwatch.writer.confirmed");
    let told = ["source", "origin"].map(|name| text(value, &format!("ldwatch.writer.{name}")));
    let named = text(value, "ldwatch.writer.hint.executable");
    assert_eq!(
        (sure, told, named.starts_with(program)),
        (Some(&json!(false)), ["live", "inside"], true),
        "{}",
        seen.raw
    );
}

#[test]
#[ignore = "needs root: overlay mounts, cgroups and fanotify"]
fn ids_have_the_names_that_the_container_has_for_them() {
    with(|_, container, watcher| {
        let seen = told(container, watcher, "linger", &[]).unwrap();
        is_confirmed(&seen);
        for (name, want) in [
            ("user.id", "0"),
            ("user.name", "root"),
            ("process.user.name", "root"),
            ("process.real_user.name", "root"),
            ("group.name", "wheel"),
            ("process.group.name", "wheel"),
        ] {
            assert_eq!(text(&seen.value, name), want, "{name}: {}", seen.raw);
        }
        assert_eq!(texts(&seen.value, "related.user"), ["0", "root"]);
        // The files are the container's: replaced by a FIFO they name nobody, and
        // nobody waits for them.
        container.attack(&["unlink", "/etc/passwd", "-"]);
        container.attack(&["mkfifo", "/etc/passwd", "-"]);
        let seen = told(container, watcher, "linger", &[]).unwrap();
        is_confirmed(&seen);
    });
}

#[test]
#[ignore = "needs root: overlay mounts, cgroups and fanotify"]
fn the_executable_is_read_after_the_alert() {
    with(|image, container, watcher| {
        let digest = sha256(&image.lower().join("bin/attack"));
        for (verb, layer, deleted) in [
            ("linger", "image", false),
            ("copied", "writable", false),
            ("deleted", "", true),
            ("memfd", "memfd", true),
        ] {
            let Some(seen) = told(container, watcher, verb, &[]) else {
                continue;
            };
            let more = more(watcher, &seen);
            // The trail knows nothing of what is executed from memory.
            match verb {
                "memfd" => is_doubted(&seen, "/memfd:"),
                _ => is_confirmed(&seen),
            }
            let sure = field(&more, "ldwatch.writer.confirmed");
            assert_eq!(sure, field(&seen.value, "ldwatch.writer.confirmed"));
            assert_eq!(text(&more, "process.hash.sha256"), digest, "{verb}: {more}");
            assert_eq!(text(&more, "ldwatch.writer.executable_found"), "process");
            let lies = text(&more, "ldwatch.writer.executable_layer");
            assert_eq!(lies, layer, "{verb}: {more}");
            let said = field(&more, "ldwatch.writer.executable_deleted");
            assert_eq!(said, Some(&json!(deleted)), "{verb}: {more}");
        }
        of_one_that_is_gone(container, watcher, &digest);
    });
}

/// It is looked for by its name, and that is said. Only what is known for sure is looked
/// into: one that was gone before it was looked at may be named by the trail alone.
fn of_one_that_is_gone(container: &Overlay, watcher: &Watcher, digest: &str) {
    const TRIES: usize = 40;
    let known = |seen: &Seen| {
        ["process.entity_id", "process.executable"]
            .iter()
            .all(|name| field(&seen.value, name).is_some())
            && field(&seen.value, "ldwatch.writer.confirmed") == Some(&json!(true))
    };
    let seen = (0..TRIES)
        .filter_map(|_| told(container, watcher, "leave", &[]))
        .find(known)
        .unwrap_or_else(|| panic!("none of {TRIES} short writers was told for sure"));
    let more = more(watcher, &seen);
    let named = text(&more, "ldwatch.writer.executable_sha256");
    assert_eq!(named, digest, "{more}");
    let found = text(&more, "ldwatch.writer.executable_found");
    let certain = field(&more, "process.hash.sha256").is_some();
    assert_eq!(certain, found == "process", "{more}");
}

#[test]
#[ignore = "needs root: overlay mounts, cgroups and fanotify"]
fn a_thread_a_kernel_worker_and_a_name_that_was_taken_are_told_as_their_process() {
    with(|_, container, watcher| {
        let hostile = "\u{1b}[31m\n\u{202e}docker cp";
        for (verb, extra, name) in [
            ("thread", "", "attack"),
            ("renamed", "dockerd", "dockerd"),
            ("worker", "", "attack"),
            ("linger", hostile, "attack"),
        ] {
            let Some(seen) = told(container, watcher, verb, &[extra]) else {
                continue;
            };
            let value = &seen.value;
            assert_eq!(
                text(value, "ldwatch.writer.origin"),
                "inside",
                "{verb}: {}",
                seen.raw
            );
            if text(value, "ldwatch.writer.source") == "live" {
                assert_eq!(
                    text(value, "process.executable"),
                    "/bin/attack",
                    "{verb}: {}",
                    seen.raw
                );
                assert_eq!(text(value, "process.name"), name, "{verb}: {}", seen.raw);
                let args = texts(value, "process.args");
                assert_eq!(args.get(1), Some(&verb), "{verb}: {}", seen.raw);
            }
            assert!(
                field(value, "ldwatch.writer.tool").is_none(),
                "{}",
                seen.raw
            );
            assert!(!seen.raw.contains('\u{1b}') && !seen.raw.contains('\u{202e}'));
        }
    });
}

/// Who is said to come from elsewhere: origin, and the container it is in.
fn is_from(seen: &Seen, victim: &Overlay, origin: &str, home: Option<&str>) {
    let value = &seen.value;
    assert_eq!(text(value, "container.id"), victim.id, "{}", seen.raw);
    assert_eq!(text(value, "ldwatch.writer.origin"), origin, "{}", seen.raw);
    assert_eq!(
        text(value, "ldwatch.writer.entry"),
        "outside",
        "{}",
        seen.raw
    );
    let id = field(value, "ldwatch.writer.container.id").and_then(Value::as_str);
    assert_eq!(id, home, "{}", seen.raw);
    assert!(is_cross_boundary(value), "{}", seen.raw);
    assert!(
        field(value, "user.name").is_none(),
        "a name of the victim's: {}",
        seen.raw
    );
}

#[test]
#[ignore = "needs root: overlay mounts, cgroups and fanotify"]
fn a_writer_from_the_host_is_told_as_such() {
    with(|_, container, watcher| {
        let own = nonce();
        let path = container.merged.join("etc/ld.so.preload");
        let mut command = Command::new(program::attack());
        act(command.arg("linger").arg(&path).arg(&own));
        is_from(&alert(watcher, &own), container, "host", None);
        // As nsenter does: in the container's mount namespace, with the host's cgroup.
        let own = nonce();
        let mut command = Command::new(program::attack());
        command.arg("enter").arg(container.pid().to_string());
        act(command.args(["--", "/bin/attack", "linger", PRELOAD, &own]));
        is_from(&alert(watcher, &own), container, "host", None);
    });
}

#[test]
#[ignore = "needs root: overlay mounts, cgroups and fanotify"]
fn a_writer_in_another_container_is_told_with_that_container() {
    with(|image, victim, watcher| {
        let wish = Wish {
            binds: vec![(victim.merged.clone(), "/opt/etc")],
            ..Wish::default()
        };
        let Some(attacker) = gate::have(image.start_as(&wish)) else {
            return;
        };
        watcher.mine(&attacker.id);
        let write = |mut command: Command| {
            let own = nonce();
            let words = ["linger", "/opt/etc/etc/ld.so.preload", own.as_str()];
            act(command.args(words));
            alert(watcher, &own)
        };
        let seen = write(attacker.command("/bin/attack"));
        is_from(&seen, victim, "other-container", Some(&attacker.id));
        // In the victim's cgroup it is the mount namespace that tells.
        let mut moved = Command::new(program::attack());
        moved.arg("enter").arg(attacker.pid().to_string());
        moved.args(victim.cgroups()).args(["--", "/bin/attack"]);
        let seen = write(moved);
        is_from(&seen, victim, "other-container", Some(&attacker.id));
        assert_eq!(
            text(&seen.value, "ldwatch.writer.container.told_by"),
            "mount-namespace"
        );
        drop(attacker);
    });
}
