//! Which filesystem types answer by themselves.
//!
//! A request to a filesystem whose server is a process or another machine may
//! never be answered, and a thread waiting for it in the kernel cannot be killed.
//! Types named here are served by the kernel from local memory or a local block
//! device. Everything else is not asked anything by the main process.

/// Types whose every answer comes from this kernel alone.
const TRUSTED: [&[u8]; 21] = [
    b"overlay",
    b"ext2",
    b"ext3",
    b"ext4",
    b"xfs",
    b"btrfs",
    b"zfs",
    b"f2fs",
    b"bcachefs",
    b"jfs",
    b"reiserfs",
    b"nilfs2",
    b"tmpfs",
    b"ramfs",
    b"rootfs",
    b"erofs",
    b"squashfs",
    b"cramfs",
    b"iso9660",
    b"vfat",
    b"aufs",
];

/// The type, as mountinfo names it, is served by the kernel alone. A subtype
/// (`fuse.sshfs`) belongs to its type.
#[must_use]
pub fn is_trusted(fstype: &[u8]) -> bool {
    TRUSTED.contains(&fstype)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_that_may_not_answer_are_not_trusted() {
        for fstype in [
            "fuse",
            "fuse.fuse-overlayfs",
            "nfs",
            "nfs4",
            "9p",
            "cifs",
            "proc",
            "autofs",
            "",
            "ext4.x",
        ] {
            assert!(!is_trusted(fstype.as_bytes()), "{fstype}");
        }
    }

    #[test]
    fn local_filesystems_are() {
        assert!(is_trusted(b"overlay") && is_trusted(b"ext4") && is_trusted(b"tmpfs"));
    }
}
