//! Placeholder, being written.

/// Container runtime (one vocabulary everywhere).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Runtime {
    /// docker
    Docker,
}
impl Runtime {
    /// The word used in output.
    #[must_use]
    pub fn name(self) -> &'static str {
        "docker"
    }
}
/// What the cgroup lines of a process say about its container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Container ID; `None` when the layout is known but holds none (conmon, buildah).
    pub id: Option<String>,
    /// The runtime.
    pub runtime: Runtime,
    /// Pod uid with dashes, where the path holds it.
    pub pod_uid: Option<String>,
}
/// The container named by the text of `/proc/PID/cgroup`.
#[must_use]
pub fn member(_text: &[u8]) -> Option<Member> {
    None
}
