//! Steps of image builds: a RUN step that writes the file is told once, as a build's.

#![allow(clippy::unwrap_used, clippy::expect_used)]
#![allow(clippy::indexing_slicing, clippy::print_stderr)]

mod support;

use serde_json::Value;
use support::record::{carries, field, text};
use support::runtimes::buildah::{self, Buildah};
use support::runtimes::docker::{self, Docker};
use support::scratch::nonce;
use support::watcher::{Seen, Watcher};
use support::{PRELOAD, gate};

const FROM: &str = "ldwt/box:1";

/// Builds an image with a step that writes the file; the step's alert, and no other.
fn steps(from: &str, runtime: &str, build: &dyn Fn(&str, &str)) {
    let watcher = Watcher::start("sweep = \"off\"\n");
    let (mut in_time, runs) = (0, gate::runtime_runs());
    for run in 0..runs {
        let own = nonce();
        // The first half holds the line off any root but the image's. What ends at once is
        // told without its content on a busy machine, and could not be known again here.
        let step = format!("test -x /bin/attack && echo /tmp/{own}.so > {PRELOAD} && sleep 1");
        build(
            &format!("FROM {from}\nRUN {step}\n"),
            &format!("ldwt/step:{run}"),
        );
        let told = |seen: &Seen| carries(&seen.value, &own);
        let seen = watcher.claim("the step", told).unwrap();
        let said = |path: &str| text(&seen.value, path);
        let build = field(&seen.value, "ldwatch.container.build");
        assert_eq!(build, Some(&Value::Bool(true)), "{}", seen.raw);
        assert_eq!(said("container.runtime"), runtime, "{}", seen.raw);
        assert_eq!(said("event.kind"), "alert", "{}", seen.raw);
        assert_eq!(said("event.action"), "creation", "{}", seen.raw);
        in_time += usize::from(said("ldwatch.detection") == "event");
        watcher.nothing_else().unwrap();
    }
    eprintln!("{runtime}, a build: marked before the step: {in_time} of {runs}");
}

#[test]
#[ignore = "needs root: docker"]
fn a_step_of_docker() {
    let Some(_turn) = gate::enter(docker::PROGRAMS) else {
        return;
    };
    let Some(docker) = gate::have(Docker::start()) else {
        return;
    };
    steps(FROM, "docker", &|file, name| docker.build(file, name));
}

#[test]
#[ignore = "needs root: docker, curl"]
fn a_step_of_buildkit() {
    let Some(_turn) = gate::enter(&[docker::PROGRAMS, &["curl"]].concat()) else {
        return;
    };
    let Some(docker) = gate::have(Docker::start()) else {
        return;
    };
    let build = |file: &str, name: &str| docker.build_by_buildkit(file, name);
    steps(FROM, "buildkit", &build);
}

#[test]
#[ignore = "needs root: buildah"]
fn a_step_of_buildah_by_runc() {
    of_buildah("oci");
}

#[test]
#[ignore = "needs root: buildah"]
fn a_step_of_buildah_by_itself() {
    of_buildah("chroot");
}

fn of_buildah(isolation: &str) {
    let Some(_turn) = gate::enter(buildah::PROGRAMS) else {
        return;
    };
    let Some(buildah) = gate::have(Buildah::start()) else {
        return;
    };
    let build = |file: &str, name: &str| buildah.build(file, name, isolation);
    steps(support::image::NAME, "buildah", &build);
}
