//! Waiting on descriptors that change a state by being asked (poll(2)).
//!
//! A mount table tells a change once to each open file, whoever asks. epoll asks when a
//! descriptor is added and again when it reports: a change between two waits is lost.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags};
use nix::sys::time::TimeSpec;

use super::epoll::Interest;

/// Waits until one of the descriptors is ready or the time is up; which are ready, by
/// their index. An interrupted wait is one that found nothing.
///
/// # Errors
/// The errno of poll(2).
pub fn wait(fds: &[(BorrowedFd<'_>, Interest)], limit: Option<Duration>) -> io::Result<Vec<usize>> {
    let mut asked: Vec<PollFd<'_>> = fds
        .iter()
        .map(|(fd, interest)| PollFd::new(*fd, flags(*interest)))
        .collect();
    // In nanoseconds: a wait for a fraction of a millisecond is one.
    match nix::poll::ppoll(&mut asked, limit.map(TimeSpec::from), None) {
        Ok(_) | Err(Errno::EINTR) => {}
        Err(errno) => return Err(errno.into()),
    }
    let ready = |fd: &PollFd<'_>| fd.revents().is_some_and(|flags| !flags.is_empty());
    Ok((0..asked.len())
        .filter(|&index| asked.get(index).is_some_and(ready))
        .collect())
}

/// The descriptor is ready now.
#[must_use]
pub fn is_ready(fd: BorrowedFd<'_>, interest: Interest) -> bool {
    wait(&[(fd, interest)], Some(Duration::ZERO)).is_ok_and(|ready| !ready.is_empty())
}

fn flags(interest: Interest) -> PollFlags {
    match interest {
        Interest::Readable | Interest::Once => PollFlags::POLLIN,
        Interest::Priority => PollFlags::POLLPRI,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::Write;
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn what_is_ready_is_named_by_its_index() {
        let (quiet, _kept) = std::io::pipe().unwrap();
        let (loud, mut writer) = std::io::pipe().unwrap();
        writer.write_all(b"x").unwrap();
        let fds = [
            (quiet.as_fd(), Interest::Readable),
            (loud.as_fd(), Interest::Readable),
        ];
        assert_eq!(wait(&fds, None).unwrap(), [1]);
        assert!(is_ready(loud.as_fd(), Interest::Readable));
        assert!(!is_ready(quiet.as_fd(), Interest::Readable));
    }
}
