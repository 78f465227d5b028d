//! A file of records: appended to, readable by its owner only, never through a
//! symbolic link at its last component, and only if it is a regular file.
//!
//! A record that the disk had no room for leaves the line it began as it is; the
//! next record starts on a fresh line.

use std::fs::{File as Handle, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::{Form, Message, Sink, SinkError};

/// A file of records.
#[derive(Debug)]
pub struct File {
    name: String,
    path: PathBuf,
    form: Form,
    handle: Handle,
    /// The file does not end with a newline.
    torn: bool,
    buffer: Vec<u8>,
}

impl File {
    /// Opens the file at `path`, makes it when it is not there.
    ///
    /// # Errors
    /// The path cannot be opened, or is no regular file.
    pub fn open(path: &Path, form: Form) -> io::Result<Self> {
        let (handle, torn) = open(path)?;
        let name = format!("file {}", path.display());
        Ok(Self {
            name,
            path: path.to_owned(),
            form,
            handle,
            torn,
            buffer: Vec::new(),
        })
    }
}

impl Sink for File {
    fn name(&self) -> &str {
        &self.name
    }

    fn write(&mut self, message: &Message<'_>) -> Result<(), SinkError> {
        self.form.fill(message, &mut self.buffer);
        if self.torn {
            self.buffer.insert(0, b'\n');
        }
        let mut done = 0;
        while let Some(rest) = self.buffer.get(done..).filter(|rest| !rest.is_empty()) {
            match self.handle.write(rest) {
                Ok(0) => return Err(io::Error::from(io::ErrorKind::WriteZero).into()),
                Ok(count) => {
                    done += count;
                    self.torn = done < self.buffer.len();
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn reopen(&mut self) -> io::Result<()> {
        (self.handle, self.torn) = open(&self.path)?;
        Ok(())
    }
}

/// The open file, and whether its last line is unfinished.
fn open(path: &Path) -> io::Result<(Handle, bool)> {
    // O_NONBLOCK: the open of a FIFO must return, to be refused below.
    let flags = libc::O_NOFOLLOW | libc::O_NOCTTY | libc::O_NONBLOCK;
    let handle = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(0o600)
        .custom_flags(flags)
        .open(path)?;
    let metadata = handle.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "not a regular file",
        ));
    }
    let mut last = [b'\n'];
    if let Some(end) = metadata.len().checked_sub(1) {
        // Nothing is read when the file was shortened in between: then no line is torn.
        let _ = handle.read_at(&mut last, end)?;
    }
    Ok((handle, last != [b'\n']))
}
