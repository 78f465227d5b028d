//! A fanotify group: init, mark by descriptor, read. The one file that names the
//! fanotify crate, and of it only init, mark and constants: its read functions
//! take information records for events and close descriptors that are not theirs.

#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use fanotify::low_level as fan;

use crate::parse::fanotify::{Place, Stop, events};

/// `FAN_*` event bits under plain names (fanotify_mark(2)).
pub mod mask {
    use fanotify::low_level as fan;

    /// Entry created (open, mkdir, mknod, link, symlink).
    pub const CREATE: u64 = fan::FAN_CREATE;
    /// Entry removed.
    pub const DELETE: u64 = fan::FAN_DELETE;
    /// Entry renamed away.
    pub const MOVED_FROM: u64 = fan::FAN_MOVED_FROM;
    /// Entry renamed to this name.
    pub const MOVED_TO: u64 = fan::FAN_MOVED_TO;
    /// Content changed.
    pub const MODIFY: u64 = fan::FAN_MODIFY;
    /// Closed by a process that had it open for writing.
    pub const CLOSE_WRITE: u64 = fan::FAN_CLOSE_WRITE;
    /// Metadata changed.
    pub const ATTRIB: u64 = fan::FAN_ATTRIB;
    /// The marked object itself was removed.
    pub const DELETE_SELF: u64 = fan::FAN_DELETE_SELF;
    /// The marked object itself was renamed.
    pub const MOVE_SELF: u64 = fan::FAN_MOVE_SELF;
    /// Opened.
    pub const OPEN: u64 = fan::FAN_OPEN;
    /// Opened to be executed.
    pub const OPEN_EXEC: u64 = fan::FAN_OPEN_EXEC;
    /// The object is a directory.
    pub const ONDIR: u64 = fan::FAN_ONDIR;
    /// Report children of a marked directory.
    pub const ON_CHILD: u64 = fan::FAN_EVENT_ON_CHILD;
    /// The queue was full: events were lost.
    pub const OVERFLOW: u64 = fan::FAN_Q_OVERFLOW;
}

/// Bytes asked of one `read(2)`: about a thousand events.
const BUFFER: usize = 64 * 1024;

/// What a group reports with an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reports {
    /// Directory handle and name of the entry (`FAN_REPORT_DFID_NAME`, Linux 5.9).
    Names,
    /// Handle of the object itself (`FAN_REPORT_FID`, Linux 5.1).
    Objects,
    /// An open descriptor of the object (every kernel).
    Descriptors,
}

/// One event whose descriptors are owned.
#[derive(Debug)]
pub struct Event<'a> {
    /// Event bits, see `mask`.
    pub mask: u64,
    /// Pid of the process that caused it; 0 when it is outside our pid namespace.
    pub pid: i32,
    /// Pidfd of that process, when the group reports one and it still existed.
    pub pidfd: Option<OwnedFd>,
    /// The object, in a group that reports descriptors.
    pub object: Option<OwnedFd>,
    /// Directory and name, in a group that reports names.
    pub place: Option<Place<'a>>,
}

/// What one read gave.
#[derive(Debug)]
pub struct Batch<'a> {
    /// Events in the order of the queue.
    pub events: Vec<Event<'a>>,
    /// Why the walk over the buffer ended; anything but `End` is a lost batch.
    pub stop: Stop,
}

/// A notification group with its read buffer.
#[derive(Debug)]
pub struct Group {
    fd: OwnedFd,
    buffer: Vec<u8>,
    pidfds: bool,
}

impl Group {
    /// Makes a group; with pidfds where the kernel takes the flag (5.15 and
    /// backports), without elsewhere.
    ///
    /// # Errors
    /// `EPERM` without `CAP_SYS_ADMIN`, `EINVAL` where the kernel cannot report
    /// names, `EMFILE` at the limit of groups, `ENOSYS` without fanotify.
    pub fn new(reports: Reports) -> io::Result<Self> {
        let names = match reports {
            Reports::Names => libc::FAN_REPORT_DFID_NAME,
            Reports::Objects => fan::FAN_REPORT_FID,
            Reports::Descriptors => 0,
        };
        match Self::init(names | libc::FAN_REPORT_PIDFD) {
            Ok(fd) => Ok(Self {
                fd,
                buffer: vec![0; BUFFER],
                pidfds: true,
            }),
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => Ok(Self {
                fd: Self::init(names)?,
                buffer: vec![0; BUFFER],
                pidfds: false,
            }),
            Err(error) => Err(error),
        }
    }

    /// A group of descriptors without pidfds, which takes `bytes` of events per read:
    /// every event of a batch holds a file open until it was looked at.
    ///
    /// # Errors
    /// As `new`.
    pub fn of_descriptors(bytes: usize) -> io::Result<Self> {
        Ok(Self {
            fd: Self::init(0)?,
            buffer: vec![0; bytes],
            pidfds: false,
        })
    }

    /// The default queue, never an unlimited one: a container could fill kernel
    /// memory through it. Unlimited marks: the limit holds for root, too.
    fn init(report: u32) -> io::Result<OwnedFd> {
        let flags = fan::FAN_CLASS_NOTIF
            | fan::FAN_CLOEXEC
            | fan::FAN_NONBLOCK
            | fan::FAN_UNLIMITED_MARKS
            | report;
        let open = libc::O_RDONLY | libc::O_CLOEXEC | libc::O_LARGEFILE | libc::O_NONBLOCK;
        let raw = fan::fanotify_init(flags, open.unsigned_abs())?;
        // SAFETY: the kernel just made this descriptor for us and nobody else knows it.
        Ok(unsafe { OwnedFd::from_raw_fd(raw) })
    }

    /// Events of this group carry pidfds.
    #[must_use]
    pub fn has_pidfds(&self) -> bool {
        self.pidfds
    }

    /// Marks the inode of a directory held open (`O_PATH` is enough). No path is walked.
    ///
    /// # Errors
    /// The errno of fanotify_mark(2): `EOPNOTSUPP` no file handles, `ENODEV` no
    /// fsid, `EXDEV` another superblock in a group with fsid 0, `ENOSPC` limit.
    pub fn mark_dir(&self, dir: BorrowedFd<'_>, mask: u64) -> io::Result<()> {
        let flags = fan::FAN_MARK_ADD | fan::FAN_MARK_ONLYDIR;
        fan::fanotify_mark(self.fd.as_raw_fd(), flags, mask, dir.as_raw_fd(), ".")
    }

    /// Marks the inode of any object held open, through its own descriptor.
    ///
    /// # Errors
    /// As `mark_dir`.
    pub fn mark_object(&self, object: BorrowedFd<'_>, mask: u64) -> io::Result<()> {
        let path = format!("/proc/self/fd/{}", object.as_raw_fd());
        fan::fanotify_mark(
            self.fd.as_raw_fd(),
            fan::FAN_MARK_ADD,
            mask,
            libc::AT_FDCWD,
            path.as_str(),
        )
    }

    /// Marks the whole filesystem that a directory held open lies on (Linux 4.20).
    ///
    /// # Errors
    /// The errno of fanotify_mark(2): `EINVAL` where the kernel does not know the event.
    pub fn mark_filesystem(&self, dir: BorrowedFd<'_>, mask: u64) -> io::Result<()> {
        let flags = fan::FAN_MARK_ADD | fan::FAN_MARK_FILESYSTEM;
        fan::fanotify_mark(self.fd.as_raw_fd(), flags, mask, dir.as_raw_fd(), ".")
    }

    /// Takes bits off a directory's mark; the mark goes with its last bit.
    ///
    /// # Errors
    /// `ENOENT` when there is no such mark.
    pub fn unmark_dir(&self, dir: BorrowedFd<'_>, mask: u64) -> io::Result<()> {
        fan::fanotify_mark(
            self.fd.as_raw_fd(),
            fan::FAN_MARK_REMOVE,
            mask,
            dir.as_raw_fd(),
            ".",
        )
    }

    /// Takes bits off the mark of any object held open.
    ///
    /// # Errors
    /// As `unmark_dir`.
    pub fn unmark_object(&self, object: BorrowedFd<'_>, mask: u64) -> io::Result<()> {
        let path = format!("/proc/self/fd/{}", object.as_raw_fd());
        fan::fanotify_mark(
            self.fd.as_raw_fd(),
            fan::FAN_MARK_REMOVE,
            mask,
            libc::AT_FDCWD,
            path.as_str(),
        )
    }

    /// Takes all marks on inodes off.
    ///
    /// # Errors
    /// The errno of fanotify_mark(2).
    pub fn flush(&self) -> io::Result<()> {
        fan::fanotify_mark(
            self.fd.as_raw_fd(),
            fan::FAN_MARK_FLUSH,
            0,
            libc::AT_FDCWD,
            ".",
        )
    }

    /// Reads what is queued, and owns every descriptor in it before anything is
    /// looked at. An empty queue is an empty batch.
    ///
    /// # Errors
    /// The errno of read(2); `EMFILE`: events are waiting that need a descriptor.
    pub fn read(&mut self) -> io::Result<Batch<'_>> {
        let length = loop {
            match nix::unistd::read(&self.fd, &mut self.buffer) {
                Ok(length) => break length,
                Err(nix::errno::Errno::EINTR) => {}
                Err(nix::errno::Errno::EAGAIN) => break 0,
                Err(errno) => return Err(errno.into()),
            }
        };
        let mut walk = events(self.buffer.get(..length).unwrap_or_default());
        let events = walk
            .by_ref()
            .map(|raw| Event {
                mask: raw.mask,
                pid: raw.pid,
                pidfd: raw.pidfd.and_then(own),
                object: own(raw.fd),
                place: raw.place,
            })
            .collect();
        Ok(Batch {
            events,
            stop: walk.stop().unwrap_or(Stop::End),
        })
    }
}

/// Owns a descriptor found in an event; negative numbers are the kernel's words
/// for "none".
fn own(raw: i32) -> Option<OwnedFd> {
    if raw < 0 {
        return None;
    }
    // SAFETY: the kernel installed this descriptor for us in the read that
    // returned the event, and each event is turned into owned form once.
    Some(unsafe { OwnedFd::from_raw_fd(raw) })
}

impl AsFd for Group {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
