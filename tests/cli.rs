//! Black box, no root: the built program's answers and exit codes.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn ldwatch(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ldwatch"));
    command.args(words);
    for variable in [
        "LDWATCH_LOG",
        "LDWATCH_RUNG",
        "JOURNAL_STREAM",
        "RUST_BACKTRACE",
    ] {
        command.env_remove(variable);
    }
    command
}

fn output(command: &mut Command) -> io::Result<(Option<i32>, String, String)> {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output()?;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ok((status.code(), text(stdout), text(stderr)))
}

fn check(text: &str) -> io::Result<(Option<i32>, String, String)> {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("some.toml");
    fs::write(&path, text)?;
    output(ldwatch(&["check", "-c"]).arg(&path))
}

#[test]
fn help_goes_to_standard_output_and_is_no_failure() -> io::Result<()> {
    for words in [
        &["--help"][..],
        &["-h"],
        &["run", "--help"],
        &["whois", "-h"],
    ] {
        let (code, stdout, stderr) = output(&mut ldwatch(words))?;
        assert_eq!((code, stderr.as_str()), (Some(0), ""), "{words:?}");
        assert!(
            stdout.contains("Usage: ldwatch") && stdout.lines().count() < 40,
            "{stdout}"
        );
    }
    Ok(())
}

#[test]
fn the_version_is_the_packages() -> io::Result<()> {
    let (code, stdout, _) = output(&mut ldwatch(&["-V"]))?;
    assert_eq!(code, Some(0));
    assert_eq!(stdout, concat!("ldwatch ", env!("CARGO_PKG_VERSION"), "\n"));
    Ok(())
}

#[test]
fn a_bad_argument_is_one_line_and_64() -> io::Result<()> {
    let cases: [(&[&str], &str); 5] = [
        (&[], "no command given"),
        (&["rnu"], "did you mean `run`?"),
        (&["run", "--jsno"], "did you mean `--json`?"),
        (&["whois"], "needs the PID"),
        (&["check", "extra"], "unexpected argument"),
    ];
    for (words, said) in cases {
        let (code, stdout, stderr) = output(&mut ldwatch(words))?;
        assert_eq!((code, stdout.as_str()), (Some(64), ""), "{words:?}");
        assert!(
            stderr.starts_with("ldwatch: error: ") && stderr.contains(said),
            "{stderr}"
        );
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
    }
    Ok(())
}

#[test]
fn a_bad_configuration_is_78_and_names_file_key_and_line() -> io::Result<()> {
    let (code, _, stderr) = check("settle = \"5ms\"\nswep = \"30s\"\n")?;
    assert_eq!(code, Some(78));
    for part in [
        "some.toml",
        "`swep`",
        "line 2, column 1",
        "did you mean `sweep`?",
    ] {
        assert!(stderr.contains(part), "{part}: {stderr}");
    }
    let (code, _, stderr) = check("sweep = 5\nrealtime = \"no\"\n[syslog]\nmax-length = 1\n")?;
    assert_eq!(code, Some(78));
    for part in [
        "3 problems",
        "`sweep` at line 1",
        "`realtime` at line 2",
        "`syslog.max-length` at line 4",
    ] {
        assert!(stderr.contains(part), "{part}: {stderr}");
    }
    let (code, _, stderr) = output(&mut ldwatch(&["check", "-c", "/nowhere/x.toml"]))?;
    assert_eq!(code, Some(78));
    assert!(
        stderr.contains("/nowhere/x.toml") && stderr.contains("-c"),
        "{stderr}"
    );
    Ok(())
}

#[test]
fn the_shipped_configuration_is_good() -> io::Result<()> {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/ldwatch.toml");
    let (code, stdout, stderr) = output(ldwatch(&["check", "-c"]).arg(shipped))?;
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    assert!(stdout.ends_with("ldwatch.toml: good\n"), "{stdout}");
    Ok(())
}

#[test]
fn a_reader_that_has_gone_is_no_panic() -> io::Result<()> {
    for words in [&["--help"][..], &["rnu"]] {
        let (read, write) = io::pipe()?;
        drop(read);
        let mut command = ldwatch(words);
        let status = command.stdout(write.try_clone()?).stderr(write).status()?;
        assert_eq!(
            status.code(),
            Some(if words == ["--help"] { 0 } else { 64 })
        );
    }
    Ok(())
}

#[test]
fn a_full_disk_is_told() -> io::Result<()> {
    let full = File::options().write(true).open("/dev/full")?;
    let mut command = ldwatch(&["--help"]);
    let out = command.stdout(full).stderr(Stdio::piped()).output()?;
    assert_eq!(out.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&out.stderr).contains("cannot write to standard output"));
    Ok(())
}

#[test]
fn the_log_takes_its_level_from_the_environment_and_says_so_when_it_cannot() -> io::Result<()> {
    let (code, _, stderr) = output(ldwatch(&["-V"]).env("LDWATCH_LOG", "loud\x1b[2J"))?;
    assert_eq!(code, Some(0));
    assert!(
        stderr.starts_with("ldwatch: warning: LDWATCH_LOG=loud"),
        "{stderr}"
    );
    assert!(
        !stderr.trim_end().contains(|c: char| c.is_control()),
        "{stderr:?}"
    );
    Ok(())
}

#[test]
fn a_redirected_log_carries_no_priorities_and_the_journal_does() -> io::Result<()> {
    use std::os::unix::fs::MetadataExt;
    let (_, _, stderr) = output(ldwatch(&["rnu"]).env("JOURNAL_STREAM", "1:1"))?;
    assert!(stderr.starts_with("ldwatch: error: "), "{stderr}");
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("log");
    let log = File::create(&path)?;
    let metadata = log.metadata()?;
    let stream = format!("{}:{}", metadata.dev(), metadata.ino());
    ldwatch(&["rnu"])
        .env("JOURNAL_STREAM", stream)
        .stderr(log)
        .status()?;
    assert!(fs::read_to_string(&path)?.starts_with("<3>unknown command"));
    Ok(())
}

#[test]
#[ignore = "needs root: a capability is taken away with capsh"]
fn without_the_capability_it_is_77_and_the_capability_is_named() -> io::Result<()> {
    for verb in ["run", "scan", "list", "probe", "selftest"] {
        let line = format!("exec {} {verb}", env!("CARGO_BIN_EXE_ldwatch"));
        let mut command = Command::new("capsh");
        command.args(["--drop=cap_sys_admin", "--", "-c", &line]);
        let (code, _, stderr) = output(&mut command)?;
        assert_eq!(code, Some(77), "{verb}: {stderr}");
        assert!(stderr.contains("needs CAP_SYS_ADMIN"), "{verb}: {stderr}");
    }
    Ok(())
}
