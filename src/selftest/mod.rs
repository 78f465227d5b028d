//! FLOOR 5: a throw-away container and a dozen attacks on it: proof, on this very
//! host, that what the watcher promises holds here.

pub mod attacks;
pub mod overlay;
pub mod run;
