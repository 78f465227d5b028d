//! FLOOR 4: records to bytes, and the places they go to.
//!
//! `ecs`, `text` and `syslog` are pure: a record and a moment in, bytes out. Only
//! `sink` does I/O. Everything that a container or a runtime file controls passes
//! through `escape` on its way out, so that no record can forge a second one or
//! drive a terminal; JSON keeps the original beside it as base64.

pub mod ecs;
pub mod escape;
pub mod fan;
pub mod host;
pub mod program;
pub mod shorten;
pub mod sink;
pub mod syslog;
pub mod text;
pub mod time;
pub mod words;
