//! FLOOR 2: the nouns of the product. No I/O, no clock, no output format.
//!
//! Text that a container or a runtime file controls is kept as bytes here; it
//! is escaped at the very edge, by `output`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::SystemTime;

use crate::parse::cgroup::{Member, Runtime};
use crate::parse::preload::Entry;

/// The one path the product is about, as a container sees it.
pub const PRELOAD_PATH: &str = "/etc/ld.so.preload";
/// Its last component, as fanotify reports it.
pub const PRELOAD_NAME: &[u8] = b"ld.so.preload";

/// Names one watched root filesystem for the lifetime of the process. Never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RootfsId(pub u64);

/// An image as far as files on disk tell it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Image {
    /// Name as the user gave it, without the tag.
    pub name: Option<String>,
    /// Tag, when the name had one.
    pub tag: Option<String>,
    /// `sha256:…` of the image configuration or manifest.
    pub digest: Option<String>,
}

/// The pod a container belongs to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pod {
    /// Pod name.
    pub name: Option<String>,
    /// Pod namespace.
    pub namespace: Option<String>,
    /// Pod uid.
    pub uid: Option<String>,
    /// The container's name inside its pod.
    pub container: Option<String>,
}

/// A container: who owns a root filesystem.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Container {
    /// Full container ID in the runtime's own spelling; `None` when nothing names it.
    pub id: Option<String>,
    /// Name given by the user or the runtime.
    pub name: Option<String>,
    /// The runtime, in the vocabulary of `parse::cgroup`.
    pub runtime: Option<Runtime>,
    /// Image it was made from.
    pub image: Image,
    /// Labels, as found.
    pub labels: BTreeMap<String, String>,
    /// Pod, for Kubernetes.
    pub pod: Option<Pod>,
    /// Whether it runs privileged, where a file tells.
    pub privileged: Option<bool>,
    /// Where the ID came from: `docker-files`, `podman-files`, `containerd-path`,
    /// `runc-state`, `cgroup`, `cgroup-leaf`, `mountinfo`.
    pub source: Option<&'static str>,
    /// Pieces that were looked for and not found (`id`, `name`, `image` …).
    pub missing: Vec<&'static str>,
    /// The root filesystem of an image build step, not of a running container.
    pub build: bool,
}

/// How a root filesystem is watched (DESIGN §4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rung {
    /// Named fanotify marks on the merged `etc`: trigger and pid from one event.
    Named,
    /// inotify as trigger; fd-mode and upper-directory marks for the pid.
    Split,
    /// inotify as trigger; fd-mode marks for the pid of opens and writes.
    Plain,
    /// Not watched by events: only the sweep looks.
    None,
}

impl Rung {
    /// The word used in output and configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Named => "named",
            Self::Split => "split",
            Self::Plain => "plain",
            Self::None => "none",
        }
    }
}

/// How well a root filesystem is covered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coverage {
    /// The rung in force.
    pub rung: Rung,
    /// What is not seen, and why, in fixed words (`etc: ENOSPC …`). Empty: no gap known.
    pub gaps: Vec<String>,
}

/// Type of the object found at the preload path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// Regular file.
    Regular,
    /// Directory.
    Directory,
    /// Symbolic link that leads nowhere, or was not followed.
    Symlink,
    /// FIFO.
    Fifo,
    /// Socket.
    Socket,
    /// Character device.
    CharDevice,
    /// Block device.
    BlockDevice,
}

/// What reading the file gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// The first bytes of the file, at most the configured cap.
    pub head: Vec<u8>,
    /// SHA-256 over everything that was read (up to the hash cap).
    pub sha256: [u8; 32],
    /// The file was longer than what was hashed.
    pub truncated: bool,
    /// Libraries named, as `ld.so` would read them.
    pub entries: Vec<Entry>,
}

/// The file as the container sees it, at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileView {
    /// Type of the object (of the target, when a symlink was resolved).
    pub kind: FileKind,
    /// Device number (`st_dev`).
    pub device: u64,
    /// Inode number.
    pub inode: u64,
    /// Size in bytes.
    pub size: u64,
    /// Permission bits and file type (`st_mode`).
    pub mode: u32,
    /// Owner, as the host sees it.
    pub uid: u32,
    /// Group, as the host sees it.
    pub gid: u32,
    /// Number of hard links.
    pub links: u64,
    /// Last modification.
    pub mtime: SystemTime,
    /// Last status change.
    pub ctime: SystemTime,
    /// Birth, where the filesystem keeps it.
    pub created: Option<SystemTime>,
    /// `immutable`, `append` … (chattr flags, `FS_IOC_GETFLAGS`).
    pub attributes: Vec<&'static str>,
    /// Digest of all extended attribute names and values, `None` when there are none.
    pub xattrs: Option<[u8; 32]>,
    /// Where the name points to, when it is a symbolic link (bytes of the link).
    pub target: Option<Vec<u8>>,
    /// The file lies on another mount than the directory `etc` (bind mount), or `etc`
    /// itself lies on another mount than the root: id of that mount.
    pub mounted: Option<u64>,
    /// Lies in the container's writable layer; `None` when it cannot be told.
    pub in_upper: Option<bool>,
    /// Content of a regular file; `Err` says in fixed words why it was not read.
    pub content: Result<Content, String>,
}

/// Where a writer's facts come from, best first (DESIGN §5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriterSource {
    /// Read from a pinned `/proc/PID` while the process lived.
    Live,
    /// The process was a zombie: comm, parent and cgroup only.
    Zombie,
    /// Reaped; the pidfd still gave the cgroup.
    Reaped,
    /// The exec trail's last record for the pid: a hint.
    ExecTrail,
    /// Nothing but the pid in the event, or not even that.
    Unknown,
}

impl WriterSource {
    /// The word used in output.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Zombie => "zombie",
            Self::Reaped => "reaped",
            Self::ExecTrail => "exec-trail",
            Self::Unknown => "unknown",
        }
    }
}

/// One process on the way from the writer to its container's init.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ancestor {
    /// Pid on the host.
    pub pid: i32,
    /// Command name (`comm`).
    pub name: Vec<u8>,
    /// Executable, as `/proc/PID/exe` names it.
    pub executable: Option<Vec<u8>>,
    /// Arguments, bounded.
    pub args: Vec<Vec<u8>>,
    /// Start time.
    pub start: Option<SystemTime>,
    /// Hash of boot id, pid and start ticks (lower-case hex).
    pub entity_id: Option<String>,
}

/// The process that changed the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Writer {
    /// Pid on the host; `None` when the kernel gave none.
    pub pid: Option<i32>,
    /// Pid in its own innermost pid namespace.
    pub vpid: Option<i32>,
    /// Where the facts below come from.
    pub source: WriterSource,
    /// The facts are known to be of the process that wrote. A hint is never confirmed.
    pub confirmed: bool,
    /// Command name (`comm`): chosen by the process.
    pub name: Option<Vec<u8>>,
    /// Executable.
    pub executable: Option<Vec<u8>>,
    /// Arguments, bounded.
    pub args: Vec<Vec<u8>>,
    /// The arguments were longer than the bound.
    pub args_truncated: bool,
    /// Working directory.
    pub cwd: Option<Vec<u8>>,
    /// Real user id, as the host sees it.
    pub real_uid: Option<u32>,
    /// Effective user id, as the host sees it.
    pub uid: Option<u32>,
    /// Effective group id, as the host sees it.
    pub gid: Option<u32>,
    /// Effective capability set.
    pub capabilities: Option<u64>,
    /// Start time.
    pub start: Option<SystemTime>,
    /// Has a controlling terminal.
    pub interactive: Option<bool>,
    /// Hash of boot id, pid and start ticks (lower-case hex).
    pub entity_id: Option<String>,
    /// Parents, nearest first, up to the container's init.
    pub parents: Vec<Ancestor>,
    /// Mount namespace, by the inode number of its `/proc/PID/ns/mnt`.
    pub mount_ns: Option<u64>,
    /// The container the writer is in, by its cgroup; `None`: not known.
    pub member: Option<Member>,
    /// Where the writer stands relative to the changed container.
    pub origin: Origin,
}

impl Writer {
    /// A writer of whom nothing but perhaps the pid is known.
    #[must_use]
    pub fn unknown(pid: Option<i32>) -> Self {
        Self {
            pid,
            vpid: None,
            source: WriterSource::Unknown,
            confirmed: false,
            name: None,
            executable: None,
            args: Vec::new(),
            args_truncated: false,
            cwd: None,
            real_uid: None,
            uid: None,
            gid: None,
            capabilities: None,
            start: None,
            interactive: None,
            entity_id: None,
            parents: Vec::new(),
            mount_ns: None,
            member: None,
            origin: Origin::Unknown,
        }
    }
}

/// Where a writer stands relative to the container whose file changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// In the same container.
    Inside,
    /// In another container.
    OtherContainer,
    /// On the host, in no container.
    Host,
    /// Not known.
    Unknown,
}

impl Origin {
    /// The word used in output.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Inside => "inside",
            Self::OtherContainer => "other-container",
            Self::Host => "host",
            Self::Unknown => "unknown",
        }
    }
}

/// What happened, in the words of DESIGN §7 (`event.action`).
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

/// What the writer thread feeds to the sinks.
#[derive(Debug, Clone)]
pub enum Record {
    /// A finding.
    Finding(Box<Finding>),
    /// A loss of sight.
    Gap(Box<Gap>),
}
