//! The directory of states, on a temporary one.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;
use crate::judge::restart::Last;
use crate::watch::state::form::encode;
use crate::watch::state::identity::Identity;

fn key(digit: &str) -> Key {
    Key::parse(&digit.repeat(64)).unwrap()
}

fn state() -> Vec<u8> {
    encode(&Identity::default(), &Last::Absent).unwrap()
}

fn store() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("a/state")).unwrap();
    (dir, store)
}

#[test]
fn what_is_saved_is_loaded_and_is_nobody_elses_to_read() {
    let (dir, store) = store();
    assert_eq!(store.load(&key("a")), Loaded::Nothing);
    store.save(&key("a"), &state()).unwrap();
    store.save(&key("a"), &state()).unwrap();
    assert!(matches!(store.load(&key("a")), Loaded::State(_)));
    let path = dir.path().join("a/state");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode(&path), 0o700);
    assert_eq!(mode(&path.join(name(&key("a")))), 0o600);
    assert_eq!(fs::read_dir(path).unwrap().count(), 1);
}

#[test]
fn a_note_stands_behind_a_state_and_goes_with_it() {
    let (_dir, store) = store();
    assert!(!store.note(&key("a"), &Doubt::Lagging).unwrap());
    store.save(&key("a"), &state()).unwrap();
    assert!(store.note(&key("a"), &Doubt::Lagging).unwrap());
    let doubt = |store: &Store| match store.load(&key("a")) {
        Loaded::State(stored) => stored.doubt,
        other => panic!("{other:?}"),
    };
    assert_eq!(doubt(&store), Some(Doubt::Lagging));
    store.save(&key("a"), &state()).unwrap();
    assert_eq!(doubt(&store), None);
}

#[test]
fn what_is_no_state_is_set_aside_and_a_link_is_not_followed() {
    let (dir, store) = store();
    let at = |name: &str| dir.path().join("a/state").join(name);
    let file = name(&key("b"));
    fs::write(at(&file), "junk").unwrap();
    assert!(matches!(store.load(&key("b")), Loaded::Refused(_)));
    assert!(at(&format!("{file}.bad")).exists() && !at(&file).exists());

    fs::write(at(&file), "{\"version\":77}\n").unwrap();
    assert!(matches!(store.load(&key("b")), Loaded::Refused(why) if why.contains("77")));
    assert!(at(&format!("{file}.v77")).exists());

    let elsewhere = dir.path().join("elsewhere");
    fs::write(&elsewhere, state()).unwrap();
    symlink(&elsewhere, at(&file)).unwrap();
    assert!(store.note(&key("b"), &Doubt::Lagging).is_err());
    assert!(matches!(store.load(&key("b")), Loaded::Refused(_)));
    assert_eq!(fs::read(&elsewhere).unwrap(), state());
    fs::create_dir(at(&file)).unwrap();
    assert!(matches!(store.load(&key("b")), Loaded::Refused(_)));
    assert_eq!(store.failures(), 5);
}

#[test]
fn files_set_aside_are_bounded() {
    let (dir, store) = store();
    for number in 0..ASIDE + 5 {
        let key = Key::parse(&format!("{number:064x}")).unwrap();
        fs::write(dir.path().join("a/state").join(name(&key)), "junk").unwrap();
        assert!(matches!(store.load(&key), Loaded::Refused(_)));
    }
    assert_eq!(store.entries().unwrap().len(), ASIDE);
}

#[test]
fn a_directory_that_others_may_write_to_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("open");
    fs::create_dir(&path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).unwrap();
    assert!(Store::open(&path).is_err());
    let link = dir.path().join("link");
    symlink(dir.path(), &link).unwrap();
    assert!(Store::open(&link).is_err());
    fs::write(dir.path().join("file"), "").unwrap();
    assert!(Store::open(&dir.path().join("file/state")).is_err());
}
