//! `ldwatch check`: is the configuration good?

use std::path::Path;

use crate::config::{self, DEFAULT_PATH, Source};
use crate::error::Error;
use crate::output::escape::quoted;

/// Bytes of the path that are repeated.
const LONGEST: usize = 4096;

/// Reads and validates the file as `run` would, and says what was found.
///
/// # Errors
/// [`Error::ConfigUnreadable`] or [`Error::ConfigInvalid`].
pub fn run(explicit: Option<&Path>) -> Result<String, Error> {
    let (_, source) = config::load(explicit)?;
    Ok(match source {
        Source::File(path) => {
            let path = quoted(path.as_os_str().as_encoded_bytes(), LONGEST);
            format!("{path}: good\n")
        }
        Source::Defaults => format!("{DEFAULT_PATH}: no such file; the defaults apply\n"),
    })
}
