//! The text of a state file. Pure, and the same on every machine.
//!
//! The first line is the state, one JSON object. Each further line is a note: what
//! the watcher was about to tell when it had not stored a newer state yet. A last
//! line that is cut off is such a note all the same. Bytes that a container
//! chooses are in Base64, and bounded.

use serde::{Deserialize, Serialize};

use crate::judge::restart::{Doubt, Last};
use crate::model::{Action, Change, ChangeType};
use crate::output::escape::hex;
use crate::watch::state::identity::Identity;
use crate::watch::state::view::{StoredView, unhex};

/// The version of what is written.
pub const VERSION: u64 = 1;
/// Longest state file that is read.
pub const LIMIT: u64 = 256 * 1024;
/// Verdicts of one note: an act has one or two.
const VERDICTS: usize = 8;

/// What a state file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Whose it is.
    pub identity: Identity,
    /// The file as last stored.
    pub last: Last,
    /// What was told beyond it, or was about to be.
    pub doubt: Option<Doubt>,
}

/// Why a state file is not used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// A later version of the program wrote it.
    Future(u64),
    /// It cannot be understood; why, in fixed words.
    Damaged(&'static str),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Line {
    version: u64,
    identity: Identity,
    file: StoredLast,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum StoredLast {
    Unseen,
    Absent,
    Is(Box<StoredView>),
}

#[derive(Deserialize)]
struct Head {
    version: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Note {
    Telling {
        digest: String,
        changes: Vec<StoredChange>,
    },
    Lagging,
}

#[derive(Serialize, Deserialize)]
struct StoredChange(String, String, bool, u8);

/// The first line of a state file.
///
/// # Errors
/// When it cannot be written as JSON, which no value makes happen.
pub fn encode(identity: &Identity, last: &Last) -> std::io::Result<Vec<u8>> {
    let file = match last {
        Last::Unseen => StoredLast::Unseen,
        Last::Absent => StoredLast::Absent,
        Last::File(view) => StoredLast::Is(Box::new(StoredView::of(view))),
    };
    line(&Line {
        version: VERSION,
        identity: identity.clone(),
        file,
    })
}

/// A further line.
///
/// # Errors
/// As [`encode`].
pub fn encode_note(doubt: &Doubt) -> std::io::Result<Vec<u8>> {
    line(&match doubt {
        Doubt::Lagging => Note::Lagging,
        Doubt::Telling { digest, changes } => Note::Telling {
            digest: hex(digest),
            changes: changes.iter().take(VERDICTS).map(stored).collect(),
        },
    })
}

fn line(value: &impl Serialize) -> std::io::Result<Vec<u8>> {
    let mut text = serde_json::to_vec(value).map_err(std::io::Error::other)?;
    text.push(b'\n');
    Ok(text)
}

/// Reads a state file.
///
/// # Errors
/// When its first line is of a later version, or not a state at all.
pub fn decode(text: &[u8]) -> Result<Stored, Refusal> {
    let (first, notes) = match text.iter().position(|&byte| byte == b'\n') {
        Some(end) => text.split_at(end),
        None => return Err(Refusal::Damaged("it has no whole line")),
    };
    let head: Head = serde_json::from_slice(first)
        .map_err(|_| Refusal::Damaged("its first line tells no version"))?;
    if head.version > VERSION {
        return Err(Refusal::Future(head.version));
    }
    let line: Line = serde_json::from_slice(first)
        .map_err(|_| Refusal::Damaged("its first line is no state"))?;
    let last = match line.file {
        StoredLast::Unseen => Last::Unseen,
        StoredLast::Absent => Last::Absent,
        StoredLast::Is(view) => {
            let view = view.view();
            Last::File(Box::new(view.ok_or(Refusal::Damaged(
                "its first line has values out of range",
            ))?))
        }
    };
    Ok(Stored {
        identity: line.identity,
        last,
        doubt: doubt(notes.get(1..).unwrap_or_default()),
    })
}

/// The last note counts, unless one says that there were more than were noted.
fn doubt(notes: &[u8]) -> Option<Doubt> {
    let mut last = None;
    for text in notes.split(|&byte| byte == b'\n') {
        if text.is_empty() {
            continue;
        }
        let read = serde_json::from_slice(text).ok().and_then(note);
        match read.unwrap_or(Doubt::Lagging) {
            Doubt::Lagging => return Some(Doubt::Lagging),
            telling @ Doubt::Telling { .. } => last = Some(telling),
        }
    }
    last
}

fn note(note: Note) -> Option<Doubt> {
    Some(match note {
        Note::Lagging => Doubt::Lagging,
        Note::Telling { digest, changes } => Doubt::Telling {
            digest: unhex(&digest)?,
            changes: changes
                .iter()
                .take(VERDICTS)
                .map(read_change)
                .collect::<Option<_>>()?,
        },
    })
}

fn stored(change: &Change) -> StoredChange {
    StoredChange(
        change.kind.name().to_owned(),
        change.action.name().to_owned(),
        change.alert,
        change.risk,
    )
}

fn read_change(StoredChange(kind, action, alert, risk): &StoredChange) -> Option<Change> {
    const KINDS: [ChangeType; 4] = [
        ChangeType::Creation,
        ChangeType::Change,
        ChangeType::Deletion,
        ChangeType::Info,
    ];
    const ACTIONS: [Action; 10] = [
        Action::Creation,
        Action::Modification,
        Action::Deletion,
        Action::Rename,
        Action::Link,
        Action::Symlink,
        Action::Mount,
        Action::Attributes,
        Action::Present,
        Action::Touched,
    ];
    Some(Change {
        kind: KINDS.into_iter().find(|known| known.name() == kind)?,
        action: ACTIONS.into_iter().find(|known| known.name() == action)?,
        alert: *alert,
        risk: *risk,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests;
