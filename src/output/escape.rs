//! Hostile bytes to printable text.
//!
//! A newline in a file name forges a log line, an escape sequence drives the
//! terminal of whoever reads it, a bidirectional override shows a path that is not
//! there. All of them, and bytes that are no UTF-8, come out as `\n`, `\x1b`,
//! `\u{202e}`. The reader of JSON gets the original back from a base64 twin.

use std::borrow::Cow;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Stands at the end of a text that was cut.
const ELLIPSIS: char = '…';

/// Printable text, and whether it still is what the bytes were.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text<'a> {
    /// What may be shown.
    pub shown: Cow<'a, str>,
    /// Something was escaped or cut: the original needs a lossless twin.
    pub altered: bool,
}

/// The printable form of `bytes`, at most `cap` bytes long.
///
/// Neither a character nor an escape sequence is ever cut. A backslash is doubled
/// in texts that hold an escape, so that an escape cannot be imitated there.
#[must_use]
pub fn escape(bytes: &[u8], cap: usize) -> Text<'_> {
    if bytes.len() <= cap
        && let Ok(text) = std::str::from_utf8(bytes)
        && !text.chars().any(is_hostile)
    {
        return Text {
            shown: Cow::Borrowed(text),
            altered: false,
        };
    }
    Text {
        shown: Cow::Owned(rewrite(bytes, cap)),
        altered: true,
    }
}

/// As [`escape`], with quotation marks around everything that is not plainly one
/// word: inside a sentence a name must not be able to look like more sentence.
#[must_use]
pub fn quoted(bytes: &[u8], cap: usize) -> String {
    let text = escape(bytes, cap).shown;
    let plain = |c: char| c.is_alphanumeric() || "._-/:@+=~%$…".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.into_owned();
    }
    format!("\"{}\"", text.replace('"', "\\\""))
}

/// `text` cut to at most `cap` bytes, on a character boundary, marked as cut.
#[must_use]
pub fn clip(text: &str, cap: usize) -> Cow<'_, str> {
    if text.len() <= cap {
        return Cow::Borrowed(text);
    }
    let mut end = cap.saturating_sub(ELLIPSIS.len_utf8());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let mut cut = text.get(..end).unwrap_or_default().to_owned();
    if cut.len() + ELLIPSIS.len_utf8() <= cap {
        cut.push(ELLIPSIS);
    }
    Cow::Owned(cut)
}

/// The lossless twin.
#[must_use]
pub fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// `bytes` in lower-case hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
            let _ = write!(out, "{byte:02x}");
            out
        })
}

/// Must not reach a log or a terminal as it is: controls, line and paragraph
/// separators, bidirectional controls, and characters that cannot be seen.
fn is_hostile(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_control();
    }
    matches!(c,
        '\u{80}'..='\u{9f}'
        | '\u{ad}'
        | '\u{61c}'
        | '\u{180e}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e007f}')
}

fn rewrite(bytes: &[u8], cap: usize) -> String {
    let mut out = String::with_capacity(bytes.len().min(cap) + 16);
    let mut piece = String::with_capacity(12);
    // Where the text ends should it turn out too long: room is left for the mark.
    let room = cap.saturating_sub(ELLIPSIS.len_utf8());
    let mut fits = 0;
    for chunk in bytes.utf8_chunks() {
        let valid = chunk.valid().chars().map(Piece::Char);
        let invalid = chunk.invalid().iter().map(|&byte| Piece::Byte(byte));
        for part in valid.chain(invalid) {
            piece.clear();
            part.write(&mut piece);
            if out.len() + piece.len() > cap {
                out.truncate(fits);
                if out.len() <= room && room > 0 {
                    out.push(ELLIPSIS);
                }
                return out;
            }
            out.push_str(&piece);
            if out.len() <= room {
                fits = out.len();
            }
        }
    }
    out
}

enum Piece {
    Char(char),
    Byte(u8),
}

impl Piece {
    fn write(&self, out: &mut String) {
        // Writing to a String cannot fail.
        let _ = match *self {
            Self::Byte(byte) => write!(out, "\\x{byte:02x}"),
            Self::Char('\n') => out.write_str("\\n"),
            Self::Char('\t') => out.write_str("\\t"),
            Self::Char('\r') => out.write_str("\\r"),
            Self::Char('\\') => out.write_str("\\\\"),
            Self::Char(c) if c.is_ascii_control() => write!(out, "\\x{:02x}", u32::from(c)),
            Self::Char(c) if is_hostile(c) => write!(out, "\\u{{{:x}}}", u32::from(c)),
            Self::Char(c) => out.write_char(c),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(bytes: &[u8]) -> String {
        escape(bytes, 4096).shown.into_owned()
    }

    #[test]
    fn plain_text_passes_unchanged_and_unallocated() {
        let text = escape("/usr/bin/näme \\n".as_bytes(), 100);
        assert!(matches!(text.shown, Cow::Borrowed("/usr/bin/näme \\n")));
        assert!(!text.altered);
    }

    #[test]
    fn controls_separators_and_overrides_are_written_out() {
        assert_eq!(
            shown(b"a\nb\tc\rd\x1b[31m\x00\x7f"),
            "a\\nb\\tc\\rd\\x1b[31m\\x00\\x7f"
        );
        assert_eq!(
            shown("\u{85}\u{2028}\u{202e}\u{2066}".as_bytes()),
            "\\u{85}\\u{2028}\\u{202e}\\u{2066}"
        );
    }

    #[test]
    fn bytes_that_are_no_utf8_are_written_out() {
        assert_eq!(shown(b"/lib\xff\xc3.so"), "/lib\\xff\\xc3.so");
    }

    #[test]
    fn an_escape_cannot_be_imitated_beside_a_real_one() {
        assert_eq!(shown(b"\\n\n"), "\\\\n\\n");
    }

    #[test]
    fn a_cut_falls_between_characters_and_escapes() {
        assert_eq!(escape("ääää".as_bytes(), 7).shown, "ää…");
        assert_eq!(escape(b"ab\x1b\x1b", 8).shown, "ab…");
        assert_eq!(escape(b"abcdef", 6).shown, "abcdef");
        assert_eq!(escape(b"abcdef", 2).shown, "");
        assert_eq!(clip("ääää", 7), "ää…");
        assert_eq!(clip("abc", 1), "");
    }

    #[test]
    fn a_name_with_blanks_is_quoted_in_a_sentence() {
        assert_eq!(quoted(b"/usr/bin/sh", 99), "/usr/bin/sh");
        assert_eq!(quoted(b"x (pid 1)\"", 99), "\"x (pid 1)\\\"\"");
        assert_eq!(quoted(b"", 99), "\"\"");
    }

    proptest! {
        #[test]
        fn any_bytes_give_printable_text_within_the_cap(bytes in prop::collection::vec(any::<u8>(), 0..300), cap in 0usize..400) {
            let text = escape(&bytes, cap);
            prop_assert!(text.shown.len() <= cap);
            prop_assert!(!text.shown.chars().any(is_hostile));
            if !text.altered {
                prop_assert_eq!(text.shown.as_bytes(), &bytes[..]);
            }
        }

        #[test]
        fn any_text_is_clipped_within_the_cap(text in "\\PC{0,80}", cap in 0usize..200) {
            prop_assert!(clip(&text, cap).len() <= cap);
        }
    }
}
