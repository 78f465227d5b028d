//! The buffer that read(2) gives on a fanotify group.

#![no_main]

use ldwatch::parse::fanotify::{METADATA_LEN, Stop, events};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut walk = events(bytes);
    let mut count = 0;
    for event in walk.by_ref() {
        count += 1;
        if let Some(place) = event.place {
            // What is pointed to lies in the buffer, and a name ends at its NUL.
            assert!(place.key.len() + place.name.len() <= bytes.len());
            assert!(!place.name.contains(&0));
        }
    }
    assert!(count * METADATA_LEN <= bytes.len());
    let stop = walk.stop().expect("a reason");
    if stop == Stop::End && !bytes.is_empty() {
        assert!(count > 0);
    }
});
