//! FLOOR 3: readers inside a container's root. Everything met here is hostile:
//! nothing is opened but regular files on trusted filesystems, nothing is read
//! without a bound.

pub mod accounts;
pub mod file;
pub mod program;
