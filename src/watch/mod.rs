//! FLOOR 5: the product at work: the loop, the marks it keeps, the threads around it.

mod acts;
pub mod budget;
mod crew;
pub mod deliver;
mod events;
pub mod examiner;
pub mod jobs;
pub mod ladder;
pub mod lane;
pub mod losses;
pub mod marks;
mod news;
pub mod outpost;
pub mod owners;
pub mod pace;
pub mod queue;
mod report;
pub mod run;
pub mod service;
pub mod state;
pub mod status;
pub mod surveyor;
mod tables;
pub mod vigil;
pub mod watched;
