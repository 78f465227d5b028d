//! FLOOR 2: the nouns of the product. No I/O, no clock, no output format.
//!
//! Text that a container or a runtime file controls is kept as bytes here; it
//! is escaped at the very edge, by `output`.

mod container;
mod file;
mod finding;
mod heartbeat;
mod writer;

pub use container::{Container, Coverage, Image, Pod, RootfsId, Rung};
pub use file::{Content, FileKind, FileView, PRELOAD_NAME, PRELOAD_PATH};
pub use finding::{
    Action, Change, ChangeType, Detection, Enrichment, Finding, Gap, Mention, Program, Record,
};
pub use heartbeat::{Heartbeat, Told};
pub use writer::{Ancestor, Entry, Hint, HintSource, Home, Names, Origin, Writer, WriterSource};
