//! Before and after, and what was triggered in between, to verdicts
//! (ARCHITECTURE.md, "What is an alert").
//!
//! Masks merge and lose their order, so a trigger never says what happened; it
//! says what to think of a difference, and that something happened at all when
//! there is no difference left to see.

use crate::model::{Action, Change, ChangeType, FileKind, FileView};
use crate::sys::fanotify::mask;

/// Risk of an alert, from the rule.
const RISK: u8 = 73;
/// Risk of a change of attributes alone.
const RISK_ATTRIBUTES: u8 = 47;
/// Risk of what is told for completeness.
const RISK_EVENT: u8 = 21;

pub(super) const fn alert(kind: ChangeType, action: Action) -> Change {
    Change {
        kind,
        action,
        alert: true,
        risk: RISK,
    }
}

const ATTRIBUTES: Change = Change {
    kind: ChangeType::Change,
    action: Action::Attributes,
    alert: true,
    risk: RISK_ATTRIBUTES,
};
pub(super) const DELETION: Change = Change {
    kind: ChangeType::Deletion,
    action: Action::Deletion,
    alert: false,
    risk: RISK_EVENT,
};
const PRESENT: Change = Change {
    kind: ChangeType::Info,
    action: Action::Present,
    alert: false,
    risk: RISK_EVENT,
};
const TOUCHED: Change = Change {
    kind: ChangeType::Info,
    action: Action::Touched,
    alert: false,
    risk: 1,
};

/// The verdict on a file found at the first look at a container: what the image
/// brought is no alert, what lies in the writable layer or was mounted is.
#[must_use]
pub fn first_sight(file: &FileView) -> Change {
    match (file.mounted, file.in_upper) {
        (Some(_), _) => alert(ChangeType::Creation, Action::Mount),
        (None, Some(true)) => alert(ChangeType::Creation, appearance(file, 0)),
        (None, Some(false) | None) => PRESENT,
    }
}

/// The verdicts on one act: `seen` holds the `FAN_*` bits of its triggers, 0 for
/// a look without one. Nearly always one; two when a file came and went.
#[must_use]
pub fn change(before: Option<&FileView>, after: Option<&FileView>, seen: u64) -> Vec<Change> {
    let came = seen & (mask::CREATE | mask::MOVED_TO) != 0;
    let written = seen & mask::MODIFY != 0;
    match (before, after) {
        (None, None) if came => vec![alert(ChangeType::Creation, arrival(seen)), DELETION],
        // That it went was told when it was first seen to be gone.
        (None, None) => Vec::new(),
        (None, Some(file)) => vec![alert(ChangeType::Creation, appearance(file, seen))],
        (Some(_), None) if came => vec![alert(ChangeType::Creation, arrival(seen)), DELETION],
        (Some(_), None) if written => {
            vec![alert(ChangeType::Change, Action::Modification), DELETION]
        }
        (Some(_), None) => vec![DELETION],
        (Some(old), Some(new)) => both(old, new, seen).into_iter().collect(),
    }
}

/// The difference is of another making than what was seen: who changes attributes alone
/// leaves the content as it was. A file that is renamed over gives such an event, too.
#[must_use]
pub fn is_anothers(before: Option<&FileView>, after: Option<&FileView>, seen: u64) -> bool {
    let differs = |change: &Change| change.action != Action::Attributes;
    only_attributes(seen) && change(before, after, seen).iter().any(differs)
}

fn only_attributes(seen: u64) -> bool {
    seen & mask::ATTRIB != 0 && seen & !(mask::ATTRIB | mask::ONDIR) == 0
}

fn both(old: &FileView, new: &FileView, seen: u64) -> Option<Change> {
    let came = seen & (mask::CREATE | mask::MOVED_TO) != 0;
    let left = seen & (mask::DELETE | mask::MOVED_FROM) != 0;
    if old.mounted != new.mounted {
        return Some(alert(ChangeType::Change, Action::Mount));
    }
    if seen & mask::MOVED_TO != 0 {
        return Some(alert(ChangeType::Change, Action::Rename));
    }
    if left && !came && old != new {
        // Nobody saw it come, but it went, and is there. The very same was seen since: an
        // exchange is two events, and the second may come late.
        return Some(alert(ChangeType::Creation, appearance(new, seen)));
    }
    if came {
        let kind = if left || !same_object(old, new) {
            ChangeType::Creation
        } else {
            ChangeType::Change
        };
        return Some(alert(kind, appearance(new, seen)));
    }
    // A copy-up between filesystems gives the same file another inode number, so
    // a changed number with equal content under a mere chmod is no swap.
    if !same_content(old, new)
        || (!same_object(old, new) && !only_attributes(seen))
        || seen & mask::MODIFY != 0
    {
        return Some(alert(ChangeType::Change, Action::Modification));
    }
    if !same_attributes(old, new) {
        return Some(ATTRIBUTES);
    }
    (seen & mask::CLOSE_WRITE != 0).then_some(TOUCHED)
}

/// How a file that is there came to be.
fn appearance(file: &FileView, seen: u64) -> Action {
    if seen & mask::MOVED_TO != 0 {
        Action::Rename
    } else if file.mounted.is_some() && seen & mask::CREATE == 0 {
        Action::Mount
    } else if file.target.is_some() {
        Action::Symlink
    } else if file.kind == FileKind::Regular
        && file.links > 1
        && seen & (mask::MODIFY | mask::CLOSE_WRITE) == 0
    {
        Action::Link
    } else {
        Action::Creation
    }
}

/// How a file that is gone again came to be.
fn arrival(seen: u64) -> Action {
    if seen & mask::MOVED_TO != 0 {
        Action::Rename
    } else {
        Action::Creation
    }
}

/// The same file with the same content and attributes, at another time; it may have lost
/// its name since it was opened.
#[must_use]
pub fn is_the_same(old: &FileView, new: &FileView) -> bool {
    same_object(old, new)
        && same_content(old, new)
        && same_attributes(old, new)
        && old.mounted == new.mounted
}

fn same_object(old: &FileView, new: &FileView) -> bool {
    (old.device, old.inode, old.kind) == (new.device, new.inode, new.kind)
}

fn same_content(old: &FileView, new: &FileView) -> bool {
    let same = match (&old.content, &new.content) {
        (Ok(old), Ok(new)) => old.sha256 == new.sha256,
        (Err(_), Err(_)) => true,
        _ => false,
    };
    same && old.target == new.target && (old.kind != FileKind::Regular || old.size == new.size)
}

fn same_attributes(old: &FileView, new: &FileView) -> bool {
    (old.mode, old.uid, old.gid) == (new.mode, new.uid, new.gid)
        && old.attributes == new.attributes
        && old.xattrs == new.xattrs
}

#[cfg(test)]
mod tests;
