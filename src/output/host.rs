//! What a record says about the machine and about the watcher itself. Read once,
//! by a higher floor; here it is a value.

/// The machine and this instance of the watcher. Absent facts leave no field.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Host {
    /// `host.name`: what operators call the machine.
    pub name: Option<String>,
    /// `host.hostname`, as `uname -n` gives it.
    pub hostname: Option<String>,
    /// `host.id`: the machine id.
    pub id: Option<String>,
    /// `host.architecture`, as `uname -m` gives it.
    pub architecture: Option<String>,
    /// `host.boot.id`.
    pub boot_id: Option<String>,
    /// `host.pid_ns_ino`: inode of the initial pid namespace.
    pub pid_ns_ino: Option<String>,
    /// `host.os.*`.
    pub os: Os,
    /// `agent.id`: stable for this installation.
    pub agent_id: Option<String>,
    /// `agent.ephemeral_id`: of this start.
    pub agent_ephemeral_id: Option<String>,
    /// `agent.name`, when it was given one.
    pub agent_name: Option<String>,
    /// `agent.version`.
    pub agent_version: Option<String>,
}

/// The operating system, from `os-release` and `uname`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Os {
    /// `host.os.family` (`debian`, `redhat` …).
    pub family: Option<String>,
    /// `host.os.name`.
    pub name: Option<String>,
    /// `host.os.platform` (`ubuntu`, `centos` …).
    pub platform: Option<String>,
    /// `host.os.version`.
    pub version: Option<String>,
    /// `host.os.full`.
    pub full: Option<String>,
    /// `host.os.kernel`: the release.
    pub kernel: Option<String>,
}
