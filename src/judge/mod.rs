//! FLOOR 4: verdicts. Pure: no file, no clock; what is needed comes as a value.

pub mod change;
pub mod origin;
pub mod restart;
pub mod settle;
