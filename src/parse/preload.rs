//! The syntax of `/etc/ld.so.preload`, as glibc's `ld.so` reads it: names
//! separated by space, tab, newline or `:`; `#` starts a comment that ends at
//! the newline; the last line needs no newline (glibc `elf/rtld.c`,
//! `do_preload` and its caller).

/// Longest name kept, in bytes: no longer path can be opened (PATH_MAX, open(2)).
const MAX_NAME: usize = 4096;
/// Bytes of all names kept: records repeat each of them several times.
const MAX_BYTES: usize = 16 * 1024;

/// One library named in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The bytes as written (`$LIB` and the like unexpanded), at most 4096.
    pub raw: Vec<u8>,
}

/// The libraries that `text` names, in order: at most `limit` of them, and 16 KiB in all.
#[must_use]
pub fn entries(text: &[u8], limit: usize) -> Vec<Entry> {
    let mut room = MAX_BYTES;
    text.split(|&byte| byte == b'\n')
        .flat_map(|line| {
            let code = line.split(|&byte| byte == b'#').next().unwrap_or_default();
            code.split(|byte| matches!(byte, b' ' | b'\t' | b':' | 0))
        })
        .filter(|name| !name.is_empty())
        .map(|name| name.get(..MAX_NAME).unwrap_or(name))
        .map_while(|name| {
            room = room.checked_sub(name.len())?;
            Some(name)
        })
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
    fn the_bytes_of_entries_are_bounded() {
        let long = b"x".repeat(1 << 20);
        assert_eq!(raw(&long), [b"x".repeat(4096)]);
        let text = [&long, b" /a.so ".as_slice(), &long, b" ", &long, b" /b.so"].concat();
        let found = raw(&text);
        let lengths: Vec<usize> = found.iter().map(Vec::len).collect();
        assert_eq!(lengths, [4096, 5, 4096, 4096, 5]);
        assert_eq!(raw(&[long, b" ".to_vec()].concat().repeat(9)).len(), 4);
    }

    #[test]
    fn bytes_that_are_no_text_are_kept() {
        assert_eq!(raw(b"/\xff\x1b.so"), [b"/\xff\x1b.so"]);
    }
}
