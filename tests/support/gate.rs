//! What a test needs, and who is on: these tests run one at a time.
//!
//! A skip is one line with its reason. With `LDWATCH_REQUIRE_KERNEL=1` it is a failure,
//! so that nothing rots in silence where everything should be there.

use std::env;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::command::try_run;
use super::program;

static TURN: Mutex<()> = Mutex::new(());

/// Waits for the turn of this test; `None` (and a line) when something is missing.
pub fn enter(programs: &[&str]) -> Option<MutexGuard<'static, ()>> {
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    if !nix::unistd::geteuid().is_root() {
        return skip("needs root");
    }
    if let Some(missing) = programs.iter().find(|name| find(name).is_none()) {
        return skip(&format!("needs the program {missing}"));
    }
    match try_run(Command::new(program::attack()).arg("rooted")) {
        Ok(_) => Some(turn),
        Err(reason) => skip(&reason),
    }
}

/// The value, or a skip with the reason why there is none.
pub fn have<T>(made: Result<T, String>) -> Option<T> {
    match made {
        Ok(value) => Some(value),
        Err(reason) => skip(&reason),
    }
}

/// Prints the reason, or panics with it where a skip is a failure.
pub fn skip<T>(reason: &str) -> Option<T> {
    let required = env::var_os("LDWATCH_REQUIRE_KERNEL").is_some_and(|value| value == "1");
    assert!(!required, "a skip is a failure here: {reason}");
    eprintln!("SKIP: {reason}");
    None
}

/// How often the catalogue of acts is gone through (`LDWATCH_RUNS`, else 1).
pub fn runs() -> usize {
    number("LDWATCH_RUNS", 1)
}

/// How often a row of a real runtime is repeated (`LDWATCH_RUNTIME_RUNS`, else 3).
pub fn runtime_runs() -> usize {
    number("LDWATCH_RUNTIME_RUNS", 3)
}

/// The full scale is asked for (`LDWATCH_FULL=1`): times are then held to the figures of
/// the product's description, which want a machine with nothing else to do.
pub fn full() -> bool {
    env::var_os("LDWATCH_FULL").is_some_and(|value| value == "1")
}

/// Programs executed and alerts raised by the test of what they leave behind
/// (`LDWATCH_EXECS`: so many of each; else 4000 and 500).
pub fn execs() -> (usize, usize) {
    (number("LDWATCH_EXECS", 4000), number("LDWATCH_EXECS", 500))
}

fn number(variable: &str, otherwise: usize) -> usize {
    let text = env::var(variable).unwrap_or_default();
    text.parse().unwrap_or(otherwise)
}

/// A program on PATH or in the system's directories.
pub fn find(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin", "/usr/bin", "/bin"].map(PathBuf::from))
        .map(|directory| directory.join(name))
        .find(|file| file.is_file())
}
