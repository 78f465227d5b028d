//! The content of the file: whoever writes it chooses every byte.

#![no_main]

use ldwatch::parse::preload::entries;
use ldwatch_fuzz::{check, findings};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let found = entries(bytes, 64);
    assert!(found.len() <= 64);
    for entry in &found {
        assert!(!entry.raw.is_empty());
        assert!(!entry.raw.iter().any(|byte| b" \t\n:#\0".contains(byte)));
    }
    let again: Vec<u8> = found
        .iter()
        .flat_map(|one| [&one.raw, &b"\n"[..]].concat())
        .collect();
    assert_eq!(entries(&again, 64), found);
    check(&findings::with(|finding| {
        finding.file = Some(findings::file(bytes))
    }));
});
