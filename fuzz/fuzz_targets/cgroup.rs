//! The text of `/proc/PID/cgroup`: a container may name cgroups below its own.

#![no_main]

use ldwatch::parse::cgroup::member;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some(member) = member(bytes) else { return };
    if let Some(id) = &member.id {
        assert!(!id.is_empty() && id.len() <= bytes.len() * 3);
        assert!(!id.contains(['/', '\n']), "{id:?}");
    }
    // A second reading gives the same, and so do the lines twice over.
    let again = ldwatch::parse::cgroup::member(&[bytes, b"\n", bytes].concat());
    assert_eq!(again.map(|again| again.runtime), Some(member.runtime));
});
