//! A mount table: of the host, or of a container that chose its mount points.

#![no_main]

use ldwatch::parse::fstype::is_trusted;
use ldwatch::parse::mountinfo::{by_id, mounts, unescape};
use ldwatch::survey::mounts::{overlays, root};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let (found, unreadable) = mounts(bytes);
    let lines = bytes.split(|byte| *byte == b'\n').count();
    assert!(found.len() + unreadable <= lines);
    for mount in &found {
        let one = by_id(bytes, mount.id).expect("what was found is found by its id");
        assert_eq!(one.id, mount.id);
        let _ = is_trusted(mount.fstype);
        let _ = mount.layers();
        let _ = mount.option(b"upperdir");
    }
    assert!(unescape(bytes).len() <= bytes.len());
    let (overlays, _) = overlays(bytes);
    assert!(overlays.len() <= found.len());
    for one in &overlays {
        assert!(one.upper.as_ref().is_none_or(|upper| upper.is_absolute()));
    }
    let _ = root(bytes);
});
