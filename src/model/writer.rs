//! The process that changed the file, and how sure that is.

use std::time::SystemTime;

use crate::parse::cgroup::Member;

/// Where a writer's facts come from, best first (ARCHITECTURE.md, "Attribution").
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
    /// Why there are none, where there should be some; a fixed word.
    pub args_missing: Option<&'static str>,
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
    /// Of several writers that were folded into one look this is the last; who was first.
    pub first: Option<Box<Writer>>,
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
            args_missing: None,
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
            first: None,
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
