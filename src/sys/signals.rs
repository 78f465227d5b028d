//! Signals as readable descriptors: the handler writes one byte into a socket
//! pair, the loop polls the other end.

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::low_level::pipe;

/// Arrivals of one group of signals.
#[derive(Debug)]
pub struct Arrivals(UnixStream);

impl Arrivals {
    /// `SIGTERM` and `SIGINT`: the request to end.
    ///
    /// # Errors
    /// The errno of socketpair(2) or sigaction(2).
    pub fn of_stop() -> io::Result<Self> {
        Self::of(&[SIGTERM, SIGINT])
    }

    /// `SIGHUP`: the request to reload.
    ///
    /// # Errors
    /// As `of_stop`.
    pub fn of_reload() -> io::Result<Self> {
        Self::of(&[SIGHUP])
    }

    fn of(signals: &[i32]) -> io::Result<Self> {
        let (ours, handlers) = UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        for &signal in signals {
            pipe::register(signal, handlers.try_clone()?)?;
        }
        Ok(Self(ours))
    }

    /// Whether any arrived since the last call.
    pub fn take(&mut self) -> bool {
        let mut bytes = [0; 64];
        let mut any = false;
        while matches!(self.0.read(&mut bytes), Ok(count) if count > 0) {
            any = true;
        }
        any
    }
}

impl AsFd for Arrivals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
