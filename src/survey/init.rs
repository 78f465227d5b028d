//! The name of a container that no runtime file gave: from the cgroup of its init.

use procfs::process::Process;

use crate::model::Container;
use crate::parse::cgroup::member;
use crate::reach::{ProcessKey, pinned, read_of};

/// Bytes of cgroup text read.
const MAX_TEXT: u64 = 64 * 1024;

/// The container as the init's cgroup names it. A layout that is nobody's still
/// ends in a name the starter chose (`runc run NAME`): better than none, and
/// marked as such.
#[must_use]
pub fn by_cgroup(key: ProcessKey) -> Option<Container> {
    let process = pinned(key).ok()?;
    let text = read_of(&process, "cgroup", MAX_TEXT).ok()?;
    if let Some(member) = member(&text) {
        return Some(Container {
            missing: if member.id.is_some() {
                Vec::new()
            } else {
                vec!["id"]
            },
            id: member.id,
            runtime: Some(member.runtime),
            source: Some("cgroup"),
            ..Container::default()
        });
    }
    let own = read_of(&Process::myself().ok()?, "cgroup", MAX_TEXT).ok()?;
    let leaf = leaf(&text, &own)?;
    Some(Container {
        id: Some(leaf),
        source: Some("cgroup-leaf"),
        ..Container::default()
    })
}

/// Last component of the first cgroup line that is neither the root nor where the
/// watcher itself is.
fn leaf(text: &[u8], own: &[u8]) -> Option<String> {
    let ours: Vec<&[u8]> = own.split(|&byte| byte == b'\n').collect();
    text.split(|&byte| byte == b'\n')
        .filter(|line| !ours.contains(line))
        .filter_map(|line| line.rsplit(|&byte| byte == b'/').next())
        .find(|name| !name.is_empty() && !name.contains(&b'.'))
        .and_then(|name| String::from_utf8(name.to_vec()).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_leaf_of_an_unknown_layout_names_the_container() {
        let own = b"4:memory:/service/0123\n0::/\n";
        assert_eq!(
            leaf(b"4:memory:/service/0123\n0::/lab/c1\n", own).as_deref(),
            Some("c1")
        );
    }

    #[test]
    fn a_process_where_the_watcher_is_has_no_leaf() {
        let own = b"4:memory:/service/0123\n0::/\n";
        assert_eq!(leaf(own, own), None);
        assert_eq!(leaf(b"0::/system.slice/ssh.service\n", own), None);
    }
}
