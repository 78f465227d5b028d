//! The outpost: a child that looks where this process does not go.
//!
//! A FUSE server that never answers leaves whoever asks it in a sleep that not even
//! SIGKILL ends. So what lies behind such a filesystem is asked by a child of its
//! own, for one look and a short time. A child that does not come back is left to
//! the kernel: it holds up neither the others nor the end of the watcher. Their
//! number is bounded, and each is a reported gap.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CloneFlags, setns};
use nix::sys::prctl::{set_dumpable, set_pdeathsig};
use nix::sys::signal::Signal;
use nix::unistd::{Gid, Uid, setfsgid, setfsuid};
use serde::{Deserialize, Serialize};

use crate::examine::file::{Look, look, look_anywhere, placed};
use crate::model::RootfsId;
use crate::reach::{InitRoot, ProcessKey, Reach, home, pinned};
use crate::watch::jobs::Subject;
use crate::watch::state::view::StoredView;

/// The hidden verb under which this program is an outpost.
pub const VERB: &str = "outpost-look";
/// How long a child may take.
const PATIENCE: Duration = Duration::from_millis(300);
/// Children that do not come back, at most.
const MAX_LOST: usize = 8;
/// Bytes of an answer.
const MAX_ANSWER: u64 = 256 * 1024;
/// Bytes of content that an answer quotes.
const QUOTE: usize = 4096;

/// What a child answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Answer {
    Absent,
    Gone,
    Seen(Box<StoredView>),
    Blind(String),
}

/// Children that did not come back yet.
#[derive(Debug, Default)]
pub struct Outposts {
    lost: HashMap<RootfsId, Child>,
}

impl Outposts {
    /// Looks at a container's file; where this process does not go, a child does.
    pub fn look_at(&mut self, subject: &Subject, quote: usize) -> Look {
        let upper = subject.upper.as_deref();
        match look(&subject.reach, upper, quote) {
            Look::Unasked(what) => {
                let seen = self.look(subject.id, &subject.reach, &what);
                placed(seen, upper.filter(|_| subject.reach.closed))
            }
            seen => seen,
        }
    }

    /// Has a child look. `what` names what it goes behind, for the gap when it does
    /// not come back.
    fn look(&mut self, id: RootfsId, reach: &Reach, what: &str) -> Look {
        self.lost
            .retain(|_, child| !matches!(child.try_wait(), Ok(Some(_))));
        let Some(init) = reach.init else {
            // Nothing runs in a root filesystem that is not asked and has no init.
            return match reach.closed {
                true => Look::Gone,
                false => Look::Unasked(what.to_owned()),
            };
        };
        if self.lost.contains_key(&id) || self.lost.len() >= MAX_LOST {
            return Look::Unasked(format!("{what}, and an outpost there does not come back"));
        }
        let mut child = match start(init) {
            Ok(child) => child,
            Err(error) => {
                return Look::Unasked(format!("{what}, and no outpost can be sent: {error}"));
            }
        };
        let look = hear(&mut child).unwrap_or_else(|why| Look::Unasked(format!("{what}: {why}")));
        let _ = child.kill();
        if !matches!(wait_briefly(&mut child), Ok(true)) {
            self.lost.insert(id, child);
        }
        look
    }
}

fn start(InitRoot { key, mount }: InitRoot) -> io::Result<Child> {
    let words = [
        key.pid.to_string(),
        key.start_ticks.to_string(),
        mount.to_string(),
    ];
    Command::new("/proc/self/exe")
        .arg(VERB)
        .args(words)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
}

/// The child's answer, or why there is none.
fn hear(child: &mut Child) -> Result<Look, String> {
    let mut stdout = child.stdout.take().ok_or("no pipe")?;
    let mut text = Vec::new();
    let until = Instant::now() + PATIENCE;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::ZERO);
        let mut fds = [PollFd::new(stdout.as_fd(), PollFlags::POLLIN)];
        if !matches!(poll(&mut fds, timeout), Ok(ready) if ready > 0) {
            return Err("an outpost got no answer".to_owned());
        }
        let mut piece = [0; 4096];
        match stdout.read(&mut piece) {
            Ok(0) => break,
            Ok(count) => text.extend_from_slice(piece.get(..count).unwrap_or_default()),
            Err(error) => return Err(error.to_string()),
        }
        if text.len() as u64 > MAX_ANSWER {
            return Err("an outpost's answer is too long".to_owned());
        }
    }
    let answer: Answer =
        serde_json::from_slice(&text).map_err(|_| "an outpost ended without an answer")?;
    Ok(match answer {
        Answer::Absent => Look::Absent,
        Answer::Gone => Look::Gone,
        Answer::Blind(why) => Look::Blind(why),
        Answer::Seen(view) => match view.view() {
            Some(view) => Look::File(Box::new(view)),
            None => return Err("an outpost's answer is not understood".to_owned()),
        },
    })
}

/// Whether the child has ended, with a moment for it to do so.
fn wait_briefly(child: &mut Child) -> io::Result<bool> {
    for _ in 0..10 {
        if child.try_wait()?.is_some() {
            return Ok(true);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(false)
}

/// Enters the user namespace of a process, and asks files as root there. All other ids
/// stay, and nobody in that namespace may trace this process.
fn enter_users(key: ProcessKey) -> io::Result<()> {
    set_dumpable(false)?;
    let users = File::open(home(key.pid).join("ns/user"))?;
    pinned(key)?;
    setns(users, CloneFlags::CLONE_NEWUSER)?;
    setfsgid(Gid::from_raw(0));
    setfsuid(Uid::from_raw(0));
    // Other rights undo it (prctl(2), "PR_SET_PDEATHSIG").
    Ok(set_pdeathsig(Signal::SIGKILL)?)
}

/// The child: looks once, says what it saw, and ends. It goes with its parent.
///
/// # Errors
/// Bad words, or nobody to answer to.
pub fn run(words: &[OsString]) -> io::Result<()> {
    set_pdeathsig(Signal::SIGKILL)?;
    let number = |index: usize| {
        words
            .get(index)
            .and_then(|word| word.to_str()?.parse::<u64>().ok())
    };
    let bad = || io::Error::from(io::ErrorKind::InvalidInput);
    let pid = number(0)
        .and_then(|pid| i32::try_from(pid).ok())
        .ok_or_else(bad)?;
    let key = ProcessKey {
        pid,
        start_ticks: number(1).ok_or_else(bad)?,
    };
    let init = InitRoot {
        key,
        mount: number(2).ok_or_else(bad)?,
    };
    let reach = Reach {
        host: None,
        init: Some(init),
        closed: false,
    };
    let look = match look_anywhere(&reach, QUOTE) {
        // A user's FUSE answers nobody outside of that user's namespace, root neither.
        Look::Blind(_) if enter_users(key).is_ok() => look_anywhere(&reach, QUOTE),
        look => look,
    };
    let answer = match look {
        Look::Absent => Answer::Absent,
        Look::Gone => Answer::Gone,
        Look::File(view) => Answer::Seen(Box::new(StoredView::of(&view))),
        Look::Unasked(why) | Look::Blind(why) => Answer::Blind(why),
    };
    let text = serde_json::to_vec(&answer).map_err(io::Error::other)?;
    io::stdout().write_all(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_nobody_runs_yet_no_child_is_sent() {
        let look = |closed| {
            let reach = Reach {
                closed,
                ..Reach::by_host(None)
            };
            Outposts::default().look(RootfsId(1), &reach, "x")
        };
        assert_eq!(look(true), Look::Gone);
        assert_eq!(look(false), Look::Unasked("x".to_owned()));
    }
}
