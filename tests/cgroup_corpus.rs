//! Every line of the corpus of cgroup texts, one by one.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use ldwatch::parse::cgroup::{Runtime, member};
use serde_json::Value;

const CORPUS: &str = include_str!("fixtures/cgroup.jsonl");

/// What no reader of this text alone can know: the corpus' word, a mark of the line
/// that is meant, the word that is honest (`None`: nothing at all), and why.
const OPEN: [(&str, &str, Option<&str>, &str); 3] = [
    (
        "balena",
        "/docker/",
        Some("docker"),
        "balenaEngine uses docker's layout; only its data root differs",
    ),
    (
        "containerd-cri-sandbox",
        "12b3c446d3cb2c75d65c3b78db6bdb5af0cb76f17bc7234ec1745f77c730267b",
        Some("kubernetes"),
        "a sandbox has the shape of any container of its pod; an annotation in its bundle tells",
    ),
    (
        "podman-rootless",
        "9:name=systemd:/\n8:pids:/\n4:memory:/\n0::/",
        None,
        "every path is the root",
    ),
];

/// The word expected where the text leaves it open.
fn open(runtime: &str, text: &str) -> Option<Option<&'static str>> {
    OPEN.iter()
        .find(|(word, mark, ..)| *word == runtime && text.contains(mark))
        .map(|(_, _, honest, _)| *honest)
}

#[test]
fn every_line_of_the_corpus_gives_its_id_and_runtime() {
    let mut wrong = Vec::new();
    let mut left_open = 0;
    for line in CORPUS.lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let (text, runtime) = (
            case["cgroup"].as_str().unwrap(),
            case["runtime"].as_str().unwrap(),
        );
        let member = member(text.as_bytes());
        let id = member.as_ref().and_then(|member| member.id.as_deref());
        let word = member.as_ref().map(|member| member.runtime.name());
        let expected = match open(runtime, text) {
            Some(honest) => {
                left_open += 1;
                honest
            }
            None if runtime == "none" => None,
            None => Some(runtime),
        };
        if id != case["expect_id"].as_str() || word != expected {
            wrong.push(format!(
                "{text}: {id:?} {word:?}, not {:?} {expected:?}",
                case["expect_id"]
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(left_open, OPEN.len(), "each exception is for one line");
}

#[test]
fn the_vocabulary_is_that_of_the_corpus() {
    for line in CORPUS.lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let word = case["runtime"].as_str().unwrap();
        assert_eq!(
            Runtime::from_name(word).map(Runtime::name),
            (word != "none").then_some(word)
        );
    }
    for runtime in Runtime::ALL {
        assert!(
            CORPUS.contains(&format!("\"runtime\": \"{}\"", runtime.name())),
            "{}",
            runtime.name()
        );
    }
}
