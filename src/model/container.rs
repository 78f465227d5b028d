//! Containers, their root filesystems, and how well these are covered.

use std::collections::BTreeMap;

use crate::parse::cgroup::Runtime;

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
    /// `runc-state`, `cgroup`, `cgroup-leaf`, `mountinfo`, `monitor`, `inner-mount`.
    pub source: Option<&'static str>,
    /// Pieces that were looked for and not found (`id`, `name`, `image` …).
    pub missing: Vec<&'static str>,
    /// The root filesystem of an image build step, not of a running container.
    pub build: bool,
}

/// How a root filesystem is watched (ARCHITECTURE.md, "Coverage").
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
