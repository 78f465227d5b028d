//! What happened, what it means, and what could not be seen.

use std::path::PathBuf;
use std::time::SystemTime;

use super::{Container, Coverage, FileView, Heartbeat, Writer};

/// What happened, in the words of `event.action` (docs/ECS.md).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// The file came to exist by open, mknod or O_TMPFILE.
    Creation,
    /// Content was written, truncated or swapped.
    Modification,
    /// The name was removed or renamed away.
    Deletion,
    /// A file was renamed to the name.
    Rename,
    /// A hard link took the name.
    Link,
    /// A symbolic link took the name.
    Symlink,
    /// A mount covers the file.
    Mount,
    /// Mode, owner, extended attributes or chattr flags changed.
    Attributes,
    /// Came with the image, unchanged.
    Present,
    /// Written, but content and identity are the same.
    Touched,
}

impl Action {
    /// The word in `event.action`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Creation => "creation",
            Self::Modification => "modification",
            Self::Deletion => "deletion",
            Self::Rename => "rename",
            Self::Link => "link",
            Self::Symlink => "symlink",
            Self::Mount => "mount",
            Self::Attributes => "attributes",
            Self::Present => "present",
            Self::Touched => "touched",
        }
    }
}

/// `event.type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeType {
    /// Came to exist.
    Creation,
    /// Changed.
    Change,
    /// Went away.
    Deletion,
    /// Worth knowing, no change.
    Info,
}

impl ChangeType {
    /// The word in `event.type`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Creation => "creation",
            Self::Change => "change",
            Self::Deletion => "deletion",
            Self::Info => "info",
        }
    }
}

/// The verdict on one before/after pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// `event.type`.
    pub kind: ChangeType,
    /// `event.action`.
    pub action: Action,
    /// It is an alert (`event.kind` "alert"), not a plain event.
    pub alert: bool,
    /// Risk score, 0 to 100.
    pub risk: u8,
}

/// How a change came to our notice (`ldwatch.detection`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detection {
    /// A file event.
    Event,
    /// A change of a mount table.
    Mount,
    /// The periodic look.
    Sweep,
    /// A look at start, after an overflow, or when a container was first seen.
    Scan,
}

impl Detection {
    /// The word used in output.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Mount => "mount",
            Self::Sweep => "sweep",
            Self::Scan => "scan",
        }
    }
}

/// A finding about one container's file: an alert, or a lesser event.
#[derive(Debug, Clone)]
pub struct Finding {
    /// When the event was read, or the look was taken.
    pub at: SystemTime,
    /// What happened.
    pub change: Change,
    /// How it was noticed.
    pub detection: Detection,
    /// The container whose file changed.
    pub container: Container,
    /// Path of the root filesystem as the host sees it, where the host sees it.
    pub rootfs: PathBuf,
    /// How the root filesystem is watched.
    pub coverage: Coverage,
    /// Who did it, where an event said.
    pub writer: Option<Writer>,
    /// The file now; `None` when it is gone.
    pub file: Option<FileView>,
    /// The file as last known; `None` when there was none.
    pub before: Option<FileView>,
    /// Further triggers that were folded into this finding.
    pub folded: u64,
    /// Fixed words: why it matters (`cross-boundary` …).
    pub reasons: Vec<&'static str>,
    /// May have been told before: the state was not stored when the watcher ended.
    pub repeat: bool,
}

/// Something ldwatch cannot see, or lost. Always told, never swallowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// When it was noticed.
    pub at: SystemTime,
    /// Stable word: `overflow`, `not-covered`, `records-dropped`, `fd-limit` …
    pub reason: &'static str,
    /// One sentence with the facts (errno, counts).
    pub detail: String,
    /// What an operator can do.
    pub remedy: &'static str,
    /// The container concerned, when it is one.
    pub container: Option<Container>,
}

/// Where an alert stands: enough to refer to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mention {
    /// `Finding::at`.
    pub at: SystemTime,
    /// What happened.
    pub action: Action,
    /// The container whose file changed.
    pub container: Container,
    /// Path of its root filesystem as the host sees it.
    pub rootfs: PathBuf,
}

/// The executable of a writer, as it was found after the alert.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Program {
    /// Digest of the whole file.
    pub sha256: Option<[u8; 32]>,
    /// Bytes.
    pub size: Option<u64>,
    /// How it was found: `process`, it is the very file; `path`, it has that name now.
    pub found: &'static str,
    /// `image`, `writable`, `volume`, `memfd` or `host`.
    pub layer: Option<&'static str>,
    /// No name leads to it any more.
    pub deleted: Option<bool>,
    /// Why there is no digest.
    pub unread: Option<String>,
}

/// Later facts about an alert that was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrichment {
    /// When they were found.
    pub at: SystemTime,
    /// The alert.
    pub alert: Mention,
    /// Pid of the writer.
    pub pid: Option<i32>,
    /// Its name among all processes (`Writer::entity_id`).
    pub entity_id: Option<String>,
    /// It had this executable when it acted (`Writer::confirmed`).
    pub confirmed: bool,
    /// Its executable, as the alert named it.
    pub executable: Vec<u8>,
    /// What was found of that.
    pub program: Program,
}

/// What the writer thread feeds to the sinks.
#[derive(Debug, Clone)]
pub enum Record {
    /// A finding.
    Finding(Box<Finding>),
    /// A loss of sight.
    Gap(Box<Gap>),
    /// Later facts about an alert.
    Enrichment(Box<Enrichment>),
    /// A sign of life.
    Heartbeat(Box<Heartbeat>),
}
