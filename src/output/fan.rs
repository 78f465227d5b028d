//! One record to all sinks. A sink that fails does not keep the record from the
//! others; its losses are counted, and the change from well to ill and back is told
//! once, not with every record.

use std::io;
use std::time::SystemTime;

use crate::model::{Gap, Record, Told};
use crate::output::ecs::Ecs;
use crate::output::sink::{Message, Sink, SinkError};

/// A sink that began to fail, or works again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    /// Takes no records any more.
    Failed {
        /// Which sink.
        sink: String,
        /// Why, in words.
        error: String,
        /// Its reader is gone for good: there is no sense in going on for its sake.
        reader_gone: bool,
    },
    /// Takes records again.
    Recovered {
        /// Which sink.
        sink: String,
        /// Records it did not take meanwhile.
        lost: u64,
    },
}

impl Turn {
    /// The same as a record for the sinks that work.
    #[must_use]
    pub fn gap(&self, at: SystemTime) -> Gap {
        let (reason, detail, remedy) = match self {
            Self::Failed { sink, error, .. } => (
                "sink-failed",
                format!("{sink} does not take records: {error}"),
                "Make the place writable again, or take the sink out of the configuration.",
            ),
            Self::Recovered { sink, lost } => (
                "records-dropped",
                format!("{sink} takes records again; {lost} did not reach it"),
                "Look for the missing records in another sink, by event.sequence.",
            ),
        };
        Gap {
            at,
            reason,
            detail,
            remedy,
            container: None,
        }
    }
}

/// What a sink has done so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count<'a> {
    /// Which sink.
    pub sink: &'a str,
    /// Records taken.
    pub written: u64,
    /// Records not taken.
    pub lost: u64,
}

/// All sinks, and the renderer they share.
pub struct Sinks {
    ecs: Ecs,
    line: Vec<u8>,
    slots: Vec<Slot>,
    alerts: u64,
    gaps: u64,
}

struct Slot {
    sink: Box<dyn Sink>,
    written: u64,
    lost: u64,
    /// Lost since it last worked; 0: it works.
    lost_now: u64,
}

impl Sinks {
    /// No sink yet.
    #[must_use]
    pub fn new(ecs: Ecs) -> Self {
        Self {
            ecs,
            line: Vec::new(),
            slots: Vec::new(),
            alerts: 0,
            gaps: 0,
        }
    }

    /// One sink more.
    pub fn add(&mut self, sink: Box<dyn Sink>) {
        self.slots.push(Slot {
            sink,
            written: 0,
            lost: 0,
            lost_now: 0,
        });
    }

    /// Gives `record` to every sink; returns which of them turned.
    pub fn write(&mut self, record: &Record, now: SystemTime) -> Vec<Turn> {
        match record {
            Record::Finding(finding) => self.alerts += u64::from(finding.change.alert),
            Record::Gap(_) => self.gaps += 1,
            Record::Enrichment(_) | Record::Heartbeat(_) => {}
        }
        self.line.clear();
        self.ecs.render(record, now, &mut self.line);
        let message = Message {
            record,
            line: &self.line,
        };
        self.slots
            .iter_mut()
            .filter_map(|slot| slot.write(&message))
            .collect()
    }

    /// Opens every sink anew; returns the ones that could not be, with the reason.
    pub fn reopen(&mut self) -> Vec<(String, io::Error)> {
        let reopen = |slot: &mut Slot| {
            slot.sink
                .reopen()
                .err()
                .map(|error| (slot.sink.name().to_owned(), error))
        };
        self.slots.iter_mut().filter_map(reopen).collect()
    }

    /// What was told so far, and what was lost on the way.
    #[must_use]
    pub fn told(&self) -> Told {
        Told {
            alerts: self.alerts,
            gaps: self.gaps,
            lost: self.counts().map(|count| count.lost).sum(),
        }
    }

    /// What each sink has done so far.
    pub fn counts(&self) -> impl Iterator<Item = Count<'_>> {
        self.slots.iter().map(|slot| Count {
            sink: slot.sink.name(),
            written: slot.written,
            lost: slot.lost,
        })
    }
}

impl Slot {
    fn write(&mut self, message: &Message<'_>) -> Option<Turn> {
        match self.sink.write(message) {
            Ok(()) => {
                self.written += 1;
                let lost = std::mem::take(&mut self.lost_now);
                (lost > 0).then(|| Turn::Recovered {
                    sink: self.sink.name().to_owned(),
                    lost,
                })
            }
            Err(error) => {
                self.lost += 1;
                self.lost_now += 1;
                let reader_gone = matches!(error, SinkError::ReaderGone);
                let turned = || Turn::Failed {
                    sink: self.sink.name().to_owned(),
                    error: error.to_string(),
                    reader_gone,
                };
                (self.lost_now == 1).then(turned)
            }
        }
    }
}
