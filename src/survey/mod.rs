//! FLOOR 3: readers of the host. What containers there are, who owns a root
//! filesystem, and which container a process is in, from files alone: no runtime
//! is asked, and none has to be alive.

pub mod file;
pub mod runtime;
pub mod whois;

pub use self::runtime::{Owner, Readers, owner};
