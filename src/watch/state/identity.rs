//! Which container a state belongs to, over restarts of the container, of the
//! watcher and of the machine.
//!
//! A container is known by where its root filesystem is mounted on the host, which
//! is known before anything names it, and else by runtime and ID. Either may be used
//! again for another container, so the writable layer must be the same, too.

use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::output::escape::hex;
use crate::parse::cgroup::Runtime;
use crate::sys::file::birth;
use crate::sys::walk::open_dir;
use crate::watch::jobs::Subject;

/// The name of a state: what its file is called.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key(String);

impl Key {
    fn of(kind: &str, parts: &[&[u8]]) -> Self {
        let mut digest = Sha256::new();
        for part in std::iter::once(&kind.as_bytes()).chain(parts) {
            digest.update(part.len().to_le_bytes());
            digest.update(part);
        }
        Self(hex(&digest.finalize()))
    }

    /// The key spelled by a file name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        (text.len() == 64 && text.bytes().all(hex)).then(|| Self(text.to_owned()))
    }

    /// The key as 64 hexadecimal digits.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }
}

/// Whose state it is, in clear.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Identity {
    /// The runtime.
    pub runtime: Option<String>,
    /// Full container ID.
    pub id: Option<String>,
    /// Where the root filesystem is mounted on the host.
    pub rootfs: Option<String>,
    /// The writable layer, as the host names it.
    pub layer: Option<PathBuf>,
    /// Birth of the writable layer, in nanoseconds since 1970.
    pub layer_born: Option<u64>,
}

impl Identity {
    /// The identity of a watched root filesystem, and the keys under which its
    /// state may be, best first. No key: nothing tells it from another one.
    #[must_use]
    pub fn of(subject: &Subject) -> (Self, Vec<Key>) {
        let rootfs = subject.reach.host_path();
        let born = subject.upper.as_deref().and_then(layer_born);
        let mut identity = Self {
            rootfs: rootfs.map(|path| path.to_string_lossy().into_owned()),
            // A layer whose name is no text is compared by its birth alone.
            layer: subject.upper.clone().filter(|path| path.to_str().is_some()),
            layer_born: born,
            ..Self::default()
        };
        identity.take_name(subject);
        (identity, keys(subject, rootfs))
    }

    /// Takes the name that a container got after its first sighting.
    pub fn take_name(&mut self, subject: &Subject) {
        if subject.container.id.is_some() {
            self.id.clone_from(&subject.container.id);
            let runtime = subject.container.runtime.map(|runtime| runtime.name());
            self.runtime = runtime.map(str::to_owned);
        }
    }

    /// Both tell the same place or the same name.
    #[must_use]
    pub fn meets(&self, other: &Self) -> bool {
        let name = |one: &Self| one.id.clone().zip(one.runtime.clone());
        (self.rootfs.is_some() && self.rootfs == other.rootfs)
            || (name(self).is_some() && name(self) == name(other))
    }

    /// Nothing that both know differs.
    #[must_use]
    pub fn may_be(&self, other: &Self) -> bool {
        agree(self.id.as_ref(), other.id.as_ref())
            && agree(self.layer.as_ref(), other.layer.as_ref())
            && agree(self.layer_born, other.layer_born)
    }
}

fn agree<T: PartialEq>(one: Option<T>, other: Option<T>) -> bool {
    one.is_none() || other.is_none() || one == other
}

fn keys(subject: &Subject, rootfs: Option<&Path>) -> Vec<Key> {
    let container = &subject.container;
    // A step that is a container is mounted once more to be committed; BuildKit's are none.
    let lasts = container.id.is_some() && container.runtime != Some(Runtime::Buildkit);
    if container.build && !lasts {
        return Vec::new();
    }
    let runtime = container.runtime.map_or("", |runtime| runtime.name());
    let by_id = container
        .id
        .as_ref()
        .map(|id| Key::of("id", &[runtime.as_bytes(), id.as_bytes()]));
    let by_path = rootfs.map(|path| Key::of("rootfs", &[path.as_os_str().as_bytes()]));
    by_path.into_iter().chain(by_id).collect()
}

fn layer_born(layer: &Path) -> Option<u64> {
    let fd = open_dir(layer).ok()?;
    let since = birth(fd.as_fd())?
        .duration_since(SystemTime::UNIX_EPOCH)
        .ok()?;
    u64::try_from(since.as_nanos()).ok()
}

#[cfg(test)]
#[allow(clippy::indexing_slicing)]
mod tests {
    use super::*;
    use crate::model::{Container, Coverage, RootfsId, Rung};
    use crate::reach::{HostMount, Reach};
    use crate::survey::mounts::RootKey;
    use crate::survey::runtime::Papers;

    fn subject(id: Option<&str>, rootfs: Option<&str>) -> Subject {
        Subject {
            id: RootfsId(1),
            container: Container {
                id: id.map(str::to_owned),
                runtime: id.map(|_| Runtime::Docker),
                ..Container::default()
            },
            papers: Papers::default(),
            reach: Reach {
                host: rootfs.map(|path| HostMount {
                    path: PathBuf::from(path),
                    id: 7,
                    unique: None,
                    within: None,
                }),
                init: None,
                closed: false,
            },
            mount_ns: None,
            root: RootKey {
                device: (0, 0),
                directory: Vec::new(),
            },
            upper: None,
            coverage: Coverage {
                rung: Rung::Named,
                gaps: Vec::new(),
            },
            trail: String::new(),
        }
    }

    #[test]
    fn a_container_is_found_by_its_id_or_by_its_place() {
        let (_, both) = Identity::of(&subject(Some("a"), Some("/m")));
        assert_eq!(both.len(), 2);
        assert_eq!(Identity::of(&subject(None, Some("/m"))).1, both[..1]);
        assert_eq!(Identity::of(&subject(Some("a"), None)).1, both[1..]);
        assert_eq!(Key::parse(both[0].text()).as_ref(), both.first());
    }

    #[test]
    fn nothing_to_go_by_and_a_step_of_a_build_have_no_state() {
        assert!(Identity::of(&subject(None, None)).1.is_empty());
        let keys = |id, runtime| {
            let mut build = subject(id, Some("/m"));
            build.container.build = true;
            build.container.runtime = Some(runtime);
            Identity::of(&build).1.len()
        };
        assert_eq!(keys(None, Runtime::Docker), 0);
        assert_eq!(keys(Some("a"), Runtime::Buildkit), 0);
        assert_eq!(
            keys(Some("a"), Runtime::Docker),
            2,
            "it is a container, too"
        );
    }

    #[test]
    fn another_id_or_another_layer_is_another_container() {
        let one = Identity {
            id: Some("a".to_owned()),
            layer_born: Some(1),
            ..Identity::default()
        };
        assert!(one.may_be(&Identity::default()));
        let other = |id: &str, born| Identity {
            id: Some(id.to_owned()),
            layer_born: Some(born),
            ..Identity::default()
        };
        assert!(one.may_be(&other("a", 1)));
        assert!(!one.may_be(&other("b", 1)));
        assert!(!one.may_be(&other("a", 2)));
    }

    #[test]
    fn one_that_got_its_name_late_is_met_by_its_place() {
        let (named, _) = Identity::of(&subject(Some("a"), Some("/m")));
        let (unnamed, _) = Identity::of(&subject(None, Some("/m")));
        let (hidden, _) = Identity::of(&subject(Some("a"), None));
        assert!(named.meets(&unnamed) && named.meets(&hidden));
        assert!(!unnamed.meets(&hidden));
    }

    #[test]
    fn only_a_key_is_a_key() {
        assert!(Key::parse("..").is_none());
        assert!(Key::parse(&"A".repeat(64)).is_none());
    }
}
