//! Waiting on many descriptors (epoll(7)), and the two descriptors a loop makes
//! for itself: a timer and a wake-up.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::eventfd::{EfdFlags, EventFd};

/// Ready descriptors taken per wait.
const BATCH: usize = 64;

/// What makes a descriptor ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interest {
    /// Bytes to read.
    Readable,
    /// Bytes to read, told once until it is asked for again.
    Once,
    /// An exceptional condition: a mount table changed (`POLLPRI`).
    Priority,
}

/// A set of descriptors, each with a number of the caller's.
#[derive(Debug)]
pub struct Waiter {
    epoll: Epoll,
}

impl Waiter {
    /// An empty set.
    ///
    /// # Errors
    /// The errno of epoll_create1(2).
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            epoll: Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?,
        })
    }

    /// Adds a descriptor under a number that `wait` gives back.
    ///
    /// # Errors
    /// The errno of epoll_ctl(2).
    pub fn add(&self, fd: impl AsFd, interest: Interest, token: u64) -> io::Result<()> {
        Ok(self
            .epoll
            .add(fd, EpollEvent::new(flags(interest), token))?)
    }

    /// Asks once more for what is told once.
    ///
    /// # Errors
    /// `ENOENT` when it is not in the set.
    pub fn again(&self, fd: impl AsFd, token: u64) -> io::Result<()> {
        let mut event = EpollEvent::new(flags(Interest::Once), token);
        Ok(self.epoll.modify(fd, &mut event)?)
    }

    /// Takes a descriptor out.
    ///
    /// # Errors
    /// `ENOENT` when it is not in the set.
    pub fn remove(&self, fd: impl AsFd) -> io::Result<()> {
        Ok(self.epoll.delete(fd)?)
    }

    /// Waits until something is ready or the time is up; the numbers of what is
    /// ready go into `tokens`. An interrupted wait is one that found nothing.
    ///
    /// # Errors
    /// The errno of epoll_wait(2).
    pub fn wait(&self, limit: Option<Duration>, tokens: &mut Vec<u64>) -> io::Result<()> {
        tokens.clear();
        let timeout = match limit {
            // Rounded up: waking a moment early would spin.
            Some(limit) => EpollTimeout::try_from(limit + Duration::from_micros(999))
                .unwrap_or(EpollTimeout::MAX),
            None => EpollTimeout::NONE,
        };
        let mut events = [EpollEvent::empty(); BATCH];
        match self.epoll.wait(&mut events, timeout) {
            Ok(count) => tokens.extend(events.iter().take(count).map(EpollEvent::data)),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        Ok(())
    }
}

fn flags(interest: Interest) -> EpollFlags {
    match interest {
        Interest::Readable => EpollFlags::EPOLLIN,
        Interest::Once => EpollFlags::EPOLLIN | EpollFlags::EPOLLONESHOT,
        Interest::Priority => EpollFlags::EPOLLPRI,
    }
}

/// Lets one thread wake another out of its wait (eventfd(2)).
#[derive(Debug)]
pub struct Wake(EventFd);

impl Wake {
    /// A wake-up that has not been rung.
    ///
    /// # Errors
    /// The errno of eventfd2(2).
    pub fn new() -> io::Result<Self> {
        Ok(Self(EventFd::from_flags(
            EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK,
        )?))
    }

    /// Rings. A full counter is already a ring.
    pub fn ring(&self) {
        let _ = self.0.write(1);
    }

    /// Stills the ring.
    pub fn clear(&self) {
        let _ = self.0.read();
    }
}

impl AsFd for Wake {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
