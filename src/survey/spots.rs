//! What to mark for one root filesystem: every directory in which a name is looked
//! up on the way to the file, the file itself, and the writable layer beneath.
//!
//! The directory mark on `etc` does not see a write through an older hard link,
//! into a symbolic link's target or into a bind-mounted file, a target or a
//! directory on the way that is replaced, a volume that covers `etc`, or a write
//! into the writable layer from the host. Each has a spot of its own here.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use nix::sys::stat::SFlag;

use crate::model::PRELOAD_PATH;
use crate::reach::{Reach, open_on_host};
use crate::sys::walk::{Dir, End, Walk, walk};

/// What a spot is for: each kind can be left out, to prove what it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The directory that holds the file's name.
    Etc,
    /// The root directory: `etc` itself may be swapped.
    Root,
    /// A further directory on the way, behind a symbolic link.
    Chain,
    /// The file that the name leads to.
    File,
    /// The writable layer on its own filesystem.
    Upper,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 5] = [Self::Etc, Self::Root, Self::Chain, Self::File, Self::Upper];

    /// The word that leaves it out.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Etc => "etc",
            Self::Root => "root",
            Self::Chain => "chain",
            Self::File => "file",
            Self::Upper => "upper",
        }
    }
}

/// Something to mark.
#[derive(Debug)]
pub struct Spot {
    /// What it is for.
    pub kind: Kind,
    /// The object, held open with `O_PATH`.
    pub fd: OwnedFd,
    /// Name that matters in it; empty for a file.
    pub name: Vec<u8>,
    /// That name is the file's own, not a directory's on the way.
    pub leaf: bool,
}

/// The spots of a root filesystem by both ways in, and what could not be looked
/// at, in words.
#[must_use]
pub fn spots(reach: &Reach, upper: Option<&Path>) -> (Vec<Spot>, Vec<String>) {
    let mut spots = upper_spots(upper);
    let mut trouble = Vec::new();
    let ways = [
        reach.host.as_ref().map(|_| reach.open_host()),
        reach.open_init(),
    ];
    for root in ways.into_iter().flatten() {
        let walked = root.and_then(|root| {
            let walk = root.walk(PRELOAD_PATH.as_bytes())?;
            if let End::Untrusted { mount } = walk.end {
                trouble.push(format!("{} on the way is not asked", root.type_of(mount)));
            }
            Ok(walk)
        });
        match walked {
            Ok(walk) => on_the_way(walk, &mut spots),
            // A way that is gone by now is told by the next pass.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => trouble.push(format!("walk: {error}")),
        }
    }
    (spots, trouble)
}

fn on_the_way(walk: Walk, spots: &mut Vec<Spot>) {
    let (mut leaf_seen, mut root_seen) = (false, false);
    for Dir { fd, next, leaf, .. } in walk.dirs {
        // The first of each is the way to the name itself, the rest is behind a link.
        let first = match leaf {
            true => !std::mem::replace(&mut leaf_seen, true),
            false => !std::mem::replace(&mut root_seen, true),
        };
        let kind = match (first, leaf) {
            (true, true) => Kind::Etc,
            (true, false) => Kind::Root,
            (false, _) => Kind::Chain,
        };
        if !next.is_empty() {
            spots.push(Spot {
                kind,
                fd,
                name: next,
                leaf,
            });
        }
    }
    if let End::Found(found) = walk.end
        && SFlag::from_bits_truncate(found.stat.st_mode & SFlag::S_IFMT.bits()) == SFlag::S_IFREG
    {
        spots.push(Spot {
            kind: Kind::File,
            fd: found.fd,
            name: Vec::new(),
            leaf: true,
        });
    }
}

/// The writable layer: its `etc`, where the host may write past the overlay and
/// where the end of a memory mapping shows; and its root, where `etc` appears when
/// it is copied up. Never an image's layer.
#[must_use]
pub fn upper_spots(upper: Option<&Path>) -> Vec<Spot> {
    let Some(root) = upper.and_then(|upper| open_on_host(upper).ok()) else {
        return Vec::new();
    };
    let Ok(walk) = walk(root.as_fd(), PRELOAD_PATH.as_bytes(), &mut |_| false) else {
        return Vec::new();
    };
    let spot = |Dir { fd, next, leaf, .. }| Spot {
        kind: Kind::Upper,
        fd,
        name: next,
        leaf,
    };
    walk.dirs
        .into_iter()
        .filter(|dir| !dir.next.is_empty())
        .map(spot)
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::sys::walk::open_dir;

    fn kinds(dir: &Path) -> Vec<(Kind, String, bool)> {
        let root = open_dir(dir).unwrap();
        let walk = walk(root.as_fd(), PRELOAD_PATH.as_bytes(), &mut |_| false).unwrap();
        let mut spots = Vec::new();
        on_the_way(walk, &mut spots);
        let word = |spot: Spot| (spot.kind, String::from_utf8(spot.name).unwrap(), spot.leaf);
        spots.into_iter().map(word).collect()
    }

    #[test]
    fn without_the_file_root_and_etc_are_marked() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("etc")).unwrap();
        let expected = [
            (Kind::Root, "etc".to_owned(), false),
            (Kind::Etc, "ld.so.preload".to_owned(), true),
        ];
        assert_eq!(kinds(dir.path()), expected);
    }

    #[test]
    fn a_relative_link_hides_no_name_of_the_directories_it_passes_again() {
        for (link, expected) in [
            ("y", [(Kind::Etc, "ld.so.preload"), (Kind::Chain, "y")]),
            ("../etc/../x", [(Kind::Root, "etc"), (Kind::Chain, "x")]),
        ] {
            let dir = tempfile::tempdir().unwrap();
            fs::create_dir(dir.path().join("etc")).unwrap();
            symlink(link, dir.path().join("etc/ld.so.preload")).unwrap();
            let found = kinds(dir.path());
            let named = |kind, name: &str| found.iter().any(|(k, n, _)| *k == kind && n == name);
            for (kind, name) in expected {
                assert!(named(kind, name), "{link}: {name} of {found:?}");
            }
            assert!(named(Kind::Etc, "ld.so.preload"), "{link}: {found:?}");
        }
    }

    #[test]
    fn a_link_adds_the_directories_behind_it_and_the_target() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("opt/a")).unwrap();
        fs::create_dir(dir.path().join("etc")).unwrap();
        fs::write(dir.path().join("opt/a/x"), "").unwrap();
        symlink("/opt/a/x", dir.path().join("etc/ld.so.preload")).unwrap();
        let found: Vec<Kind> = kinds(dir.path())
            .into_iter()
            .map(|(kind, ..)| kind)
            .collect();
        assert_eq!(
            found,
            [
                Kind::Root,
                Kind::Etc,
                Kind::Chain,
                Kind::Chain,
                Kind::Chain,
                Kind::File
            ]
        );
    }
}
