//! A panic is told in the log's own form. The test starts itself again, since a
//! panic hook belongs to a whole process.

use std::env;
use std::io;
use std::process::Command;

use ldwatch::cli::log;

const CHILD: &str = "LDWATCH_TEST_PANIC";

#[test]
fn a_panic_is_one_line_of_the_log_without_control_characters() -> io::Result<()> {
    if env::var_os(CHILD).is_some() {
        log::init();
        panic!("two\nlines and \x1b[2J");
    }
    let this = "a_panic_is_one_line_of_the_log_without_control_characters";
    let output = Command::new(env::current_exe()?)
        .args(["--exact", this, "--nocapture"])
        .env(CHILD, "1")
        .env_remove("JOURNAL_STREAM")
        .env_remove("RUST_BACKTRACE")
        .output()?;
    assert!(!output.status.success());
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    let told: Vec<&str> = stderr
        .lines()
        .filter(|l| l.starts_with("ldwatch: error: internal error"))
        .collect();
    assert_eq!(told.len(), 1, "{stderr}");
    assert!(
        told.concat().contains("tests/panic.rs") && told.concat().contains("two lines and"),
        "{stderr}"
    );
    assert!(!stderr.contains('\x1b'), "{stderr}");
    Ok(())
}
