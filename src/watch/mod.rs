//! FLOOR 5: the product at work: the loop, the marks it keeps, the threads around it.

pub mod examiner;
pub mod jobs;
pub mod marks;
pub mod run;
pub mod surveyor;
