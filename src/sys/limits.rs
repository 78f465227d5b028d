//! What the process may hold, and what it gives back.

#![allow(unsafe_code)]

use std::io;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

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

/// Gives freed memory back to the kernel (malloc_trim(3)): after a thousand containers
/// went, the allocator would keep theirs.
pub fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: takes a number, touches only memory that is free.
    unsafe {
        libc::malloc_trim(0);
    }
}
