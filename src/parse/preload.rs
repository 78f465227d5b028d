//! The syntax of `/etc/ld.so.preload`, as glibc's `ld.so` reads it: names
//! separated by space, tab, newline or `:`; `#` starts a comment that ends at
//! the newline; the last line needs no newline (glibc `elf/rtld.c`,
//! `do_preload` and its caller).

/// One library named in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The bytes as written (`$LIB` and the like unexpanded).
    pub raw: Vec<u8>,
}

/// The libraries that `text` names, in order, at most `limit` of them.
#[must_use]
pub fn entries(text: &[u8], limit: usize) -> Vec<Entry> {
    text.split(|&byte| byte == b'\n')
        .flat_map(|line| {
            let code = line.split(|&byte| byte == b'#').next().unwrap_or_default();
            code.split(|byte| matches!(byte, b' ' | b'\t' | b':' | 0))
        })
        .filter(|name| !name.is_empty())
        .take(limit)
        .map(|name| Entry { raw: name.to_vec() })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &[u8]) -> Vec<Vec<u8>> {
        entries(text, 100)
            .into_iter()
            .map(|entry| entry.raw)
            .collect()
    }

    #[test]
    fn blanks_newlines_and_colons_separate() {
        assert_eq!(
            raw(b"/a.so /b.so\n/c.so:/d.so\t/e.so"),
            [b"/a.so", b"/b.so", b"/c.so", b"/d.so", b"/e.so"]
        );
    }

    #[test]
    fn a_comment_ends_at_the_newline() {
        assert_eq!(
            raw(b"# all of it\n/a.so#tail /x.so\n/b.so"),
            [b"/a.so", b"/b.so"]
        );
    }

    #[test]
    fn an_empty_file_names_nothing() {
        assert!(raw(b"").is_empty());
        assert!(raw(b" \n\t:\n").is_empty());
    }

    #[test]
    fn the_number_of_entries_is_bounded() {
        assert_eq!(entries(&b"x ".repeat(1000), 64).len(), 64);
    }

    #[test]
    fn bytes_that_are_no_text_are_kept() {
        assert_eq!(raw(b"/\xff\x1b.so"), [b"/\xff\x1b.so"]);
    }
}
