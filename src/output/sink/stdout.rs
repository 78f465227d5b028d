//! Standard output, or any stream given as a descriptor: whole lines, never for ever.
//!
//! A reader that went away is told apart from a slow one, because a watcher that
//! nobody reads must end. A record that was written in part is finished before the
//! next one begins, so that no line is torn.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

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
    /// Since when the reader keeps records waiting for too long: it is not waited for
    /// again before it has taken something, or the other sinks would starve.
    stuck: Option<Instant>,
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
            stuck: None,
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
        let rest = std::mem::take(&mut self.rest);
        let (done, outcome) = self.give(&rest);
        self.rest
            .extend_from_slice(rest.get(done..).unwrap_or_default());
        outcome
    }

    /// How many bytes the reader took. One that was stuck and reads again is waited for as
    /// long as it was left alone: the other sinks have half of the time at least.
    fn give(&mut self, bytes: &[u8]) -> (usize, Result<(), SinkError>) {
        if bytes.is_empty() {
            return (0, Ok(()));
        }
        let patience = self.stuck.map_or(self.patience, |_| Duration::ZERO);
        let (mut done, mut outcome) = patient::write(&mut self.stream, bytes, patience);
        if let (Some(since), Err(SinkError::Blocked)) = (self.stuck, &outcome)
            && let Some(rest) = bytes.get(done..).filter(|_| done > 0)
        {
            let patience = self.patience.min(since.elapsed());
            let (more, again) = patient::write(&mut self.stream, rest, patience);
            (done, outcome) = (done + more, again);
        }
        let is_stuck = matches!(outcome, Err(SinkError::Blocked));
        self.stuck = is_stuck.then(Instant::now);
        (done, outcome)
    }
}

impl Sink for Stdout {
    fn name(&self) -> &str {
        "stdout"
    }

    fn write(&mut self, message: &Message<'_>) -> Result<(), SinkError> {
        self.finish_last()?;
        let mut record = std::mem::take(&mut self.buffer);
        self.form.fill(message, &mut record);
        let (done, outcome) = self.give(&record);
        if done > 0 {
            self.rest
                .extend_from_slice(record.get(done..).unwrap_or_default());
        }
        self.buffer = record;
        outcome
    }
}
