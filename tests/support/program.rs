//! The attack program: a static binary that the harness puts into containers.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::command::{failure, run};

/// What came of an act.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was done.
    Done,
    /// This kernel or filesystem does not offer it.
    NotPossible(String),
}

/// Where the built attack program is: `LDWATCH_ATTACK`, or built now.
pub fn attack() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| env::var_os("LDWATCH_ATTACK").map_or_else(build, PathBuf::from))
}

/// The product under test: `LDWATCH_BIN`, or what cargo built beside this test.
pub fn ldwatch() -> PathBuf {
    env::var_os("LDWATCH_BIN").map_or_else(|| env!("CARGO_BIN_EXE_ldwatch").into(), PathBuf::from)
}

/// Runs a command that ends in the attack program; panics when the act failed.
pub fn act(command: &mut Command) -> Outcome {
    let output = command.output().expect("the attack program starts");
    match output.status.code() {
        Some(0) => Outcome::Done,
        Some(77) => Outcome::NotPossible(String::from_utf8_lossy(&output.stderr).into_owned()),
        _ => panic!("{}", failure(command, &output)),
    }
}

fn build() -> PathBuf {
    let version = run(Command::new("rustc").arg("-vV"));
    let host = version
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .expect("rustc names its host");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    run(Command::new(env!("CARGO"))
        .args([
            "build",
            "--quiet",
            "--locked",
            "--example",
            "attack",
            "--target",
            host,
        ])
        .env("RUSTFLAGS", "-C target-feature=+crt-static")
        .env("CARGO_TARGET_DIR", &target)
        .current_dir(root));
    target.join(host).join("debug/examples/attack")
}
