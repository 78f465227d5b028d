//! FLOOR 3: readers of the host: which root filesystems exist, and whose they are.

pub mod mounts;
pub mod processes;
