//! The exec trail: the last program that each process in a watched root filesystem
//! opened to execute. It names a writer that was gone before it could be read.
//!
//! What it tells is a hint and never more. A program's loader and a script's
//! interpreter are opened to be executed, too, and are told apart here by what stood
//! before them; but unread events of one process merge, an execve(2) that failed after
//! the open leaves a program that never ran, and one from another filesystem leaves
//! none. Its queue may overflow: that costs names of writers, never sight of a change.

mod book;
mod files;

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};

use crate::model::{Hint, HintSource, Writer, WriterSource};
use crate::sys::fanotify::{Group, mask};
use crate::who::boot::Boot;
use crate::who::process::writer;

use self::book::{Book, Program, Word};
use self::files::Files;

/// Bytes of events taken at once, of 24 bytes each: each holds a file open until it
/// was looked at.
const BATCH: usize = 64 * 24;
/// How long after the first unread event it is read: for many programs at once, and soon,
/// since unread events keep a filesystem from being unmounted.
const REST: Duration = Duration::from_millis(2);
/// The same while programs follow each other without end, so many or more in one reading:
/// a waking costs as much as six events, and whoever executes them pays for it.
const REST_IN_A_FLOW: Duration = Duration::from_millis(5);
const FLOW: u64 = 6;
/// How long it is read in one turn of the loop: file events come first.
const TURN: Duration = Duration::from_millis(2);
/// How long it is read before a writer is resolved by it. One that is not empty then is
/// in a storm: for a while the next writers wait for one batch only.
const DRAIN: Duration = Duration::from_millis(4);
const STORM: Duration = Duration::from_millis(20);

/// Where events come from, and what names their files.
#[derive(Debug)]
struct Source {
    group: Group,
    files: Files,
}

/// The trail of all marked root filesystems.
#[derive(Debug)]
pub struct Trail {
    source: Result<Source, String>,
    book: Book,
    own_pid: i32,
    /// The last record read was of a script.
    is_in_a_script: bool,
    /// When it is to be read.
    due: Option<Instant>,
    /// When a drain did not come to the end.
    behind: Option<Instant>,
    /// Programs opened for execution, as far as they were read.
    pub execs: u64,
    /// Overflows of the queue, and reads that failed: records that are missing.
    pub lost: u64,
}

impl Source {
    fn new() -> Result<Self, String> {
        let group = Group::of_descriptors(BATCH).map_err(|error| format!("no group: {error}"))?;
        let files = Files::new()?;
        Ok(Self { group, files })
    }
}

impl Trail {
    /// An empty trail. One that cannot be made, or is not wanted, says why when it is
    /// asked to mark.
    #[must_use]
    pub fn new(wanted: bool) -> Self {
        let source = if wanted {
            Source::new()
        } else {
            Err("switched off".to_owned())
        };
        Self {
            source,
            book: Book::default(),
            own_pid: nix::unistd::getpid().as_raw(),
            is_in_a_script: false,
            due: None,
            behind: None,
            execs: 0,
            lost: 0,
        }
    }

    /// The queue, to wait for.
    #[must_use]
    pub fn queue(&self) -> Option<BorrowedFd<'_>> {
        let source = self.source.as_ref().ok()?;
        Some(source.group.as_fd())
    }

    /// Marks the filesystem of a root directory held open. Reading an event opens the
    /// program, so every layer beneath must be one that answers.
    ///
    /// # Errors
    /// Why not, in words.
    pub fn mark(&self, root: BorrowedFd<'_>) -> Result<(), String> {
        let source = self.source.as_ref().map_err(Clone::clone)?;
        let group = &source.group;
        group
            .mark_filesystem(root, mask::OPEN_EXEC)
            .map_err(|error| format!("refused: {error}"))
    }

    /// There is something to read: the first of it now, since what is read before a file
    /// event was before it, the rest later. Whether to be woken once more: a script's
    /// interpreter comes after it.
    pub fn rings(&mut self, now: Instant) -> bool {
        self.batch();
        let is_first = self.due.is_none();
        self.later(now);
        is_first && self.is_in_a_script
    }

    /// It is to be read, but not now.
    pub fn later(&mut self, now: Instant) {
        self.due.get_or_insert(now + REST);
    }

    /// When it is to be read.
    #[must_use]
    pub fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Reads for one turn of the loop at most. Whether it is to be waited for: when there
    /// was something, more will follow, and it is read again after a while without being
    /// woken for it.
    pub fn read(&mut self) -> bool {
        let before = (self.execs, self.lost);
        self.read_for(TURN);
        let has_more = (self.execs, self.lost) != before;
        let flows = self.execs - before.0 >= FLOW;
        let rest = if flows { REST_IN_A_FLOW } else { REST };
        self.due = has_more.then(|| Instant::now() + rest);
        !has_more
    }

    /// All events of the files are read: those to come are later than what was read here.
    pub fn files_are_quiet(&mut self) {
        self.book.next_round();
    }

    /// Whether it was read to its end.
    fn read_for(&mut self, time: Duration) -> bool {
        let start = Instant::now();
        while self.batch() {
            if start.elapsed() >= time {
                return false;
            }
        }
        true
    }

    /// Whether it was read to its end.
    fn drain(&mut self) -> bool {
        let before = self.execs;
        let storm = self.behind.is_some_and(|behind| behind.elapsed() < STORM);
        let time = if storm { Duration::ZERO } else { DRAIN };
        let whole = self.read_for(time);
        if !whole && !storm {
            self.behind = Some(Instant::now());
        }
        if self.execs != before {
            self.later(Instant::now());
        }
        whole
    }

    /// Reads one batch; whether there may be more.
    fn batch(&mut self) -> bool {
        let Ok(Source { group, files }) = &mut self.source else {
            return false;
        };
        let batch = match group.read() {
            Ok(batch) => batch,
            // The event that could not be opened is gone; the next may be readable.
            Err(error) => {
                self.lost += 1;
                self.book.missed();
                return error.raw_os_error() != Some(libc::EMFILE);
            }
        };
        let now = ticks_now();
        files.at(Instant::now());
        for event in &batch.events {
            if event.mask & mask::OVERFLOW != 0 {
                self.lost += 1;
                self.book.missed();
            }
            let Some(object) = &event.object else {
                continue;
            };
            if event.pid > 0 && event.pid != self.own_pid {
                self.execs += 1;
                let opened = files.opened(object);
                self.is_in_a_script = self.book.note(event.pid, opened, now);
            }
        }
        !batch.events.is_empty()
    }

    /// The process behind an event: from `/proc` while it is there, and where that does
    /// not name the executable, with the trail's hint. `marked`: since which clock tick a
    /// trail is kept of the container whose file it changed.
    #[must_use]
    pub fn writer(
        &mut self,
        (boot, marked): (&Boot, Option<u64>),
        pid: i32,
        pidfd: Option<&OwnedFd>,
    ) -> Writer {
        let mut writer = writer(boot, pid, pidfd);
        if self.source.is_err() || pid <= 0 {
            return writer;
        }
        let whole = self.drain();
        let Some(executable) = writer.executable.as_deref() else {
            self.complete(&mut writer);
            return writer;
        };
        let word = self
            .book
            .word(pid, writer.start_ticks.unwrap_or(0), executable);
        writer.program_in_doubt = !whole
            || self.book.misses()
            || match word {
                Word::Yes => false,
                Word::Perhaps | Word::Other => true,
                Word::Nothing => marked.is_some_and(|marked| self.is_new_program(&writer, marked)),
            };
        writer
    }

    /// Of a process that executed nothing by the trail, marked at that tick: it has another
    /// program than its parent all the same, and is so young that the trail would know. So
    /// it, or its parent, executed one from where no trail is kept.
    fn is_new_program(&self, writer: &Writer, marked: u64) -> bool {
        let Some(born) = writer.start_ticks else {
            return true;
        };
        if born <= marked || !self.book.remembers(born) {
            return false;
        }
        let Some(parent) = writer.parents.first() else {
            return true;
        };
        let executable = writer.executable.as_deref().unwrap_or_default();
        let word = self.book.word(parent.pid, parent.start_ticks, executable);
        parent.executable != writer.executable || !matches!(word, Word::Yes | Word::Nothing)
    }

    /// Adds what the trail knows of a writer without an executable.
    fn complete(&mut self, writer: &mut Writer) {
        let Some(pid) = writer.pid else { return };
        // An older record is of an earlier process with that pid.
        let own = self.book.last(pid, writer.start_ticks.unwrap_or(0));
        writer.hint = match own {
            Some(program) => hint(program, writer.name.as_deref(), HintSource::ExecTrail),
            None => self.parent(writer),
        };
        if writer.hint.is_some() && writer.source == WriterSource::Unknown {
            writer.source = WriterSource::ExecTrail;
        }
    }

    /// The parent's program, of a child that bears its name: it executed none itself,
    /// or none that is seen. Only a zombie still tells its parent.
    fn parent(&self, writer: &Writer) -> Option<Hint> {
        let parent = writer.parents.first()?;
        if writer.source != WriterSource::Zombie || writer.name.as_ref() != Some(&parent.name) {
            return None;
        }
        let program = self.book.last(parent.pid, 0)?;
        hint(program, writer.name.as_deref(), HintSource::ParentExecTrail)
    }
}

fn hint(program: &Program, comm: Option<&[u8]>, source: HintSource) -> Option<Hint> {
    let hint = Hint {
        source,
        executable: program.executable(comm).map(<[u8]>::to_vec),
        script: program.script().map(<[u8]>::to_vec),
    };
    (hint.executable.is_some() || hint.script.is_some()).then_some(hint)
}

/// Clock ticks since boot, of 10 ms as in `/proc/PID/stat`, begun ones included.
#[must_use]
pub fn ticks_now() -> u64 {
    let since = clock_gettime(ClockId::CLOCK_BOOTTIME).map_or(Duration::MAX, Duration::from);
    u64::try_from(since.as_millis() / 10).unwrap_or(u64::MAX)
}

/// Tries whether this kernel keeps a trail.
///
/// # Errors
/// The errno of the mark: `EINVAL` before Linux 5.0.
pub fn probe(root: BorrowedFd<'_>) -> io::Result<()> {
    Group::of_descriptors(BATCH)?.mark_filesystem(root, mask::OPEN_EXEC)
}
