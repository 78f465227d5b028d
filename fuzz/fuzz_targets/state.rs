//! A state file: written by the program itself, found damaged, or written by others.

#![no_main]

use ldwatch::judge::restart::Last;
use ldwatch::watch::state::form::{decode, encode, encode_note};
use ldwatch_fuzz::{check, findings};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(stored) = decode(bytes) else { return };
    if let Last::File(view) = &stored.last {
        check(&findings::with(|finding| {
            finding.before = Some((**view).clone())
        }));
    }
    // What was understood is written such that it is understood as the same. A first
    // writing may cut what is too long; a second one has nothing left to cut.
    let once = decode(&written(&stored)).expect("what was written");
    let twice = decode(&written(&once)).expect("what was written");
    assert_eq!(once, twice);
    assert_eq!(once.identity, stored.identity);
});

fn written(stored: &ldwatch::watch::state::form::Stored) -> Vec<u8> {
    let mut text = encode(&stored.identity, &stored.last).expect("a line");
    if let Some(doubt) = &stored.doubt {
        text.extend(encode_note(doubt).expect("a line"));
    }
    text
}
