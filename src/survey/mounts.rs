//! Which root filesystems a mount table shows.
//!
//! Every overlay mounted whole (its own root, not a directory of it) is a
//! candidate: a container may be started by hand, so where it is mounted proves
//! nothing. The same superblock mounted twice is one root filesystem. The host's
//! own root is none.

use std::collections::HashSet;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use crate::parse::fstype::is_trusted;
use crate::parse::mountinfo::{Mount, mounts};

/// What makes a root filesystem one: the superblock and the directory of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RootKey {
    /// Device of the superblock, major and minor.
    pub device: (u32, u32),
    /// The directory of it that is the root: `/` for an overlay, a path of the host's
    /// filesystem for a container in a plain directory.
    pub directory: Vec<u8>,
}

/// A root filesystem in a mount table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootMount {
    /// Mount id in that namespace.
    pub mount: u64,
    /// Which root filesystem.
    pub key: RootKey,
    /// Filesystem type.
    pub fstype: Vec<u8>,
    /// Where it is mounted, in that namespace.
    pub mountpoint: PathBuf,
    /// Its writable layer, as the mounter named it; `None`: read-only.
    pub upper: Option<PathBuf>,
    /// Its layers, as the mounter named them; only of an overlay in the host's table.
    pub layers: Vec<Vec<u8>>,
}

/// The overlays of the host's table, in its order, and the number of lines that
/// could not be read.
#[must_use]
pub fn overlays(table: &[u8]) -> (Vec<RootMount>, usize) {
    let (all, unreadable) = mounts(table);
    let found = all
        .iter()
        .filter(|mount| mount.is_overlay() && &*mount.root == b"/" && &*mount.mountpoint != b"/")
        .map(|mount| RootMount {
            layers: mount.layers(),
            ..root_mount(mount)
        })
        .collect();
    (found, unreadable)
}

/// The overlay that is a server of its own, which users had before the kernel's.
const FUSE_OVERLAY: &[u8] = b"fuse.fuse-overlayfs";
/// Most overlays that are looked at in a namespace of somebody else's making.
const INNER: usize = 256;

/// The overlays mounted whole elsewhere than on `/` in the table of any namespace, those by
/// FUSE among them, but for those of the given devices, which the host mounts.
#[must_use]
pub fn inner(table: &[u8], hosts: &HashSet<(u32, u32)>) -> Vec<RootMount> {
    let (all, _) = mounts(table);
    let layered = |mount: &Mount<'_>| mount.is_overlay() || mount.fstype == FUSE_OVERLAY;
    all.iter()
        .filter(|mount| layered(mount) && &*mount.root == b"/" && &*mount.mountpoint != b"/")
        .filter(|mount| !hosts.contains(&mount.device))
        .take(INNER)
        .map(root_mount)
        .collect()
}

/// What LXC mounts where it makes the root of a container, when that is no overlay.
#[must_use]
pub fn lxc_root(table: &[u8]) -> Option<RootMount> {
    let (all, _) = mounts(table);
    let found = all.iter().map(root_mount);
    let mut found = found.filter(|mount| mount.mountpoint.ends_with("lxc/rootfs"));
    found.rfind(|mount| !mount.is_overlay() && mount.closed().is_none())
}

/// The path on the host of a directory of a filesystem, by the host's table: by the
/// mount that shows most of it.
#[must_use]
pub fn host_directory(table: &[u8], key: &RootKey) -> Option<PathBuf> {
    let below = |mount: &Mount<'_>| {
        let rest = match &*mount.root {
            b"/" => Some(key.directory.as_slice()),
            root => key.directory.strip_prefix(root),
        }?;
        let whole = rest.is_empty() || rest.first() == Some(&b'/');
        let point = mount
            .mountpoint
            .strip_suffix(b"/")
            .unwrap_or(&mount.mountpoint);
        whole.then(|| [point, rest].concat())
    };
    let (all, _) = mounts(table);
    all.iter()
        .filter(|mount| mount.device == key.device)
        .min_by_key(|mount| mount.root.len())
        .and_then(below)
        .map(|bytes| path(&bytes))
}

/// The mount that is `/` in a process's table: the last one there, since a later
/// mount covers an earlier one.
#[must_use]
pub fn root(table: &[u8]) -> Option<RootMount> {
    let (all, _) = mounts(table);
    let root = all.iter().rfind(|mount| &*mount.mountpoint == b"/")?;
    Some(root_mount(root))
}

fn root_mount(mount: &Mount<'_>) -> RootMount {
    RootMount {
        mount: mount.id,
        key: RootKey {
            device: mount.device,
            directory: mount.root.to_vec(),
        },
        fstype: mount.fstype.to_vec(),
        mountpoint: path(&mount.mountpoint),
        upper: mount
            .option(b"upperdir")
            .map(|upper| path(&upper))
            .filter(|upper| upper.is_absolute()),
        layers: Vec::new(),
    }
}

impl RootMount {
    /// The type of a filesystem that is asked nothing, since its server may never answer.
    #[must_use]
    pub fn closed(&self) -> Option<String> {
        (!is_trusted(&self.fstype)).then(|| String::from_utf8_lossy(&self.fstype).into_owned())
    }

    /// The writable layer of an overlay by FUSE, whose options name none: Podman and its
    /// like keep it beside the mount point.
    #[must_use]
    pub fn upper_beside(&self, mountpoint: &Path) -> Option<PathBuf> {
        let fuse = self.fstype == FUSE_OVERLAY && mountpoint.ends_with("merged");
        fuse.then(|| mountpoint.with_file_name("diff"))
    }

    /// An overlay mounted whole.
    #[must_use]
    pub fn is_overlay(&self) -> bool {
        self.fstype == b"overlay" && self.key.directory == b"/"
    }
}

pub(super) fn path(bytes: &[u8]) -> PathBuf {
    PathBuf::from(OsString::from_vec(bytes.to_vec()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    const TABLE: &[u8] = b"1 0 0:10 / / rw - overlay overlay rw,upperdir=/live\n\
        46 1 0:39 / /d/overlay2/a/merged rw - overlay overlay rw,lowerdir=/l,upperdir=/d/overlay2/a/diff\n\
        47 1 0:39 /etc /mnt/part rw - overlay overlay rw,lowerdir=/l\n\
        48 1 8:1 / /boot rw - ext4 /dev/sda1 rw\n";

    #[test]
    fn whole_overlays_are_candidates_and_the_hosts_root_is_none() {
        let (found, unreadable) = overlays(TABLE);
        assert_eq!((found.len(), unreadable), (1, 0));
        assert_eq!(found[0].mountpoint, Path::new("/d/overlay2/a/merged"));
        assert_eq!(
            found[0].upper.as_deref(),
            Some(Path::new("/d/overlay2/a/diff"))
        );
    }

    #[test]
    fn the_last_mount_on_the_root_counts() {
        let table =
            b"9 1 8:1 / / rw - ext4 /dev/sda rw\n12 9 0:39 / / rw - overlay o rw,lowerdir=/l\n";
        let root = root(table).unwrap();
        assert!(root.is_overlay());
        assert_eq!((root.mount, root.key.device), (12, (0, 39)));
    }

    #[test]
    fn a_directory_of_a_filesystem_has_a_path_on_the_host() {
        let table = b"1 0 8:1 / / rw - ext4 /dev/a rw\n2 1 8:2 /vol /data rw - ext4 /dev/b rw\n";
        let on_host = |device, directory: &str| {
            let directory = directory.as_bytes().to_vec();
            host_directory(table, &RootKey { device, directory })
        };
        assert_eq!(
            on_host((8, 1), "/c/rootfs"),
            Some(PathBuf::from("/c/rootfs"))
        );
        assert_eq!(on_host((8, 2), "/vol/c"), Some(PathBuf::from("/data/c")));
        assert_eq!(on_host((8, 2), "/volume/c"), None);
        assert_eq!(on_host((8, 3), "/c"), None);
    }

    #[test]
    fn an_overlay_by_fuse_is_not_asked_and_has_its_layer_beside() {
        let table = b"1 0 8:1 / / rw - ext4 /dev/a rw\n\
            2 1 0:50 / /s/overlay/a/merged rw - fuse.fuse-overlayfs f rw,user_id=0\n\
            3 1 0:51 / /s/overlay/b/merged rw - fuse.sshfs f rw\n\
            4 1 0:52 / /s/overlay/c/merged rw - overlay o rw,lowerdir=/l\n";
        let found = inner(table, &HashSet::new());
        let devices: Vec<_> = found.iter().map(|mount| mount.key.device.1).collect();
        assert_eq!(devices, [50, 52]);
        let beside = |index: usize| found[index].upper_beside(&found[index].mountpoint);
        assert_eq!(beside(0), Some(PathBuf::from("/s/overlay/a/diff")));
        assert_eq!(found[0].closed().as_deref(), Some("fuse.fuse-overlayfs"));
        assert_eq!((beside(1), found[1].closed()), (None, None));
        assert!(!found[0].is_overlay());
    }

    #[test]
    fn what_lxc_is_about_to_make_a_root_is_met_before() {
        let table = b"1 0 8:1 / / rw - ext4 /dev/a rw\n\
            2 1 8:1 /c/rootfs /usr/lib/lxc/rootfs rw - ext4 /dev/a rw\n\
            3 2 0:9 / /usr/lib/lxc/rootfs/proc rw - proc p rw\n";
        assert_eq!(lxc_root(table).unwrap().key.directory, b"/c/rootfs");
        let none = |line: &[u8]| lxc_root(line).is_none();
        assert!(none(b"2 1 8:1 /c/rootfs / rw - ext4 /dev/a rw\n"));
        assert!(none(b"2 1 0:50 / /usr/lib/lxc/rootfs rw - fuse.x f rw\n"));
        assert!(none(b"2 1 0:50 / /usr/lib/lxc/rootfs rw - overlay o rw\n"));
    }

    #[test]
    fn a_process_with_an_ordinary_root_has_no_overlay() {
        let root = root(b"9 1 8:1 /c/rootfs / rw - ext4 /dev/sda rw\n").unwrap();
        assert!(!root.is_overlay());
        assert_eq!(root.key.directory, b"/c/rootfs");
    }
}
