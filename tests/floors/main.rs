//! Holds the floors of the source tree (ARCHITECTURE): what may name what, how
//! long things may be, what a pure floor may not touch. First the real tree, then
//! the checker itself, with a planted fault for each rule.

#![allow(
    clippy::indexing_slicing,
    clippy::expect_used,
    reason = "a test may stop at a surprise"
)]

mod check;
mod paths;
mod tokens;

mod planted;

use std::fs;
use std::path::Path;

use check::{Violation, check, check_sizes};

/// Every `.rs` file below a folder of the package, with its path from the package.
fn files_below(folder: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let mut folders = vec![root.join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.expect("a readable folder").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let name = path
                    .strip_prefix(root)
                    .expect("below the root")
                    .display()
                    .to_string();
                found.push((name, fs::read_to_string(&path).expect("readable text")));
            }
        }
    }
    found
}

fn listed(violations: &[Violation]) -> String {
    violations.iter().map(|v| format!("\n  {v}")).collect()
}

#[test]
fn the_source_tree_keeps_its_floors() {
    let files = files_below("src");
    assert!(files.len() > 5, "the walk found the tree");
    let broken: Vec<_> = files
        .iter()
        .flat_map(|(file, text)| check(file, text))
        .collect();
    assert!(broken.is_empty(), "{}", listed(&broken));
}

#[test]
fn tests_and_benches_stay_short() {
    let files = ["tests", "benches"].into_iter().flat_map(files_below);
    let broken: Vec<_> = files
        .flat_map(|(file, text)| check_sizes(&file, &text))
        .collect();
    assert!(broken.is_empty(), "{}", listed(&broken));
}
