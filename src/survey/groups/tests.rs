//! Directories stand for cgroups: the watches do not care.

use super::*;

/// The watches do not care what kind of directory it is.
fn over(top: &Path) -> Groups {
    let mut groups = Groups::new(b"").unwrap();
    groups.tops.push(top.to_owned());
    groups.refresh();
    groups
}

#[test]
fn the_trees_are_those_of_containers() {
    let table = b"32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n\
        39 31 0:36 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n\
        40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd\n\
        41 31 0:38 /x /elsewhere rw - cgroup2 cgroup2 rw\n\
        42 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
    let all = ["unified", "systemd", "pids"];
    let all = all.map(|name| Path::new("/sys/fs/cgroup").join(name));
    assert_eq!(trees(table), all);
    let first: Vec<u8> = table
        .split(|&b| b == b'\n')
        .take(2)
        .collect::<Vec<_>>()
        .join(&b'\n');
    assert_eq!(trees(&first), [PathBuf::from("/sys/fs/cgroup/pids")]);
}

#[test]
fn a_new_cgroup_is_told_and_what_is_made_in_it() {
    let top = tempfile::tempdir().unwrap();
    fs::create_dir(top.path().join("old")).unwrap();
    let mut groups = over(top.path());
    assert_eq!(groups.watched(), 2);
    fs::create_dir_all(top.path().join("old/new")).unwrap();
    let born = groups.read().unwrap();
    assert_eq!(born.groups, [top.path().join("old/new")]);
    fs::create_dir(top.path().join("old/new/inner")).unwrap();
    assert_eq!(
        groups.read().unwrap().groups,
        [top.path().join("old/new/inner")]
    );
    fs::remove_dir_all(top.path().join("old")).unwrap();
    groups.read().unwrap();
    assert_eq!(groups.watched(), 1);
}

#[test]
fn one_container_does_not_use_up_the_watches() {
    let top = tempfile::tempdir().unwrap();
    let own = top.path().join("docker").join("ab".repeat(32));
    for number in 0..OF_ONE + 10 {
        fs::create_dir_all(own.join(number.to_string())).unwrap();
    }
    let mut groups = over(top.path());
    assert!(groups.is_full());
    assert_eq!(groups.watched(), OF_ONE + 2);
    fs::remove_dir_all(&own).unwrap();
    while !groups.read().unwrap().groups.is_empty() || groups.watched() > 2 {}
    assert!(groups.inner.is_empty());
}

/// The kernel does not tell the end of a cgroup by the watch on itself.
#[test]
fn what_has_ended_is_not_watched_on_though_no_word_of_it_came() {
    let top = tempfile::tempdir().unwrap();
    for name in ["one", "two/inner"] {
        fs::create_dir_all(top.path().join(name)).unwrap();
    }
    let mut groups = over(top.path());
    assert_eq!(groups.watched(), 4);
    groups.end(&top.path().join("one"));
    assert_eq!(groups.watched(), 3);
    fs::remove_dir_all(top.path().join("two")).unwrap();
    groups.refresh();
    // What was taken off by hand is there, and watched again.
    assert_eq!(groups.watched(), 2);
}

#[test]
fn of_two_watches_under_one_name_the_younger_stays() {
    let top = tempfile::tempdir().unwrap();
    fs::create_dir(top.path().join("one")).unwrap();
    let mut groups = over(top.path());
    fs::rename(top.path().join("one"), top.path().join("gone")).unwrap();
    fs::create_dir(top.path().join("one")).unwrap();
    let group = Group {
        path: top.path().join("one"),
        depth: 1,
        container: None,
    };
    groups.watch(group);
    assert_eq!(groups.watched(), 3);
    groups.drop_ended();
    assert_eq!(groups.watched(), 2);
    fs::create_dir(top.path().join("one/new")).unwrap();
    let born = groups.read().unwrap().groups;
    assert!(born.contains(&top.path().join("one/new")), "{born:?}");
}
