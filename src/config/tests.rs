//! Good files, bad files, and what is said about them.

use std::fs;
use std::os::unix::fs::symlink;

use proptest::prelude::*;

use super::*;
use crate::model::Rung;

fn problems(text: &str) -> Vec<String> {
    parse(text).map_or_else(
        |all| all.iter().map(Problem::to_string).collect(),
        |_| Vec::new(),
    )
}

fn only(text: &str) -> String {
    let all = problems(text);
    assert_eq!(all.len(), 1, "{all:?}");
    all.concat()
}

#[test]
fn an_empty_file_is_the_defaults() {
    assert_eq!(parse(""), Ok(Config::default()));
    assert_eq!(parse("[syslog]\n"), Ok(Config::default()));
}

#[test]
fn every_kind_of_value_is_taken() {
    let text = "sweep = \"off\"\nsettle = \"20ms\"\nstate-dir = \"\"\ncontent-limit = 0\n\
                rung = \"split\"\nsyslog.facility = \"local3\"\n[file]\npath = \"/var/log/a\"\n\
                [runtimes]\nstate-roots = [\"/srv/runc\"]\n[stdout]\nformat = \"off\"\n";
    let config = parse(text).unwrap();
    assert_eq!(config.sweep, None);
    assert_eq!(config.settle, Duration::from_millis(20));
    assert_eq!(config.state_dir, None);
    assert_eq!(config.rung.forced(), Some(Rung::Split));
    assert_eq!(config.syslog.facility.code(), 19);
    assert_eq!(config.file.path, Some("/var/log/a".into()));
    assert_eq!(config.runtimes.state_roots, [PathBuf::from("/srv/runc")]);
}

#[test]
fn an_unknown_key_is_refused_with_place_and_nearest_key() {
    let said = only("realtime = true\n\nswep = \"30s\"\n");
    assert_eq!(
        said,
        "unknown key `swep` at line 3, column 1; did you mean `sweep`?"
    );
    let said = only("[syslog]\n  facilty = \"user\"\n");
    assert_eq!(
        said,
        "unknown key `facilty` in [syslog] at line 2, column 3; did you mean `facility`?"
    );
    assert!(
        only("[sysog]\n")
            .starts_with("unknown table `[sysog]` at line 1, column 2; did you mean `syslog`?")
    );
    assert!(only("facility = \"user\"\n").ends_with("it belongs below [syslog]"));
    assert!(
        only("[file]\nsweep = \"1s\"\n")
            .ends_with("it belongs to the top, before the first [table]")
    );
    assert!(only("\"\" = 1\n").starts_with("unknown key `` at line 1"));
}

#[test]
fn a_wrong_type_or_word_names_key_and_line() {
    let said = only("sweep = 30\n");
    assert!(
        said.starts_with("key `sweep` at line 1, column 9: invalid type: integer `30`"),
        "{said}"
    );
    let said = only("[stdout]\nformat = \"xml\"\n");
    assert!(
        said.starts_with("key `stdout.format` at line 2, column 10: unknown variant"),
        "{said}"
    );
    assert!(only("settle = \"soon\"\n").contains("expected a duration such as"));
    assert!(only("content-limit = -1\n").contains("`content-limit` at line 1"));
    assert!(only("stdout = \"json\"\n").contains("write [stdout] and its keys (format) below"));
    assert!(only("[[syslog]]\nenabled = true\n").contains("`syslog`"));
}

#[test]
fn all_problems_are_told_in_the_order_of_the_file() {
    let text = "sweep = \"1ms\"\ncolour = true\ncontent-limit = 70000\n[syslog]\nenabled = 1\n\
                max-length = 5\nsocket = \"dev/log\"\n";
    let all = problems(text);
    let lines: Vec<_> = (1..=3)
        .chain(5..=7)
        .map(|n| format!("at line {n}, "))
        .collect();
    assert_eq!(all.len(), lines.len(), "{all:?}");
    for (said, line) in all.iter().zip(lines) {
        assert!(said.contains(&line), "{said}");
    }
}

#[test]
fn values_that_do_not_go_together_are_told() {
    assert!(only("[stdout]\nformat = \"off\"\n").contains("alerts would go nowhere"));
    let same = "status-file = \"/run/a\"\n[file]\npath = \"/run/a\"\n";
    assert!(only(same).contains("key `file.path` at line 3, column 8: is the status file"));
}

#[test]
fn ranges_and_paths_are_held() {
    let long = format!("journal.socket = \"/{}\"\n", "x".repeat(200));
    for text in [
        "event-module = \"Cloud Defend\"\n",
        "event-module = \"\"\n",
        "sweep = \"2days\"\n",
        "heartbeat = \"10ms\"\n",
        "settle = \"2s\"\n",
        "state-dir = \"var\"\n",
        "status-file = \"/a\\u0000b\"\n",
        "file.path = \"alerts.json\"\n",
        "runtimes.state-roots = [\"a\"]\n",
        "syslog.max-length = 100000\n",
        long.as_str(),
    ] {
        let said = only(text);
        assert!(
            said.starts_with("key `") && said.contains("` at line 1, "),
            "{said}"
        );
    }
}

#[test]
fn what_is_no_toml_is_told_with_its_place() {
    assert!(only("sweep = \"30s\"\nsettle\n").starts_with("no TOML at line 2, column"));
    assert!(only("sweep = \"1s\"\nsweep = \"2s\"\n").contains("at line 2, column 1"));
    let said = document::parse_bytes(b"a = 1\nb = \xff\n").unwrap_err();
    assert_eq!(said[0].to_string(), "no UTF-8 at line 2, column 5");
}

#[test]
fn a_file_of_nonsense_is_answered_in_a_screenful() {
    let text: String = (0..20_000)
        .map(|n| format!("{}{n} = 1\n", "z".repeat(20)))
        .collect();
    let all = problems(&text);
    assert_eq!(all.len(), 21);
    assert_eq!(all.last().map(String::as_str), Some("and 19980 more"));
    let deep = format!("a = {}", "[".repeat(100_000));
    assert!(!problems(&deep).is_empty());
    let long = format!("{} = 1", "k".repeat(100_000));
    assert!(only(&long).len() < 400);
}

#[test]
fn a_key_cannot_smuggle_control_characters_into_the_message() {
    assert!(!only("\"a\\u001b[2J\\nb\" = 1\n").contains(|c: char| c.is_control()));
}

#[test]
fn a_missing_default_file_is_the_defaults_and_a_missing_named_one_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ldwatch.toml");
    assert_eq!(
        load_from(None, &path).unwrap(),
        (Config::default(), Source::Defaults)
    );
    let error = load_from(Some(&path), &path).unwrap_err();
    assert_eq!(error.exit_code(), 78);
    assert!(error.to_string().contains("ldwatch.toml"), "{error}");
    symlink(dir.path().join("nowhere"), &path).unwrap();
    assert_eq!(load_from(None, &path).unwrap_err().exit_code(), 78);
}

#[test]
fn only_a_regular_file_of_sane_length_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let said = |path: &Path| check(path).unwrap_err().to_string();
    assert!(said(dir.path()).contains("not a regular file"));
    let fifo = dir.path().join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert!(said(&fifo).contains("not a regular file"));
    let big = dir.path().join("big");
    let file = fs::File::create(&big).unwrap();
    file.set_len(read::LONGEST + 1).unwrap();
    assert!(said(&big).contains("longer than 1 MiB"));
}

#[test]
fn a_bad_file_names_file_key_and_line() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("bad.toml");
    fs::write(&path, "swep = \"1s\"\n").unwrap();
    let error = check(&path).unwrap_err();
    let said = error.to_string();
    assert_eq!(error.exit_code(), 78);
    assert!(
        said.contains("bad.toml: unknown key `swep` at line 1, column 1; did you mean `sweep`?"),
        "{said}"
    );
}

#[test]
fn standard_output_follows_flag_terminal_and_sinks() {
    let auto = Config::default();
    assert_eq!(auto.printing(false, true), StdoutFormat::Text);
    assert_eq!(auto.printing(false, false), StdoutFormat::Json);
    assert_eq!(auto.printing(true, true), StdoutFormat::Json);
    let mut filed = auto.clone();
    filed.file.path = Some("/var/log/a".into());
    assert_eq!(filed.printing(false, false), StdoutFormat::Off);
    assert_eq!(filed.printing(false, true), StdoutFormat::Text);
    filed.stdout.format = StdoutFormat::Text;
    assert_eq!(filed.printing(false, false), StdoutFormat::Text);
}

#[test]
fn the_environment_forces_a_rung_or_is_refused() {
    let mut config = Config::default();
    config.force_rung(None).unwrap();
    assert_eq!(config.rung, RungChoice::Auto);
    config.force_rung(Some(OsStr::new("plain"))).unwrap();
    assert_eq!(config.rung, RungChoice::Plain);
    let error = config.force_rung(Some(OsStr::new("best"))).unwrap_err();
    assert_eq!(error.exit_code(), 78);
    assert!(error.to_string().contains("LDWATCH_RUNG"));
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic_and_each_problem_is_printable(
        text in "(\\PC|[\\[\\]=\"'#.,{}\n0-9a-z-]){0,200}"
    ) {
        for said in problems(&text) {
            prop_assert!(!said.is_empty() && !said.contains(char::is_control));
        }
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = document::parse_bytes(&bytes);
    }

    #[test]
    fn any_value_at_any_key_is_taken_or_told_with_the_key(
        at in 0..keys().len(), value in "(\"[ !#-Z^-~é]{0,12}\"|-?[1-9][0-9]{0,24}|true|\\[\\]|\\{\\}|1979-05-27)"
    ) {
        let key = &keys()[at];
        for said in problems(&format!("{key} = {value}\n")) {
            prop_assert!(said.contains(key.as_str()) && said.contains("at line 1"), "{said}");
        }
    }
}
