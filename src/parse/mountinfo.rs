//! `/proc/PID/mountinfo`, line by line (proc_pid_mountinfo(5)).
//!
//! Paths stay bytes, with the kernel's octal escapes undone. A line that cannot
//! be read is counted, never guessed at: a container may mount things with odd
//! names, and one odd line must not hide the others.

use std::borrow::Cow;

/// One mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount<'a> {
    /// Mount id: unique among the mounts that exist, but reused.
    pub id: u64,
    /// Mount id of the parent.
    pub parent: u64,
    /// `st_dev` of files on it, as major and minor.
    pub device: (u32, u32),
    /// Directory of the filesystem that is the root of this mount.
    pub root: Cow<'a, [u8]>,
    /// Where it is mounted, relative to the process's root.
    pub mountpoint: Cow<'a, [u8]>,
    /// Filesystem type, `type[.subtype]`.
    pub fstype: &'a [u8],
    /// Filesystem-specific source.
    pub source: Cow<'a, [u8]>,
    /// Per-superblock options, still escaped: `option` undoes it.
    super_options: &'a [u8],
}

impl Mount<'_> {
    /// Value of a superblock option such as `upperdir`.
    #[must_use]
    pub fn option(&self, name: &[u8]) -> Option<Cow<'_, [u8]>> {
        self.super_options
            .split(|&byte| byte == b',')
            .find_map(|option| {
                let value = option.strip_prefix(name)?.strip_prefix(b"=")?;
                Some(unescape(value))
            })
    }

    /// The superblock has an option without a value, such as `pids`.
    #[must_use]
    pub fn has_option(&self, name: &[u8]) -> bool {
        let mut options = self.super_options.split(|&byte| byte == b',');
        options.any(|option| option == name)
    }

    /// The layers of an overlay, as whoever mounted it named them.
    #[must_use]
    pub fn layers(&self) -> Vec<Vec<u8>> {
        let mut layers = Vec::new();
        for option in self.super_options.split(|&byte| byte == b',') {
            let Some(at) = option.iter().position(|&byte| byte == b'=') else {
                continue;
            };
            let (name, value) = option.split_at(at);
            let value = unescape(value.get(1..).unwrap_or_default());
            match name {
                b"upperdir" | b"lowerdir+" | b"datadir+" => layers.push(value.into_owned()),
                b"lowerdir" => layers.extend(
                    value
                        .split(|&byte| byte == b':')
                        .filter(|layer| !layer.is_empty())
                        .map(<[u8]>::to_vec),
                ),
                _ => {}
            }
        }
        layers
    }

    /// The mount is an overlay.
    #[must_use]
    pub fn is_overlay(&self) -> bool {
        self.fstype == b"overlay"
    }
}

/// All mounts of a table, and the number of lines that could not be read.
#[must_use]
pub fn mounts(text: &[u8]) -> (Vec<Mount<'_>>, usize) {
    let mut unreadable = 0;
    let found = lines(text)
        .filter_map(|line| {
            let mount = mount(line);
            unreadable += usize::from(mount.is_none());
            mount
        })
        .collect();
    (found, unreadable)
}

/// The mount with the given id, without reading the rest of the table.
#[must_use]
pub fn by_id(text: &[u8], id: u64) -> Option<Mount<'_>> {
    lines(text)
        .filter(|line| number(field(line, 0)) == Some(id))
        .find_map(mount)
}

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|&byte| byte == b'\n')
        .filter(|line| !line.is_empty())
}

fn field(line: &[u8], index: usize) -> &[u8] {
    line.split(|&byte| byte == b' ')
        .nth(index)
        .unwrap_or_default()
}

fn mount(line: &[u8]) -> Option<Mount<'_>> {
    let mut fields = line.split(|&byte| byte == b' ');
    let id = number(fields.next()?)?;
    let parent = number(fields.next()?)?;
    let mut device = fields.next()?.splitn(2, |&byte| byte == b':');
    let major = u32::try_from(number(device.next()?)?).ok()?;
    let minor = u32::try_from(number(device.next()?)?).ok()?;
    let root = unescape(fields.next()?);
    let mountpoint = unescape(fields.next()?);
    let _options = fields.next()?;
    fields.find(|&word| word == b"-")?;
    let fstype = fields.next()?;
    let source = unescape(fields.next()?);
    let super_options = fields.next().unwrap_or_default();
    Some(Mount {
        id,
        parent,
        device: (major, minor),
        root,
        mountpoint,
        fstype,
        source,
        super_options,
    })
}

fn number(word: &[u8]) -> Option<u64> {
    if word.is_empty() || word.len() > 19 || !word.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(
        word.iter()
            .fold(0, |value: u64, digit| value * 10 + u64::from(digit - b'0')),
    )
}

/// Undoes the kernel's `\ooo` escapes (`fs/seq_file.c`, `mangle_path`). A
/// backslash that starts no escape stays.
#[must_use]
pub fn unescape(word: &[u8]) -> Cow<'_, [u8]> {
    if !word.contains(&b'\\') {
        return Cow::Borrowed(word);
    }
    let mut plain = Vec::with_capacity(word.len());
    let mut rest = word;
    while let Some((&byte, tail)) = rest.split_first() {
        match (byte, tail) {
            (
                b'\\',
                [
                    a @ b'0'..=b'3',
                    b @ b'0'..=b'7',
                    c @ b'0'..=b'7',
                    after @ ..,
                ],
            ) => {
                plain.push((a - b'0') * 64 + (b - b'0') * 8 + (c - b'0'));
                rest = after;
            }
            _ => {
                plain.push(byte);
                rest = tail;
            }
        }
    }
    Cow::Owned(plain)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LINE: &[u8] = b"46 43 0:39 / /data/overlay2/ab/merged rw,relatime shared:2 master:1 - overlay overlay rw,lowerdir=/l/A:/l/B,upperdir=/data/overlay2/ab/diff,workdir=/w\n";

    #[test]
    fn an_overlay_line_gives_ids_device_and_layers() {
        let (mounts, unreadable) = mounts(LINE);
        let mount = &mounts[0];
        assert_eq!(
            (mount.id, mount.parent, mount.device, unreadable),
            (46, 43, (0, 39), 0)
        );
        assert_eq!(&*mount.mountpoint, b"/data/overlay2/ab/merged");
        assert!(mount.is_overlay());
        assert_eq!(
            &*mount.option(b"upperdir").unwrap(),
            b"/data/overlay2/ab/diff"
        );
        assert_eq!(mount.option(b"upper"), None);
    }

    #[test]
    fn an_overlay_names_all_its_layers() {
        let (mounts, _) = mounts(LINE);
        let layers = mounts[0].layers();
        assert_eq!(
            layers,
            [b"/l/A".as_slice(), b"/l/B", b"/data/overlay2/ab/diff"]
        );
    }

    #[test]
    fn escapes_are_undone() {
        let line = b"1 0 8:1 / /a\\040b\\134c rw - ext4 /dev/x rw,upperdir=/u\\054v\n";
        let (mounts, _) = mounts(line);
        assert_eq!(&*mounts[0].mountpoint, b"/a b\\c");
        assert_eq!(&*mounts[0].option(b"upperdir").unwrap(), b"/u,v");
    }

    #[test]
    fn a_line_that_cannot_be_read_hides_no_other() {
        let text = [b"garbage\n1 2 x:y / / rw - ext4 s rw\n".as_slice(), LINE].concat();
        let (mounts, unreadable) = mounts(&text);
        assert_eq!((mounts.len(), unreadable), (1, 2));
    }

    #[test]
    fn one_mount_is_found_by_its_id() {
        assert_eq!(by_id(LINE, 46).unwrap().fstype, b"overlay");
        assert!(by_id(LINE, 4).is_none());
        // Found by fuzzing: a line that is no mount hid the one behind it.
        let text = [b"46 43 cut\n".as_slice(), LINE].concat();
        assert!(by_id(&text, 46).is_some());
    }

    proptest! {
        #[test]
        fn any_bytes_give_no_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let (found, unreadable) = mounts(&bytes);
            prop_assert!(found.len() + unreadable <= bytes.len());
            prop_assert!(unescape(&bytes).len() <= bytes.len());
        }
    }
}
