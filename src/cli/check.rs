//! `ldwatch check`: is the configuration good?

use std::path::Path;

use crate::config::{self, DEFAULT_PATH, Source};
use crate::error::{Error, escape};

/// Reads and validates the file as `run` would, and says what was found.
///
/// # Errors
/// [`Error::ConfigUnreadable`] or [`Error::ConfigInvalid`].
pub fn run(explicit: Option<&Path>) -> Result<String, Error> {
    let (_, source) = config::load(explicit)?;
    Ok(match source {
        Source::File(path) => format!("{}: good\n", escape(&path.to_string_lossy())),
        Source::Defaults => format!("{DEFAULT_PATH}: no such file; the defaults apply\n"),
    })
}
