//! What a refused mark means: the rung that is left, what is lost, what helps.
//!
//! This version climbs the first rung only. A root filesystem whose kernel
//! refuses named marks is looked at by the sweep, and said to be.

use std::io;

use crate::model::{Coverage, Rung};
use crate::survey::spots::Kind;

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

/// Coverage by what was refused. Without a mark on the directory that holds the
/// name there is none; any other refusal is a gap of the `named` rung.
#[must_use]
pub fn coverage(marked: usize, refused: &[(Kind, io::Error)], trouble: &[String]) -> Coverage {
    let refusal = |(kind, error): &(Kind, io::Error)| {
        format!("{}: {} ({error})", kind.name(), meaning(error).why)
    };
    let mut gaps: Vec<String> = refused
        .iter()
        .map(refusal)
        .chain(trouble.iter().cloned())
        .collect();
    gaps.sort();
    gaps.dedup();
    let lost = marked == 0 || refused.iter().any(|(kind, _)| *kind == Kind::Etc);
    Coverage {
        rung: if lost { Rung::None } else { Rung::Named },
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
        let refused =
            [libc::EOPNOTSUPP; 2].map(|errno| (Kind::Etc, io::Error::from_raw_os_error(errno)));
        let coverage = coverage(0, &refused, &[]);
        assert_eq!((coverage.rung, coverage.gaps.len()), (Rung::None, 1));
    }

    #[test]
    fn a_refusal_beside_etc_is_a_gap_of_the_rung() {
        let refused = [(Kind::Upper, io::Error::from_raw_os_error(libc::ENOSPC))];
        let coverage = coverage(1, &refused, &[]);
        assert_eq!((coverage.rung, coverage.gaps.len()), (Rung::Named, 1));
    }

    #[test]
    fn nothing_to_mark_is_no_coverage() {
        assert_eq!(
            coverage(0, &[], &["walk: gone".to_owned()]).rung,
            Rung::None
        );
    }
}
