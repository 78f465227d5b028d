//! Where records go. The only part of `output` that does I/O, on the writer thread.
//!
//! A sink takes one record at a time, never waits for longer than a bounded moment,
//! and says when it could not take one. It never retries later: the caller counts
//! the loss and tells it.

pub mod file;
pub mod journal;
mod patient;
pub mod stdout;
pub mod syslog;

use std::io;

use thiserror::Error;

use crate::model::Record;
use crate::output::text;

/// A record in the forms that sinks take; rendered once for all of them.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    /// The record itself.
    pub record: &'a Record,
    /// As one line of ECS JSON, with its newline.
    pub line: &'a [u8],
}

/// Why a sink did not take a record.
#[derive(Debug, Error)]
pub enum SinkError {
    /// Nobody reads any more: nothing will ever be taken.
    #[error("the reader is gone")]
    ReaderGone,
    /// The other side did not take it in time.
    #[error("the reader does not keep up")]
    Blocked,
    /// The system refused.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Takes records.
pub trait Sink: Send {
    /// What the sink is called in messages.
    fn name(&self) -> &str;

    /// Takes one record, or says why not.
    ///
    /// # Errors
    /// The record was not taken, or not whole.
    fn write(&mut self, message: &Message<'_>) -> Result<(), SinkError>;

    /// Opens the place anew, after a rotation.
    ///
    /// # Errors
    /// The place cannot be opened; the one in use stays in use.
    fn reopen(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The form of records in a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One line of ECS JSON per record.
    Json,
    /// For people.
    Text {
        /// With colour.
        colour: bool,
    },
}

impl Form {
    /// Puts the record's bytes into `buffer`, which is emptied first.
    fn fill(self, message: &Message<'_>, buffer: &mut Vec<u8>) {
        buffer.clear();
        match self {
            Self::Json => buffer.extend_from_slice(message.line),
            Self::Text { colour } => {
                let mut page = String::new();
                text::render(message.record, colour, &mut page);
                buffer.extend_from_slice(page.as_bytes());
            }
        }
    }
}
