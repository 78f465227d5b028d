//! Where a path leads: `use` trees flattened, inline paths found, `self` and
//! `super` resolved against the module that says them.

use crate::tokens::Token;

/// A path as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    /// Its segments; `*` for a glob.
    pub segments: Vec<String>,
    /// The name a `use` gives it, when it renames.
    pub alias: Option<String>,
    /// Stands in a `use`.
    pub imported: bool,
    /// Begins with `$crate`: in a macro, where nothing else works.
    pub in_macro: bool,
    /// Inline modules around it, outermost first.
    pub modules: Vec<String>,
    /// Stands in a module for tests.
    pub in_test: bool,
    /// From 1.
    pub line: usize,
}

/// A stretch of tokens with what is around it.
pub struct Place<'a> {
    /// Inline modules.
    pub modules: &'a [String],
    /// In a module for tests.
    pub in_test: bool,
}

/// The paths of the `use` whose tree begins at `from`; and where it ends.
pub fn imports(tokens: &[Token], from: usize, place: &Place<'_>) -> (Vec<Path>, usize) {
    let end = (from..tokens.len())
        .find(|i| tokens[*i].text == ";")
        .unwrap_or(tokens.len());
    let mut out = Vec::new();
    let mut at = from;
    tree(&tokens[..end], &mut at, &[], place, &mut out);
    (out, end)
}

fn tree(
    tokens: &[Token],
    at: &mut usize,
    prefix: &[String],
    place: &Place<'_>,
    out: &mut Vec<Path>,
) {
    let mut segments = prefix.to_vec();
    let mut line = tokens.get(*at).map_or(0, |t| t.line);
    let mut alias = None;
    while let Some(token) = tokens.get(*at) {
        match token.text.as_str() {
            "::" => {}
            "," | "}" => break,
            "{" => {
                *at += 1;
                while tokens.get(*at).is_some_and(|t| t.text != "}") {
                    tree(tokens, at, &segments, place, out);
                    *at += usize::from(tokens.get(*at).is_some_and(|t| t.text == ","));
                }
                *at += 1;
                return;
            }
            "as" => {
                alias = tokens.get(*at + 1).map(|t| t.text.clone());
                *at += 1;
            }
            // `a::{self}` is `a`; only a leading `self` is a step of its own.
            "self" if !prefix.is_empty() && segments.len() == prefix.len() => {}
            word => {
                line = token.line;
                segments.push(word.to_owned());
            }
        }
        *at += 1;
    }
    out.push(path(segments, alias, true, line, place));
}

/// The inline path that begins at `from`; and where it ends.
pub fn inline(tokens: &[Token], from: usize, place: &Place<'_>) -> (Path, usize) {
    let mut segments = vec![tokens[from].text.clone()];
    let mut at = from + 1;
    while tokens.get(at).is_some_and(|t| t.text == "::") {
        match tokens.get(at + 1) {
            Some(next) if is_word(&next.text) => segments.push(next.text.clone()),
            _ => break,
        }
        at += 2;
    }
    let mut path = path(segments, None, false, tokens[from].line, place);
    path.in_macro = from > 0 && tokens[from - 1].text == "$";
    (path, at)
}

fn path(
    segments: Vec<String>,
    alias: Option<String>,
    imported: bool,
    line: usize,
    place: &Place<'_>,
) -> Path {
    let (modules, in_test) = (place.modules.to_vec(), place.in_test);
    Path {
        segments,
        alias,
        imported,
        in_macro: false,
        modules,
        in_test,
        line,
    }
}

/// An identifier or keyword.
pub fn is_word(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

impl Path {
    /// Where it leads inside the crate, as segments from the root, said by a file
    /// whose module is `home`; `None`: out of the crate, or a local name.
    pub fn target(&self, home: &[String]) -> Option<Vec<String>> {
        let mut rest = self.segments.iter().map(String::as_str).peekable();
        let mut base: Vec<String> = home.iter().chain(&self.modules).cloned().collect();
        match rest.next()? {
            "crate" | "ldwatch" => base.clear(),
            "self" => {}
            "super" => drop(base.pop()),
            _ => return None,
        }
        while rest.next_if(|word| *word == "super").is_some() {
            base.pop();
        }
        base.extend(rest.map(str::to_owned));
        Some(base)
    }
}

/// The module of a file: `src/parse/elf.rs` is `parse::elf`, `src/parse/mod.rs` is `parse`.
pub fn module_of(file: &str) -> Vec<String> {
    let inner = file.trim_start_matches("src/").trim_end_matches(".rs");
    let mut segments: Vec<String> = inner.split('/').map(str::to_owned).collect();
    if segments
        .last()
        .is_some_and(|last| matches!(last.as_str(), "mod" | "lib" | "main"))
    {
        segments.pop();
    }
    segments
}
