//! What the process may hold, and what it gives back.

#![allow(unsafe_code)]

use std::collections::HashMap;
use std::env;
use std::ffi::OsString;
use std::hash::Hash;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

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

/// What glibc's allocator is told before `main` (the GNU C Library manual, "Tunables").
const TUNABLES: &str = "GLIBC_TUNABLES";
/// No caches per thread.
const NO_CACHES: &str = "glibc.malloc.tcache_count";

/// Executes this program once more, without the allocator's caches per thread: when a
/// thousand containers went, each holds single pieces of many pages, and 1.4 MiB stay.
/// The variable is read before `main`, and no call does the same. Returns where it is set
/// already, or where it cannot be done, which costs memory and nothing else.
pub fn without_thread_caches() {
    let set = env::var_os(TUNABLES).unwrap_or_default();
    let (Some(tunables), Ok(own)) = (tunables(&set.to_string_lossy()), env::current_exe()) else {
        return;
    };
    let mut words = env::args_os();
    // By its name, which is what the kernel shows of it; it fails where that is gone.
    let _ = Command::new(own)
        .arg0(words.next().unwrap_or_else(|| OsString::from("ldwatch")))
        .args(words)
        .env(TUNABLES, tunables)
        .exec();
}

/// What the variable has to be; `None`: it says something of the caches already.
fn tunables(set: &str) -> Option<String> {
    if cfg!(not(target_env = "gnu")) || set.contains(NO_CACHES) {
        return None;
    }
    let colon = if set.is_empty() { "" } else { ":" };
    Some(format!("{set}{colon}{NO_CACHES}=0"))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_env = "gnu")]
    #[test]
    fn caches_are_switched_off_once_and_what_else_is_set_stays() {
        let first = tunables("").unwrap_or_default();
        assert_eq!(first, "glibc.malloc.tcache_count=0");
        assert_eq!(tunables(&first), None, "or it would begin without end");
        assert_eq!(
            tunables("glibc.malloc.check=3"),
            Some("glibc.malloc.check=3:glibc.malloc.tcache_count=0".to_owned())
        );
        assert_eq!(tunables("glibc.malloc.tcache_count=7"), None);
    }
}
