//! What an earlier run knew, against what is there now.
//!
//! Device and inode numbers and mount ids change from boot to boot and from mount
//! to mount, so they make no difference across a restart; content, type, link
//! target, size, mode, owner, attributes and whether a mount covers the file do.
//! What an earlier run may have left untold is told, and marked as a repeat.

use sha2::{Digest, Sha256};

use crate::judge::change::{DELETION, alert, change, first_sight};
use crate::model::{Action, Change, ChangeType, FileKind, FileView};

/// The file as last known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Last {
    /// Never looked at.
    #[default]
    Unseen,
    /// There was none.
    Absent,
    /// There was this one.
    File(Box<FileView>),
}

impl Last {
    /// What a look gave.
    #[must_use]
    pub fn seen(file: Option<&FileView>) -> Self {
        file.map_or(Self::Absent, |file| Self::File(Box::new(file.clone())))
    }

    /// The file, when there was one.
    #[must_use]
    pub fn file(&self) -> Option<&FileView> {
        match self {
            Self::File(file) => Some(file),
            Self::Unseen | Self::Absent => None,
        }
    }
}

/// What an earlier run was about to tell, beyond what it had stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Doubt {
    /// These verdicts on a file with this [`digest`].
    Telling {
        /// Digest of the file as it was then.
        digest: [u8; 32],
        /// The verdicts.
        changes: Vec<Change>,
    },
    /// It told more than it stored: there were too many changes in too short a time.
    Lagging,
}

/// What is known of a file, and from when.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Past {
    /// The file as last known.
    pub last: Last,
    /// `last` is what an earlier run, or an earlier mount, knew.
    pub earlier: bool,
    /// What that run may have told beyond it.
    pub doubt: Option<Doubt>,
}

/// A change, and how sure it is that it was not told yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// What happened.
    pub change: Change,
    /// It may have been told before.
    pub repeat: bool,
    /// The file that it is about is not there any more.
    pub past: bool,
}

/// The verdicts on what is there now; `seen` as in [`change`].
#[must_use]
pub fn verdicts(past: &Past, now: Option<&FileView>, seen: u64) -> Vec<Verdict> {
    let plain = plain(past, now, seen);
    let told = seen != 0 && plain.iter().any(|change| change.alert);
    match &past.doubt {
        None => all(&plain, false),
        // A new act of its own: its alert tells what may have been left untold, too.
        Some(_) if told => all(&plain, false),
        Some(Doubt::Lagging) => all(&or_again(plain, now), true),
        Some(Doubt::Telling { digest, changes }) if *digest == self::digest(now) => {
            all(if changes.is_empty() { &plain } else { changes }, true)
        }
        Some(Doubt::Telling { changes, .. }) => beyond(changes, or_again(plain, now)),
    }
}

/// The file changed again after what may not have been told. An alert about what is
/// there now covers it; a deletion does not.
fn beyond(untold: &[Change], plain: Vec<Change>) -> Vec<Verdict> {
    let covered = plain.iter().any(|change| change.alert);
    let untold = untold.iter().filter(|change| change.alert && !covered);
    let mut verdicts: Vec<Verdict> = untold
        .map(|&change| Verdict {
            change,
            repeat: true,
            past: true,
        })
        .collect();
    verdicts.extend(all(&plain, false));
    verdicts
}

fn all(changes: &[Change], repeat: bool) -> Vec<Verdict> {
    let verdict = |&change| Verdict {
        change,
        repeat,
        past: false,
    };
    changes.iter().map(verdict).collect()
}

fn plain(past: &Past, now: Option<&FileView>, seen: u64) -> Vec<Change> {
    match (&past.last, now) {
        (Last::Unseen, now) if seen == 0 => now.map(first_sight).into_iter().collect(),
        (Last::Unseen | Last::Absent, now) => change(None, now, seen),
        (Last::File(before), Some(now)) if past.earlier => {
            change(Some(&aligned(before, now)), Some(now), seen)
        }
        (Last::File(before), now) => change(Some(before), now, seen),
    }
}

/// Equal to what was stored, and yet it was something else in between.
fn or_again(plain: Vec<Change>, now: Option<&FileView>) -> Vec<Change> {
    if !plain.is_empty() {
        return plain;
    }
    vec![match now {
        Some(_) => alert(ChangeType::Change, Action::Modification),
        None => DELETION,
    }]
}

/// `before` with the numbers that mean nothing across a restart taken from `now`.
fn aligned(before: &FileView, now: &FileView) -> FileView {
    FileView {
        device: now.device,
        inode: now.inode,
        mounted: before.mounted.and(now.mounted.or(before.mounted)),
        ..before.clone()
    }
}

/// The same for views that do not differ across a restart.
#[must_use]
pub fn digest(view: Option<&FileView>) -> [u8; 32] {
    let mut digest = Sha256::new();
    let Some(view) = view else {
        digest.update(b"absent");
        return digest.finalize().into();
    };
    let mut part = |bytes: &[u8]| {
        digest.update(bytes.len().to_le_bytes());
        digest.update(bytes);
    };
    part(kind_name(view.kind).as_bytes());
    for number in [view.mode, view.uid, view.gid] {
        part(&number.to_le_bytes());
    }
    part(&[u8::from(view.mounted.is_some())]);
    part(view.target.as_deref().unwrap_or_default());
    part(&view.xattrs.unwrap_or_default());
    for word in &view.attributes {
        part(word.as_bytes());
    }
    if let Ok(content) = &view.content {
        part(&view.size.to_le_bytes());
        part(&content.sha256);
    }
    digest.finalize().into()
}

/// The word for a type of object in a state file.
#[must_use]
pub fn kind_name(kind: FileKind) -> &'static str {
    match kind {
        FileKind::Regular => "regular",
        FileKind::Directory => "directory",
        FileKind::Symlink => "symlink",
        FileKind::Fifo => "fifo",
        FileKind::Socket => "socket",
        FileKind::CharDevice => "char-device",
        FileKind::BlockDevice => "block-device",
    }
}

#[cfg(test)]
mod tests;
