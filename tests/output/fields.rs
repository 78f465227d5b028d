//! Names, types and values of the fields.

use ldwatch::model::{Action, ChangeType, Detection, Finding, Home, Origin, Record, WriterSource};
use ldwatch::output::ecs::{Ecs, parse};
use serde_json::{Value, json};

use super::findings::{OTHER_ID, every_kind, finding, gap, heartbeat, host, moment, of, with};
use super::schema::{Schema, find};
use super::{line, value};

fn render(ecs: &mut Ecs, record: &Record) -> Value {
    let mut line = Vec::new();
    ecs.render(record, moment(1), &mut line);
    Value::Object(parse(&line))
}

fn creation() -> Record {
    of(ChangeType::Creation, Action::Creation, true, 73)
}

#[test]
fn every_field_of_every_kind_of_record_is_in_the_schema() {
    let schema = Schema::load();
    for record in every_kind() {
        let line = line(&record);
        assert_eq!(schema.problems(&line), Vec::<String>::new(), "{line}");
    }
}

#[test]
fn a_record_of_which_next_to_nothing_is_known_is_valid() {
    let bare = with(|finding| {
        finding.container = Default::default();
        finding.writer = None;
        finding.file = None;
        finding.before = None;
        finding.coverage.gaps.clear();
    });
    let text = {
        let mut bytes = Vec::new();
        Ecs::new(&Default::default(), "ldwatch").render(&bare, moment(1), &mut bytes);
        String::from_utf8(bytes).unwrap()
    };
    assert_eq!(
        Schema::load().problems(text.trim_end()),
        Vec::<String>::new()
    );
    assert!(!text.contains("null"));
}

#[test]
fn no_key_stands_twice() {
    let twice = with(|finding| {
        let labels = [("a.b", "1"), ("a_b", "2")].map(|(k, v)| (k.to_owned(), v.to_owned()));
        finding.container.labels = labels.into();
    });
    for record in every_kind().iter().chain([&twice]) {
        // Reading keeps one of two equal keys.
        assert_eq!(value(record).to_string().len(), line(record).len());
    }
}

#[test]
fn the_checker_sees_what_is_wrong() {
    let schema = Schema::load();
    let mut value = value(&creation());
    value["file"]["inode"] = json!(5);
    value["file"]["invented"] = json!("x");
    value["event"]["type"] = json!("creation");
    value["event"]["severity"] = json!("73");
    value["message"] = json!("a\nb");
    let problems = schema.problems(&value.to_string()).join("; ");
    for name in [
        "file.inode",
        "file.invented",
        "event.type",
        "event.severity",
        "message",
    ] {
        assert!(problems.contains(name), "{name} in {problems}");
    }
}

#[test]
fn an_alert_says_what_the_rule_asks_for() {
    let alert = value(&creation());
    assert_eq!(find(&alert, "event.kind").unwrap(), "alert");
    assert_eq!(
        alert["event"]["category"],
        json!(["file", "intrusion_detection"])
    );
    assert_eq!(alert["event"]["type"], json!(["creation"]));
    assert_eq!(
        (&alert["event"]["severity"], &alert["event"]["risk_score"]),
        (&json!(73), &json!(73.0))
    );
    assert_eq!(alert["file"]["path"], "/etc/ld.so.preload");
    assert_eq!(
        (&alert["rule"]["id"], &alert["event"]["code"]),
        (&json!("LDP-001"), &json!("LDP-001"))
    );
    assert_eq!(alert["threat"]["tactic"]["id"], json!(["TA0005"]));
    assert_eq!(alert["threat"]["technique"]["id"], json!(["T1574"]));
    assert_eq!(
        alert["threat"]["technique"]["subtechnique"]["name"],
        json!(["Dynamic Linker Hijacking"])
    );
    assert_eq!(alert["@timestamp"], "2025-11-24T16:00:00.000042Z");
    assert_eq!(alert["host"]["os"]["type"], "linux");
}

#[test]
fn attributes_weigh_less_and_a_deletion_is_no_alert() {
    let attributes = value(&of(ChangeType::Change, Action::Attributes, true, 47));
    assert_eq!(
        (
            &attributes["event"]["severity"],
            &attributes["event"]["risk_score"]
        ),
        (&json!(47), &json!(47.0))
    );
    let deletion = value(&of(ChangeType::Deletion, Action::Deletion, false, 21));
    assert_eq!(
        (&deletion["event"]["kind"], &deletion["event"]["category"]),
        (&json!("event"), &json!(["file"]))
    );
    assert_eq!(deletion["ldwatch"]["gone"], true);
    assert!(deletion.get("rule").is_none() && deletion["file"].get("inode").is_none());
}

#[test]
fn the_configured_module_is_given_to_alerts_only() {
    let mut ecs = Ecs::new(&host(), "cloud_defend");
    for record in every_kind() {
        let event = render(&mut ecs, &record);
        let expected = if event["event"]["kind"] == "alert" {
            "cloud_defend"
        } else {
            "ldwatch"
        };
        assert_eq!(event["event"]["module"], expected);
    }
}

#[test]
fn a_hint_is_never_told_as_a_fact() {
    let hinted = value(&with(|finding| {
        let writer = finding.writer.as_mut().unwrap();
        writer.source = WriterSource::ExecTrail;
        writer.confirmed = false;
    }));
    assert_eq!(hinted["process"], json!({"pid": 4711, "vpid": 17}));
    assert_eq!(
        hinted["ldwatch"]["writer"]["hint"]["executable"],
        "/usr/bin/bash"
    );
    assert_eq!(hinted["ldwatch"]["writer"]["confirmed"], false);
    assert!(hinted.get("user").is_none() && hinted["related"].get("user").is_none());
    assert!(
        hinted["message"]
            .as_str()
            .unwrap()
            .contains("probably by /usr/bin/bash")
    );
}

#[test]
fn a_writer_from_outside_raises_the_risk_and_says_so() {
    for (origin, words) in [
        (
            Origin::OtherContainer,
            "from another container, fedcba987654",
        ),
        (Origin::Host, "from the host"),
    ] {
        let crossed = value(&with(|finding| {
            let writer = finding.writer.as_mut().unwrap();
            writer.origin = origin;
            writer.home = Some(Home {
                id: Some(OTHER_ID.to_owned()),
                ..Home::default()
            });
        }));
        assert_eq!(
            (
                &crossed["event"]["risk_score"],
                &crossed["event"]["severity"]
            ),
            (&json!(83.0), &json!(73))
        );
        assert!(
            crossed["tags"]
                .as_array()
                .unwrap()
                .contains(&json!("cross-boundary"))
        );
        assert_eq!(
            crossed["event"]["reason"],
            "preload-modified cross-boundary"
        );
        assert!(crossed["message"].as_str().unwrap().contains(words));
        assert_eq!(crossed["ldwatch"]["writer"]["container"]["id"], OTHER_ID);
        assert!(crossed["process"].get("entry_leader").is_none());
    }
}

#[test]
fn what_changed_and_what_was_before_are_both_there() {
    let change = value(&with(|_| {}));
    let ours = &change["ldwatch"];
    assert_eq!(ours["content"], "/usr/lib/libok.so\\n/tmp/evil.so\\n");
    assert_eq!(
        ours["entries"][1],
        json!({"raw": "/tmp/evil.so", "path": "/tmp/evil.so"})
    );
    assert_eq!(
        (&ours["added"], ours.get("removed")),
        (&json!(["/tmp/evil.so"]), None)
    );
    assert_eq!(ours["previous"]["content"], "/usr/lib/libok.so\\n");
    assert_eq!(change["process"]["entry_leader"]["pid"], 4600);
    assert_eq!(
        change["process"]["thread"]["capabilities"]["effective"][0],
        "CAP_CHOWN"
    );
    assert_eq!(
        change["container"]["labels"],
        json!({"app": "shop", "app_kubernetes_io/name": "web"})
    );
}

#[test]
fn an_entry_that_is_searched_for_or_expanded_has_no_path() {
    let change = value(&with(|finding| {
        finding.file = Some(super::findings::file(b"libx.so /$LIB/y.so"));
    }));
    assert_eq!(
        change["ldwatch"]["entries"],
        json!([{"raw": "libx.so"}, {"raw": "/$LIB/y.so"}])
    );
}

#[test]
fn an_event_id_is_the_same_for_the_same_finding_and_carries_its_time() {
    let ecs = Ecs::new(&host(), "ldwatch");
    let (one, mut other) = (finding(), finding());
    assert_eq!(ecs.event_id(&one), ecs.event_id(&other));
    assert_eq!(ecs.event_id(&one).as_bytes()[14], b'7');
    assert!(
        ecs.event_id(&one)
            < ecs.event_id(&Finding {
                at: moment(1),
                ..finding()
            })
    );
    other.container.id = Some(OTHER_ID.to_owned());
    assert_ne!(ecs.event_id(&one), ecs.event_id(&other));
}

#[test]
fn records_are_numbered() {
    let mut ecs = Ecs::new(&host(), "ldwatch");
    let numbers = [creation(), gap(), creation()]
        .map(|record| render(&mut ecs, &record)["event"]["sequence"].as_u64());
    assert_eq!(numbers, [Some(1), Some(2), Some(3)]);
}

#[test]
fn a_scan_and_a_mount_name_their_provider() {
    for (detection, provider) in [
        (Detection::Scan, "scan"),
        (Detection::Mount, "mountinfo"),
        (Detection::Event, "fanotify"),
    ] {
        let found = value(&with(|finding| finding.detection = detection));
        assert_eq!(found["event"]["provider"], provider);
        assert_eq!(found["ldwatch"]["detection"], detection.name());
    }
}

#[test]
fn a_gap_is_a_state_without_a_file() {
    let gap = value(&gap());
    assert_eq!(
        (&gap["event"]["kind"], &gap["event"]["action"]),
        (&json!("state"), &json!("gap"))
    );
    assert_eq!(
        (&gap["event"]["category"], &gap["event"]["dataset"]),
        (&json!(["host"]), &json!("ldwatch.gap"))
    );
    assert!(gap.get("file").is_none());
    assert_eq!(gap["ldwatch"]["gap"]["reason"], "overflow");
}

#[test]
fn a_heartbeat_is_a_metric_with_each_count_a_number() {
    let beat = value(&heartbeat());
    assert_eq!(
        (&beat["event"]["kind"], &beat["event"]["action"]),
        (&json!("metric"), &json!("heartbeat"))
    );
    let facts = &beat["ldwatch"]["heartbeat"];
    assert_eq!(
        (&facts["containers"], &facts["with_gaps"], &facts["uptime"]),
        (&json!(12), &json!(1), &json!(3600))
    );
    assert_eq!(facts["rungs"]["plain"], json!(0));
    assert_eq!(facts["counters"]["alerts"], json!(2));
    assert!(beat.get("file").is_none() && beat.get("rule").is_none());
}

#[test]
#[ignore = "writes records for scripts/eql-check to the file LDWATCH_SAMPLES"]
fn write_samples() {
    let mut ecs = Ecs::new(&host(), "cloud_defend");
    let mut bytes = Vec::new();
    every_kind()
        .iter()
        .for_each(|record| ecs.render(record, moment(1), &mut bytes));
    std::fs::write(std::env::var_os("LDWATCH_SAMPLES").unwrap(), bytes).unwrap();
}

#[test]
fn the_first_of_several_writers_is_named_and_nobody_is_confirmed() {
    let several = value(&with(|finding| {
        let last = finding.writer.as_mut().unwrap();
        last.confirmed = false;
        let first = ldwatch::model::Writer {
            name: Some(b"sh".to_vec()),
            ..ldwatch::model::Writer::unknown(Some(12))
        };
        last.first = Some(Box::new(first));
    }));
    assert_eq!(several["process"]["pid"], 4711);
    assert_eq!(
        several["ldwatch"]["writer"]["first"],
        json!({"pid": 12, "name": "sh"})
    );
}
