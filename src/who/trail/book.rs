//! What the trail remembers: per process the last program, told apart from its loader
//! and its interpreter. Bounded: of two halves the older is forgotten when the younger
//! is full.

use std::collections::HashMap;
use std::mem::take;
use std::sync::Arc;

use crate::parse::elf::Head;

use super::files::Opened;

/// Processes and bytes of paths in one half.
const MAX_PIDS: usize = 2048;
const MAX_BYTES: usize = 128 * 1024;
/// What the kernel appends to the path of a file that lost its name.
const DELETED: &[u8] = b" (deleted)";

/// What a process opens next if its execve(2) goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    /// Nothing is known to follow.
    Program,
    /// The loader that the program named.
    Loader,
    /// The interpreter of the script.
    Interpreter,
}

/// The last program of one process.
#[derive(Debug)]
pub(super) struct Program {
    opened: Arc<Opened>,
    script: Option<Arc<Opened>>,
    /// The program before it.
    earlier: Option<Arc<Opened>>,
    next: Next,
    /// Programs that this process opened so far.
    count: u32,
    /// The round in which the last was read.
    fresh: u64,
    /// When it was read, in clock ticks since boot.
    ticks: u64,
}

impl Program {
    /// The program itself, of a process with the name `comm`. Not known of a script
    /// whose interpreter was not seen. One whose loader was not seen never ran, or the
    /// events of the process merged and another ran after it: then only its name tells
    /// this program from the one before.
    pub(super) fn executable(&self, comm: Option<&[u8]>) -> Option<&[u8]> {
        let bears = |path: &&[u8]| comm.is_some_and(|comm| is_name_of(comm, path));
        let earlier = self.earlier.as_ref().and_then(path);
        let last = path(&self.opened);
        match self.next {
            Next::Interpreter => None,
            _ if last.as_ref().is_some_and(bears) => last,
            _ if earlier.as_ref().is_some_and(bears) => earlier,
            Next::Loader if self.count > 1 => None,
            _ => last,
        }
    }

    /// The script that it was to run.
    pub(super) fn script(&self) -> Option<&[u8]> {
        let own = path(&self.opened);
        let is_script = self.next == Next::Interpreter;
        let script = self.script.as_ref().and_then(path);
        script.or(own.filter(|_| is_script))
    }

    /// `/proc` would name this program so, or the one before it: an execve(2) may fail after
    /// the open.
    fn names(&self, executable: &[u8]) -> bool {
        let plain = executable.strip_suffix(DELETED).unwrap_or(executable);
        let is_it = |path: &[u8]| path == executable || path == plain;
        path(&self.opened).is_some_and(is_it)
            || self.earlier.as_ref().and_then(path).is_some_and(is_it)
    }

    /// It asked for this as its loader.
    fn is_for(&self, opened: &Arc<Opened>) -> bool {
        self.next == Next::Loader
            && matches!(&self.opened.head, Head::Dynamic(name) if is_loader(opened, name))
    }

    fn bytes(&self) -> usize {
        let beside = self.script.iter().chain(&self.earlier);
        let paths = beside.chain([&self.opened]).filter_map(path);
        paths.map(<[u8]>::len).sum()
    }
}

fn path(opened: &Arc<Opened>) -> Option<&[u8]> {
    opened.path.as_deref()
}

/// The last program by pid.
#[derive(Debug, Default)]
pub(super) struct Book {
    young: HashMap<i32, Program>,
    old: HashMap<i32, Program>,
    /// Bytes of the paths in the younger half; overwritten ones count.
    bytes: usize,
    /// What was read in earlier rounds came before any event that is read from now on.
    round: u64,
    /// The last round in which records got lost.
    missed: Option<u64>,
    /// When records were last forgotten, in clock ticks since boot: of the programs of an
    /// older process nothing needs to be left.
    forgot: u64,
}

/// What the trail has to say of the program that `/proc` names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    /// It had this program before any event that is read now.
    Yes,
    /// It got its program, or lost it to this one, about now: before the act or after it.
    Perhaps,
    /// Its last program was another one: this one came from where no trail is kept.
    Other,
    /// It executed nothing since the trail knows it.
    Nothing,
}

impl Book {
    /// Notes that a process opened a file to execute it. Whether the interpreter of that file
    /// is to be expected next.
    pub(super) fn note(&mut self, pid: i32, opened: Arc<Opened>, ticks: u64) -> bool {
        let known = self.young.remove(&pid).or_else(|| self.old.remove(&pid));
        let program = match known {
            Some(mut program) if program.is_for(&opened) => {
                program.next = Next::Program;
                program.ticks = ticks;
                program
            }
            last => follow(last, opened, (ticks, self.round)),
        };
        let expects = program.next == Next::Interpreter;
        self.keep(pid, program);
        expects
    }

    fn keep(&mut self, pid: i32, program: Program) {
        if self.young.len() >= MAX_PIDS || self.bytes >= MAX_BYTES {
            if !self.old.is_empty() {
                self.forgot = program.ticks;
            }
            self.old = take(&mut self.young);
            self.bytes = 0;
        }
        self.bytes += program.bytes();
        self.young.insert(pid, program);
    }

    /// The last program of a process, unless it was read before tick `born`.
    pub(super) fn last(&self, pid: i32, born: u64) -> Option<&Program> {
        self.young
            .get(&pid)
            .or_else(|| self.old.get(&pid))
            .filter(|program| program.ticks >= born)
    }

    /// No event that tells of earlier than now is left to be read.
    pub(super) fn next_round(&mut self) {
        self.round = self.round.wrapping_add(1);
    }

    /// Records are missing: of any process, and of now.
    pub(super) fn missed(&mut self) {
        self.missed = Some(self.round);
    }

    /// Records of now are missing.
    pub(super) fn misses(&self) -> bool {
        self.missed == Some(self.round)
    }

    /// Of the process `pid`, born at tick `born`, when an event of it is read now: whether it
    /// had the program `executable` when it made the event.
    pub(super) fn word(&self, pid: i32, born: u64, executable: &[u8]) -> Word {
        match self.last(pid, born) {
            None => Word::Nothing,
            Some(last) if last.fresh == self.round => Word::Perhaps,
            Some(last) if last.names(executable) => Word::Yes,
            Some(_) => Word::Other,
        }
    }

    /// A process born at that tick would be known if it had executed a program since.
    pub(super) fn remembers(&self, born: u64) -> bool {
        born > self.forgot
    }
}

/// The program after `last`, or its interpreter.
fn follow(last: Option<Program>, opened: Arc<Opened>, (ticks, round): (u64, u64)) -> Program {
    let (count, script, earlier) = match last {
        Some(last) if last.next == Next::Interpreter => {
            (last.count, last.script.or(Some(last.opened)), last.earlier)
        }
        Some(last) => (last.count.wrapping_add(1), None, Some(last.opened)),
        None => (1, None, None),
    };
    let next = match opened.head {
        Head::Script => Next::Interpreter,
        Head::Dynamic(_) => Next::Loader,
        Head::Shared | Head::Other => Next::Program,
    };
    Program {
        opened,
        script,
        earlier,
        next,
        // An interpreter's, too: a script that could not be executed leaves one to be expected
        // that never came, and any program would be taken for it.
        fresh: round,
        count,
        ticks,
    }
}

/// The name that the kernel gives to a process that executes this: the last part of the
/// path, cut to 15 bytes.
fn is_name_of(comm: &[u8], path: &[u8]) -> bool {
    let name = path.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
    !comm.is_empty() && name.get(..15).unwrap_or(name) == comm
}

/// It may be the loader that a program asked for. The path that the program gave is a
/// link more often than not, so the usual names count, too.
fn is_loader(opened: &Arc<Opened>, asked: &[u8]) -> bool {
    let name = path(opened).and_then(|path| path.rsplit(|&byte| byte == b'/').next());
    let usual: [&[u8]; 4] = [b"ld-", b"ld.", b"ld64.", b"libc."];
    opened.head == Head::Shared
        && name
            .is_some_and(|name| name == asked || usual.iter().any(|usual| name.starts_with(usual)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
