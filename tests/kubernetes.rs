//! Pods through containerd's CRI: id, name, image and the pod's fields, from the files of
//! containerd alone.

#![allow(clippy::unwrap_used, clippy::expect_used)]
#![allow(clippy::indexing_slicing, clippy::print_stderr)]

mod support;

use support::record::{carries, text};
use support::runtimes::Runtime;
use support::runtimes::cri::{self, Cri, NAMESPACE};
use support::scratch::nonce;
use support::watcher::{Seen, Watcher};
use support::{PRELOAD, gate};

fn check(seen: &Seen, id: &str, pod: &str, uid: &str) {
    let said = |path: &str| text(&seen.value, path);
    let fields = [
        ("event.kind", "alert"),
        ("container.id", id),
        ("container.name", "main"),
        ("container.runtime", "containerd-cri"),
        ("container.image.name", "localhost/ldwt/box"),
        ("orchestrator.type", "kubernetes"),
        ("orchestrator.namespace", NAMESPACE),
        ("orchestrator.resource.name", pod),
        ("orchestrator.resource.id", uid),
        ("ldwatch.detection", "event"),
    ];
    for (path, expected) in fields {
        assert_eq!(said(path), expected, "{path}: {}", seen.raw);
    }
}

fn claimed(watcher: &Watcher, own: &str) -> Seen {
    let fits = |seen: &Seen| carries(&seen.value, own);
    watcher.claim(&format!("the write of {own}"), fits).unwrap()
}

/// The container's first act, and a write by exec while containerd is stopped.
#[test]
#[ignore = "needs root: containerd"]
fn a_pods_container_is_known_by_its_pod() {
    let Some(_turn) = gate::enter(cri::PROGRAMS) else {
        return;
    };
    let Some(cri) = gate::have(Cri::start()) else {
        return;
    };
    let mut watcher = Watcher::start("sweep = \"off\"");
    for _ in 0..gate::runtime_runs() {
        let (own, pod) = (nonce(), nonce());
        let id = cri.run(&pod, &["/bin/attack", "first", &own]);
        let (sandbox, uid) = cri.pod(&id);
        watcher.mine(&id);
        watcher.mine(&sandbox);
        check(&claimed(&watcher, &own), &id, &pod, &uid);
        let own = nonce();
        let line = format!("test -x /bin/attack && echo /tmp/{own}.so >> {PRELOAD}");
        cri.exec(&id, &["/bin/sh", "-c", &line]);
        check(&claimed(&watcher, &own), &id, &pod, &uid);
        watcher.nothing_else().unwrap();
        cri.remove(&id);
    }
    watcher.stop();
}

/// Everything is in the alert while containerd is stopped, with its directories in an
/// unusual place.
#[test]
#[ignore = "needs root: containerd"]
fn an_alert_is_complete_while_containerd_is_stopped() {
    let Some(_turn) = gate::enter(cri::PROGRAMS) else {
        return;
    };
    let Some(mut cri) = gate::have(Cri::start()) else {
        return;
    };
    let pod = nonce();
    let id = cri.run(&pod, &["/bin/sleep", "600"]);
    let (sandbox, uid) = cri.pod(&id);
    cri.stop_daemon();
    // It has never seen containerd alive.
    let mut watcher = Watcher::start("sweep = \"off\"");
    watcher.mine(&id);
    watcher.mine(&sandbox);
    let own = nonce();
    let line = format!("test -x /bin/attack && echo /tmp/{own}.so > {PRELOAD}");
    cri.exec_without_daemon(&id, &["/bin/sh", "-c", &line]);
    check(&claimed(&watcher, &own), &id, &pod, &uid);
    watcher.stop();
}
