//! FLOOR 0: kernel text and structs to values. Pure functions of bytes: no
//! file, no environment, no clock. Each says why it stopped.

pub mod accounts;
pub mod cgroup;
pub mod elf;
pub mod fanotify;
pub mod fstype;
pub mod mountinfo;
pub mod preload;
pub mod stat;
