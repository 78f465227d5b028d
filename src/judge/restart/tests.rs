//! Every pair of "stored" and "now", with and without something left untold.

use std::time::SystemTime;

use super::*;
use crate::model::Content;
use crate::sys::fanotify::mask;

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

fn past(last: Option<&FileView>, doubt: Option<Doubt>) -> Past {
    Past {
        last: Last::seen(last),
        earlier: true,
        doubt,
    }
}

fn telling(view: Option<&FileView>, changes: &[Change]) -> Option<Doubt> {
    Some(Doubt::Telling {
        digest: digest(view),
        changes: changes.to_vec(),
    })
}

/// Type, alert, repeat and past of each verdict.
fn told(past: &Past, now: Option<&FileView>) -> Vec<(&'static str, bool, bool, bool)> {
    let words = |verdict: Verdict| {
        let change = verdict.change;
        (
            change.kind.name(),
            change.alert,
            verdict.repeat,
            verdict.past,
        )
    };
    verdicts(past, now, 0).into_iter().map(words).collect()
}

const MODIFIED: Change = alert(ChangeType::Change, Action::Modification);
const CREATED: Change = alert(ChangeType::Creation, Action::Creation);

#[test]
fn another_boot_and_another_mount_are_no_change() {
    let now = FileView {
        device: 88,
        inode: 9,
        mtime: SystemTime::now(),
        ..file(1)
    };
    assert!(told(&past(Some(&file(1)), None), Some(&now)).is_empty());
    let mounted = |id| FileView {
        mounted: Some(id),
        ..file(1)
    };
    assert!(told(&past(Some(&mounted(5)), None), Some(&mounted(77))).is_empty());
    assert_eq!(
        told(&past(Some(&mounted(5)), None), Some(&file(1))).len(),
        1
    );
    assert_eq!(
        told(&past(Some(&file(1)), None), Some(&mounted(5))).len(),
        1
    );
}

#[test]
fn what_changed_meanwhile_is_told_as_new() {
    let (a, b) = (file(1), file(2));
    assert_eq!(
        told(&past(None, None), Some(&a)),
        [("creation", true, false, false)]
    );
    assert_eq!(
        told(&past(Some(&a), None), Some(&b)),
        [("change", true, false, false)]
    );
    assert_eq!(
        told(&past(Some(&a), None), None),
        [("deletion", false, false, false)]
    );
    assert!(told(&past(None, None), None).is_empty());
    let chmod = FileView {
        mode: 0o100_600,
        ..file(1)
    };
    assert_eq!(told(&past(Some(&a), None), Some(&chmod)).len(), 1);
}

#[test]
fn a_file_that_equals_what_was_being_told_is_a_repeat() {
    let (a, b) = (file(1), file(2));
    let doubt = telling(Some(&b), &[MODIFIED]);
    assert_eq!(
        told(&past(Some(&a), doubt), Some(&b)),
        [("change", true, true, false)]
    );
    // Also when the telling was of a rewrite with equal content.
    let doubt = telling(Some(&a), &[MODIFIED]);
    assert_eq!(
        told(&past(Some(&a), doubt), Some(&a)),
        [("change", true, true, false)]
    );
    let never = Past {
        last: Last::Unseen,
        earlier: true,
        doubt: telling(Some(&a), &[CREATED]),
    };
    assert_eq!(told(&never, Some(&a)), [("creation", true, true, false)]);
}

#[test]
fn a_file_that_came_and_went_is_told_again_with_both() {
    let doubt = telling(None, &[CREATED, DELETION]);
    let told = told(&past(None, doubt), None);
    let both = [
        ("creation", true, true, false),
        ("deletion", false, true, false),
    ];
    assert_eq!(told, both);
}

#[test]
fn a_change_after_what_was_being_told_is_new() {
    let (a, b, c) = (file(1), file(2), file(3));
    let doubt = || telling(Some(&b), &[MODIFIED]);
    let new = [("change", true, false, false)];
    assert_eq!(told(&past(Some(&a), doubt()), Some(&c)), new);
    assert_eq!(told(&past(Some(&a), doubt()), Some(&a)), new);
    // A deletion is no alert: what may not have been told goes before it.
    let gone = [
        ("change", true, true, true),
        ("deletion", false, false, false),
    ];
    assert_eq!(told(&past(Some(&a), doubt()), None), gone);
}

#[test]
fn a_state_that_lags_makes_repeats_and_loses_nothing() {
    let (a, b) = (file(1), file(2));
    let lags = |last| past(last, Some(Doubt::Lagging));
    let repeat = [("change", true, true, false)];
    assert_eq!(told(&lags(Some(&a)), Some(&b)), repeat);
    assert_eq!(told(&lags(Some(&a)), Some(&a)), repeat);
    assert_eq!(told(&lags(None), None), [("deletion", false, true, false)]);
}

#[test]
fn an_act_of_this_run_is_no_repeat() {
    let (a, b) = (file(1), file(2));
    let past = past(Some(&a), telling(Some(&b), &[MODIFIED]));
    let verdicts = verdicts(&past, Some(&b), mask::MODIFY | mask::CLOSE_WRITE);
    assert_eq!(verdicts.len(), 1);
    assert!(verdicts.iter().all(|verdict| !verdict.repeat));
}

#[test]
fn the_first_look_without_any_past_is_first_sight() {
    let image = FileView {
        in_upper: Some(false),
        ..file(1)
    };
    let new = Past::default();
    assert_eq!(told(&new, Some(&image)), [("info", false, false, false)]);
    assert_eq!(
        told(&new, Some(&file(1))),
        [("creation", true, false, false)]
    );
    assert!(told(&new, None).is_empty());
}

#[test]
fn the_digest_tells_apart_what_counts() {
    let others = [
        file(2),
        FileView { uid: 1, ..file(1) },
        FileView {
            target: Some(b"/x".to_vec()),
            ..file(1)
        },
        FileView {
            attributes: vec!["immutable"],
            ..file(1)
        },
        FileView {
            mounted: Some(3),
            ..file(1)
        },
    ];
    let base = digest(Some(&file(1)));
    assert!(others.iter().all(|other| digest(Some(other)) != base));
    assert_ne!(digest(None), base);
}
