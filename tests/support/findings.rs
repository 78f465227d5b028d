//! Records made by hand, with every field filled, for tests of the output.

#![allow(dead_code, reason = "each test crate uses its part")]

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ldwatch::model::{
    Action, Ancestor, Change, ChangeType, Container, Content, Coverage, Detection, Enrichment,
    Entry, FileKind, FileView, Finding, Gap, Heartbeat, Home, Image, Mention, Names, Origin, Pod,
    Program, Record, Rung, Writer, WriterSource,
};
use ldwatch::output::host::{Host, Os};
use ldwatch::parse::cgroup::{Member, Runtime};
use ldwatch::parse::preload;
use sha2::{Digest, Sha256};

pub const CONTAINER_ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
pub const OTHER_ID: &str = "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210";

/// 2025-11-24T16:00:00.000042Z plus `millis`.
pub fn moment(millis: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_micros(1_764_000_000_000_042) + Duration::from_millis(millis)
}

pub fn host() -> Host {
    let some = |text: &str| Some(text.to_owned());
    Host {
        name: some("node-7"),
        hostname: some("node-7.example.net"),
        id: some("d3adb33fd3adb33fd3adb33fd3adb33f"),
        architecture: some("x86_64"),
        boot_id: some("11111111-2222-3333-4444-555555555555"),
        pid_ns_ino: some("4026531836"),
        os: Os {
            family: some("debian"),
            name: some("Debian GNU/Linux"),
            platform: some("debian"),
            version: some("13"),
            full: some("Debian GNU/Linux 13 (trixie)"),
            kernel: some("6.12.0"),
        },
        agent_id: some("a-1"),
        agent_ephemeral_id: some("e-1"),
        agent_name: some("node-7"),
        agent_version: some("0.1.0"),
    }
}

pub fn container() -> Container {
    Container {
        id: Some(CONTAINER_ID.to_owned()),
        name: Some("web".to_owned()),
        runtime: Some(Runtime::Docker),
        image: Image {
            name: Some("nginx".to_owned()),
            tag: Some("1.27".to_owned()),
            digest: Some(format!("sha256:{OTHER_ID}")),
        },
        labels: [("app.kubernetes.io/name", "web"), ("app", "shop")]
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .into(),
        pod: Some(Pod {
            name: Some("web-5d9c".to_owned()),
            namespace: Some("shop".to_owned()),
            uid: Some("0b7c1f0e-1111-2222-3333-444455556666".to_owned()),
            container: Some("nginx".to_owned()),
        }),
        privileged: Some(false),
        source: Some("docker-files"),
        missing: vec!["labels"],
        build: false,
    }
}

pub fn content(text: &[u8]) -> Content {
    Content {
        head: text.to_vec(),
        sha256: Sha256::digest(text).into(),
        truncated: false,
        entries: preload::entries(text, 64),
    }
}

pub fn file(text: &[u8]) -> FileView {
    FileView {
        kind: FileKind::Regular,
        device: 0x803,
        inode: 1_234_567,
        size: text.len() as u64,
        mode: 0o100_644,
        uid: 0,
        gid: 0,
        links: 1,
        mtime: moment(0),
        ctime: moment(0),
        created: Some(moment(0)),
        attributes: vec!["immutable"],
        xattrs: Some([7; 32]),
        target: None,
        mounted: None,
        in_upper: Some(true),
        content: Ok(content(text)),
    }
}

pub fn ancestor(pid: i32, name: &str) -> Ancestor {
    Ancestor {
        pid,
        name: name.as_bytes().to_vec(),
        executable: Some(format!("/usr/bin/{name}").into_bytes()),
        args: vec![name.as_bytes().to_vec(), b"-x".to_vec()],
        start: Some(moment(0)),
        start_ticks: 0,
        entity_id: Some(format!("{pid:08x}")),
        mount_ns: Some(4026532999),
    }
}

fn home() -> Home {
    Home {
        id: Some(CONTAINER_ID.to_owned()),
        name: Some("web".to_owned()),
        runtime: Some(Runtime::Docker),
        pod_uid: None,
        told_by: "mount-namespace",
    }
}

fn names() -> Names {
    Names {
        user: Some(b"root".to_vec()),
        real_user: Some(b"app".to_vec()),
        group: Some(b"root".to_vec()),
    }
}

pub fn writer() -> Writer {
    Writer {
        pid: Some(4711),
        vpid: Some(17),
        source: WriterSource::Live,
        confirmed: true,
        name: Some(b"bash".to_vec()),
        executable: Some(b"/usr/bin/bash".to_vec()),
        args: ["bash", "-c", "echo /tmp/evil.so > /etc/ld.so.preload"]
            .map(|arg| arg.as_bytes().to_vec())
            .to_vec(),
        args_truncated: false,
        args_missing: None,
        mount_ns: Some(4026532999),
        cwd: Some(b"/root".to_vec()),
        real_uid: Some(1000),
        uid: Some(0),
        gid: Some(0),
        names: names(),
        capabilities: Some(0xa804_25fb),
        start: Some(moment(0)),
        start_ticks: Some(778_899),
        interactive: Some(true),
        entity_id: Some("00c0ffee".to_owned()),
        parents: vec![ancestor(4700, "sh"), ancestor(4600, "nginx")],
        member: Some(Member {
            id: Some(CONTAINER_ID.to_owned()),
            runtime: Runtime::Docker,
            pod_uid: None,
        }),
        home: Some(home()),
        origin: Origin::Inside,
        entry: Entry::Init,
        ..Writer::unknown(None)
    }
}

/// A library was added to a file that was there.
pub fn finding() -> Finding {
    Finding {
        at: moment(0),
        change: Change {
            kind: ChangeType::Change,
            action: Action::Modification,
            alert: true,
            risk: 73,
        },
        detection: Detection::Event,
        container: container(),
        rootfs: PathBuf::from("/var/lib/docker/overlay2/abc/merged"),
        coverage: Coverage {
            rung: Rung::Named,
            gaps: vec!["etc: no mark on the upper layer".to_owned()],
        },
        writer: Some(writer()),
        file: Some(file(b"/usr/lib/libok.so\n/tmp/evil.so\n")),
        before: Some(file(b"/usr/lib/libok.so\n")),
        folded: 2,
        reasons: vec![],
        repeat: false,
    }
}

/// The full finding, changed by `edit`.
pub fn with(edit: impl FnOnce(&mut Finding)) -> Record {
    let mut finding = finding();
    edit(&mut finding);
    Record::Finding(Box::new(finding))
}

/// A finding of this kind, otherwise full.
pub fn of(kind: ChangeType, action: Action, alert: bool, risk: u8) -> Record {
    with(|finding| {
        finding.change = Change {
            kind,
            action,
            alert,
            risk,
        };
        if kind == ChangeType::Deletion {
            finding.file = None;
        }
        if kind == ChangeType::Creation {
            finding.before = None;
        }
    })
}

/// One record of every row of the table of actions, and a gap.
pub fn every_kind() -> Vec<Record> {
    use Action as A;
    use ChangeType as T;
    let alerts = [
        (T::Creation, A::Creation, 73),
        (T::Creation, A::Link, 73),
        (T::Creation, A::Symlink, 73),
        (T::Creation, A::Rename, 73),
        (T::Creation, A::Mount, 73),
        (T::Change, A::Modification, 73),
        (T::Change, A::Rename, 73),
        (T::Change, A::Mount, 73),
        (T::Change, A::Attributes, 47),
    ];
    let events = [
        (T::Deletion, A::Deletion),
        (T::Info, A::Present),
        (T::Info, A::Touched),
        // An allow rule matched: as it was, but no alert.
        (T::Change, A::Modification),
    ];
    let alerts = alerts
        .into_iter()
        .map(|(kind, action, risk)| of(kind, action, true, risk));
    let events = events
        .into_iter()
        .map(|(kind, action)| of(kind, action, false, 21));
    alerts
        .chain(events)
        .chain([gap(), enrichment(), heartbeat()])
        .collect()
}

pub fn gap() -> Record {
    Record::Gap(Box::new(Gap {
        at: moment(5),
        reason: "overflow",
        detail: "the kernel's queue of 16384 events was full".to_owned(),
        remedy: "Every container was looked at again; nothing needs to be done once.",
        container: Some(container()),
    }))
}

/// What was found of the writer's executable after the alert.
pub fn enrichment() -> Record {
    let finding = finding();
    Record::Enrichment(Box::new(Enrichment {
        at: moment(9),
        alert: Mention {
            at: finding.at,
            action: finding.change.action,
            container: finding.container,
            rootfs: finding.rootfs,
        },
        pid: Some(4711),
        entity_id: Some("00c0ffee".to_owned()),
        confirmed: true,
        executable: b"/usr/bin/bash".to_vec(),
        program: Program {
            sha256: Some(Sha256::digest(b"bash").into()),
            size: Some(1_265_648),
            found: "process",
            layer: Some("image"),
            deleted: Some(false),
            unread: None,
        },
    }))
}

pub fn heartbeat() -> Record {
    Record::Heartbeat(Box::new(Heartbeat {
        at: moment(6),
        uptime: 3600,
        rungs: vec![("named", 11), ("split", 1), ("plain", 0), ("none", 0)],
        with_gaps: 1,
        counters: vec![
            ("events", 5000),
            ("alerts", 2),
            ("gaps", 1),
            ("records_lost", 0),
        ],
    }))
}
