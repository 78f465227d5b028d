//! The bytes that `read(2)` on a fanotify group gives, as values
//! (fanotify(7), `include/uapi/linux/fanotify.h`).
//!
//! The walk trusts no length: a step is at least the size of the fixed part and
//! never leaves the buffer. It refuses to guess: at the first length or version
//! that cannot be right it stops and says why. File descriptors leave as plain
//! numbers; `sys::fanotify` owns them at once.

/// Size of `struct fanotify_event_metadata`.
pub const METADATA_LEN: usize = 24;
/// The one metadata version there is.
pub const METADATA_VERSION: u8 = 3;
/// Size of `struct fanotify_event_info_header`.
const INFO_HEADER_LEN: usize = 4;
/// fsid (8) and the fixed part of `struct file_handle` (8).
const FID_FIXED_LEN: usize = 16;

const INFO_FID: u8 = 1;
const INFO_DFID_NAME: u8 = 2;
const INFO_DFID: u8 = 3;
const INFO_PIDFD: u8 = 4;

/// A directory entry an event speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    /// fsid and file handle of the directory, as one run of bytes: what
    /// `sys::handle` makes of the same directory is equal to it.
    pub key: &'a [u8],
    /// Name in that directory; `.` or empty: the directory itself.
    pub name: &'a [u8],
}

/// One event as read. Descriptors are still plain numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawEvent<'a> {
    /// `FAN_*` bits, several when the kernel merged events.
    pub mask: u64,
    /// Open descriptor of the object, or `FAN_NOFD` (-1).
    pub fd: i32,
    /// Pid of the process that caused it, in our pid namespace (0: outside of it).
    pub pid: i32,
    /// Pidfd record: a descriptor, `FAN_NOPIDFD` (-1) or `FAN_EPIDFD` (-2).
    pub pidfd: Option<i32>,
    /// Directory and name, in groups that report them.
    pub place: Option<Place<'a>>,
}

/// Why a walk ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// The buffer was consumed to its end.
    End,
    /// Fewer bytes are left than an event has at least.
    Truncated {
        /// Offset in the buffer.
        offset: usize,
    },
    /// A length field cannot be right.
    BadLength {
        /// Offset of the event in the buffer.
        offset: usize,
    },
    /// Metadata of a version this code does not know.
    UnknownVersion {
        /// The version found.
        version: u8,
    },
}

/// Walks a buffer of events; after the last item, `stop` says why it ended.
#[derive(Debug)]
pub struct Events<'a> {
    buffer: &'a [u8],
    offset: usize,
    stop: Option<Stop>,
}

/// Starts the walk over what one `read(2)` returned.
#[must_use]
pub fn events(buffer: &[u8]) -> Events<'_> {
    Events {
        buffer,
        offset: 0,
        stop: None,
    }
}

impl Events<'_> {
    /// Why the walk ended; `None` while it has not.
    #[must_use]
    pub fn stop(&self) -> Option<Stop> {
        self.stop
    }
}

impl<'a> Iterator for Events<'a> {
    type Item = RawEvent<'a>;

    fn next(&mut self) -> Option<RawEvent<'a>> {
        if self.stop.is_some() {
            return None;
        }
        let rest = self.buffer.get(self.offset..).unwrap_or_default();
        match event(rest, self.offset) {
            Ok((raw, length)) => {
                self.offset += length;
                Some(raw)
            }
            Err(stop) => {
                self.stop = Some(stop);
                None
            }
        }
    }
}

/// The event at the start of `rest`, and its length.
fn event(rest: &[u8], offset: usize) -> Result<(RawEvent<'_>, usize), Stop> {
    if rest.is_empty() {
        return Err(Stop::End);
    }
    let truncated = Stop::Truncated { offset };
    let bad = Stop::BadLength { offset };
    let length = usize::try_from(u32_at(rest, 0).ok_or(truncated)?).map_err(|_| bad)?;
    let version = *rest.get(4).ok_or(truncated)?;
    if version != METADATA_VERSION {
        return Err(Stop::UnknownVersion { version });
    }
    let fixed = usize::from(u16_at(rest, 6).ok_or(truncated)?);
    if fixed < METADATA_LEN || length < fixed {
        return Err(bad);
    }
    let whole = rest.get(..length).ok_or(bad)?;
    let mut raw = RawEvent {
        mask: u64_at(whole, 8).ok_or(truncated)?,
        fd: i32_at(whole, 16).ok_or(truncated)?,
        pid: i32_at(whole, 20).ok_or(truncated)?,
        pidfd: None,
        place: None,
    };
    let mut records = whole.get(fixed..).ok_or(bad)?;
    while !records.is_empty() {
        let size = usize::from(u16_at(records, 2).ok_or(bad)?);
        if size < INFO_HEADER_LEN {
            return Err(bad);
        }
        let record = records.get(..size).ok_or(bad)?;
        record_into(&mut raw, record);
        records = records.get(size..).unwrap_or_default();
    }
    Ok((raw, length))
}

/// Takes what one information record says. Unknown types are passed over:
/// newer kernels add some.
fn record_into<'a>(raw: &mut RawEvent<'a>, record: &'a [u8]) {
    match record.first() {
        Some(&INFO_DFID_NAME) => raw.place = place(record, true).or(raw.place),
        Some(&(INFO_DFID | INFO_FID)) => raw.place = raw.place.or_else(|| place(record, false)),
        Some(&INFO_PIDFD) => raw.pidfd = i32_at(record, INFO_HEADER_LEN),
        _ => {}
    }
}

/// fsid, file handle and name of a FID record; `None` when its inner lengths lie.
fn place(record: &[u8], named: bool) -> Option<Place<'_>> {
    let body = record.get(INFO_HEADER_LEN..)?;
    let handle = usize::try_from(u32_at(body, 8)?).ok()?;
    let end = FID_FIXED_LEN.checked_add(handle)?;
    let key = body.get(..end)?;
    let name = if named { body.get(end..)? } else { &[] };
    let name = name.split(|&byte| byte == 0).next().unwrap_or_default();
    Some(Place { key, name })
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(
        bytes.get(at..at.checked_add(2)?)?.try_into().ok()?,
    ))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(
        bytes.get(at..at.checked_add(4)?)?.try_into().ok()?,
    ))
}

fn i32_at(bytes: &[u8], at: usize) -> Option<i32> {
    Some(i32::from_ne_bytes(
        bytes.get(at..at.checked_add(4)?)?.try_into().ok()?,
    ))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_ne_bytes(
        bytes.get(at..at.checked_add(8)?)?.try_into().ok()?,
    ))
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn build(mask: u64, pid: i32, key: &[u8], name: &[u8], pidfd: Option<i32>) -> Vec<u8> {
        let mut records = Vec::new();
        if !key.is_empty() {
            let size = 4 + key.len() + name.len() + 1;
            let padded = size.next_multiple_of(4);
            records.extend([INFO_DFID_NAME, 0]);
            records.extend((padded as u16).to_ne_bytes());
            records.extend(key);
            records.extend(name);
            records.resize(records.len() + 1 + padded - size, 0);
        }
        if let Some(fd) = pidfd {
            records.extend([INFO_PIDFD, 0, 8, 0]);
            records.extend(fd.to_ne_bytes());
        }
        let mut event = Vec::new();
        event.extend(((METADATA_LEN + records.len()) as u32).to_ne_bytes());
        event.extend([METADATA_VERSION, 0]);
        event.extend((METADATA_LEN as u16).to_ne_bytes());
        event.extend(mask.to_ne_bytes());
        event.extend((-1_i32).to_ne_bytes());
        event.extend(pid.to_ne_bytes());
        event.extend(records);
        event
    }

    fn key(handle: &[u8]) -> Vec<u8> {
        let mut key = vec![7; 8];
        key.extend((handle.len() as u32).to_ne_bytes());
        key.extend(0xf8_i32.to_ne_bytes());
        key.extend(handle);
        key
    }

    #[test]
    fn a_named_event_gives_directory_name_and_pidfd() {
        let key = key(&[1, 2, 3, 4, 5]);
        let buffer = build(0x100, 42, &key, b"ld.so.preload", Some(9));
        let mut walk = events(&buffer);
        let event = walk.next().unwrap();
        assert_eq!(
            (event.mask, event.pid, event.fd, event.pidfd),
            (0x100, 42, -1, Some(9))
        );
        assert_eq!(
            event.place.unwrap(),
            Place {
                key: &key,
                name: b"ld.so.preload"
            }
        );
        assert_eq!(walk.next(), None);
        assert_eq!(walk.stop(), Some(Stop::End));
    }

    #[test]
    fn an_unknown_record_is_passed_over() {
        let mut buffer = build(2, 1, &key(&[1]), b"x", None);
        buffer.extend([99, 0, 8, 0, 1, 1, 1, 1]);
        let length = buffer.len() as u32;
        buffer[..4].copy_from_slice(&length.to_ne_bytes());
        assert_eq!(events(&buffer).next().unwrap().place.unwrap().name, b"x");
    }

    #[test]
    fn every_cut_of_a_buffer_stops_with_a_reason() {
        let whole = build(2, 1, &key(&[1, 2]), b"name", Some(3));
        for cut in 1..whole.len() {
            let mut walk = events(&whole[..cut]);
            assert_eq!(walk.next(), None, "cut at {cut}");
            assert_ne!(walk.stop(), Some(Stop::End), "cut at {cut}");
        }
    }

    #[test]
    fn a_length_of_zero_does_not_loop() {
        let mut buffer = build(2, 1, &[], b"", None);
        buffer[..4].copy_from_slice(&0_u32.to_ne_bytes());
        let mut walk = events(&buffer);
        assert_eq!(walk.next(), None);
        assert_eq!(walk.stop(), Some(Stop::BadLength { offset: 0 }));
    }

    #[test]
    fn another_version_is_named() {
        let mut buffer = build(2, 1, &[], b"", None);
        buffer[4] = 4;
        let mut walk = events(&buffer);
        assert_eq!(walk.next(), None);
        assert_eq!(walk.stop(), Some(Stop::UnknownVersion { version: 4 }));
    }

    proptest! {
        #[test]
        fn any_bytes_end_without_panic_and_with_a_reason(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let mut walk = events(&bytes);
            let count = walk.by_ref().count();
            prop_assert!(count * METADATA_LEN <= bytes.len());
            prop_assert!(walk.stop().is_some());
        }

        #[test]
        fn what_is_built_is_parsed(
            mask in any::<u64>(), pid in any::<i32>(), pidfd in any::<Option<i32>>(),
            handle in prop::collection::vec(any::<u8>(), 0..40),
            name in prop::collection::vec(1_u8.., 0..60),
            copies in 1_usize..5,
        ) {
            let key = key(&handle);
            let buffer = build(mask, pid, &key, &name, pidfd).repeat(copies);
            let mut walk = events(&buffer);
            for event in walk.by_ref() {
                prop_assert_eq!((event.mask, event.pid, event.pidfd), (mask, pid, pidfd));
                let place = event.place.unwrap();
                prop_assert_eq!((place.key, place.name), (key.as_slice(), name.as_slice()));
            }
            prop_assert_eq!(walk.stop(), Some(Stop::End));
        }
    }
}
