//! What a refused mark means: the rung that is left, what is lost, what helps.
//!
//! A root filesystem on which no rung holds is looked at by the sweep, and said to be.

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
            "the kernel gives no names for this filesystem",
            "what only names show is left to the sweep here",
        ),
        Some(libc::ENODEV) => (
            "the filesystem has no id",
            "only the sweep looks at this container",
        ),
        Some(libc::ENOSPC) => (
            "the limit of marks or watches is reached",
            "raise fs.inotify.max_user_watches or fs.fanotify.max_user_marks",
        ),
        Some(libc::EMFILE) => (
            "no room for another group or instance",
            "raise fs.fanotify.max_user_groups or fs.inotify.max_user_instances",
        ),
        Some(libc::EACCES) => (
            "the mount belongs to another user namespace",
            "only the sweep looks at this container",
        ),
        _ => ("the mark was refused", "see `ldwatch probe`"),
    };
    Meaning { why, remedy }
}

/// What came of marking the spots of one root filesystem.
#[derive(Debug, Default)]
pub struct Tried {
    /// Rung by kind, for what was marked.
    pub marked: Vec<(Kind, Rung)>,
    /// What was refused.
    pub refused: Vec<(Kind, io::Error)>,
}

impl Tried {
    /// Takes the outcome for one spot.
    pub fn take(&mut self, kind: Kind, outcome: io::Result<Rung>) {
        match outcome {
            Ok(rung) => self.marked.push((kind, rung)),
            Err(error) => self.refused.push((kind, error)),
        }
    }

    /// A limit of the kernel was in the way, which may be higher by and by.
    #[must_use]
    pub fn is_short(&self) -> bool {
        let errno = |(_, error): &(Kind, io::Error)| error.raw_os_error();
        let full = [Some(libc::ENOSPC), Some(libc::EMFILE), Some(libc::ENOMEM)];
        self.refused
            .iter()
            .any(|refusal| full.contains(&errno(refusal)))
    }

    /// A spot of that kind was there, marked or refused.
    #[must_use]
    pub fn has(&self, kind: Kind) -> bool {
        self.marked.iter().any(|(marked, _)| *marked == kind)
            || self.refused.iter().any(|(refused, _)| *refused == kind)
    }

    /// The coverage this makes. The mark on the directory that holds the name decides
    /// the rung; without one there is none. Any other refusal is a gap of the rung.
    #[must_use]
    pub fn coverage(&self, trouble: &[String]) -> Coverage {
        let refusal = |(kind, error): &(Kind, io::Error)| {
            format!("{}: {} ({error})", kind.name(), meaning(error).why)
        };
        let mut gaps: Vec<String> = self
            .refused
            .iter()
            .map(refusal)
            .chain(trouble.iter().cloned())
            .collect();
        gaps.sort();
        gaps.dedup();
        Coverage {
            rung: self.rung(),
            gaps,
        }
    }

    fn rung(&self) -> Rung {
        let of = |kind| {
            self.marked
                .iter()
                .filter(move |(marked, _)| *marked == kind)
                .map(|(_, rung)| *rung)
        };
        let refused = self.refused.iter().any(|(kind, _)| *kind == Kind::Etc);
        // Without an `etc` the root directory tells when one comes.
        match of(Kind::Etc).next().or_else(|| of(Kind::Root).next()) {
            None => Rung::None,
            Some(_) if refused => Rung::None,
            Some(Rung::Named) => Rung::Named,
            // Without names in the writable layer only opens and writes have a pid.
            Some(_) if of(Kind::Upper).any(|rung| rung == Rung::Named) => Rung::Split,
            Some(_) => Rung::Plain,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tried(marked: &[(Kind, Rung)], refused: &[(Kind, i32)]) -> Tried {
        let refused = refused
            .iter()
            .map(|&(kind, errno)| (kind, io::Error::from_raw_os_error(errno)));
        Tried {
            marked: marked.to_vec(),
            refused: refused.collect(),
        }
    }

    #[test]
    fn nothing_refused_is_the_named_rung() {
        let coverage =
            tried(&[(Kind::Root, Rung::Named), (Kind::Etc, Rung::Named)], &[]).coverage(&[]);
        assert_eq!(
            coverage,
            Coverage {
                rung: Rung::Named,
                gaps: Vec::new()
            }
        );
    }

    #[test]
    fn the_writable_layer_makes_the_difference_between_split_and_plain() {
        let etc = (Kind::Etc, Rung::Split);
        assert_eq!(
            tried(&[etc, (Kind::Upper, Rung::Named)], &[])
                .coverage(&[])
                .rung,
            Rung::Split
        );
        assert_eq!(
            tried(&[etc], &[(Kind::Upper, libc::EOPNOTSUPP)])
                .coverage(&[])
                .rung,
            Rung::Plain
        );
    }

    #[test]
    fn equal_refusals_are_one_gap_with_its_reason() {
        let coverage =
            tried(&[], &[(Kind::Etc, libc::ENOSPC), (Kind::Etc, libc::ENOSPC)]).coverage(&[]);
        assert_eq!((coverage.rung, coverage.gaps.len()), (Rung::None, 1));
    }

    #[test]
    fn a_refusal_beside_etc_is_a_gap_of_the_rung() {
        let coverage =
            tried(&[(Kind::Etc, Rung::Named)], &[(Kind::Upper, libc::ENOSPC)]).coverage(&[]);
        assert_eq!((coverage.rung, coverage.gaps.len()), (Rung::Named, 1));
    }

    #[test]
    fn a_root_without_etc_is_covered_by_the_mark_on_the_root() {
        let coverage = tried(&[(Kind::Root, Rung::Named)], &[]).coverage(&[]);
        assert_eq!(coverage.rung, Rung::Named);
    }

    #[test]
    fn nothing_to_mark_is_no_coverage() {
        assert_eq!(
            Tried::default().coverage(&["walk: gone".to_owned()]).rung,
            Rung::None
        );
    }
}
