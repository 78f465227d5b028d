//! From the mount point of a root filesystem to the container that owns it, before
//! any process runs in it. The path itself says which runtime mounts there; that
//! runtime's files give the rest. A file that is missing, half-written or garbage
//! costs the pieces it would have given (`Container::missing`), nothing else.

pub mod containerd;
pub mod docker;
mod facts;
mod papers;
pub mod podman;
pub mod runc;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

pub use self::facts::note_missing;
pub use self::papers::Papers;

use crate::model::Container;
use crate::survey::file::Root;

/// Who owns a root filesystem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// A container, or a step of an image build.
    Container(Box<Container>),
    /// A working mount of a runtime, in which nothing ever runs.
    Work(&'static str),
    /// No reader knows it.
    Unknown,
}

impl Owner {
    fn container(container: Container) -> Self {
        Self::Container(Box::new(container))
    }
}

/// The readers of all runtimes, with what they remember between two questions.
#[derive(Debug)]
pub struct Readers {
    root: Root,
    docker: docker::Index,
    runc: runc::States,
}

impl Readers {
    /// Readers that look up all absolute paths below `root`.
    #[must_use]
    pub fn new(root: &Path) -> Self {
        Self {
            root: Root::new(root),
            docker: docker::Index::default(),
            runc: runc::States::default(),
        }
    }

    /// Looks for states of runc and crun in these directories, too.
    #[must_use]
    pub fn with_state_roots(mut self, roots: &[PathBuf]) -> Self {
        self.runc.add_roots(roots);
        self
    }

    /// Who owns the root filesystem that is mounted on `mountpoint`.
    pub fn owner(&mut self, mountpoint: &Path) -> Owner {
        if let Some(purpose) = work(mountpoint) {
            return Owner::Work(purpose);
        }
        docker::build(mountpoint)
            .or_else(|| containerd::container(&self.root, mountpoint))
            .or_else(|| self.docker.container(&self.root, mountpoint))
            .or_else(|| podman::container(&self.root, mountpoint))
            .or_else(|| self.runc.container(&self.root, mountpoint))
            .map_or(Owner::Unknown, Owner::container)
    }
}

/// Who owns the root filesystem that is mounted on `mountpoint`, for a single question.
#[must_use]
pub fn owner(root: &Path, mountpoint: &Path) -> Owner {
    Readers::new(root).owner(mountpoint)
}

/// Mounts that runtimes make for themselves, to prepare or to unpack a layer.
fn work(mountpoint: &Path) -> Option<&'static str> {
    let name = mountpoint.file_name()?.to_str()?;
    let numbered = |prefix: &str| {
        name.strip_prefix(prefix)
            .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()))
    };
    if numbered("containerd-mount") {
        return Some("containerd temporary mount");
    }
    if numbered("buildkit-mount") {
        return Some("buildkit temporary mount");
    }
    let layer = mountpoint.parent()?;
    // dockerd and podman try at their start whether overlays work.
    let tries = |name: &str| {
        name.starts_with("check-overlayfs-support") || name.starts_with("feature-check")
    };
    if layer
        .file_name()
        .and_then(|name| name.to_str())
        .is_some_and(tries)
    {
        return Some("trial mount of a storage driver");
    }
    let init =
        layer.file_name()?.to_str()?.ends_with("-init") && layer.parent()?.ends_with("overlay2");
    (init && name == "merged").then_some("docker init layer")
}
