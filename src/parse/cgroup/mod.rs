//! The text of `/proc/PID/cgroup` to the container a process is in.
//!
//! The rules look at path components, one after the other, from the root of the
//! hierarchy to the leaf: what a runtime writes is recognised by its shape
//! (`<prefix>-<64 hex>.scope`, `lxc.payload.<name>` …), never by a whole path.
//! The innermost container wins; cgroups below it that name none belong to it.
//! The lines of one process may disagree (v1 and v2, other controllers), so the
//! line that names a container best is taken, never the first.
//!
//! Refuses to guess: no file is read, and what the text cannot tell stays open.

mod names;
mod path;
mod runtime;
mod shape;
#[cfg(test)]
mod tests;

pub use self::runtime::Runtime;

use self::path::{Found, walk};

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
pub fn member(text: &[u8]) -> Option<Member> {
    let mut best: Option<Candidate<'_>> = None;
    let mut helper: Option<Candidate<'_>> = None;
    let mut last: &[u8] = b"";
    for (unified, path) in lines(text) {
        // All v1 hierarchies usually say the same; v2 counts again for its rank.
        if path == last && !unified {
            continue;
        }
        last = path;
        let Some(found) = walk(path) else { continue };
        let candidate = Candidate {
            unified,
            path,
            found,
        };
        let slot = if candidate.found.id.is_some() {
            &mut best
        } else {
            &mut helper
        };
        if slot
            .as_ref()
            .is_none_or(|held| candidate.rank() > held.rank())
        {
            *slot = Some(candidate);
        }
    }
    // A supervisor has a cgroup of its own in some hierarchies only; in the others
    // it sits where its container's cgroups hang. The deeper line is the truer one.
    let chosen = match (best, helper) {
        (Some(best), Some(helper)) if helper.below(&best) => helper,
        (Some(best), _) => best,
        (None, helper) => helper?,
    };
    Some(chosen.found.into_member())
}

/// A hierarchy has the process below its root. Those of the first version show a process
/// that is ending at their root, wherever it was (proc_cgroup_show() in kernel/cgroup).
#[must_use]
pub fn says_where(text: &[u8]) -> bool {
    lines(text).any(|(_, path)| path != b"/")
}

/// One line that says something.
struct Candidate<'a> {
    unified: bool,
    path: &'a [u8],
    found: Found<'a>,
}

impl Candidate<'_> {
    /// Sure before unsure, inner before outer, v2 before v1: with the v1 hierarchies
    /// of a mixed host a v2-only runtime leaves its caller's cgroups in place.
    fn rank(&self) -> (bool, usize, bool) {
        (!self.found.weak, self.found.depth, self.unified)
    }

    fn below(&self, other: &Self) -> bool {
        self.path
            .strip_prefix(other.path)
            .is_some_and(|rest| rest.first() == Some(&b'/'))
    }
}

/// The well-formed lines: whether it is the v2 hierarchy, and its path.
fn lines(text: &[u8]) -> impl Iterator<Item = (bool, &[u8])> {
    text.split(|&byte| byte == b'\n').filter_map(line)
}

/// Takes `ID:CONTROLLERS:/PATH` apart. The path may hold further colons.
fn line(line: &[u8]) -> Option<(bool, &[u8])> {
    let mut fields = line.splitn(3, |&byte| byte == b':');
    let (id, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
    if id.is_empty() || !id.iter().all(u8::is_ascii_digit) || path.first() != Some(&b'/') {
        return None;
    }
    let path = path.strip_suffix(b"\r").unwrap_or(path);
    // The kernel marks the removed cgroup of a process that is still there.
    let path = path.strip_suffix(b" (deleted)").unwrap_or(path);
    Some((id == b"0" && controllers.is_empty(), path))
}
