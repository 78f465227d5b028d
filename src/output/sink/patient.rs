//! Writing to a stream whose reader may be slow, with a bound on the wait.
//!
//! A pipe that `poll` calls writable takes PIPE_BUF bytes without blocking, so
//! pieces of that size never wait longer than allowed, whether or not the
//! descriptor is in non-blocking mode (pipe(7)).

use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::SinkError;

/// The most that is written at once.
const PIECE: usize = 4096;

/// Writes `bytes`, waiting for at most `patience` in all; tells how many were written,
/// and what went wrong if that is not all of them.
pub(super) fn write(
    stream: &mut (impl Write + AsFd),
    bytes: &[u8],
    patience: Duration,
) -> (usize, Result<(), SinkError>) {
    let until = Instant::now() + patience;
    let mut done = 0;
    while let Some(rest) = bytes.get(done..).filter(|rest| !rest.is_empty()) {
        if let Err(error) = wait(stream, until) {
            return (done, Err(error));
        }
        match stream.write(rest.get(..PIECE).unwrap_or(rest)) {
            Ok(0) => return (done, Err(io::Error::from(ErrorKind::WriteZero).into())),
            Ok(count) => done += count,
            Err(error)
                if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock) => {}
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                return (done, Err(SinkError::ReaderGone));
            }
            Err(error) => return (done, Err(error.into())),
        }
    }
    (done, Ok(()))
}

/// Until the stream can be written or is broken; `Blocked` when the time is over.
fn wait(stream: &impl AsFd, until: Instant) -> Result<(), SinkError> {
    loop {
        let left = until.saturating_duration_since(Instant::now());
        // Rounded up, so that the last part of a millisecond is not a busy loop.
        let timeout =
            PollTimeout::try_from(left + Duration::from_micros(999)).unwrap_or(PollTimeout::MAX);
        let mut fds = [PollFd::new(stream.as_fd(), PollFlags::POLLOUT)];
        match poll(&mut fds, timeout) {
            Ok(0) => return Err(SinkError::Blocked),
            Ok(_) => return Ok(()),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(io::Error::from(errno).into()),
        }
    }
}
