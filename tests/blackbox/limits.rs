//! What is left when the limits of inotify are reached. They are limits of the machine,
//! so this wants one of its own: `scripts/kernels` runs it in a booted kernel, on the
//! rungs that use inotify. `scripts/test` leaves it out by name.

use std::env;
use std::fs;
use std::time::Duration;

use crate::support::overlay::{Image, Overlay};
use crate::support::program::Outcome;
use crate::support::record::{carries, text};
use crate::support::scratch::nonce;
use crate::support::watcher::{Seen, Watcher};
use crate::support::{PRELOAD, gate};

const CONTAINERS: usize = 6;
/// Watches for some of those containers.
const FEW: &str = "9";

/// A limit, put back with the end of this value.
struct Limit {
    path: String,
    before: String,
}

impl Limit {
    fn lower(name: &str, to: &str) -> Self {
        let path = format!("/proc/sys/fs/inotify/{name}");
        let before = fs::read_to_string(&path).expect("a limit");
        fs::write(&path, to).expect("root sets limits");
        Self { path, before }
    }
}

impl Drop for Limit {
    fn drop(&mut self) {
        let _ = fs::write(&self.path, self.before.trim());
    }
}

/// The gap that names this container and what to raise.
fn is_gap_of(seen: &Seen, container: &Overlay) -> bool {
    let gap = |name: &str| text(&seen.value, &format!("ldwatch.gap.{name}"));
    let told = ["not-covered", "partly-covered"].contains(&gap("reason"));
    told && gap("remedy").contains("fs.inotify.max_user_")
        && text(&seen.value, "container.id") == container.id
}

/// The rung of a container in the status file.
fn rung(watcher: &Watcher, container: &Overlay) -> String {
    let status = watcher.status().unwrap_or_default();
    let all = status["containers"].as_array().cloned().unwrap_or_default();
    let of = |one: &&serde_json::Value| text(one, "id") == container.id;
    let found = all.iter().find(of);
    found.map_or_else(String::new, |one| text(one, "rung").to_owned())
}

/// A change in each container, and its alert. A descriptor still tells of a write; of a
/// rename the sweep alone does.
fn told_everywhere(watcher: &Watcher, containers: &[Overlay], verb: &str) {
    for container in containers {
        let own = nonce();
        assert_eq!(container.attack(&[verb, PRELOAD, &own]), Outcome::Done);
        let seen = watcher.claim("a change beyond the limit", |seen| {
            carries(&seen.value, &own)
        });
        let seen = seen.unwrap_or_else(|error| {
            let all = watcher.take().into_iter().map(|seen| seen.raw);
            let all: Vec<String> = all.collect();
            panic!(
                "{} in {}: {error}\nall: {}\nstatus: {:?}",
                verb,
                container.id,
                all.join("\n"),
                watcher.status()
            )
        });
        assert_eq!(text(&seen.value, "container.id"), container.id);
        let by = text(&seen.value, "ldwatch.detection");
        eprintln!("{verb} beyond the limit: by {by}");
    }
}

#[test]
#[ignore = "needs root, and a machine of its own: scripts/kernels"]
fn on_a_machine_of_its_own_the_limits_of_inotify_are_told_and_the_sweep_goes_on() {
    let Some(_turn) = gate::enter(&[]) else {
        return;
    };
    let alone = env::var_os("LDWATCH_ALONE").is_some_and(|value| value == "1");
    assert!(alone, "this lowers the limits of the whole machine");
    let image = Image::new();
    let made: Result<Vec<_>, String> = (0..CONTAINERS).map(|_| image.start()).collect();
    let containers = made.expect("containers");
    for (name, to, verb) in [
        ("max_user_watches", FEW, "create"),
        ("max_user_instances", "0", "rename-outside"),
    ] {
        let limit = Limit::lower(name, to);
        let mut watcher = Watcher::start("sweep = \"1s\"\n");
        for container in &containers {
            watcher.mine(&container.id);
        }
        // At least the last of them found no room.
        let wanting = |one: &&Overlay| {
            watcher
                .claim_within(Duration::from_secs(2), |seen| is_gap_of(seen, one))
                .is_some()
        };
        let told = containers.iter().filter(wanting).count();
        eprintln!("{name} = {to}: {told} of {CONTAINERS} containers are told to lack watches");
        assert!(told > 0, "{}", watcher.log());
        told_everywhere(&watcher, &containers, verb);
        drop(limit);
        let marked = || containers.iter().all(|one| !rung(&watcher, one).is_empty());
        let well = || containers.iter().all(|one| rung(&watcher, one) != "none");
        let again =
            crate::support::command::wait_until(Duration::from_secs(20), || marked() && well());
        assert!(again, "not marked again: {:?}", watcher.status());
        watcher.pass_over();
        watcher.stop();
    }
}
