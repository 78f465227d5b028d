//! The rules of the floors, as a function of one file's path and text.

use std::fmt;

use crate::paths::{self, Path, Place};
use crate::tokens::{Token, tokens};

/// The floors from the ground up. What is not named here has no floor and may not
/// be imported: a new module is entered here first.
const FLOORS: [(&str, u8); 15] = [
    ("parse", 0),
    ("sys", 1),
    ("model", 2),
    ("reach", 2),
    ("survey", 3),
    ("who", 3),
    ("examine", 3),
    ("judge", 4),
    ("output", 4),
    ("watch", 5),
    ("selftest", 5),
    ("error", 6),
    ("config", 6),
    ("cli", 6),
    ("main", 7),
];
/// On the top floor a verb may use what stands beside it.
const BESIDE: [(&str, &str); 3] = [("config", "error"), ("cli", "error"), ("cli", "config")];
/// Floors without files, environment, clock and unsafe code.
const PURE: [&str; 2] = ["parse", "judge"];
const CLOCK: &str = "the clock enters at floor 5, as a value";
/// The one file that may name the fanotify crate.
const FANOTIFY: &str = "src/sys/fanotify.rs";
const FILE_LINES: usize = 350;
const FUNCTION_LINES: usize = 40;
/// The loop, and how long a function of it may be.
const LOOP: (&str, usize) = ("src/watch/run.rs", 60);

/// A rule that is broken, and where.
#[derive(Debug, PartialEq, Eq)]
pub struct Violation {
    pub file: String,
    pub line: usize,
    pub rule: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.rule)
    }
}

/// What a file below `src/` breaks.
pub fn check(file: &str, text: &str) -> Vec<Violation> {
    let mut check = Check::new(file, text);
    check.sizes(text);
    check.walk();
    check.out
}

/// What a file of tests breaks: it has no floor, but a length.
pub fn check_sizes(file: &str, text: &str) -> Vec<Violation> {
    let mut check = Check::new(file, text);
    check.sizes(text);
    check.out
}

struct Check<'a> {
    file: &'a str,
    home: Vec<String>,
    tokens: Vec<Token>,
    out: Vec<Violation>,
}

impl<'a> Check<'a> {
    fn new(file: &'a str, text: &str) -> Self {
        Self {
            file,
            home: paths::module_of(file),
            tokens: tokens(text),
            out: Vec::new(),
        }
    }

    /// A `use` tree may break one rule many times over: once is enough.
    fn tell(&mut self, line: usize, rule: impl Into<String>) {
        let (file, rule) = (self.file.to_owned(), rule.into());
        let violation = Violation { file, line, rule };
        if !self.out.contains(&violation) {
            self.out.push(violation);
        }
    }

    fn is(&self, at: usize, text: &str) -> bool {
        self.tokens.get(at).is_some_and(|t| t.text == text)
    }

    fn unit(&self) -> &str {
        self.home.first().map_or("main", String::as_str)
    }

    fn is_pure(&self) -> bool {
        PURE.contains(&self.unit())
    }

    fn sizes(&mut self, text: &str) {
        let lines = text.lines().count();
        if lines > FILE_LINES {
            self.tell(
                lines,
                format!("{lines} lines; a file has at most {FILE_LINES}"),
            );
        }
        let most = if self.file == LOOP.0 {
            LOOP.1
        } else {
            FUNCTION_LINES
        };
        for at in 0..self.tokens.len() {
            let Some(lines) = self.function_at(at).filter(|lines| *lines > most) else {
                continue;
            };
            let name = self.tokens[at + 1].text.clone();
            self.tell(
                self.tokens[at].line,
                format!("`{name}` has {lines} lines; a function has at most {most}"),
            );
        }
    }

    /// Lines of the function whose `fn` is at `at`, when it has a body.
    fn function_at(&self, at: usize) -> Option<usize> {
        if !self.is(at, "fn") || !paths::is_word(&self.tokens.get(at + 1)?.text) {
            return None;
        }
        let mut nested = 0_i32;
        let body = (at..self.tokens.len()).find(|i| {
            match self.tokens[*i].text.as_str() {
                "(" | "[" => nested += 1,
                ")" | "]" => nested -= 1,
                _ => {}
            }
            nested == 0 && matches!(self.tokens[*i].text.as_str(), "{" | ";")
        })?;
        if self.is(body, ";") {
            return None;
        }
        let end = self.closing(body)?;
        Some(self.tokens[end].line - self.tokens[at].line + 1)
    }

    /// The brace that closes the one at `open`.
    fn closing(&self, open: usize) -> Option<usize> {
        let mut depth = 0_usize;
        (open..self.tokens.len()).find(|i| {
            match self.tokens[*i].text.as_str() {
                "{" => depth += 1,
                "}" => depth -= 1,
                _ => {}
            }
            depth == 0
        })
    }

    /// All tokens once, knowing which inline modules are around.
    fn walk(&mut self) {
        let test_file = self.home.iter().any(|m| m == "tests");
        let mut open: Vec<(String, usize, bool)> = Vec::new();
        let mut at = 0;
        while at < self.tokens.len() {
            open.retain(|(_, end, _)| *end > at);
            let modules: Vec<String> = open.iter().map(|(name, ..)| name.clone()).collect();
            let in_test = test_file || open.iter().any(|(_, _, test)| *test);
            if let Some((name, end)) = self.module_at(at) {
                let test = self.is_for_tests(at);
                open.push((name, end, test));
                at += 3;
                continue;
            }
            at = self.token(
                at,
                &Place {
                    modules: &modules,
                    in_test,
                },
            );
        }
    }

    /// The inline module whose `mod` is at `at`: its name, and its last token.
    fn module_at(&self, at: usize) -> Option<(String, usize)> {
        let inline = self.is(at, "mod") && self.is(at + 2, "{");
        inline.then(|| Some((self.tokens[at + 1].text.clone(), self.closing(at + 2)?)))?
    }

    /// `#[cfg(test)]` stands before the `mod` at `at` (with other attributes between).
    fn is_for_tests(&self, at: usize) -> bool {
        let from = self.tokens[..at]
            .iter()
            .rposition(|t| matches!(t.text.as_str(), ";" | "}" | "{"));
        let words: Vec<&str> = self.tokens[from.map_or(0, |i| i + 1)..at]
            .iter()
            .map(|t| t.text.as_str())
            .collect();
        words
            .windows(6)
            .any(|w| w == ["#", "[", "cfg", "(", "test", ")"])
    }

    /// Judges the token at `at`; returns where to go on.
    fn token(&mut self, at: usize, place: &Place<'_>) -> usize {
        let Token { text, line } = self.tokens[at].clone();
        let starts_path = at == 0 || !self.is(at - 1, "::") || !self.after_word(at - 1);
        match text.as_str() {
            "use" if !self.is(at + 1, "<") => {
                let (imports, end) = paths::imports(&self.tokens, at + 1, place);
                imports.iter().for_each(|path| self.path(path));
                return end;
            }
            "crate" | "self" | "super" | "ldwatch" | "std" | "core"
                if starts_path && self.is(at + 1, "::") =>
            {
                let (mut path, end) = paths::inline(&self.tokens, at, place);
                // `pub(in crate::x)` can be written in no other way.
                path.imported = at > 1 && self.is(at - 1, "in") && self.is(at - 2, "(");
                self.path(&path);
                return end;
            }
            "unsafe" if self.unit() != "sys" => self.tell(line, "`unsafe` stands in sys/ alone"),
            "fanotify_rs" => self.fanotify(line),
            "extern" if self.is(at + 1, "crate") => {
                self.tell(line, "`extern crate` gives a root a second name")
            }
            "path" if at > 1 && self.is(at - 1, "[") && self.is(at + 1, "=") => {
                self.tell(line, "`#[path]` hides on which floor a module stands");
            }
            "include" if self.is(at + 1, "!") => {
                self.tell(line, "`include!` hides on which floor code stands")
            }
            "now" if self.is_pure() && !place.in_test && at > 0 && self.is(at - 1, "::") => {
                self.tell(line, CLOCK);
            }
            "mod" if self.is(at + 1, "tests") && !self.is_for_tests(at) => {
                self.tell(line, "`mod tests` lacks #[cfg(test)]");
            }
            _ => {}
        }
        at + 1
    }

    fn after_word(&self, colons: usize) -> bool {
        colons > 0 && paths::is_word(&self.tokens[colons - 1].text)
    }

    fn fanotify(&mut self, line: usize) {
        if self.file != FANOTIFY {
            self.tell(line, "only sys/fanotify.rs names the fanotify crate");
        }
    }

    fn path(&mut self, path: &Path) {
        let words: Vec<&str> = path.segments.iter().map(String::as_str).collect();
        if words.contains(&"fanotify_rs") && path.imported {
            self.fanotify(path.line);
        }
        if words.windows(2).any(|pair| pair == ["super", "super"]) {
            self.tell(path.line, "`super::super`: name the module from the crate");
        }
        let inline = !path.imported && !path.in_macro;
        if inline && matches!(words.first(), Some(&"crate" | &"ldwatch")) && self.unit() != "main" {
            self.tell(
                path.line,
                format!("inline path `{}`: import it with `use`", words.join("::")),
            );
        }
        self.purity(path, &words);
        if let Some(target) = path.target(&self.home) {
            self.floor(path, &target);
        }
    }

    fn purity(&mut self, path: &Path, words: &[&str]) {
        if !self.is_pure() || path.in_test {
            return;
        }
        match words {
            [
                "std" | "core",
                module @ ("fs" | "env" | "net" | "process" | "thread"),
                ..,
            ] => {
                self.tell(path.line, format!("`std::{module}` on a pure floor"));
            }
            [_, .., "now"] => self.tell(path.line, CLOCK),
            ["std"] | ["std", "*"] => self.tell(path.line, "all of `std` on a pure floor"),
            _ => {}
        }
    }

    fn floor(&mut self, path: &Path, target: &[String]) {
        if self.home.is_empty() {
            return;
        }
        let written = path.segments.join("::");
        let Some(to) = target.first().filter(|to| *to != "*") else {
            return self.tell(
                path.line,
                format!("`{written}` is the crate's root: name the module"),
            );
        };
        let from = self.unit().to_owned();
        let floor = |unit: &str| {
            FLOORS
                .iter()
                .find(|(name, _)| *name == unit)
                .map(|(_, floor)| *floor)
        };
        match (floor(&from), floor(to)) {
            _ if from == *to || BESIDE.contains(&(from.as_str(), to.as_str())) => {}
            (None, _) => self.tell(path.line, format!("`{from}` stands on no floor")),
            (_, None) => self.tell(path.line, format!("`{written}`: `{to}` stands on no floor")),
            (Some(here), Some(there)) if there < here => {}
            (Some(here), Some(there)) => {
                self.tell(
                    path.line,
                    format!("`{written}` leads from {from} (floor {here}) to {to} (floor {there})"),
                );
            }
        }
    }
}
