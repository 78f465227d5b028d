//! Reads one process while it may be vanishing.
//!
//! `/proc/PID` is pinned first; the pidfd that came with the event then says whether
//! the process still exists. If so, what was pinned is that process and no successor
//! of its pid, and stays so: everything is read below that descriptor, and a process
//! that ends meanwhile takes only what was not read yet. A process that is gone is
//! not an error: it is a `Writer` of whom less is known.

use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use crate::model::{Ancestor, Writer, WriterSource};
use crate::parse::cgroup::{Member, member, says_where};
use crate::parse::stat::{Stat, stat, status};
use crate::reach::{living, read_of};
use crate::sys::pidfd;
use crate::who::boot::Boot;
use crate::who::cgroup::member_of;
use procfs::process::Process;

/// Bytes and pieces of argv taken: a process can make its argv of empty strings.
const MAX_ARGS: u64 = 4096;
const MAX_PIECES: usize = 256;
/// Bytes of the small proc files taken.
const MAX_TEXT: u64 = 16 * 1024;
/// Why a process has no arguments that had some.
const ENDED: &str = "ended";
/// Parents followed.
const MAX_PARENTS: usize = 8;

/// The process behind an event: `pid` and `pidfd` as the event gave them.
#[must_use]
pub fn writer(boot: &Boot, pid: i32, pidfd: Option<&OwnedFd>) -> Writer {
    if pid <= 0 {
        return Writer::unknown(None);
    }
    let Ok(process) = Process::new(pid) else {
        return gone(boot, pid, pidfd);
    };
    // What names it comes first: it may end between two reads.
    let exe = process.exe().ok().or_else(|| exe_of_a_thread(pid));
    // Checked after the pinning and before the rest, which takes longer than many a
    // writer lives.
    if pidfd.is_some_and(|pidfd| !pidfd::exists(pidfd.as_fd())) {
        return gone(boot, pid, pidfd);
    }
    let known = Writer {
        source: WriterSource::Live,
        // Without a pidfd nothing tells a successor of the pid from the writer.
        confirmed: pidfd.is_some(),
        executable: exe.map(|path| path.as_os_str().as_bytes().to_vec()),
        ..Writer::unknown(Some(pid))
    };
    match read(boot, &process, &known) {
        Ok(writer) => writer,
        Err(_) if known.executable.is_none() => gone(boot, pid, pidfd),
        // It ended before more was read.
        Err(_) => Writer {
            source: WriterSource::Zombie,
            member: last_member(boot, pidfd),
            unplaced: true,
            ..known
        },
    }
}

/// A process whose main thread has ended shows its executable in the others alone.
fn exe_of_a_thread(pid: i32) -> Option<PathBuf> {
    fs::read_link(living(&PathBuf::from(format!("/proc/{pid}")))?.join("exe")).ok()
}

/// A process that was reaped: its pidfd may still tell its cgroup.
fn gone(boot: &Boot, pid: i32, pidfd: Option<&OwnedFd>) -> Writer {
    let unknown = Writer::unknown(Some(pid));
    let Some(member) = last_member(boot, pidfd) else {
        return unknown;
    };
    Writer {
        source: WriterSource::Reaped,
        confirmed: true,
        member: Some(member),
        ..unknown
    }
}

fn last_member(boot: &Boot, pidfd: Option<&OwnedFd>) -> Option<Member> {
    member_of(boot.unified.as_deref()?, pidfd?.as_fd())
}

/// The same with all that `/proc` tells.
fn read(boot: &Boot, process: &Process, known: &Writer) -> io::Result<Writer> {
    // First what a process that ends shows least long: its cgroups of the first version, then
    // its memory, then its namespaces (do_exit() in kernel/exit.c).
    let text = read_of(process, "cgroup", MAX_TEXT).unwrap_or_default();
    let line = read_of(process, "stat", MAX_TEXT)?;
    let stat = stat(&line).ok_or_else(|| io::Error::other("stat line not understood"))?;
    let mount_ns = namespace(process);
    let status = status(&read_of(process, "status", MAX_TEXT).unwrap_or_default());
    let (args, args_truncated) = args(process);
    let has_program = known.executable.is_some();
    // It ends by now, and may have done so before.
    let unplaced = !says_where(&text) && stat.ends;
    let untold = args.is_empty() && has_program && stat.args > 0;
    let args_missing = untold.then(|| missing(process));
    let whole = has_program && !stat.is_dead() && !unplaced && args_missing != Some(ENDED);
    Ok(Writer {
        vpid: status.ns_pids.last().copied(),
        source: source(whole),
        name: Some(stat.comm.clone()),
        args,
        args_truncated,
        args_missing,
        cwd: cwd(process),
        real_uid: status.uid.map(|(real, _)| real),
        uid: status.uid.map(|(_, effective)| effective),
        gid: status.gid.map(|(_, effective)| effective),
        capabilities: status.effective,
        start: Some(boot.start(stat.start_ticks)),
        start_ticks: Some(stat.start_ticks),
        interactive: Some(stat.tty != 0),
        entity_id: Some(boot.entity(process.pid(), stat.start_ticks)),
        parents: parents(boot, &stat, mount_ns),
        mount_ns,
        member: member(&text),
        unplaced,
        ..known.clone()
    })
}

fn source(is_whole: bool) -> WriterSource {
    match is_whole {
        true => WriterSource::Live,
        false => WriterSource::Zombie,
    }
}

fn cwd(process: &Process) -> Option<Vec<u8>> {
    Some(process.cwd().ok()?.as_os_str().as_bytes().to_vec())
}

/// Mount namespace of a pinned process: the inode number of what its link leads to.
fn namespace(process: &Process) -> Option<u64> {
    let own = process.open_relative("ns/mnt").ok();
    let of_thread = || {
        let home = PathBuf::from(format!("/proc/{}", process.pid()));
        fs::File::open(living(&home)?.join("ns/mnt")).ok()
    };
    let file = own.or_else(of_thread)?;
    Some(file.metadata().ok()?.ino())
}

/// Arguments as the process shows them: it can write what it likes there.
fn args(process: &Process) -> (Vec<Vec<u8>>, bool) {
    let text = read_of(process, "cmdline", MAX_ARGS).unwrap_or_default();
    split_args(&text)
}

/// The kernel reads arguments from a process's own plain memory alone: what is mapped
/// from a file there may lie on a server that never answers (CVE-2018-1120).
fn missing(process: &Process) -> &'static str {
    let line = read_of(process, "stat", MAX_TEXT);
    match line.ok().and_then(|line| stat(&line)) {
        Some(stat) if !stat.ends => "not-plain-memory",
        _ => ENDED,
    }
}

fn split_args(text: &[u8]) -> (Vec<Vec<u8>>, bool) {
    let full = text.len() as u64 >= MAX_ARGS;
    let text = text.strip_suffix(&[0]).unwrap_or(text);
    if text.is_empty() {
        return (Vec::new(), false);
    }
    let mut pieces = text.split(|&byte| byte == 0).map(<[u8]>::to_vec);
    let args = pieces.by_ref().take(MAX_PIECES).collect();
    (args, full || pieces.next().is_some())
}

/// The chain of parents, nearest first. Ends with the first one outside `home`, a namespace
/// (what started the container's init, or an exec session), at pid 1, at the first
/// process that is gone, or at the bound.
fn parents(boot: &Boot, child: &Stat, home: Option<u64>) -> Vec<Ancestor> {
    let mut chain = Vec::new();
    let mut next = child.ppid;
    let mut younger = child.start_ticks;
    while next > 1 && chain.len() < MAX_PARENTS {
        let Ok(process) = Process::new(next) else {
            break;
        };
        let Some(stat) = read_of(&process, "stat", MAX_TEXT)
            .ok()
            .and_then(|line| stat(&line))
        else {
            break;
        };
        // A parent that is younger than its child is a stranger with a reused pid.
        if stat.start_ticks > younger {
            break;
        }
        let first = chain.is_empty().then(|| args(&process).0);
        let mount_ns = namespace(&process);
        chain.push(Ancestor {
            pid: next,
            name: stat.comm.clone(),
            executable: process
                .exe()
                .ok()
                .map(|path| path.as_os_str().as_bytes().to_vec()),
            args: first.unwrap_or_default(),
            start: Some(boot.start(stat.start_ticks)),
            start_ticks: stat.start_ticks,
            entity_id: Some(boot.entity(next, stat.start_ticks)),
            mount_ns,
        });
        if mount_ns != home {
            break;
        }
        (next, younger) = (stat.ppid, stat.start_ticks);
    }
    chain
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::process::Command;

    use nix::sys::wait::{Id, WaitPidFlag, waitid};
    use nix::unistd::Pid;

    use super::*;

    #[test]
    fn a_living_process_is_named_and_confirmed() {
        let boot = Boot::read();
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let pidfd = pidfd::open(pid).unwrap();
        let writer = loop {
            let writer = writer(&boot, pid, Some(&pidfd));
            if writer
                .args
                .first()
                .is_some_and(|name| name.ends_with(b"sleep"))
            {
                break writer;
            }
        };
        assert!(writer.confirmed);
        assert_eq!(writer.source, WriterSource::Live);
        assert_eq!(writer.args.get(1).unwrap(), b"60");
        assert_eq!(writer.mount_ns, boot.mount_ns);
        let parent = writer.parents.first().unwrap();
        assert_eq!(u32::try_from(parent.pid).unwrap(), std::process::id());
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn argv_is_bounded_in_pieces_too() {
        let (args, truncated) = split_args(&[0; 4096]);
        assert_eq!((args.len(), truncated), (MAX_PIECES, true));
        let (args, truncated) = split_args(b"a\0\0b\0");
        assert_eq!((args.len(), truncated), (3, false));
    }

    #[test]
    fn a_zombie_gives_its_name_and_no_executable() {
        let boot = Boot::read();
        let mut child = Command::new("true").spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let pidfd = pidfd::open(pid).unwrap();
        // Ended, and not reaped: one that ended while it was read is a zombie, too, with
        // what was read before.
        let ended = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
        waitid(Id::Pid(Pid::from_raw(pid)), ended).unwrap();
        let zombie = writer(&boot, pid, Some(&pidfd));
        assert_eq!(zombie.source, WriterSource::Zombie);
        assert_eq!(zombie.name.as_deref(), Some(b"true".as_slice()));
        assert_eq!(zombie.executable, None);
        child.wait().unwrap();
        let gone = writer(&boot, pid, Some(&pidfd));
        assert_eq!(
            (gone.source, gone.confirmed),
            (WriterSource::Unknown, false)
        );
    }

    #[test]
    fn without_a_pidfd_nothing_is_confirmed() {
        let own = i32::try_from(std::process::id()).unwrap();
        assert!(!writer(&Boot::read(), own, None).confirmed);
    }

    #[test]
    fn a_writer_outside_our_pid_namespace_is_unknown() {
        assert_eq!(writer(&Boot::read(), 0, None), Writer::unknown(None));
    }
}
