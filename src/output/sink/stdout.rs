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
    /// The reader kept the last record waiting for too long: it is not waited for
    /// again before it has taken something, or the other sinks would starve.
    stuck: bool,
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
            stuck: false,
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
        let left = self.left();
        let (done, outcome) = patient::write(&mut self.stream, &self.rest, left);
        self.rest.drain(..done);
        self.stuck = matches!(outcome, Err(SinkError::Blocked));
        outcome
    }

    fn left(&self) -> Duration {
        if self.stuck {
            Duration::ZERO
        } else {
            self.patience
        }
    }
}

impl Sink for Stdout {
    fn name(&self) -> &str {
        "stdout"
    }

    fn write(&mut self, message: &Message<'_>) -> Result<(), SinkError> {
        self.finish_last()?;
        self.form.fill(message, &mut self.buffer);
        let left = self.left();
        let (done, outcome) = patient::write(&mut self.stream, &self.buffer, left);
        if done > 0 {
            self.rest
                .extend_from_slice(self.buffer.get(done..).unwrap_or_default());
        }
        self.stuck = matches!(outcome, Err(SinkError::Blocked));
        outcome
    }
}
