//! The files that describe a container, read again when they were written anew: a rename
//! comes while it runs, and a file may have been missing, or half-written, at first.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Owner, Readers};
use crate::model::Container;
use crate::survey::file::Stamp;

/// Where a container is described, and what those files were when they were read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Papers(Option<Arc<Sheets>>);

/// What is shared by all who know the container.
#[derive(Debug, PartialEq, Eq)]
struct Sheets {
    mountpoint: PathBuf,
    files: Box<[(PathBuf, Stamp)]>,
}

impl Papers {
    /// The files.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        let all = self.0.iter().flat_map(|sheets| &sheets.files);
        all.map(|(path, _)| path.as_path())
    }

    /// There are none, and no place to look for them.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

impl Readers {
    /// Who owns the root filesystem that is mounted there, and by which papers.
    pub fn described(&mut self, mountpoint: &Path) -> (Owner, Papers) {
        drop(self.root.take_papers());
        let owner = self.owner(mountpoint);
        let sheets = Sheets {
            mountpoint: mountpoint.to_owned(),
            files: self.root.take_papers().into_boxed_slice(),
        };
        (owner, Papers(Some(Arc::new(sheets))))
    }

    /// The container as its papers tell now, when one of them was written anew, or nothing
    /// named it so far. The caller makes sure that the mount is still the one meant.
    pub fn again(&mut self, papers: &Papers, known: &Container) -> Option<(Container, Papers)> {
        let is_other = |(path, stamp): &(PathBuf, Stamp)| self.root.stamp(path) != *stamp;
        let sheets = papers.0.as_ref()?;
        if known.id.is_some() && !sheets.files.iter().any(is_other) {
            return None;
        }
        let (Owner::Container(container), papers) = self.described(&sheets.mountpoint) else {
            return None;
        };
        tells_more(&container, known).then_some((*container, papers))
    }
}

/// It is the same container, and not one whose files are just going or coming.
fn tells_more(now: &Container, known: &Container) -> bool {
    let same = now.id.is_some() && (known.id.is_none() || now.id == known.id);
    same && (now.name.is_some() || known.name.is_none())
}
