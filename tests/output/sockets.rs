//! Real datagram sockets in place of the syslog daemon and the journal.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::{Duration, Instant};

use ldwatch::output::sink::journal::Journal;
use ldwatch::output::sink::syslog::Syslog;
use ldwatch::output::sink::{Sink, SinkError};
use ldwatch::output::syslog::{Form, Frame, LOCAL_CAP, Payload};

use super::streams::message;

fn sink(path: &Path) -> Syslog {
    Syslog::new(
        path,
        Form {
            facility: ldwatch::output::syslog::Facility::LOG_AUTHPRIV,
            frame: Frame::Rfc3164,
            payload: Payload::Ecs,
            cap: LOCAL_CAP,
            pid: 7,
        },
    )
}

fn receive(socket: &UnixDatagram) -> String {
    socket
        .set_read_timeout(Some(Duration::from_secs(5)))
        .unwrap();
    let mut buffer = vec![0; 100_000];
    let length = socket.recv(&mut buffer).unwrap();
    String::from_utf8(buffer[..length].to_vec()).unwrap()
}

#[test]
fn a_daemon_that_restarts_gets_the_next_message() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let daemon = UnixDatagram::bind(&path).unwrap();
    let mut sink = sink(&path);
    message(|message| sink.write(message).unwrap());
    assert!(receive(&daemon).starts_with("<82>"));

    drop(daemon);
    fs::remove_file(&path).unwrap();
    assert!(matches!(
        message(|message| sink.write(message)).0,
        Err(SinkError::Io(_))
    ));

    let daemon = UnixDatagram::bind(&path).unwrap();
    message(|message| sink.write(message).unwrap());
    assert!(receive(&daemon).contains("ldwatch[7]"));
}

#[test]
fn a_restart_between_two_messages_loses_none() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let daemon = UnixDatagram::bind(&path).unwrap();
    let mut sink = sink(&path);
    message(|message| sink.write(message).unwrap());
    drop(daemon);
    fs::remove_file(&path).unwrap();
    let daemon = UnixDatagram::bind(&path).unwrap();
    message(|message| sink.write(message).unwrap());
    assert!(receive(&daemon).starts_with("<82>"));
}

#[test]
fn a_daemon_that_does_not_read_is_not_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    let _daemon = UnixDatagram::bind(&path).unwrap();
    let mut sink = sink(&path);
    let start = Instant::now();
    let error = loop {
        if let Err(error) = message(|message| sink.write(message)).0 {
            break error;
        }
    };
    assert!(matches!(error, SinkError::Blocked), "{error:?}");
    assert!(start.elapsed() < Duration::from_secs(10));
}

#[test]
fn the_journal_gets_fields() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("socket");
    let journal = UnixDatagram::bind(&path).unwrap();
    let mut sink = Journal::new(&path);
    message(|message| sink.write(message).unwrap());
    let entry = receive(&journal);
    let field = |name: &str| {
        entry
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
            .unwrap()
    };
    assert!(field("MESSAGE").starts_with("/etc/ld.so.preload was modified"));
    assert_eq!(
        (
            field("PRIORITY"),
            field("SYSLOG_IDENTIFIER"),
            field("LDP_ACTION")
        ),
        ("2", "ldwatch", "modification")
    );
    assert_eq!(
        (
            field("CONTAINER_NAME"),
            field("CONTAINER_ID"),
            field("OBJECT_PID")
        ),
        ("web", "0123456789ab", "4711")
    );
    assert_eq!(field("MESSAGE_ID").len(), 32);
    assert!(serde_json::from_str::<serde_json::Value>(field("LDP_ECS")).is_ok());
}
