//! Tells when a root filesystem goes, on kernels whose mounts have no name of their
//! own (before Linux 6.8): a restart brings path, device and mount id back at once.
//!
//! inotify says when a superblock ends (`IN_UNMOUNT`, then `IN_IGNORED`), and holds
//! nothing busy. So what is guarded need not be sighted anew at each pass.

use std::collections::HashMap;
use std::os::fd::{AsRawFd, BorrowedFd};

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, WatchDescriptor};

use crate::model::RootfsId;
use crate::sys::limits::slim;

/// Watches on roots.
#[derive(Debug)]
pub(super) struct Guard {
    inotify: Option<Inotify>,
    of: HashMap<WatchDescriptor, RootfsId>,
}

impl Guard {
    /// No watch yet; without an instance there will be none.
    pub(super) fn new() -> Self {
        Self {
            inotify: Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC).ok(),
            of: HashMap::new(),
        }
    }

    /// Watches a root held open; whether its end will be told.
    pub(super) fn watch(&mut self, id: RootfsId, root: BorrowedFd<'_>) -> bool {
        let path = format!("/proc/self/fd/{}", root.as_raw_fd());
        // Asks for what a root never does: only its end is of interest.
        let asked = AddWatchFlags::IN_DELETE_SELF;
        let added = self
            .inotify
            .as_ref()
            .and_then(|inotify| inotify.add_watch(path.as_str(), asked).ok());
        added.is_some_and(|watch| {
            self.of.insert(watch, id);
            true
        })
    }

    /// The root filesystems that ended since the last question.
    pub(super) fn ended(&mut self) -> Vec<RootfsId> {
        let mut ended = Vec::new();
        while let Some(events) = self
            .inotify
            .as_ref()
            .and_then(|inotify| inotify.read_events().ok())
        {
            for event in events {
                if event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW) {
                    ended.extend(self.of.drain().map(|(_, id)| id));
                }
                if event.mask.contains(AddWatchFlags::IN_IGNORED) {
                    ended.extend(self.of.remove(&event.wd));
                }
            }
        }
        slim(&mut self.of);
        ended
    }

    /// Takes the watch off a root that is not looked at any more.
    pub(super) fn forget(&mut self, id: RootfsId) {
        let inotify = self.inotify.as_ref();
        self.of.retain(|&watch, of| {
            if *of == id {
                // Gone with its filesystem is as good as removed.
                let _ = inotify.map(|inotify| inotify.rm_watch(watch));
            }
            *of != id
        });
    }
}
