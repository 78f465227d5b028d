//! Any bytes wherever a container or a runtime file can put them, in every form of output.

#![no_main]

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use ldwatch::model::{Ancestor, FileKind, Finding, Gap, Image, Pod, Record, Writer};
use ldwatch::output::escape::{clip, escape, quoted};
use ldwatch::output::shorten::fit;
use ldwatch::parse::cgroup::Member;
use ldwatch_fuzz::{check, drives, findings};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((&how, bytes)) = bytes.split_first() else {
        return;
    };
    texts(bytes, usize::from(how));
    check(&findings::with(|finding| poison(finding, bytes, how)));
    let Record::Gap(gap) = findings::gap() else {
        return;
    };
    check(&Record::Gap(Box::new(Gap {
        detail: String::from_utf8_lossy(bytes).into_owned(),
        ..*gap
    })));
    if let Ok(serde_json::Value::Object(event)) = serde_json::from_slice(bytes) {
        let room = usize::from(how) * 8;
        if let Some(text) = fit(&event, room) {
            assert!(text.len() <= room);
            assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok());
        }
    }
});

fn texts(bytes: &[u8], cap: usize) {
    let shown = escape(bytes, cap).shown;
    assert!(shown.len() <= cap && !shown.chars().any(drives));
    assert!(!quoted(bytes, cap).chars().any(drives));
    let text = String::from_utf8_lossy(bytes);
    assert!(clip(&text, cap).len() <= cap);
}

fn poison(finding: &mut Finding, bytes: &[u8], how: u8) {
    let text = || Some(String::from_utf8_lossy(bytes).into_owned());
    finding.container.id = text();
    finding.container.name = text();
    finding.container.image = Image {
        name: text(),
        tag: text(),
        digest: text(),
    };
    finding.container.labels = text()
        .into_iter()
        .map(|text| (text.clone(), text))
        .collect();
    finding.container.pod = Some(Pod {
        name: text(),
        namespace: text(),
        uid: text(),
        container: text(),
    });
    finding.coverage.gaps = text().into_iter().collect();
    finding.rootfs = PathBuf::from(OsString::from_vec(bytes.to_vec()));
    finding.writer = finding
        .writer
        .take()
        .map(|writer| poisoned(writer, bytes, how));
    finding.file = Some(findings::file(bytes));
    finding.before = finding.file.clone();
    if let Some(file) = &mut finding.file {
        file.target = Some(bytes.to_vec());
        if how & 2 != 0 {
            file.kind = FileKind::Symlink;
            file.content = Err(String::from_utf8_lossy(bytes).into_owned());
        }
    }
}

fn poisoned(writer: Writer, bytes: &[u8], how: u8) -> Writer {
    let parent = Ancestor {
        name: bytes.to_vec(),
        executable: Some(bytes.to_vec()),
        args: vec![bytes.to_vec()],
        ..findings::ancestor(1, "x")
    };
    let member = writer.member.as_ref().map(|member| Member {
        id: Some(String::from_utf8_lossy(bytes).into_owned()),
        pod_uid: Some(String::from_utf8_lossy(bytes).into_owned()),
        ..member.clone()
    });
    Writer {
        confirmed: how & 1 == 0,
        name: Some(bytes.to_vec()),
        executable: Some(bytes.to_vec()),
        args: bytes.split(|byte| *byte == 0).map(<[u8]>::to_vec).collect(),
        cwd: Some(bytes.to_vec()),
        parents: vec![parent.clone(), parent],
        member,
        ..writer
    }
}
