use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::thread::sleep;

use super::*;

fn text(opened: &Opened) -> &str {
    std::str::from_utf8(opened.path.as_deref().unwrap()).unwrap()
}

fn opened(files: &mut Files, path: &Path) -> Arc<Opened> {
    files.opened(&File::open(path).unwrap().into())
}

fn settled(path: &Path, content: &str) {
    fs::write(path, content).unwrap();
    sleep(SETTLED);
}

#[test]
fn a_file_is_asked_for_once_a_second() {
    let place = tempfile::tempdir().unwrap();
    let script = place.path().join("script");
    settled(&script, "#!/bin/sh");
    let mut files = Files::new().unwrap();
    let first = opened(&mut files, &script);
    assert_eq!(text(&first), script.to_str().unwrap());
    assert_eq!(first.head, Head::Script);
    assert!(Arc::ptr_eq(&first, &opened(&mut files, &script)));
    files.at(Instant::now() + KEPT);
    assert!(!Arc::ptr_eq(&first, &opened(&mut files, &script)));
}

#[test]
fn a_file_that_changed_is_asked_for_again() {
    let place = tempfile::tempdir().unwrap();
    let (before, after) = (place.path().join("before"), place.path().join("after"));
    let mut files = Files::new().unwrap();
    fs::write(&before, "#!/bin/sh").unwrap();
    assert_eq!(opened(&mut files, &before).head, Head::Script);
    // At once: the same tick of the clock, perhaps.
    fs::write(&before, "nothing").unwrap();
    assert_eq!(opened(&mut files, &before).head, Head::Other);
    sleep(SETTLED);
    assert_eq!(text(&opened(&mut files, &before)), before.to_str().unwrap());
    fs::rename(&before, &after).unwrap();
    assert_eq!(text(&opened(&mut files, &after)), after.to_str().unwrap());
}

#[test]
fn a_file_with_two_names_is_asked_for_each_time() {
    let place = tempfile::tempdir().unwrap();
    let (one, other) = (place.path().join("one"), place.path().join("other"));
    settled(&one, "");
    fs::hard_link(&one, &other).unwrap();
    sleep(SETTLED);
    let mut files = Files::new().unwrap();
    assert_eq!(text(&opened(&mut files, &one)), one.to_str().unwrap());
    assert_eq!(text(&opened(&mut files, &other)), other.to_str().unwrap());
    // By a link it has one name all the same.
    let link = place.path().join("link");
    symlink(&one, &link).unwrap();
    fs::remove_file(&other).unwrap();
    assert_eq!(text(&opened(&mut files, &link)), one.to_str().unwrap());
}

#[test]
fn no_more_are_kept_than_is_bounded() {
    let place = tempfile::tempdir().unwrap();
    let mut files = Files::new().unwrap();
    let paths: Vec<_> = (0..2 * MAX_FILES)
        .map(|number| place.path().join(number.to_string()))
        .collect();
    for path in &paths {
        fs::write(path, "").unwrap();
    }
    sleep(SETTLED);
    for path in &paths {
        files.at(Instant::now());
        opened(&mut files, path);
        assert!(files.known.len() <= MAX_FILES);
    }
}
