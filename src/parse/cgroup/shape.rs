//! Shapes of single path components: IDs, systemd units, pod names. Lower-case
//! hex only: that is what runtimes write, and what keeps look-alikes out.

use std::borrow::Cow;

/// Length of a full container ID.
const ID: usize = 64;
/// Longest name of a directory, and so of a cgroup.
const NAME_MAX: usize = 255;
/// Units that hold no container of their own; `.scope` does.
const UNITS: [&[u8]; 10] = [
    b"automount",
    b"device",
    b"mount",
    b"path",
    b"service",
    b"slice",
    b"socket",
    b"swap",
    b"target",
    b"timer",
];

fn hex(text: &[u8]) -> bool {
    text.iter()
        .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// A full container ID and nothing else.
pub fn full_id(text: &[u8]) -> bool {
    text.len() == ID && hex(text)
}

/// `8-4-4-4-12` hex digits.
pub fn uuid(text: &[u8]) -> bool {
    text.len() == 36 && groups(text, b'-')
}

/// The groups of a UUID, with `dash` between them.
fn groups(text: &[u8], dash: u8) -> bool {
    let mut parts = text.split(|&byte| byte == dash);
    [8, 4, 4, 4, 12].into_iter().all(|len| {
        parts
            .next()
            .is_some_and(|part| part.len() == len && hex(part))
    }) && parts.next().is_none()
}

/// A container of Fargate: 32 hex digits, `-`, a decimal number.
pub fn fargate(text: &[u8]) -> bool {
    text.split_at_checked(32)
        .is_some_and(|(task, rest)| hex(task) && rest.strip_prefix(b"-").is_some_and(decimal))
}

/// A build of BuildKit: 25 letters and digits in base 36.
pub fn build(text: &[u8]) -> bool {
    text.len() == 25
        && text
            .iter()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'z'))
}

/// One or more decimal digits.
pub fn decimal(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(u8::is_ascii_digit)
}

/// The component is a systemd unit other than a scope.
pub fn unit(text: &[u8]) -> bool {
    split_last(text, b'.').is_some_and(|(_, kind)| UNITS.contains(&kind))
}

/// A name a person or program may have chosen for a container.
pub fn chosen(text: &[u8]) -> bool {
    !matches!(text, b"" | b"." | b"..")
        && text.len() <= NAME_MAX
        && !unit(text)
        && !text.ends_with(b".scope")
        && printable(text)
}

fn printable(text: &[u8]) -> bool {
    std::str::from_utf8(text).is_ok_and(|name| !name.chars().any(char::is_control))
}

/// Takes a component apart that ends in a full ID: `ID`, `prefix-ID`, either with
/// `.scope` or an unknown suffix, and the colon form `slice:prefix:ID` that comes of
/// a systemd path given to a cgroupfs driver.
pub fn prefixed_id(text: &[u8]) -> Option<(&[u8], &[u8])> {
    if let Some((front, id)) = split_last(text, b':') {
        let (_, prefix) = split_last(front, b':')?;
        return full_id(id).then_some((prefix, id));
    }
    if unit(text) {
        return None;
    }
    let stem = split_last(text, b'.').map_or(text, |(stem, _)| stem);
    let (front, id) = stem.split_at_checked(stem.len().checked_sub(ID)?)?;
    if !full_id(id) {
        return None;
    }
    if front.is_empty() {
        Some((front, id))
    } else {
        Some((front.strip_suffix(b"-")?, id))
    }
}

/// What stands between `prefix` and `suffix`, when that is something.
pub fn between<'a>(text: &'a [u8], prefix: &[u8], suffix: &[u8]) -> Option<&'a [u8]> {
    text.strip_prefix(prefix)?
        .strip_suffix(suffix)
        .filter(|name| !name.is_empty())
}

/// Front and back of the last `mark`.
fn split_last(text: &[u8], mark: u8) -> Option<(&[u8], &[u8])> {
    let at = text.iter().rposition(|&byte| byte == mark)?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

/// `needle` is somewhere in `text`.
pub fn contains(text: &[u8], needle: &[u8]) -> bool {
    text.windows(needle.len()).any(|window| window == needle)
}

/// The uid in the cgroup of a pod: `pod<uid>` or `…-pod<uid>.slice`, the latter with
/// `_` for `-`, also in the first field of the colon form.
pub fn pod(text: &[u8]) -> Option<&[u8]> {
    let slice = text.split(|&byte| byte == b':').next()?;
    let slice = slice.strip_suffix(b".slice").unwrap_or(slice);
    let uid = match slice.strip_prefix(b"pod") {
        Some(uid) => uid,
        None => {
            let at = slice.windows(4).rposition(|window| window == b"-pod")?;
            slice.get(at + 4..)?
        }
    };
    let known =
        uuid(uid) || (uid.len() == 36 && groups(uid, b'_')) || (uid.len() == 32 && hex(uid));
    known.then_some(uid)
}

/// Undoes systemd's `\xHH`. `None` when the result is no printable text, or a path.
pub fn unescape(text: &[u8]) -> Option<Cow<'_, str>> {
    if text.len() > NAME_MAX {
        return None;
    }
    if !text.contains(&b'\\') {
        return printable(text).then(|| String::from_utf8_lossy(text));
    }
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        let escape = if byte == b'\\' {
            hex_escape(tail)
        } else {
            None
        };
        match escape {
            Some((value, after)) => {
                plain.push(value);
                rest = after;
            }
            None => plain.push(byte),
        }
    }
    let plain = String::from_utf8(plain).ok()?;
    // No machine is named by a path: whoever escapes a slash wants it to be read as one.
    (printable(plain.as_bytes()) && !plain.contains('/')).then_some(Cow::Owned(plain))
}

/// `xHH` at the start of `text`: its value, and what follows.
fn hex_escape(text: &[u8]) -> Option<(u8, &[u8])> {
    let (digits, after) = text.strip_prefix(b"x")?.split_at_checked(2)?;
    let digits = std::str::from_utf8(digits)
        .ok()
        .filter(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
    Some((u8::from_str_radix(digits, 16).ok()?, after))
}
