//! The first bytes of a file that is executed: a script, a program that asks for a
//! loader (`PT_INTERP`), or one that runs by itself (elf(5), execve(2)).

/// `PT_INTERP`, `ET_DYN` (`include/uapi/linux/elf.h`).
const INTERP: u32 = 3;
const DYN: u16 = 3;
/// Program headers looked at.
const MAX_HEADERS: usize = 64;
/// Longest name of a loader kept.
const MAX_NAME: usize = 64;

/// What a file is to execve(2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Head {
    /// `#!`: its interpreter is opened next.
    Script,
    /// Asks for a loader, which is opened next: the last part of its path, empty when
    /// it lies beyond what was read.
    Dynamic(Vec<u8>),
    /// Position-independent and without a loader: a loader itself, or a static program.
    Shared,
    /// Anything else: a static program, or nothing that is understood.
    Other,
}

/// Reads the head of a file.
#[must_use]
pub fn head(bytes: &[u8]) -> Head {
    if bytes.starts_with(b"#!") {
        return Head::Script;
    }
    elf(bytes).unwrap_or(Head::Other)
}

fn elf(bytes: &[u8]) -> Option<Head> {
    let class = *bytes.strip_prefix(b"\x7fELF")?.first()?;
    let wide = class == 2;
    // Where e_phoff, e_phentsize and e_phnum are.
    let (offset, size, count) = if wide { (32, 54, 56) } else { (28, 42, 44) };
    let table = usize::try_from(word(bytes, offset, wide)?).ok()?;
    let size = usize::from(half(bytes, size)?);
    let count = usize::from(half(bytes, count)?).min(MAX_HEADERS);
    for number in 0..count {
        let at = table.checked_add(size.checked_mul(number)?)?;
        if four(bytes, at)? == INTERP {
            return Some(Head::Dynamic(
                interpreter(bytes, at, wide).unwrap_or_default(),
            ));
        }
    }
    Some(if half(bytes, 16)? == DYN {
        Head::Shared
    } else {
        Head::Other
    })
}

/// Last part of the path that the program header at `at` leads to.
fn interpreter(bytes: &[u8], at: usize, wide: bool) -> Option<Vec<u8>> {
    let (offset, size) = if wide { (8, 32) } else { (4, 16) };
    let start = usize::try_from(word(bytes, at.checked_add(offset)?, wide)?).ok()?;
    let length = usize::try_from(word(bytes, at.checked_add(size)?, wide)?).ok()?;
    let path = bytes.get(start..start.checked_add(length)?)?;
    let path = path.split(|&byte| byte == 0).next()?;
    let name = path.rsplit(|&byte| byte == b'/').next()?;
    (name.len() <= MAX_NAME).then(|| name.to_vec())
}

/// In the byte order of this machine: it executes no other.
fn word(bytes: &[u8], at: usize, wide: bool) -> Option<u64> {
    if !wide {
        return four(bytes, at).map(u64::from);
    }
    let eight = bytes.get(at..)?.first_chunk::<8>()?;
    Some(u64::from_ne_bytes(*eight))
}

fn four(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..)?.first_chunk::<4>()?;
    Some(u32::from_ne_bytes(*four))
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    let two = bytes.get(at..)?.first_chunk::<2>()?;
    Some(u16::from_ne_bytes(*two))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A 64-bit head with one program header, behind which a path stands.
    fn made(kind: u16, header: u32, path: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; 64 + 56];
        bytes[..5].copy_from_slice(b"\x7fELF\x02");
        bytes[16..18].copy_from_slice(&kind.to_ne_bytes());
        bytes[32..40].copy_from_slice(&64_u64.to_ne_bytes());
        bytes[54..56].copy_from_slice(&56_u16.to_ne_bytes());
        bytes[56..58].copy_from_slice(&1_u16.to_ne_bytes());
        bytes[64..68].copy_from_slice(&header.to_ne_bytes());
        bytes[72..80].copy_from_slice(&120_u64.to_ne_bytes());
        bytes[96..104].copy_from_slice(&(path.len() as u64).to_ne_bytes());
        bytes.extend(path);
        bytes
    }

    #[test]
    fn a_program_with_a_loader_names_it() {
        let bytes = made(3, 3, b"/lib64/ld-linux-x86-64.so.2\0");
        assert_eq!(
            head(&bytes),
            Head::Dynamic(b"ld-linux-x86-64.so.2".to_vec())
        );
        let short = &bytes[..120];
        assert_eq!(head(short), Head::Dynamic(Vec::new()));
    }

    #[test]
    fn scripts_loaders_and_static_programs_are_told_apart() {
        assert_eq!(head(b"#!/bin/sh\n"), Head::Script);
        assert_eq!(head(&made(3, 1, b"")), Head::Shared);
        assert_eq!(head(&made(2, 1, b"")), Head::Other);
        assert_eq!(head(b"\x7fELF"), Head::Other);
        assert_eq!(head(b""), Head::Other);
    }

    #[test]
    fn what_is_on_this_machine_is_understood() {
        let own = std::fs::read("/proc/self/exe").unwrap();
        assert!(matches!(
            head(&own[..1024]),
            Head::Shared | Head::Other | Head::Dynamic(_)
        ));
    }

    proptest! {
        #[test]
        fn any_bytes_give_no_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = head(&bytes);
            let _ = head(&[b"\x7fELF\x02".as_slice(), &bytes].concat());
            let _ = head(&[b"\x7fELF\x01".as_slice(), &bytes].concat());
        }
    }
}
