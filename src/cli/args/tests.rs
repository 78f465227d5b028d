//! What is typed, and what it means.

use std::os::unix::ffi::OsStringExt;

use proptest::prelude::*;

use super::*;

fn refused(words: &[&str]) -> String {
    match parse(words.iter().copied()) {
        Err(error @ Error::Usage { .. }) => error.to_string(),
        other => panic!("{words:?} gave {other:?}"),
    }
}

fn options(config: Option<&str>, json: bool, syslog: bool) -> Options {
    Options {
        config: config.map(PathBuf::from),
        json,
        syslog,
    }
}

#[track_caller]
fn means(words: &str, command: Command) {
    assert_eq!(parse(words.split(' ')).ok(), Some(command), "{words}");
}

#[test]
fn every_verb_takes_the_options_of_the_design() {
    means(
        "run -c f --json --syslog",
        Command::Run(options(Some("f"), true, true)),
    );
    means(
        "run --config=f",
        Command::Run(options(Some("f"), false, false)),
    );
    means(
        "scan --json -cf",
        Command::Scan(options(Some("f"), true, false)),
    );
    means("list --json", Command::List(options(None, true, false)));
    means("probe --json", Command::Probe(options(None, true, false)));
    means(
        "check -c f",
        Command::Check(options(Some("f"), false, false)),
    );
    means("selftest", Command::Selftest(options(None, false, false)));
    means(
        "status -c f --json",
        Command::Status(options(Some("f"), true, false)),
    );
    let whois = Command::Whois {
        pid: 12,
        proc_root: Some("d".into()),
        json: true,
    };
    means("whois --proc d 12 --json", whois);
}

#[test]
fn help_and_version_are_found_before_and_behind_a_verb() {
    let is = |words: &[&str]| parse(words.iter().copied()).ok();
    assert_eq!(is(&["-h"]), Some(Command::Help(None)));
    assert_eq!(
        is(&["run", "--json", "--help"]),
        Some(Command::Help(Some(Verb::Run)))
    );
    assert_eq!(is(&["--version"]), Some(Command::Version));
    assert_eq!(is(&["list", "-V"]), Some(Command::Version));
}

#[test]
fn an_unknown_word_is_answered_with_the_nearest() {
    assert!(refused(&["rnu"]).contains("unknown command `rnu`; did you mean `run`?"));
    assert!(refused(&["help"]).contains("did you mean `--help`?"));
    assert!(refused(&["run", "--jsn"]).contains("unknown option `--jsn`; did you mean `--json`?"));
    let far = refused(&["run", "--verbose"]);
    assert!(
        !far.contains("mean") && far.contains("`ldwatch run --help`"),
        "{far}"
    );
}

#[test]
fn an_option_of_another_verb_is_refused_by_name() {
    assert!(refused(&["check", "--json"]).contains("`check` does not take `--json`"));
    assert!(refused(&["scan", "--syslog"]).contains("`scan` does not take `--syslog`"));
    assert!(refused(&["--json", "run"]).contains("as in `ldwatch run --json`"));
}

#[test]
fn values_are_needed_once_and_not_empty() {
    assert!(refused(&["run", "-c"]).contains("needs a value"));
    assert!(refused(&["run", "-c", ""]).contains("not empty"));
    assert!(refused(&["run", "-c", "a", "--config", "b"]).contains("given twice"));
    assert!(refused(&["run", "--json=yes"]).contains("json"));
    assert!(refused(&["run", "now"]).contains("unexpected argument `now`"));
    assert!(refused(&[]).contains("no command given"));
}

#[test]
fn only_a_positive_number_is_a_pid() {
    for word in ["0", "-1", "+5", "12x", "99999999999", ""] {
        let words = ["whois", "--", word];
        assert!(refused(&words).contains("no PID"), "{word}");
    }
    assert!(refused(&["whois"]).contains("needs the PID"));
    assert!(refused(&["whois", "1", "2"]).contains("unexpected"));
}

#[test]
fn bytes_that_are_no_text_stay_a_path_and_harm_no_message() {
    let odd = OsString::from_vec(vec![b'a', 0xff, b'\n']);
    let words = [OsString::from("run"), OsString::from("-c"), odd.clone()];
    let expected = Options {
        config: Some(PathBuf::from(odd.clone())),
        ..Options::default()
    };
    assert_eq!(parse(words).ok(), Some(Command::Run(expected)));
    let message = parse([odd])
        .err()
        .map(|e| e.to_string())
        .unwrap_or_default();
    assert!(
        message.contains("unknown command") && !message.contains('\n'),
        "{message}"
    );
}

proptest! {
    #[test]
    fn no_words_make_the_parser_panic(
        words in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..12), 0..5)
    ) {
        let _ = parse(words.into_iter().map(OsString::from_vec));
    }
}
