//! The table of ARCHITECTURE.md, "What is an alert", row by row.

use std::time::SystemTime;

use super::*;
use crate::model::Content;

fn file(content: u8) -> FileView {
    FileView {
        kind: FileKind::Regular,
        device: 39,
        inode: 7,
        size: 10,
        mode: 0o100_644,
        uid: 0,
        gid: 0,
        links: 1,
        mtime: SystemTime::UNIX_EPOCH,
        ctime: SystemTime::UNIX_EPOCH,
        created: None,
        attributes: Vec::new(),
        xattrs: None,
        target: None,
        mounted: None,
        in_upper: Some(true),
        content: Ok(Content {
            head: vec![content],
            sha256: [content; 32],
            truncated: false,
            entries: Vec::new(),
        }),
    }
}

fn words(changes: &[Change]) -> Vec<(&'static str, &'static str, bool, u8)> {
    changes
        .iter()
        .map(|change| {
            (
                change.kind.name(),
                change.action.name(),
                change.alert,
                change.risk,
            )
        })
        .collect()
}

const WRITE: u64 = mask::CREATE | mask::MODIFY | mask::CLOSE_WRITE;
const REWRITE: u64 = mask::MODIFY | mask::CLOSE_WRITE;

#[test]
fn a_file_that_came_to_exist_is_a_creation() {
    assert_eq!(
        words(&change(None, Some(&file(1)), WRITE)),
        [("creation", "creation", true, 73)]
    );
}

#[test]
fn the_way_it_came_is_the_action() {
    let renamed = change(None, Some(&file(1)), mask::MOVED_TO);
    let linked = change(
        None,
        Some(&FileView {
            links: 2,
            ..file(1)
        }),
        mask::CREATE,
    );
    let symlink = change(
        None,
        Some(&FileView {
            target: Some(b"/x".to_vec()),
            ..file(1)
        }),
        mask::CREATE,
    );
    let mounted = change(
        None,
        Some(&FileView {
            mounted: Some(5),
            ..file(1)
        }),
        0,
    );
    let actions: Vec<_> = [renamed, linked, symlink, mounted]
        .iter()
        .flat_map(|changes| words(changes))
        .collect();
    assert_eq!(
        actions,
        [
            ("creation", "rename", true, 73),
            ("creation", "link", true, 73),
            ("creation", "symlink", true, 73),
            ("creation", "mount", true, 73),
        ]
    );
}

#[test]
fn written_content_is_a_change() {
    assert_eq!(
        words(&change(Some(&file(1)), Some(&file(2)), REWRITE)),
        [("change", "modification", true, 73)]
    );
}

#[test]
fn a_rewrite_of_the_same_bytes_is_a_change_when_a_write_was_seen() {
    assert_eq!(
        words(&change(Some(&file(1)), Some(&file(1)), REWRITE)),
        [("change", "modification", true, 73)]
    );
}

#[test]
fn opened_for_writing_and_left_alone_is_touched() {
    assert_eq!(
        words(&change(Some(&file(1)), Some(&file(1)), mask::CLOSE_WRITE)),
        [("info", "touched", false, 1)]
    );
}

#[test]
fn another_object_under_the_name_is_a_change_without_any_trigger() {
    let swapped = FileView {
        inode: 8,
        ..file(1)
    };
    assert_eq!(
        words(&change(Some(&file(1)), Some(&swapped), 0)),
        [("change", "modification", true, 73)]
    );
}

#[test]
fn a_rename_over_it_is_a_change() {
    let other = FileView {
        inode: 8,
        ..file(2)
    };
    assert_eq!(
        words(&change(Some(&file(1)), Some(&other), mask::MOVED_TO)),
        [("change", "rename", true, 73)]
    );
}

#[test]
fn removed_and_made_anew_is_a_creation_even_with_the_same_inode_number() {
    let seen = mask::DELETE | WRITE;
    assert_eq!(
        words(&change(Some(&file(1)), Some(&file(1)), seen)),
        [("creation", "creation", true, 73)]
    );
}

#[test]
fn attributes_alone_are_a_lesser_alert() {
    let chmod = FileView {
        mode: 0o100_666,
        ..file(1)
    };
    assert_eq!(
        words(&change(Some(&file(1)), Some(&chmod), mask::ATTRIB)),
        [("change", "attributes", true, 47)]
    );
    let immutable = FileView {
        attributes: vec!["immutable"],
        ..file(1)
    };
    assert_eq!(
        words(&change(Some(&file(1)), Some(&immutable), 0)),
        [("change", "attributes", true, 47)]
    );
}

#[test]
fn a_chmod_that_copies_up_between_filesystems_is_no_swap() {
    let chmod = FileView {
        mode: 0o100_666,
        inode: 99,
        ..file(1)
    };
    assert_eq!(
        words(&change(Some(&file(1)), Some(&chmod), mask::ATTRIB)),
        [("change", "attributes", true, 47)]
    );
}

#[test]
fn an_attribute_event_that_changed_nothing_says_nothing() {
    assert!(change(Some(&file(1)), Some(&file(1)), mask::ATTRIB).is_empty());
}

#[test]
fn a_deletion_is_an_event() {
    assert_eq!(
        words(&change(Some(&file(1)), None, mask::DELETE)),
        [("deletion", "deletion", false, 21)]
    );
}

#[test]
fn what_came_and_went_before_the_look_is_told_twice() {
    let expected = [
        ("creation", "creation", true, 73),
        ("deletion", "deletion", false, 21),
    ];
    assert_eq!(words(&change(None, None, WRITE | mask::DELETE)), expected);
}

#[test]
fn written_and_removed_before_the_look_is_a_change_and_a_deletion() {
    let expected = [
        ("change", "modification", true, 73),
        ("deletion", "deletion", false, 21),
    ];
    assert_eq!(
        words(&change(Some(&file(1)), None, REWRITE | mask::DELETE)),
        expected
    );
}

#[test]
fn a_look_that_finds_nothing_new_says_nothing() {
    assert!(change(Some(&file(1)), Some(&file(1)), 0).is_empty());
    assert!(change(None, None, 0).is_empty());
}

#[test]
fn a_mount_over_it_is_a_change() {
    let covered = FileView {
        mounted: Some(77),
        inode: 3,
        ..file(2)
    };
    assert_eq!(
        words(&change(Some(&file(1)), Some(&covered), 0)),
        [("change", "mount", true, 73)]
    );
}

#[test]
fn an_edited_link_target_is_a_change() {
    let link = FileView {
        target: Some(b"/tmp/x".to_vec()),
        ..file(1)
    };
    let edited = FileView {
        target: Some(b"/tmp/x".to_vec()),
        ..file(2)
    };
    assert_eq!(
        words(&change(Some(&link), Some(&edited), 0)),
        [("change", "modification", true, 73)]
    );
}

#[test]
fn what_the_image_brought_is_present_and_what_the_container_wrote_is_an_alert() {
    let image = FileView {
        in_upper: Some(false),
        ..file(1)
    };
    assert_eq!(
        words(&[first_sight(&image)]),
        [("info", "present", false, 21)]
    );
    assert_eq!(
        words(&[first_sight(&file(1))]),
        [("creation", "creation", true, 73)]
    );
    let bind = FileView {
        mounted: Some(4),
        in_upper: None,
        ..file(1)
    };
    assert_eq!(
        words(&[first_sight(&bind)]),
        [("creation", "mount", true, 73)]
    );
}

/// The removal was read, and not yet that the file came again; its inode number may be
/// given out again.
#[test]
fn what_was_removed_and_is_there_was_made_anew() {
    for seen in [mask::DELETE, mask::MOVED_FROM] {
        let told = change(Some(&file(1)), Some(&file(2)), seen);
        assert_eq!(words(&told), [("creation", "creation", true, 73)]);
    }
}

#[test]
fn the_second_event_of_an_exchange_that_was_seen_is_no_news() {
    let told = change(Some(&file(1)), Some(&file(1)), mask::MOVED_FROM);
    assert_eq!(words(&told), []);
}
