//! Over this very process and directories of its own; no root is needed.

use procfs::process::Process;

use crate::parse::mountinfo::mounts;
use crate::parse::stat::stat;

use super::process::MAX_STAT;
use super::*;

fn own() -> ProcessKey {
    let process = Process::myself().unwrap();
    let line = read_of(&process, "stat", MAX_STAT).unwrap();
    ProcessKey {
        pid: process.pid(),
        start_ticks: stat(&line).unwrap().start_ticks,
    }
}

#[test]
fn an_init_that_left_its_root_is_no_way_in() {
    let root = mount_id(open_dir("/".as_ref()).unwrap().as_fd()).unwrap();
    let reach = |mount| Reach {
        host: None,
        init: Some(InitRoot { key: own(), mount }),
        closed: false,
    };
    // In a plain chroot even this process's root is none of a mount.
    if is_mount_root(open_dir("/".as_ref()).unwrap().as_fd()) != Some(false) {
        assert!(reach(root).open().is_ok());
    }
    let error = reach(root + 1).open().unwrap_err();
    assert_ne!(error.kind(), io::ErrorKind::NotFound);
}

#[test]
fn a_directory_below_is_no_mount_root() {
    let dir = tempfile::tempdir().unwrap();
    let is_root = |path: &Path| is_mount_root(open_dir(path).unwrap().as_fd());
    assert_ne!(is_root("/proc".as_ref()), Some(false));
    assert_ne!(is_root(dir.path()), Some(true));
}

#[test]
fn an_overlay_of_the_containers_own_making_is_not_trusted_by_its_type() {
    let table = b"9 1 0:39 / / rw - overlay o rw,lowerdir=/l\n\
        10 9 0:40 / /etc rw - overlay o rw,lowerdir=/f\n\
        11 9 0:39 / /mnt rw - overlay o rw,lowerdir=/l\n\
        12 9 0:41 / /tmp rw - tmpfs t rw\n\
        13 9 0:42 / /fuse rw - fuse.x t rw\n";
    let trusted = |mount, host: &[u8]| answers(table, mount, 9, &|| host.to_vec());
    let seen: Vec<bool> = (10..14).map(|mount| trusted(mount, b"")).collect();
    assert_eq!(seen, [false, true, true, false]);
    let host = b"77 1 0:40 / /var/lib/x rw - overlay o rw,lowerdir=/l\n";
    assert!(trusted(10, host));
}

#[test]
fn an_overlay_is_plain_when_all_its_layers_are_found() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("l")).unwrap();
    let root = Root {
        fd: open_dir(dir.path()).unwrap(),
        table: PathBuf::new(),
    };
    let plain_over = |parent: u64, options: &str| {
        let line = format!(
            "9 1 0:39 / / rw - ext4 x rw\n8 1 0:38 / /x rw - fuse.x x rw\n\
            10 {parent} 0:40 / /etc rw - overlay o rw,{options}\n"
        );
        root.is_plain_overlay(line.as_bytes(), 10, 9)
    };
    let plain = |options: &str| plain_over(9, options);
    assert!(plain("lowerdir=/l:/l,upperdir=/l"));
    assert!(plain_over(9, "lowerdir=/etc") && !plain_over(8, "lowerdir=/etc"));
    for options in [
        "lowerdir=/l:/gone",
        "lowerdir=l",
        "lowerdir+=/l,upperdir=/gone",
        "x",
    ] {
        assert!(!plain(options), "{options}");
    }
}

#[test]
fn what_is_closed_is_not_opened_and_is_there_while_a_table_shows_it() {
    let table = read_table("/proc/self/mountinfo".as_ref()).unwrap();
    let (all, _) = mounts(&table);
    let root = all
        .iter()
        .rfind(|mount| &*mount.mountpoint == b"/")
        .unwrap();
    let reach = |mount| Reach {
        host: None,
        init: Some(InitRoot { key: own(), mount }),
        closed: true,
    };
    assert!(reach(root.id).is_open() && !reach(u64::MAX).is_open());
    let seen = reach(root.id);
    assert!(seen.open().is_err() && seen.open_host().is_err());
    assert!(seen.open_init().is_some_and(|root| root.is_err()));
    let listed = |path: &str| HostMount::listed(own(), path.as_ref(), root.id).is_listed();
    assert!(listed("/") && !listed("/elsewhere"));
}
