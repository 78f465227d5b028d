//! The last known state of each container's file, on disk, so that a change made
//! while nobody looked is found at the next start, and a container that comes back
//! is known.
//!
//! An alert goes out before its state is stored: a crash may repeat an alert, never
//! lose one. Before it goes out, a note of it is put behind the stored state, so
//! that the repeat is marked as one. The examiner reads states, the keeper writes them;
//! what fails here, or takes too long, is told and costs no alert.

mod book;
pub mod form;
pub mod identity;
pub mod keeper;
mod prune;
pub mod store;
pub mod view;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use crate::judge::restart::Last;
use crate::model::{Container, Gap};
use crate::watch::state::identity::{Identity, Key};
use crate::watch::state::store::Store;

/// What is to be stored of one container.
#[derive(Debug, Clone)]
pub struct Remember {
    /// The name of its state.
    pub key: Key,
    /// Whose it is.
    pub identity: Identity,
    /// The file as last seen.
    pub last: Last,
}

/// The directory of states, when there is one to be used.
#[derive(Debug, Default)]
pub struct Opened {
    /// The directory.
    pub store: Option<Arc<Store>>,
    /// Why there is none, though one is configured.
    pub trouble: Option<Gap>,
}

impl Opened {
    /// Opens the configured directory. `None`: no states are kept.
    #[must_use]
    pub fn at(path: Option<&Path>) -> Self {
        let Some(path) = path else {
            return Self::default();
        };
        match Store::open(path) {
            Ok(store) => Self {
                store: Some(Arc::new(store)),
                trouble: None,
            },
            Err(error) => Self {
                store: None,
                trouble: Some(not_kept(path, &error)),
            },
        }
    }
}

fn not_kept(path: &Path, error: &io::Error) -> Gap {
    Gap {
        at: SystemTime::now(),
        reason: "state-not-kept",
        detail: format!(
            "{}: {error}; what changes while ldwatch is down is not found",
            path.display()
        ),
        remedy: "state-dir must be a directory that only root may write to; start ldwatch again then",
        container: None,
    }
}

/// A state could not be written.
fn not_written(error: &io::Error) -> Gap {
    Gap {
        at: SystemTime::now(),
        reason: "state-not-written",
        detail: format!(
            "states cannot be written: {error}; after a restart alerts may be repeated \
             without being marked"
        ),
        remedy: "make state-dir writable; see ldwatch.toml(5)",
        container: None,
    }
}

/// A state that was there and is not used.
#[must_use]
pub fn unreadable(why: &str, container: &Container) -> Gap {
    Gap {
        at: SystemTime::now(),
        reason: "state-unreadable",
        detail: format!("the stored state is not used: {why}"),
        remedy: "a change made while ldwatch was down may go untold for this container; look at the file once",
        container: Some(container.clone()),
    }
}
