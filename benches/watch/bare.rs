//! The floor: a thread that does nothing but read inotify and look at the clock.

use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};

use crate::clock::now;

/// The thread.
pub struct Bare {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Vec<u64>>,
}

impl Bare {
    /// Watches a directory for closes of files that were open for writing.
    pub fn start(directory: &Path) -> Self {
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK).unwrap();
        inotify
            .add_watch(directory, AddWatchFlags::IN_CLOSE_WRITE)
            .unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let thread = thread::spawn(move || arrivals(&inotify, &told));
        Self { stop, thread }
    }

    /// When each event came.
    pub fn stop(self) -> Vec<u64> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("the reader does not panic")
    }
}

fn arrivals(inotify: &Inotify, told: &AtomicBool) -> Vec<u64> {
    let mut all = Vec::new();
    while !told.load(Ordering::Relaxed) {
        let mut fds = [PollFd::new(inotify.as_fd(), PollFlags::POLLIN)];
        if poll(&mut fds, PollTimeout::from(200_u16)).unwrap_or(0) > 0 {
            let events = inotify.read_events().unwrap_or_default();
            let at = now();
            all.extend(events.iter().map(|_| at));
        }
    }
    all
}
