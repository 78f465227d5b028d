//! One sink that fails does not silence the others, and is told of once.

use std::io;
use std::sync::{Arc, Mutex};

use ldwatch::output::ecs::Ecs;
use ldwatch::output::fan::{Sinks, Turn};
use ldwatch::output::sink::{Message, Sink, SinkError};

use super::findings::{gap, host, moment, with};

/// Takes lines, unless it is told to fail.
#[derive(Clone, Default)]
struct Fake(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    lines: Vec<Vec<u8>>,
    ill: bool,
    gone: bool,
}

impl Sink for Fake {
    fn name(&self) -> &str {
        "fake"
    }

    fn write(&mut self, message: &Message<'_>) -> Result<(), SinkError> {
        let mut state = self.0.lock().unwrap();
        match (state.gone, state.ill) {
            (true, _) => return Err(SinkError::ReaderGone),
            (false, true) => return Err(io::Error::from_raw_os_error(libc::ENOSPC).into()),
            (false, false) => {}
        }
        state.lines.push(message.line.to_vec());
        Ok(())
    }
}

fn two() -> (Sinks, Fake, Fake) {
    let (one, other) = (Fake::default(), Fake::default());
    let mut sinks = Sinks::new(Ecs::new(&host(), "ldwatch"));
    sinks.add(Box::new(one.clone()));
    sinks.add(Box::new(other.clone()));
    (sinks, one, other)
}

#[test]
fn all_sinks_get_the_same_line() {
    let (mut sinks, one, other) = two();
    assert!(sinks.write(&with(|_| {}), moment(1)).is_empty());
    assert_eq!(one.0.lock().unwrap().lines, other.0.lock().unwrap().lines);
}

#[test]
fn a_failure_and_a_recovery_are_told_once_each() {
    let (mut sinks, ill, well) = two();
    let mut write = || sinks.write(&gap(), moment(1));
    ill.0.lock().unwrap().ill = true;
    let turns = write();
    assert!(
        matches!(&turns[..], [Turn::Failed { sink, reader_gone: false, .. }] if sink == "fake")
    );
    assert_eq!(turns[0].gap(moment(2)).reason, "sink-failed");
    assert!(write().is_empty() && write().is_empty());
    ill.0.lock().unwrap().ill = false;
    let turns = write();
    assert_eq!(
        turns,
        [Turn::Recovered {
            sink: "fake".to_owned(),
            lost: 3
        }]
    );
    assert_eq!(turns[0].gap(moment(2)).reason, "records-dropped");
    assert!(write().is_empty());
    assert_eq!(well.0.lock().unwrap().lines.len(), 5);
    let counts: Vec<_> = sinks
        .counts()
        .map(|count| (count.written, count.lost))
        .collect();
    assert_eq!(counts, [(2, 3), (5, 0)]);
}

#[test]
fn a_reader_that_is_gone_is_named_as_such() {
    let (mut sinks, gone, _) = two();
    gone.0.lock().unwrap().gone = true;
    assert!(matches!(
        sinks.write(&gap(), moment(1))[..],
        [Turn::Failed {
            reader_gone: true,
            ..
        }]
    ));
}
