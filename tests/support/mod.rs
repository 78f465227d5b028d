//! The black-box harness, shared by the tests that need root.
//!
//! It knows the product only from outside: the built binary, its arguments, its lines
//! and its exit code. Containers are made by hand (`overlay`) or by real runtimes
//! (`runtimes`); an attack program of its own (`program`) changes files in them, and
//! `watcher` holds what the product said against what was done.

// Each test program uses a part of this.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used)]
#![allow(clippy::indexing_slicing, clippy::print_stderr)]

pub mod cgroup;
pub mod command;
pub mod dynamic;
pub mod gate;
pub mod hand;
pub mod image;
pub mod load;
pub mod overlay;
pub mod program;
pub mod quiet;
pub mod record;
pub mod runtimes;
pub mod said;
pub mod scratch;
pub mod tiny;
pub mod watcher;

/// What the product is about, inside a container.
pub const PRELOAD: &str = "/etc/ld.so.preload";
