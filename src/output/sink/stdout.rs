//! Standard output, or any stream given as a descriptor: whole lines, never for ever.
//!
//! A reader that went away is told apart from a slow one, because a watcher that
//! nobody reads must end. A record that was written in part is finished before the
//! next one begins, so that no line is torn.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use super::{Form, Message, Sink, SinkError, patient};

/// How long a reader may keep a record waiting.
const PATIENCE: Duration = Duration::from_secs(1);

/// A stream of records.
#[derive(Debug)]
pub struct Stdout {
    stream: File,
    form: Form,
    buffer: Vec<u8>,
    /// What is left of a record that was written in part.
    rest: Vec<u8>,
    patience: Duration,
}

impl Stdout {
    /// Writes to `stream`.
    #[must_use]
    pub fn new(stream: File, form: Form) -> Self {
        Self {
            stream,
            form,
            buffer: Vec::new(),
            rest: Vec::new(),
            patience: PATIENCE,
        }
    }

    /// Writes to the standard output of this process, past the buffer of `std`.
    ///
    /// # Errors
    /// The descriptor cannot be duplicated: it is closed, or there is no room for one more.
    pub fn standard(form: Form) -> io::Result<Self> {
        let stream = io::stdout().as_fd().try_clone_to_owned()?;
        Ok(Self::new(File::from(stream), form))
    }

    /// Waits for at most `patience` when the reader is slow.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    fn finish_last(&mut self) -> Result<(), SinkError> {
        let (done, outcome) = patient::write(&mut self.stream, &self.rest, self.patience);
        self.rest.drain(..done);
        outcome
    }
}

impl Sink for Stdout {
    fn name(&self) -> &str {
        "stdout"
    }

    fn write(&mut self, message: &Message<'_>) -> Result<(), SinkError> {
        self.finish_last()?;
        self.form.fill(message, &mut self.buffer);
        let (done, outcome) = patient::write(&mut self.stream, &self.buffer, self.patience);
        if done > 0 {
            self.rest
                .extend_from_slice(self.buffer.get(done..).unwrap_or_default());
        }
        outcome
    }
}
