//! What a refused mark means: the rung that is left, what is lost, what helps.
//!
//! This version climbs the first rung only. A root filesystem whose kernel
//! refuses named marks is looked at by the sweep, and said to be.

use std::io;

use crate::model::{Coverage, Rung};

/// What a refusal means to an operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meaning {
    /// Fixed words.
    pub why: &'static str,
    /// What helps.
    pub remedy: &'static str,
}

/// The meaning of the errno with which fanotify_mark(2) or
/// name_to_handle_at(2) refused.
#[must_use]
pub fn meaning(error: &io::Error) -> Meaning {
    let (why, remedy) = match error.raw_os_error() {
        Some(libc::EOPNOTSUPP | libc::EINVAL) => (
            "the kernel gives no names for this filesystem (overlay: before Linux 6.6)",
            "only the sweep looks at this container; a kernel of 6.6 or later sees every change",
        ),
        Some(libc::ENODEV) => (
            "the filesystem has no id",
            "only the sweep looks at this container",
        ),
        Some(libc::ENOSPC) => (
            "the limit of marks is reached",
            "raise fs.fanotify.max_user_marks",
        ),
        Some(libc::EMFILE) => (
            "no room for another group",
            "raise fs.fanotify.max_user_groups",
        ),
        Some(libc::EACCES) => (
            "the mount belongs to another user namespace",
            "only the sweep looks at this container",
        ),
        _ => ("the mark was refused", "see `ldwatch probe`"),
    };
    Meaning { why, remedy }
}

/// Coverage by what was refused: nothing, some directories, or all of them.
#[must_use]
pub fn coverage(marked: usize, refused: &[io::Error], trouble: &[String]) -> Coverage {
    let mut gaps: Vec<String> = refused
        .iter()
        .map(|error| format!("{} ({error})", meaning(error).why))
        .chain(trouble.iter().cloned())
        .collect();
    gaps.sort();
    gaps.dedup();
    Coverage {
        rung: if marked > 0 && refused.is_empty() {
            Rung::Named
        } else {
            Rung::None
        },
        gaps,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_refused_is_the_named_rung() {
        assert_eq!(
            coverage(2, &[], &[]),
            Coverage {
                rung: Rung::Named,
                gaps: Vec::new()
            }
        );
    }

    #[test]
    fn a_refused_mark_is_a_gap_with_its_reason() {
        let refused = [
            io::Error::from_raw_os_error(libc::EOPNOTSUPP),
            io::Error::from_raw_os_error(libc::EOPNOTSUPP),
        ];
        let coverage = coverage(0, &refused, &[]);
        assert_eq!((coverage.rung, coverage.gaps.len()), (Rung::None, 1));
    }

    #[test]
    fn nothing_to_mark_is_no_coverage() {
        assert_eq!(
            coverage(0, &[], &["walk: gone".to_owned()]).rung,
            Rung::None
        );
    }
}
