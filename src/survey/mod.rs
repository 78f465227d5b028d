//! FLOOR 3: readers of the host: which root filesystems exist, whose they are,
//! and which container a process is in, from files alone. No runtime is asked,
//! and none has to be alive.

mod departed;
pub mod file;
pub mod groups;
mod guard;
mod hosted;
pub mod init;
mod known;
pub mod layers;
pub mod mounts;
pub mod processes;
pub mod runtime;
pub mod sight;
pub mod spots;
mod strangers;
pub mod whois;
mod within;

pub use self::runtime::{Owner, Readers, owner};
