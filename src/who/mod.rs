//! FLOOR 3: from a pid to the process that wrote, without ever telling a guess
//! as a fact.

pub mod boot;
pub mod cgroup;
pub mod process;
pub mod trail;
