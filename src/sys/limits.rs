//! What the process may hold, and what it gives back.

#![allow(unsafe_code)]

use std::collections::HashMap;
use std::hash::Hash;
use std::io;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Room that is not worth giving back, in entries.
const SMALL: usize = 16;

/// Raises the soft limit of open files to the hard one, and says what it is now: a
/// container takes two descriptors, and each event of some groups takes one.
///
/// # Errors
/// The errno of getrlimit(2) or setrlimit(2).
pub fn raise_files() -> io::Result<u64> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    Ok(hard)
}

/// Gives room back that a map no longer needs: it keeps what its largest crowd took.
pub fn slim<K: Eq + Hash, V>(map: &mut HashMap<K, V>) {
    if map.capacity() > 4 * (map.len() + SMALL) {
        map.shrink_to(2 * map.len());
    }
}

/// Keeps the allocator small (mallopt(3)): one arena for a handful of threads, and large
/// pieces, a mount table for one, go back to the kernel when they are freed. Before
/// other threads exist.
pub fn stay_small() {
    #[cfg(target_env = "gnu")]
    for (option, value) in [
        (libc::M_ARENA_MAX, 1),
        (libc::M_MMAP_THRESHOLD, 32 * 1024),
        (libc::M_TRIM_THRESHOLD, 64 * 1024),
    ] {
        // SAFETY: takes two numbers, and refuses what it does not know.
        unsafe {
            libc::mallopt(option, value);
        }
    }
}

/// Gives freed memory back to the kernel (malloc_trim(3)): after a thousand containers
/// went, the allocator would keep theirs.
pub fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: takes a number, touches only memory that is free.
    unsafe {
        libc::malloc_trim(0);
    }
}
