//! Text of the host's side that others wrote: files of a runtime that are garbage or no
//! files at all, and cgroups with hostile names.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::process::Command;

use nix::mount::{MsFlags, mount};
use nix::sys::stat::Mode;

use crate::PATIENCE;
use crate::support::cgroup::{self, Cgroup};
use crate::support::overlay::Image;
use crate::support::program::{self, act};
use crate::support::record::{self, text, texts};
use crate::support::scratch::{container_id, nonce};
use crate::support::watcher::{Seen, Watcher};
use crate::support::{PRELOAD, gate};

/// Garbage in place of each file of docker's; `None`: a FIFO, at which a reader waits.
const GARBAGE: [Option<&[u8]>; 5] = [
    Some(b""),
    Some(b"{\"Name\": \"/n\", \"Config\": {\"Ima"),
    Some(b"\xff\xfe\x00\x1b[2J\n{}"),
    Some(b"[[[[[[[[[[[[[[[[{\"Name\":"),
    None,
];

/// A root filesystem as docker mounts it, with one bad file; its ID and its root.
fn docker(
    image: &Image,
    number: usize,
    garbage: Option<&[u8]>,
) -> Result<(String, String), String> {
    let (id, layer) = (container_id(), format!("m{number}"));
    let data = format!("docker{number}");
    let made = |name: &str| image.directory(&format!("{data}/{name}"));
    let entry = made(&format!("image/overlay2/layerdb/mounts/{id}"));
    fs::write(entry.join("mount-id"), &layer).unwrap();
    let config = made(&format!("containers/{id}")).join("config.v2.json");
    match garbage {
        Some(bytes) => fs::write(config, bytes).unwrap(),
        None => nix::unistd::mkfifo(&config, Mode::from_bits_truncate(0o600)).unwrap(),
    }
    // Nested deeper than any reader should follow.
    fs::write(
        made(&format!("containers/{id}")).join("hostconfig.json"),
        "[".repeat(100_000),
    )
    .unwrap();
    let (upper, work) = (made("upper"), made("work"));
    let merged = made(&format!("overlay2/{layer}/merged"));
    let options = format!(
        "lowerdir={},upperdir={},workdir={}",
        image.lower().display(),
        upper.display(),
        work.display()
    );
    let kind = Some("overlay");
    mount(
        kind,
        &merged,
        kind,
        MsFlags::empty(),
        Some(options.as_str()),
    )
    .map_err(|error| format!("overlay: {error}"))?;
    Ok((id, merged.display().to_string()))
}

#[test]
#[ignore = "needs root: overlay mounts and fanotify"]
fn garbage_of_a_runtime_costs_what_it_would_have_told_and_no_more() {
    let Some(_turn) = gate::enter(&[]) else {
        return;
    };
    let image = Image::new();
    let all = GARBAGE.iter().enumerate();
    let made: Result<Vec<_>, String> = all.map(|(n, bytes)| docker(&image, n, *bytes)).collect();
    let Some(made) = gate::have(made) else {
        return;
    };
    let watcher = Watcher::start("");
    for (id, merged) in &made {
        let own = nonce();
        let mut command = Command::new(program::attack());
        act(command
            .arg("create")
            .arg(format!("{merged}{PRELOAD}"))
            .arg(&own));
        let carries = |seen: &Seen| record::carries(&seen.value, &own);
        let seen = watcher.claim_within(PATIENCE, carries).expect("an alert");
        assert_eq!(text(&seen.value, "container.id"), id, "{}", seen.raw);
        assert_eq!(
            text(&seen.value, "ldwatch.container.source"),
            "docker-files"
        );
        let missing = texts(&seen.value, "ldwatch.container.missing");
        assert!(
            missing.contains(&"name") && missing.contains(&"privileged"),
            "{missing:?}"
        );
    }
    watcher.stop_anyway();
}

#[test]
#[ignore = "needs root: overlay mounts, cgroups and fanotify"]
fn a_cgroup_with_a_hostile_name_breaks_out_of_no_record() {
    let Some(_turn) = gate::enter(&[]) else {
        return;
    };
    let newline = Cgroup::new("/ldwt\n0::/docker")
        .map(|_| ())
        .map_err(|error| error.kind());
    assert_eq!(
        newline,
        Err(ErrorKind::InvalidInput),
        "the kernel takes a newline in a name"
    );
    let image = Image::new();
    let parent = "/ldwt\u{1b}]0;x\u{7}\"},{\u{202e}:0::";
    for shape in ["{parent}/docker/{id}", "/docker/{id}/{parent}"] {
        let id = container_id();
        let path = shape
            .replace("{id}", &id)
            .replace("{parent}", parent.trim_start_matches('/'));
        let path = format!("/{}", path.trim_start_matches('/'));
        let Some(container) = gate::have(image.start_in(id.clone(), &path)) else {
            return;
        };
        let (watcher, own) = (Watcher::start(""), nonce());
        container.attack(&["create", PRELOAD, &own]);
        let carries = |seen: &Seen| record::carries(&seen.value, &own);
        let seen = watcher.claim_within(PATIENCE, carries).expect("an alert");
        assert_eq!(
            text(&seen.value, "container.id"),
            id,
            "{path}: {}",
            seen.raw
        );
        assert!(Path::new(text(&seen.value, "ldwatch.rootfs")).ends_with("merged"));
        assert!(!seen.raw.chars().any(char::is_control), "{}", seen.raw);
        assert!(!seen.raw.contains('\u{202e}'), "{}", seen.raw);
        watcher.stop_anyway();
    }
    assert!(!cgroup::exists(parent), "the cgroup was left behind");
}
