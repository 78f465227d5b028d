//! The local syslog daemon, over its datagram socket.
//!
//! A daemon that restarts leaves every connected socket dead for ever, so the
//! socket is opened anew, once, when a message does not go out; after that the
//! message is lost and counted. A daemon that is not there at start is found later
//! in the same way.

use std::io::{self, ErrorKind};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::output::ecs;
use crate::output::syslog::Form;

use super::{Message, Sink, SinkError};

/// Where local daemons listen.
pub const DEFAULT_PATH: &str = "/dev/log";
/// How long the daemon may keep a message waiting.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);

/// Messages to the syslog daemon.
#[derive(Debug)]
pub struct Syslog {
    line: Line,
    form: Form,
}

impl Syslog {
    /// To the socket at `path`. Nothing is opened before the first message.
    #[must_use]
    pub fn new(path: &Path, form: Form) -> Self {
        Self {
            line: Line::new(path),
            form,
        }
    }
}

impl Sink for Syslog {
    fn name(&self) -> &str {
        "syslog"
    }

    fn write(&mut self, message: &Message<'_>) -> Result<(), SinkError> {
        self.line
            .send(&self.form.packet(message.record, &ecs::parse(message.line)))
    }

    fn reopen(&mut self) -> io::Result<()> {
        self.line.open().map(drop)
    }
}

/// A connection to a datagram socket that may come and go.
#[derive(Debug)]
pub(super) struct Line {
    path: PathBuf,
    socket: Option<UnixDatagram>,
}

impl Line {
    pub(super) fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            socket: None,
        }
    }

    /// Sends one packet, over a fresh socket when the known one does not take it.
    pub(super) fn send(&mut self, packet: &[u8]) -> Result<(), SinkError> {
        if let Some(socket) = &self.socket {
            match send(socket, packet) {
                Ok(()) => return Ok(()),
                // A daemon that is there and slow is not helped by a second socket.
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    return Err(SinkError::Blocked);
                }
                Err(_) => self.socket = None,
            }
        }
        match send(self.open()?, packet) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Err(SinkError::Blocked),
            outcome => Ok(outcome?),
        }
    }

    pub(super) fn open(&mut self) -> io::Result<&UnixDatagram> {
        let socket = UnixDatagram::unbound()?;
        socket.connect(&self.path)?;
        socket.set_write_timeout(Some(PATIENCE))?;
        Ok(self.socket.insert(socket))
    }
}

fn send(socket: &UnixDatagram, packet: &[u8]) -> io::Result<()> {
    loop {
        match socket.send(packet) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            outcome => return outcome.map(drop),
        }
    }
}
