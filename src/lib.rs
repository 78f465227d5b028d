//! ldwatch finds every container's root filesystem on a Linux host, marks its
//! `etc` with fanotify, and tells when `/etc/ld.so.preload` is created or
//! modified in it: which container, which process, what the file now holds.
//!
//! The tree is the architecture. Modules stand on floors; `use` points down only
//! (`tests/floors` holds it):
//!
//! 0. `parse` bytes to values · 1. `sys` syscalls, the only unsafe · 2. `model`
//!    the nouns, `reach` the ways to a root · 3. `survey`, `who`, `examine` readers
//!    of host, processes, files · 4. `judge`, `output` verdicts and records, pure ·
//! 5. `watch`, `selftest` the loop and its proof · 6. `config`, `error`, `cli`
//!    what the person types.

pub mod parse;

pub mod sys;

pub mod model;
pub mod reach;

pub mod examine;
pub mod survey;
pub mod who;

pub mod judge;
pub mod output;

pub mod watch;

pub mod selftest;

pub mod config;
pub mod error;

pub mod cli;
