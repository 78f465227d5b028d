//! The checker checked: each rule finds its planted fault, and nothing else.

use crate::check::check;

/// What the checker says about a file.
fn said(file: &str, text: &str) -> Vec<String> {
    check(file, text).iter().map(ToString::to_string).collect()
}

#[track_caller]
fn caught(file: &str, text: &str, words: &str) {
    let said = said(file, text);
    assert!(
        said.iter().any(|s| s.contains(words)),
        "{file}: {text}\ngave {said:?}"
    );
}

#[track_caller]
fn clean(file: &str, text: &str) {
    let said = said(file, text);
    assert!(said.is_empty(), "{file}: {text}\ngave {said:?}");
}

#[test]
fn an_upward_use_is_caught_in_every_spelling() {
    let up = "leads from parse (floor 0) to watch (floor 5)";
    for text in [
        "use crate::watch::run;",
        "use crate::watch;",
        "use crate::{model::Rung, watch::marks::{Book, Mark}};",
        "use {std::fmt, crate::{watch as w}};",
        "pub use crate::watch::run;",
        "pub(crate) use crate::watch::run as quiet;",
        "use r#crate::watch::run;",
        "use crate :: /* here */ watch\n::run;",
        "use ::ldwatch::watch::run;",
        "fn f() { use crate::watch::run; }",
        "mod inner { use crate::watch::run; }",
        "macro_rules! m { () => { $crate::watch::run() } }",
        "#[cfg(test)] mod tests { use crate::watch::run; }",
        "pub(in crate::watch) fn f() {}",
    ] {
        caught("src/parse/elf.rs", text, up);
    }
}

#[test]
fn super_is_followed_to_where_it_leads() {
    caught("src/model.rs", "use super::watch::run;", "to watch");
    caught("src/model.rs", "use self::super::watch::run;", "to watch");
    caught("src/model.rs", "use super as root;", "crate's root");
    caught("src/parse/mod.rs", "use super::*;", "crate's root");
    caught(
        "src/parse/mod.rs",
        "fn f() { super::watch::run() }",
        "to watch",
    );
    caught(
        "src/model.rs",
        "mod a { use super::super::watch; }",
        "to watch",
    );
    clean(
        "src/watch/run.rs",
        "use super::marks::Marks; use self::inner::x; mod inner {}",
    );
    clean("src/model.rs", "#[cfg(test)] mod tests { use super::*; }");
}

#[test]
fn super_super_is_caught() {
    let words = "`super::super`";
    caught("src/output/sink/file.rs", "use super::super::ecs;", words);
    caught("src/output/sink/file.rs", "use super::{super::ecs};", words);
    caught(
        "src/output/sink/file.rs",
        "use self::super::super::ecs;",
        words,
    );
    caught(
        "src/output/sink/file.rs",
        "fn f() { super::super::ecs::line() }",
        words,
    );
}

#[test]
fn an_inline_path_is_caught_even_downward() {
    caught(
        "src/watch/run.rs",
        "fn f() { crate::model::g() }",
        "inline path `crate::model::g`",
    );
    caught(
        "src/watch/run.rs",
        "fn f(x: &crate::model::Rung) {}",
        "inline path",
    );
    caught(
        "src/watch/run.rs",
        "fn f() -> <crate::model::A as B>::C {}",
        "inline path",
    );
    caught(
        "src/parse/elf.rs",
        "fn f() { crate::watch::g() }",
        "to watch",
    );
    clean(
        "src/watch/run.rs",
        "macro_rules! m { () => { $crate::model::g() } }",
    );
    clean(
        "src/parse/elf.rs",
        "pub(in crate::parse) fn f() {} pub(crate) fn g() {}",
    );
}

#[test]
fn a_name_of_the_root_is_no_way_around() {
    caught("src/parse/elf.rs", "use crate as k;", "crate's root");
    caught(
        "src/parse/elf.rs",
        "use crate::{self as k};",
        "crate's root",
    );
    caught("src/parse/elf.rs", "use crate::*;", "crate's root");
    caught(
        "src/parse/elf.rs",
        "extern crate self as k;",
        "extern crate",
    );
    caught(
        "src/parse/elf.rs",
        "use crate::shortcut;",
        "`shortcut` stands on no floor",
    );
    caught(
        "src/extra.rs",
        "use crate::model::Rung;",
        "`extra` stands on no floor",
    );
    caught(
        "src/parse/elf.rs",
        "#[path = \"../watch/run.rs\"] mod x;",
        "#[path]",
    );
    caught(
        "src/parse/elf.rs",
        "include!(\"../watch/run.rs\");",
        "include!",
    );
}

#[test]
fn a_neighbour_of_the_same_floor_is_not_below() {
    caught(
        "src/who/process.rs",
        "use crate::survey::mounts;",
        "from who (floor 3) to survey (floor 3)",
    );
    caught("src/error.rs", "use crate::cli::args;", "from error");
    clean(
        "src/who/process.rs",
        "use crate::who::trail; use crate::{parse::stat, model::Writer};",
    );
    clean(
        "src/cli/check.rs",
        "use crate::config::{self, Config}; use crate::error::Error;",
    );
}

#[test]
fn a_pure_floor_has_no_file_environment_clock_or_unsafe() {
    for (text, words) in [
        ("use std::fs;", "`std::fs`"),
        ("use std::fs::File;", "`std::fs`"),
        ("use std::{fmt, fs as f};", "`std::fs`"),
        ("use ::std::env::var;", "`std::env`"),
        ("fn f() { std::env::var(\"A\"); }", "`std::env`"),
        ("use std as s;", "all of `std`"),
        (
            "use std::time::SystemTime as T; fn f() { T::now(); }",
            "clock",
        ),
        ("fn f() { std::time::Instant::now(); }", "clock"),
        ("fn f() { unsafe { g() } }", "`unsafe`"),
    ] {
        caught("src/judge/change.rs", text, words);
        caught("src/parse/elf.rs", text, words);
    }
}

#[test]
fn tests_of_a_pure_floor_may_read_files_and_are_marked_as_tests() {
    clean(
        "src/parse/elf.rs",
        "#[cfg(test)] mod tests { use std::fs; fn f() { std::env::temp_dir(); } }",
    );
    clean(
        "src/judge/change/tests.rs",
        "use std::fs; use crate::model::Rung;",
    );
    caught(
        "src/parse/elf.rs",
        "mod tests { use std::fs; }",
        "`std::fs`",
    );
    caught("src/parse/elf.rs", "mod tests;", "lacks #[cfg(test)]");
    clean(
        "src/parse/elf.rs",
        "#[cfg(test)]\n#[allow(dead_code)]\nmod tests;",
    );
    clean(
        "src/judge/settle.rs",
        "use std::time::{Duration, SystemTime}; use std::collections::BTreeMap;",
    );
}

#[test]
fn unsafe_and_the_fanotify_crate_have_one_home() {
    caught("src/watch/run.rs", "fn f() { unsafe { g() } }", "`unsafe`");
    clean("src/sys/pidfd.rs", "fn f() { unsafe { g() } }");
    caught(
        "src/sys/epoll.rs",
        "use fanotify_rs::low_level;",
        "fanotify crate",
    );
    caught(
        "src/watch/run.rs",
        "fn f() { fanotify_rs::low_level::init() }",
        "fanotify crate",
    );
    clean("src/sys/fanotify.rs", "use fanotify_rs::low_level;");
}

#[test]
fn lengths_are_held() {
    let body = |lines: usize| format!("fn long() {{\n{}}}\n", "    g();\n".repeat(lines - 2));
    clean("src/watch/marks.rs", &body(40));
    caught("src/watch/marks.rs", &body(41), "`long` has 41 lines");
    clean("src/watch/run.rs", &body(60));
    caught("src/watch/run.rs", &body(61), "at most 60");
    clean("src/cli/args.rs", &"// x\n".repeat(350));
    caught("src/cli/args.rs", &"// x\n".repeat(351), "351 lines");
    clean(
        "src/model.rs",
        &format!(
            "trait T {{ fn f(a: [u8; 4]) -> u8; }}\nstruct S {{\n{}}}\n",
            "a: u8,\n".repeat(60)
        ),
    );
}

#[test]
fn words_in_comments_and_strings_are_not_code() {
    for text in [
        "// use crate::watch::run; unsafe",
        "/* use crate::watch; /* unsafe */ crate::watch::x */",
        "//! See `crate::watch`.\n/// And `super::super`.\nfn f() {}",
        "const A: &str = \"use crate::watch; unsafe \\\" crate::watch::x\";",
        "const A: &str = r#\"crate::watch::\"x\" unsafe\"#;",
        "const A: &[u8] = b\"crate::watch::x\"; const B: u8 = b'\"'; const C: char = '\\'';",
        "fn f<'a>(x: &'a str) -> char { 'u' }",
        "impl S { fn f(&self) -> impl Iterator<Item = u8> + use<'_> { self.crate_name() } }",
    ] {
        clean("src/parse/elf.rs", text);
    }
    caught(
        "src/parse/elf.rs",
        "const Q: char = '\"'; use crate::watch::run; // \"",
        "to watch",
    );
    caught(
        "src/parse/elf.rs",
        "fn f<'a>(x: &'a str) {} use crate::watch::run;",
        "to watch",
    );
    caught(
        "src/parse/elf.rs",
        "const R: &str = r\"\\\"; use crate::watch::run;",
        "to watch",
    );
}
