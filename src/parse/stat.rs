//! `/proc/PID/stat` and `/proc/PID/status`: the few facts the product asks for
//! (proc_pid_stat(5), proc_pid_status(5)). The command name may hold any byte,
//! parentheses and newlines included, so the last `)` ends it.

/// Flag of a task that is in do_exit() (include/linux/sched.h).
const PF_EXITING: u32 = 4;

/// What one `stat` line says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stat {
    /// Command name, as the process set it.
    pub comm: Vec<u8>,
    /// State letter: `R`, `S`, `Z` …
    pub state: u8,
    /// Parent's pid.
    pub ppid: i32,
    /// Session id.
    pub session: i32,
    /// Controlling terminal; 0: none.
    pub tty: i32,
    /// It is on its way out: the kernel lets go of one thing of it after the other.
    pub ends: bool,
    /// Threads, the main one included.
    pub threads: u32,
    /// Start time in clock ticks since boot.
    pub start_ticks: u64,
    /// Bytes of arguments that it was started with, or says it was.
    pub args: u64,
}

impl Stat {
    /// Dead, but not yet reaped: `/proc` gives little more than this line. One whose main
    /// thread alone has ended lives.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        matches!(self.state, b'Z' | b'X' | b'x') && self.threads <= 1
    }
}

/// Reads a `stat` line; `None` when it is cut short or no such line.
#[must_use]
pub fn stat(text: &[u8]) -> Option<Stat> {
    let open = text.iter().position(|&byte| byte == b'(')?;
    let close = text.iter().rposition(|&byte| byte == b')')?;
    let comm = text.get(open.checked_add(1)?..close)?.to_vec();
    let tail = text.get(close.checked_add(1)?..)?;
    let mut fields = tail
        .split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty());
    let state = *fields.next()?.first()?;
    let ppid = number(fields.next()?)?;
    let _group = fields.next()?;
    let session = number(fields.next()?)?;
    let tty = number(fields.next()?)?;
    let flags: u32 = number(fields.nth(1)?)?;
    let threads = number(fields.nth(10)?)?;
    let start_ticks = number(fields.nth(1)?)?;
    // Fields 48 and 49; no line is refused for the want of them.
    let start: Option<u64> = fields.nth(25).and_then(number);
    let end: Option<u64> = fields.next().and_then(number);
    Some(Stat {
        comm,
        state,
        ppid,
        session,
        tty,
        ends: flags & PF_EXITING != 0,
        threads,
        start_ticks,
        args: start
            .zip(end)
            .map_or(0, |(start, end)| end.saturating_sub(start)),
    })
}

/// What `status` adds to `stat`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Status {
    /// Real and effective user id, in the reader's user namespace.
    pub uid: Option<(u32, u32)>,
    /// Real and effective group id.
    pub gid: Option<(u32, u32)>,
    /// Pids from the outermost namespace to the innermost.
    pub ns_pids: Vec<i32>,
    /// Thread group id: the pid of the process a thread belongs to.
    pub tgid: Option<i32>,
    /// Effective capabilities.
    pub effective: Option<u64>,
}

/// Reads a `status` text. Missing lines leave their field empty. The name is
/// never looked at: the kernel escapes newlines in it.
#[must_use]
pub fn status(text: &[u8]) -> Status {
    let mut status = Status::default();
    for line in text.split(|&byte| byte == b'\n') {
        let mut words = line
            .split(u8::is_ascii_whitespace)
            .filter(|word| !word.is_empty());
        match words.next() {
            Some(b"Uid:") => status.uid = pair(&mut words),
            Some(b"Gid:") => status.gid = pair(&mut words),
            Some(b"Tgid:") => status.tgid = words.next().and_then(number),
            Some(b"NSpid:") => status.ns_pids = words.filter_map(number).collect(),
            Some(b"CapEff:") => {
                let hex = words.next().and_then(|word| str::from_utf8(word).ok());
                status.effective = hex.and_then(|hex| u64::from_str_radix(hex, 16).ok());
            }
            _ => {}
        }
    }
    status
}

fn pair<'a>(words: &mut impl Iterator<Item = &'a [u8]>) -> Option<(u32, u32)> {
    Some((number(words.next()?)?, number(words.next()?)?))
}

fn number<T: std::str::FromStr>(word: &[u8]) -> Option<T> {
    str::from_utf8(word).ok()?.parse().ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LINE: &[u8] = b"15347 (sh) S 15326 15347 15347 34816 15347 4194560 1 0 0 0 0 0 0 0 20 0 1 0 778899 1720320 1 18446744073709551615 0 0\n";

    #[test]
    fn the_facts_of_a_line() {
        let stat = stat(LINE).unwrap();
        assert_eq!(
            (stat.ppid, stat.session, stat.tty, stat.start_ticks),
            (15326, 15347, 34816, 778_899)
        );
        assert_eq!(
            (stat.comm.as_slice(), stat.is_dead(), stat.ends),
            (b"sh".as_slice(), false, false)
        );
    }

    #[test]
    fn a_main_thread_that_ended_before_the_others_is_not_the_end() {
        let text =
            |threads| format!("7 (x) Z 1 7 7 0 -1 4 0 0 0 0 0 0 0 0 20 0 {threads} 0 55 0 0\n");
        assert!(stat(text(1).as_bytes()).unwrap().is_dead());
        let lives = stat(text(2).as_bytes()).unwrap();
        assert!(!lives.is_dead());
        assert_eq!((lives.threads, lives.start_ticks, lives.args), (2, 55, 0));
    }

    #[test]
    fn the_length_of_the_arguments_is_taken_from_its_two_ends() {
        let zeros = ["0"; 24].join(" ");
        let text =
            format!("7 (x) S 1 7 7 0 -1 4 0 0 0 0 0 0 0 0 20 0 1 0 55 {zeros} 9 1000 1024 0 0\n");
        assert_eq!(stat(text.as_bytes()).unwrap().args, 24);
    }

    #[test]
    fn a_name_with_parentheses_and_newlines_does_not_shift_the_fields() {
        let line = LINE.to_vec();
        let hostile = [
            line.get(..7).unwrap(),
            b"a) Z 1 (\nb",
            line.get(9..).unwrap(),
        ]
        .concat();
        let stat = stat(&hostile).unwrap();
        assert_eq!(stat.comm, b"a) Z 1 (\nb");
        assert_eq!(stat.ppid, 15326);
    }

    #[test]
    fn status_gives_ids_and_innermost_pid() {
        let text = b"Name:\tUid:\\n\nTgid:\t12\nUid:\t1000\t0\t0\t0\nGid:\t5\t6\t6\t6\nNSpid:\t12\t3\t1\nCapEff:\t00000000a80425fb\n";
        let status = status(text);
        assert_eq!(
            (status.uid, status.gid, status.tgid),
            (Some((1000, 0)), Some((5, 6)), Some(12))
        );
        assert_eq!(status.ns_pids, [12, 3, 1]);
        assert_eq!(status.effective, Some(0xa804_25fb));
    }

    proptest! {
        #[test]
        fn any_bytes_give_no_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = stat(&bytes);
            let _ = status(&bytes);
        }
    }
}
