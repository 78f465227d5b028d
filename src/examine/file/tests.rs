//! A directory stands for the container; no root is needed.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};

use super::*;
use crate::reach::HostMount;
use crate::sys::walk::mount_id;
use crate::sys::walk::open_dir;

struct Tree(tempfile::TempDir, Reach);

fn tree() -> Tree {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("etc")).unwrap();
    let id = mount_id(open_dir(dir.path()).unwrap().as_fd()).unwrap();
    let reach = Reach {
        host: HostMount::find(dir.path(), id),
        init: None,
        closed: false,
    };
    Tree(dir, reach)
}

impl Tree {
    fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    fn look(&self) -> Look {
        look(&self.1, None, 16)
    }

    fn file(&self) -> FileView {
        match self.look() {
            Look::File(view) => *view,
            other => panic!("no file: {other:?}"),
        }
    }
}

#[test]
fn a_regular_file_gives_content_hash_and_entries() {
    let tree = tree();
    fs::write(
        tree.path("etc/ld.so.preload"),
        "/tmp/a.so\n/tmp/b.so more\n",
    )
    .unwrap();
    let view = tree.file();
    let content = view.content.unwrap();
    assert_eq!(content.head, b"/tmp/a.so\n/tmp/b");
    assert_eq!(content.entries.len(), 3);
    assert_eq!(
        (view.kind, view.target, view.mounted, view.size),
        (FileKind::Regular, None, None, 25)
    );
}

#[test]
fn no_file_and_no_etc_are_absent() {
    let tree = tree();
    assert_eq!(tree.look(), Look::Absent);
    fs::remove_dir(tree.path("etc")).unwrap();
    assert_eq!(tree.look(), Look::Absent);
}

#[test]
fn a_link_is_followed_below_the_root_only() {
    let tree = tree();
    fs::create_dir(tree.path("opt")).unwrap();
    fs::write(tree.path("opt/x"), "/inside.so\n").unwrap();
    symlink("/../../../opt/x", tree.path("etc/ld.so.preload")).unwrap();
    let view = tree.file();
    assert_eq!(view.content.unwrap().head, b"/inside.so\n");
    assert_eq!(view.target.unwrap(), b"/../../../opt/x");
}

#[test]
fn a_link_out_of_the_root_finds_nothing_of_the_host() {
    let tree = tree();
    symlink(
        "../../../../../../etc/passwd",
        tree.path("etc/ld.so.preload"),
    )
    .unwrap();
    let view = tree.file();
    assert_eq!(view.kind, FileKind::Symlink);
    assert!(view.content.is_err());
}

#[test]
fn a_link_to_what_is_not_asked_is_a_link_all_the_same() {
    let tree = tree();
    let at = tree.path("etc/ld.so.preload");
    symlink("/proc/self/root/tmp/x", &at).unwrap();
    let root = tree.1.open().unwrap();
    let mut walk = root.walk(PRELOAD_PATH.as_bytes()).unwrap();
    walk.end = End::Untrusted { mount: 0 };
    let Look::File(view) = seen(&root, walk, None, 16) else {
        panic!("no file");
    };
    assert_eq!(view.kind, FileKind::Symlink);
    assert_eq!(view.target.as_deref(), Some(&b"/proc/self/root/tmp/x"[..]));
    assert_eq!(view.inode, fs::symlink_metadata(&at).unwrap().ino());
    assert!(view.content.unwrap_err().contains("not asked"));
}

#[test]
fn links_in_a_circle_end() {
    let tree = tree();
    symlink("ld.so.preload", tree.path("etc/ld.so.preload")).unwrap();
    assert_eq!(tree.file().kind, FileKind::Symlink);
}

#[test]
fn a_fifo_is_told_and_never_opened() {
    let tree = tree();
    nix::unistd::mkfifo(&tree.path("etc/ld.so.preload"), Mode::S_IRWXU).unwrap();
    assert_eq!(tree.file().kind, FileKind::Fifo);
}

#[test]
fn etc_may_itself_be_a_link() {
    let tree = tree();
    fs::rename(tree.path("etc"), tree.path("real")).unwrap();
    fs::write(tree.path("real/ld.so.preload"), "x").unwrap();
    symlink("/real", tree.path("etc")).unwrap();
    assert_eq!(tree.file().content.unwrap().head, b"x");
}

#[test]
fn a_sparse_giant_is_read_up_to_the_cap() {
    let tree = tree();
    let file = fs::File::create(tree.path("etc/ld.so.preload")).unwrap();
    file.set_len(64 << 30).unwrap();
    let content = tree.file().content.unwrap();
    assert!(content.truncated);
    assert_eq!(content.head.len(), 16);
}

#[test]
fn the_writable_layer_is_told_from_the_image() {
    let tree = tree();
    fs::write(tree.path("etc/ld.so.preload"), "x").unwrap();
    let upper = tempfile::tempdir().unwrap();
    let seen = |reach| match look(reach, Some(upper.path()), 16) {
        Look::File(view) => view.in_upper,
        other => panic!("{other:?}"),
    };
    assert_eq!(seen(&tree.1), Some(false));
    fs::create_dir(upper.path().join("etc")).unwrap();
    fs::write(upper.path().join("etc/ld.so.preload"), "x").unwrap();
    assert_eq!(seen(&tree.1), Some(true));
}
