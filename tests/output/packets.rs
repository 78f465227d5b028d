//! Syslog packets and pages for people.

use ldwatch::model::{Action, ChangeType, Record};
use ldwatch::output::syslog::{CLASSIC_CAP, Form, Frame, LOCAL_CAP, Payload};
use ldwatch::output::text;
use serde_json::{Map, Value};

use super::findings::{every_kind, file, gap, of, with};
use super::value;

fn form(frame: Frame, payload: Payload, cap: usize) -> Form {
    Form {
        facility: ldwatch::output::syslog::Facility::LOG_AUTHPRIV,
        frame,
        payload,
        cap,
        pid: 99,
    }
}

fn event(record: &Record) -> Map<String, Value> {
    value(record).as_object().unwrap().clone()
}

fn packet(record: &Record, form: &Form) -> String {
    String::from_utf8(form.packet(record, &event(record))).unwrap()
}

#[test]
fn a_classic_packet_has_priority_tag_and_sentence() {
    let packet = packet(
        &with(|_| {}),
        &form(Frame::Rfc3164, Payload::Ecs, LOCAL_CAP),
    );
    // authpriv (10) * 8 + critical (2)
    assert!(packet.starts_with("<82>"), "{packet}");
    assert!(
        packet.contains(" ldwatch[99]: /etc/ld.so.preload was modified in container web ("),
        "{packet}"
    );
}

#[test]
fn a_modern_packet_has_version_and_no_host() {
    let packet = packet(&gap(), &form(Frame::Rfc5424, Payload::Compact, LOCAL_CAP));
    assert!(packet.starts_with("<83>1 2"), "{packet}");
    assert!(
        packet.contains("Z - ldwatch 99 900 - ldwatch does not see everything"),
        "{packet}"
    );
}

#[test]
fn the_json_part_is_whole_under_every_cap() {
    for record in every_kind() {
        for payload in [Payload::Compact, Payload::Ecs] {
            for cap in [400, CLASSIC_CAP, 2000, LOCAL_CAP] {
                let message = form(Frame::Rfc3164, payload, cap).message(&record, &event(&record));
                assert!(message.len() <= cap);
                let json = &message[message.find(" {").unwrap()..];
                let value: Value = serde_json::from_str(json).unwrap();
                assert!(value["event"]["id"].is_string());
            }
        }
    }
}

#[test]
fn under_the_classic_cap_the_facts_that_matter_are_left() {
    let message = form(Frame::Rfc3164, Payload::Compact, CLASSIC_CAP)
        .message(&with(|_| {}), &event(&with(|_| {})));
    assert!(
        message.contains("/tmp/evil.so") && message.contains("\"pid\":4711"),
        "{message}"
    );
}

#[test]
fn a_tiny_cap_leaves_the_start_of_the_sentence() {
    let message = form(Frame::Rfc3164, Payload::Ecs, 40).message(&gap(), &event(&gap()));
    assert!(message.len() <= 40 && message.ends_with('…'), "{message}");
}

fn page(record: &Record, colour: bool) -> String {
    let mut page = String::new();
    text::render(record, colour, &mut page);
    page
}

#[test]
fn a_page_tells_what_where_and_who() {
    let page = page(&with(|_| {}), false);
    let head = page.lines().next().unwrap();
    assert_eq!(
        head,
        "2025-11-24T16:00:00.000042Z  ALERT  /etc/ld.so.preload was modified in web"
    );
    for fact in [
        "0123456789ab",
        "docker",
        "nginx:1.27",
        "/tmp/evil.so",
        "/usr/bin/bash",
        "pid 4711",
        "sh(4700) < nginx(4600)",
        "rung named",
    ] {
        assert!(page.contains(fact), "{fact} in {page}");
    }
    assert!(!page.contains('\x1b') && page.ends_with("\n\n"));
}

#[test]
fn colour_marks_alerts_red_and_gaps_yellow() {
    assert!(page(&with(|_| {}), true).contains("\x1b[1;31mALERT"));
    assert!(page(&gap(), true).contains("\x1b[1;33mGAP"));
    assert!(
        page(&of(ChangeType::Deletion, Action::Deletion, false, 21), true).contains("\x1b[1mevent")
    );
}

#[test]
fn many_libraries_are_counted_not_listed() {
    let page = page(
        &with(|finding| finding.file = Some(file(&b"/x.so ".repeat(20)))),
        false,
    );
    assert!(page.contains("and 12 more"), "{page}");
}
