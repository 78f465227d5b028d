//! One full alert in every form, compared byte for byte with a file that a person has
//! read. `LDWATCH_BLESS=1` writes the files anew.

use std::fs;
use std::path::Path;

use ldwatch::output::syslog::{CLASSIC_CAP, Form, Frame, Payload};
use ldwatch::output::text;

use super::findings::{enrichment, gap, heartbeat, with};
use super::value;

fn compare(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/output")
        .join(name);
    if std::env::var_os("LDWATCH_BLESS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
    }
    assert_eq!(text, fs::read_to_string(&path).unwrap(), "{name}");
}

#[test]
fn a_heartbeat_as_ecs() {
    compare("heartbeat.json", &format!("{:#}\n", value(&heartbeat())));
}

#[test]
fn an_alert_as_ecs() {
    compare("alert.json", &format!("{:#}\n", value(&with(|_| {}))));
}

#[test]
fn a_gap_as_ecs() {
    compare("gap.json", &format!("{:#}\n", value(&gap())));
}

#[test]
fn an_enrichment_as_ecs() {
    let record = enrichment();
    compare("enrichment.json", &format!("{:#}\n", value(&record)));
}

#[test]
fn every_kind_of_record_for_people() {
    let mut page = String::new();
    text::render(&with(|_| {}), false, &mut page);
    text::render(&enrichment(), false, &mut page);
    text::render(&gap(), false, &mut page);
    text::render(&heartbeat(), false, &mut page);
    compare("page.txt", &page);
}

#[test]
fn an_alert_as_a_classic_syslog_message() {
    let record = with(|_| {});
    let form = Form {
        facility: ldwatch::output::syslog::Facility::LOG_AUTHPRIV,
        frame: Frame::Rfc3164,
        payload: Payload::Compact,
        cap: CLASSIC_CAP,
        pid: 1,
    };
    compare(
        "syslog.txt",
        &(form.message(&record, value(&record).as_object().unwrap()) + "\n"),
    );
}
