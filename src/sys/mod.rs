//! FLOOR 1: thin safe wrappers over syscalls; the only unsafe code. Knows no
//! product idea. A descriptor becomes an `OwnedFd` on the line that receives it.

pub mod clock;
pub mod epoll;
pub mod fanotify;
pub mod file;
pub mod handle;
pub mod limits;
pub mod namespace;
pub mod notify;
pub mod pidfd;
pub mod poll;
pub mod sched;
pub mod signals;
pub mod walk;
