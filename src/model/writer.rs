//! The process that changed the file, and how sure that is.

use std::time::SystemTime;

use crate::parse::cgroup::{Member, Runtime};

/// Where a writer's facts come from, best first (ARCHITECTURE.md, "Attribution").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriterSource {
    /// Read from a pinned `/proc/PID` while the process lived.
    Live,
    /// It was ending or a zombie: most often comm, parent and cgroup only.
    Zombie,
    /// Reaped; the pidfd still gave the cgroup.
    Reaped,
    /// Nothing but the exec trail's last record for the pid: a hint.
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

/// Whose program a hint names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HintSource {
    /// The last program that the process itself opened to execute.
    ExecTrail,
    /// The same of its parent: the process executed none that was seen.
    ParentExecTrail,
}

impl HintSource {
    /// The word used in output.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ExecTrail => "exec-trail",
            Self::ParentExecTrail => "parent-exec-trail",
        }
    }
}

/// What the exec trail says of a writer whose executable could not be read: probable,
/// and never a fact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hint {
    /// Whose program.
    pub source: HintSource,
    /// The program; `None`: only the script is known.
    pub executable: Option<Vec<u8>>,
    /// The script that the program was to run.
    pub script: Option<Vec<u8>>,
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
    /// Start time in clock ticks since boot.
    pub start_ticks: u64,
    /// Hash of boot id, pid and start ticks (lower-case hex).
    pub entity_id: Option<String>,
    /// Mount namespace, by the inode number of its `/proc/PID/ns/mnt`.
    pub mount_ns: Option<u64>,
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
    /// Names of these ids, as the container's own files tell them.
    pub names: Names,
    /// Effective capability set.
    pub capabilities: Option<u64>,
    /// Start time.
    pub start: Option<SystemTime>,
    /// Start time in clock ticks since boot: with the pid it names the process.
    pub start_ticks: Option<u64>,
    /// Has a controlling terminal.
    pub interactive: Option<bool>,
    /// Hash of boot id, pid and start ticks (lower-case hex).
    pub entity_id: Option<String>,
    /// Parents, nearest first, up to the container's init.
    pub parents: Vec<Ancestor>,
    /// Mount namespace, by the inode number of its `/proc/PID/ns/mnt`.
    pub mount_ns: Option<u64>,
    /// The container that its cgroup names; `None`: none.
    pub member: Option<Member>,
    /// Its executable is the host's file of that path, as far as that was asked.
    pub host_program: bool,
    /// It was ending when its cgroup was asked for: that none names a container says nothing.
    pub unplaced: bool,
    /// The trail does not tell that it had its executable when it acted: it may have come
    /// by it after the act. Of a placed writer in a container the only doubt there is.
    pub program_in_doubt: bool,
    /// It came near, and so did somebody else: it may be another's act. Never confirmed.
    pub guess: bool,
    /// The container the writer is in, as far as that could be found out.
    pub home: Option<Home>,
    /// Where the writer stands relative to the changed container.
    pub origin: Origin,
    /// Of several writers that were folded into one look this is the last; who was first.
    pub first: Option<Box<Writer>>,
    /// The exec trail's word, where `/proc` did not name the executable.
    pub hint: Option<Hint>,
    /// How it came to be where it is.
    pub entry: Entry,
    /// A container engine's own tool, by its executable on the host: fixed words.
    pub tool: Option<&'static str>,
}

/// Names of a writer's ids, as the container's files tell them: its own claim.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    /// Of the effective user.
    pub user: Option<Vec<u8>>,
    /// Of the real user.
    pub real_user: Option<Vec<u8>>,
    /// Of the effective group.
    pub group: Option<Vec<u8>>,
}

/// The container that a writer is in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Home {
    /// Container ID, where there is one.
    pub id: Option<String>,
    /// Name, where the container is watched and has one.
    pub name: Option<String>,
    /// The runtime.
    pub runtime: Option<Runtime>,
    /// Pod uid, where the cgroup holds it.
    pub pod_uid: Option<String>,
    /// What tells it: `mount-namespace`, `rootfs` or `cgroup`.
    pub told_by: &'static str,
}

impl Home {
    /// As a cgroup names it, which a process with privileges can choose.
    #[must_use]
    pub fn by_cgroup(member: &Member) -> Self {
        Self {
            id: member.id.clone(),
            name: None,
            runtime: Some(member.runtime),
            pod_uid: member.pod_uid.clone(),
            told_by: "cgroup",
        }
    }
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
            names: Names::default(),
            capabilities: None,
            start: None,
            start_ticks: None,
            interactive: None,
            entity_id: None,
            parents: Vec::new(),
            mount_ns: None,
            member: None,
            host_program: false,
            unplaced: false,
            program_in_doubt: false,
            guess: false,
            home: None,
            origin: Origin::Unknown,
            first: None,
            hint: None,
            entry: Entry::Unknown,
            tool: None,
        }
    }

    /// The program to show: the executable, else what the trail hints at, else the name
    /// that the process gave itself. Only of a confirmed writer the first is a fact.
    #[must_use]
    pub fn program(&self) -> Option<&[u8]> {
        let hint = self
            .hint
            .as_ref()
            .and_then(|hint| hint.executable.as_deref());
        self.executable.as_deref().or(hint).or(self.name.as_deref())
    }

    /// What `program` gives is a confirmed fact.
    #[must_use]
    pub fn is_program_sure(&self) -> bool {
        let hinted = self
            .hint
            .as_ref()
            .is_some_and(|hint| hint.executable.is_some());
        self.confirmed && (self.executable.is_some() || !hinted)
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

/// How a writer came to where it stands, as its parents show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// It descends from the container's init, or is it.
    Init,
    /// It, or a parent of it in the container, was started from outside: `docker exec`,
    /// `kubectl exec`, `podman exec`, `nsenter`.
    Session,
    /// It is not in the container at all.
    Outside,
    /// Not known.
    Unknown,
}

impl Entry {
    /// The word used in output; none for what is not known.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        match self {
            Self::Init => Some("init"),
            Self::Session => Some("session"),
            Self::Outside => Some("outside"),
            Self::Unknown => None,
        }
    }
}
