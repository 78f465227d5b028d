//! The bytes of a configuration file: regular files only, bounded, never waiting
//! (a FIFO in place of the file does not hold up the start).

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::error::Error;

/// A longer file is refused.
pub(super) const LONGEST: u64 = 1024 * 1024;

/// Nothing stands at the path. A link that leads nowhere is something: somebody
/// meant a configuration to be there.
pub(super) fn is_missing(path: &Path) -> bool {
    fs::symlink_metadata(path).is_err_and(|error| error.kind() == ErrorKind::NotFound)
}

pub(super) fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let refused = |source, advice| Error::ConfigUnreadable {
        path: path.to_owned(),
        source,
        advice,
    };
    let other = |text: &str| io::Error::other(text.to_owned());
    let file = open(path).map_err(|source| {
        let advice = advice(&source);
        refused(source, advice)
    })?;
    let metadata = file
        .metadata()
        .map_err(|e| refused(e, "see the filesystem"))?;
    if !metadata.is_file() {
        return Err(refused(other("not a regular file"), "name a file with -c"));
    }
    let mut bytes = Vec::new();
    let read = file.take(LONGEST + 1).read_to_end(&mut bytes);
    read.map_err(|e| refused(e, "see the filesystem"))?;
    if u64::try_from(bytes.len()).is_ok_and(|len| len <= LONGEST) {
        return Ok(bytes);
    }
    Err(refused(
        other("longer than 1 MiB"),
        "this is hardly a configuration: name another with -c",
    ))
}

fn open(path: &Path) -> io::Result<File> {
    let flags = libc::O_NONBLOCK | libc::O_NOCTTY | libc::O_CLOEXEC;
    OpenOptions::new().read(true).custom_flags(flags).open(path)
}

fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::NotFound => "name an existing file with -c, or leave -c out",
        ErrorKind::PermissionDenied => "run as root, or make it readable",
        _ => "name another file with -c",
    }
}
