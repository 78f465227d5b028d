//! The name of a container that no mount point gave: from its init, and then from the
//! files that the name leads to.

use std::path::{Path, PathBuf};

use procfs::process::Process;

use crate::model::Container;
use crate::parse::cgroup::Runtime;
use crate::reach::{pinned, read_of, read_table};
use crate::survey::mounts::host_directory;
use crate::survey::processes::Init;
use crate::survey::runtime::{Owner, Papers, Readers, note_missing};
use crate::survey::whois::{Whois, whois};

/// Bytes of cgroup text read.
const MAX_TEXT: u64 = 64 * 1024;

/// The container as its init tells. A layout that is nobody's still ends in a name the
/// starter chose (`runc run NAME`): better than none, and marked as such. With the files
/// that tell it, if any do.
#[must_use]
pub fn by_init(init: &Init, readers: &mut Readers) -> Option<(Container, Papers)> {
    let process = pinned(init.key).ok()?;
    let answer = whois(Path::new("/proc"), init.key.pid).ok()?;
    pinned(init.key).ok()?;
    if let Some(described) = by_files(init, &answer, readers) {
        return Some(described);
    }
    if answer != Whois::default() {
        return Some((named(answer), Papers::default()));
    }
    let text = read_of(&process, "cgroup", MAX_TEXT).ok()?;
    let own = read_of(&Process::myself().ok()?, "cgroup", MAX_TEXT).ok()?;
    let leaf = leaf(&text, &own)?;
    let container = Container {
        id: Some(leaf),
        source: Some("cgroup-leaf"),
        ..Container::default()
    };
    Some((container, Papers::default()))
}

/// As far as the process itself tells.
fn named(answer: Whois) -> Container {
    let mut container = Container {
        id: answer.container_id,
        runtime: answer.runtime,
        source: answer.source,
        ..Container::default()
    };
    // These know containers by their name alone, and no images.
    let by_name = matches!(
        answer.runtime,
        Some(Runtime::Lxc | Runtime::Nspawn | Runtime::Incus)
    );
    if by_name {
        container.name.clone_from(&container.id);
    } else {
        note_missing(&mut container);
    }
    container
}

/// The runtime's files, found from where the root filesystem lies. The directory that is
/// a root is the kernel's word; the layers of an overlay are the mounter's, so the
/// process itself must be in the container that they name.
fn by_files(init: &Init, answer: &Whois, readers: &mut Readers) -> Option<(Container, Papers)> {
    let place = if init.root.is_overlay() {
        let layer = init.root.upper.as_deref().and_then(Path::parent)?;
        layer.join("merged")
    } else {
        directory(init)?
    };
    let (Owner::Container(container), papers) = readers.described(&place) else {
        return None;
    };
    let same = container.id.is_some() && container.id == answer.container_id;
    let sure = !init.root.is_overlay() && answer.container_id.is_none();
    (same || sure).then_some((*container, papers))
}

/// Where the host sees the root filesystem, by its mount table.
pub(super) fn directory(init: &Init) -> Option<PathBuf> {
    let table = read_table(Path::new("/proc/self/mountinfo")).ok()?;
    host_directory(&table, &init.root.key)
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
