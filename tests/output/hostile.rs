//! Hostile bytes in every text: one line, valid, printable, and the original comes back.

use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ldwatch::model::{Ancestor, FileKind, Finding, Gap, Home, Image, Pod, Record, Writer};
use ldwatch::output::syslog::{CLASSIC_CAP, Form, Frame, LOCAL_CAP, Payload};
use ldwatch::output::text;
use ldwatch::output::words::sentence;
use proptest::prelude::*;
use serde_json::Value;

use super::findings::{ancestor, content, finding, gap, with};
use super::schema::{Schema, find};
use super::{line, value};

const BYTES: &[u8] = b"/a\nb\r\t\x1b[31m\x00\x7f\xff\xc3\xe2\x80\xae\xe2\x80\xa8\xc2\x85\\n\"}\n{";
const FIELDS: &[&str] = &[
    "process.name",
    "process.executable",
    "process.working_directory",
    "process.parent.name",
    "process.parent.executable",
    "process.entry_leader.executable",
    "file.target_path",
    "ldwatch.rootfs",
];
const LOSSY: &[&str] = &[
    "container.id",
    "container.name",
    "container.image.name",
    "orchestrator.namespace",
    "orchestrator.resource.name",
    "ldwatch.writer.container.id",
    "ldwatch.writer.container.name",
    "ldwatch.container.name_in_pod",
];

/// `bytes` wherever a container or a runtime file can put them.
fn poison(finding: &mut Finding, bytes: &[u8]) {
    let text = || Some(String::from_utf8_lossy(bytes).into_owned());
    let known = &mut finding.container;
    (known.id, known.name) = (text(), text());
    known.image = Image {
        name: text(),
        tag: text(),
        digest: text(),
    };
    known.labels = [(text().unwrap(), text().unwrap())].into();
    known.pod = Some(Pod {
        name: text(),
        namespace: text(),
        uid: text(),
        container: text(),
    });
    finding.coverage.gaps = vec![text().unwrap()];
    finding.rootfs = PathBuf::from(std::ffi::OsString::from_vec(bytes.to_vec()));
    poison_writer(finding.writer.as_mut().unwrap(), bytes);
    let file = finding.file.as_mut().unwrap();
    (file.kind, file.target, file.content) =
        (FileKind::Symlink, Some(bytes.to_vec()), Ok(content(bytes)));
    finding.before = finding.file.clone();
}

fn poison_writer(writer: &mut Writer, bytes: &[u8]) {
    let text = || Some(String::from_utf8_lossy(bytes).into_owned());
    (writer.name, writer.executable, writer.cwd) = (
        Some(bytes.to_vec()),
        Some(bytes.to_vec()),
        Some(bytes.to_vec()),
    );
    writer.args = vec![b"plain".to_vec(), bytes.to_vec()];
    let parent = Ancestor {
        name: bytes.to_vec(),
        executable: Some(bytes.to_vec()),
        args: vec![bytes.to_vec()],
        ..ancestor(1, "x")
    };
    writer.parents = vec![parent.clone(), parent];
    writer.home = Some(Home {
        id: text(),
        name: text(),
        pod_uid: text(),
        ..writer.home.clone().unwrap()
    });
}

fn decode(value: Option<&Value>) -> Vec<u8> {
    STANDARD
        .decode(value.and_then(Value::as_str).unwrap())
        .unwrap()
}

#[test]
fn the_line_is_valid_and_printable() {
    let record = with(|finding| poison(finding, BYTES));
    let text = line(&record);
    assert_eq!(
        Schema::load().problems(&text),
        Vec::<String>::new(),
        "{text}"
    );
}

#[test]
fn the_originals_come_back() {
    let value = value(&with(|finding| poison(finding, BYTES)));
    let raw = &value["ldwatch"]["raw"];
    for name in FIELDS {
        assert!(
            find(&value, name)
                .unwrap()
                .as_str()
                .unwrap()
                .contains("\\x1b[31m"),
            "{name}"
        );
        assert_eq!(decode(raw.get(name)), BYTES, "{name}");
    }
    for name in LOSSY {
        assert_eq!(
            decode(raw.get(name)),
            String::from_utf8_lossy(BYTES).as_bytes(),
            "{name}"
        );
    }
    assert_eq!(decode(raw["process.args"].get(1)), BYTES);
    assert_eq!(decode(raw["process.args"].get(0)), b"plain");
    for ours in [&value["ldwatch"], &value["ldwatch"]["previous"]] {
        assert_eq!(decode(ours.get("content_base64")), BYTES);
        let twins = ours["entries"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|entry| entry.get("raw_base64"));
        assert!(
            twins
                .map(|twin| decode(Some(twin)))
                .any(|raw| raw.contains(&0x1b))
        );
    }
}

#[test]
fn a_hint_and_a_gap_are_escaped_too() {
    let hint = with(|finding| {
        poison(finding, BYTES);
        finding.writer.as_mut().unwrap().confirmed = false;
        finding.file.as_mut().unwrap().content = Err(String::from_utf8_lossy(BYTES).into_owned());
    });
    assert_eq!(
        decode(value(&hint)["ldwatch"]["raw"].get("ldwatch.writer.hint.executable")),
        BYTES
    );
    let Record::Gap(gap) = gap() else {
        unreachable!()
    };
    let gap = Record::Gap(Box::new(Gap {
        detail: String::from_utf8_lossy(BYTES).into_owned(),
        ..*gap
    }));
    for record in [hint, gap] {
        assert_eq!(
            Schema::load().problems(&line(&record)),
            Vec::<String>::new()
        );
        assert_eq!(sentence(&record).lines().count(), 1);
    }
}

#[test]
fn a_time_stamp_that_has_no_text_is_a_number() {
    let record = with(|finding| {
        let file = finding.file.as_mut().unwrap();
        file.mtime = std::time::UNIX_EPOCH - std::time::Duration::from_secs(86_400);
        file.ctime = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1 << 40);
    });
    let value = value(&record);
    assert!(value["file"].get("mtime").is_none() && value["file"].get("ctime").is_none());
    assert_eq!(value["ldwatch"]["file"]["mtime_unix"], -86_400);
    let mut page = String::new();
    text::render(&record, false, &mut page);
}

#[test]
fn nothing_in_the_page_drives_a_terminal_or_adds_a_line() {
    let (mut plain, mut hostile) = (String::new(), String::new());
    text::render(&with(|finding| poison(finding, b"/x")), false, &mut plain);
    text::render(
        &with(|finding| poison(finding, b"/\x1b[2J\xe2\x80\xae\x07")),
        false,
        &mut hostile,
    );
    assert_eq!(plain.lines().count(), hostile.lines().count());
    assert!(
        !hostile
            .chars()
            .any(|c| c != '\n' && (c.is_control() || c == '\u{202e}')),
        "{hostile}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_anywhere_give_one_valid_line(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut poisoned = finding();
        poison(&mut poisoned, &bytes);
        let record = Record::Finding(Box::new(poisoned));
        prop_assert_eq!(Schema::load().problems(&line(&record)), Vec::<String>::new());
        let value = value(&record);
        let shown = value["process"]["executable"].as_str().unwrap();
        match value["ldwatch"]["raw"].get("process.executable") {
            Some(twin) => prop_assert_eq!(decode(Some(twin)), bytes),
            None => prop_assert_eq!(shown.as_bytes(), &bytes[..]),
        }
    }

    #[test]
    fn any_bytes_give_a_syslog_packet_without_controls(bytes in prop::collection::vec(any::<u8>(), 0..3000), classic: bool) {
        let mut poisoned = finding();
        poison(&mut poisoned, &bytes);
        let record = Record::Finding(Box::new(poisoned));
        let Value::Object(event) = value(&record) else { unreachable!() };
        let cap = if classic { CLASSIC_CAP } else { LOCAL_CAP };
        let message = Form { facility: ldwatch::output::syslog::Facility::LOG_AUTHPRIV, frame: Frame::Rfc3164, payload: Payload::Ecs, cap, pid: 1 }.message(&record, &event);
        prop_assert!(message.len() <= cap);
        prop_assert!(!message.chars().any(char::is_control));
    }
}
