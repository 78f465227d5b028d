//! Names of users and groups: the text of `passwd`, `group` and `/proc/PID/uid_map`
//! (passwd(5), group(5), user_namespaces(7)).
//!
//! The files are a container's own, and may hold anything: a line that is not of the
//! form counts for nothing, and a name is bytes to whoever asks.

/// Longest name taken, in bytes: no system allows more.
const MAX_NAME: usize = 256;

/// The name of `id` in a text of `passwd` or `group`: the first line that has it, as
/// for getpwuid(3).
#[must_use]
pub fn name_of(text: &[u8], id: u32) -> Option<&[u8]> {
    text.split(|&byte| byte == b'\n').find_map(|line| {
        let mut fields = line.split(|&byte| byte == b':');
        let (name, of) = (fields.next()?, fields.nth(1)?);
        let names = !name.is_empty() && name.len() <= MAX_NAME && !name.starts_with(b"#");
        // NIS compatibility: such a line stands for others.
        let plain = !name.starts_with(b"+") && !name.starts_with(b"-");
        (names && plain && number(of) == Some(id)).then_some(name)
    })
}

/// The id inside a user namespace of what the reader of its map calls `outside`.
#[must_use]
pub fn inside(map: &[u8], outside: u32) -> Option<u32> {
    map.split(|&byte| byte == b'\n').find_map(|line| {
        let mut words = line
            .split(u8::is_ascii_whitespace)
            .filter(|word| !word.is_empty());
        let mut next = || number(words.next()?);
        let (first, begins, count) = (next()?, next()?, next()?);
        let at = outside.checked_sub(begins).filter(|&at| at < count)?;
        first.checked_add(at)
    })
}

/// Digits and nothing else: `str::parse` takes a sign, too.
fn number(word: &[u8]) -> Option<u32> {
    let digits = word.iter().all(u8::is_ascii_digit);
    str::from_utf8(word).ok().filter(|_| digits)?.parse().ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PASSWD: &[u8] = b"+nis:x:0::::\n#root:x:0\n:x:0:0\nroot:x:0:0:r:/root:/bin/sh\n\
        toor:x:0:0::/:\nodd\x1b:x:7\nsigned:x:+8:8\nlast:x:9:9";

    #[test]
    fn the_first_line_that_has_the_id_names_it() {
        assert_eq!(name_of(PASSWD, 0), Some(b"root".as_slice()));
        assert_eq!(name_of(PASSWD, 7), Some(b"odd\x1b".as_slice()));
        assert_eq!(name_of(PASSWD, 9), Some(b"last".as_slice()));
        assert_eq!((name_of(PASSWD, 8), name_of(PASSWD, 1)), (None, None));
        let long = [&[b'a'; 300][..], b":x:5:5"].concat();
        assert_eq!(name_of(&long, 5), None);
    }

    #[test]
    fn a_map_leads_inside() {
        let map = b"         0       1000          1\n         1     100000      65536\n";
        assert_eq!(inside(map, 1000), Some(0));
        assert_eq!(inside(map, 100_999), Some(1000));
        assert_eq!((inside(map, 0), inside(map, 165_536)), (None, None));
        assert_eq!(inside(b"0 0 4294967295\n", 33), Some(33));
    }

    proptest! {
        #[test]
        fn any_bytes_give_no_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), id: u32) {
            let _ = name_of(&bytes, id);
            let _ = inside(&bytes, id);
        }
    }
}
