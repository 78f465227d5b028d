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

/// Windows into the kernel. What they show depends on who looks (`/proc/self`), and
/// reading may do something; no list of libraries lies there.
const KERNEL: [&[u8]; 16] = [
    b"proc",
    b"sysfs",
    b"cgroup",
    b"cgroup2",
    b"debugfs",
    b"tracefs",
    b"configfs",
    b"securityfs",
    b"selinuxfs",
    b"bpf",
    b"mqueue",
    b"devpts",
    b"pstore",
    b"efivarfs",
    b"binfmt_misc",
    b"fusectl",
];

/// The type shows the kernel itself, and the reader: nobody may ask it on behalf of a
/// container, no child either.
#[must_use]
pub fn is_kernel(fstype: &[u8]) -> bool {
    KERNEL.contains(&fstype)
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
    fn what_shows_the_reader_is_not_asked_by_anybody() {
        assert!(is_kernel(b"proc") && is_kernel(b"sysfs"));
        assert!(!is_kernel(b"fuse") && !is_kernel(b"nfs4") && !is_kernel(b"ext4"));
        assert!(!KERNEL.iter().any(|fstype| is_trusted(fstype)));
    }

    #[test]
    fn local_filesystems_are() {
        assert!(is_trusted(b"overlay") && is_trusted(b"ext4") && is_trusted(b"tmpfs"));
    }
}
