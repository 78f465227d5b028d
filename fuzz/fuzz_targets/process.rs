//! `/proc/PID/stat` and `/proc/PID/status`: a process chooses its name.

#![no_main]

use ldwatch::parse::stat::{stat, status};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Some(stat) = stat(bytes) {
        assert!(stat.comm.len() < bytes.len());
    }
    let status = status(bytes);
    assert!(status.ns_pids.len() <= bytes.len());
    // A name of these bytes moves no field of a true line.
    let name: Vec<u8> = bytes.iter().copied().take(15).collect();
    let rest = b") S 15326 15347 15347 34816 15347 4194560 1 0 0 0 0 0 0 0 20 0 1 0 778899 17 1\n";
    let line = [b"15347 (".as_slice(), &name, rest].concat();
    let stat = stat(&line).expect("a whole line");
    assert_eq!(stat.comm, name);
    assert_eq!(
        (stat.ppid, stat.session, stat.tty, stat.start_ticks),
        (15326, 15347, 34816, 778_899)
    );
});
