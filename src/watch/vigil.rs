//! An eye on the threads beside the loop. One that has work and does not get on with it is
//! a loss of sight like any other: told, and where possible made good by another thread.
//! Nothing that a container controls may stop them; this is for what nobody thought of, a
//! disk that hangs among it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::model::{Container, RootfsId};
use crate::watch::run::Watch;

/// How long a thread may be busy with one thing.
const PATIENCE: Duration = Duration::from_secs(15);
/// How often one that is stuck is looked at.
const AGAIN: Duration = Duration::from_secs(1);
/// Examiners that may be replaced: each leaves a thread behind.
const MAX_REPLACED: usize = 4;

/// What a thread is at.
#[derive(Debug)]
pub struct Progress {
    /// The thread.
    pub name: &'static str,
    base: Instant,
    /// Milliseconds after `base` when the present work began; 0: it rests.
    since: AtomicU64,
    /// The root filesystem that it is about, if it is about one.
    about: AtomicU64,
    /// Another thread does its work now.
    replaced: AtomicBool,
}

impl Progress {
    /// A thread that rests.
    #[must_use]
    pub fn of(name: &'static str) -> Arc<Self> {
        Arc::new(Self {
            name,
            base: Instant::now(),
            since: AtomicU64::new(0),
            about: AtomicU64::new(0),
            replaced: AtomicBool::new(false),
        })
    }

    /// The thread begins with something, or gets on with it.
    pub fn works(&self, about: Option<RootfsId>) {
        let passed = u64::try_from(self.base.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.about
            .store(about.map_or(0, |id| id.0), Ordering::Relaxed);
        self.since.store(passed.max(1), Ordering::Relaxed);
    }

    /// The thread waits for work.
    pub fn rests(&self) {
        self.since.store(0, Ordering::Relaxed);
    }

    /// Its work is another thread's now: it is to end.
    #[must_use]
    pub fn is_replaced(&self) -> bool {
        self.replaced.load(Ordering::Relaxed)
    }

    /// When it counts as stuck if it does not get on; `None`: it rests.
    fn due(&self) -> Option<Instant> {
        let since = self.since.load(Ordering::Relaxed);
        (since > 0).then(|| self.base + Duration::from_millis(since) + PATIENCE)
    }

    fn about(&self) -> Option<RootfsId> {
        let about = self.about.load(Ordering::Relaxed);
        (about > 0).then_some(RootfsId(about))
    }
}

/// The threads that are looked after.
#[derive(Debug)]
pub struct Vigil {
    all: Vec<(Arc<Progress>, bool)>,
    replaced: usize,
    /// Acts handed on so far, and when the last was: its thread may not have begun yet.
    acts: u64,
    handed: Option<Instant>,
}

impl Vigil {
    /// These are looked after.
    #[must_use]
    pub fn over(all: impl IntoIterator<Item = Arc<Progress>>) -> Self {
        let all = all.into_iter().map(|one| (one, false)).collect();
        Self {
            all,
            replaced: 0,
            acts: 0,
            handed: None,
        }
    }

    /// So many acts were handed on by now: if nothing else wakes the loop, what became
    /// of the last is asked when it should be over.
    fn handed_on(&mut self, acts: u64, now: Instant) {
        if std::mem::replace(&mut self.acts, acts) != acts {
            self.handed = Some(now);
        }
        self.handed = self.handed.filter(|at| *at + PATIENCE > now);
    }

    /// When the next of them may be stuck, or one that is may have come back.
    #[must_use]
    pub fn due(&self) -> Option<Instant> {
        let due = |(one, stuck): &(Arc<Progress>, bool)| match stuck {
            true => Some(Instant::now() + AGAIN),
            false => one.due(),
        };
        let handed = self.handed.map(|at| at + PATIENCE);
        self.all.iter().filter_map(due).chain(handed).min()
    }

    /// Names of those that are stuck.
    #[must_use]
    pub fn stuck(&self) -> Vec<String> {
        let stuck = self.all.iter().filter(|(_, stuck)| *stuck);
        stuck.map(|(one, _)| one.name.to_owned()).collect()
    }

    /// Those that got stuck or came back since the last time, which is said of each.
    fn changes(&mut self, now: Instant) -> Vec<(Arc<Progress>, bool)> {
        let mut changes = Vec::new();
        for (one, stuck) in &mut self.all {
            let is = one.due().is_some_and(|due| due <= now);
            if std::mem::replace(stuck, is) != is {
                changes.push((Arc::clone(one), is));
            }
        }
        // One that was replaced and came back has ended.
        self.all.retain(|(one, stuck)| *stuck || !one.is_replaced());
        changes
    }
}

impl Watch {
    /// Tells which threads are stuck, and replaces an examiner that is.
    pub(super) fn look_after_threads(&mut self, now: Instant) {
        self.vigil.handed_on(self.counters.acts, now);
        for (progress, stuck) in self.vigil.changes(now) {
            let about = progress.about().filter(|_| progress.name == "examine");
            self.status_due.get_or_insert(now);
            if !stuck {
                self.back(&progress, about);
                continue;
            }
            self.counters.stuck_threads += 1;
            let container = about.and_then(|id| self.watched.get(&id));
            let container = container.map(|watched| watched.subject.container.clone());
            let mut detail = format!(
                "the thread `{}` has not got on for {} s",
                progress.name,
                PATIENCE.as_secs()
            );
            if progress.name == "examine" && self.replace(&progress, about) {
                detail.push_str("; another one took over");
            }
            self.tell_stuck(detail, container);
        }
    }

    fn tell_stuck(&self, detail: String, container: Option<Container>) {
        let remedy = "see its state and stack in /proc/PID/task; a disk or a server may hang";
        let line = format!("{detail}; {remedy}");
        // The delivery itself may be what is stuck, and standard error may be, too.
        let _ = thread::Builder::new()
            .name("tell".to_owned())
            .spawn(move || log::error!("{line}"));
        self.service.status(&detail);
        self.gap("thread-stuck", detail, remedy, container);
    }

    /// Another examiner takes over. It begins with a first look at all but the container
    /// at which the other got stuck.
    fn replace(&mut self, progress: &Progress, about: Option<RootfsId>) -> bool {
        if self.vigil.replaced >= MAX_REPLACED {
            return false;
        }
        if let Some(watched) = about.and_then(|id| self.watched.get_mut(&id)) {
            watched.closed = true;
        }
        let open = self.watched.values().filter(|watched| !watched.closed);
        let subjects = open.map(|watched| Arc::clone(&watched.subject)).collect();
        let Ok(hired) = self.seat.hire(subjects) else {
            return false;
        };
        progress.replaced.store(true, Ordering::Relaxed);
        self.vigil.replaced += 1;
        self.vigil.all.push((Arc::clone(&hired.progress), false));
        self.examiner = hired;
        true
    }

    /// A thread came back.
    fn back(&mut self, progress: &Progress, about: Option<RootfsId>) {
        let detail = format!("the thread `{}` got on again", progress.name);
        self.service.status(&detail);
        if !progress.is_replaced() {
            return;
        }
        self.vigil.replaced = self.vigil.replaced.saturating_sub(1);
        if let Some(id) = about {
            self.open_again(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_works_too_long_is_stuck_until_it_gets_on() {
        let progress = Progress::of("x");
        let mut vigil = Vigil::over([Arc::clone(&progress)]);
        let later = || Instant::now() + PATIENCE * 2;
        assert_eq!((vigil.due(), vigil.changes(later()).len()), (None, 0));
        progress.works(None);
        assert!(vigil.due().is_some());
        assert!(vigil.changes(Instant::now()).is_empty());
        assert_eq!(vigil.changes(later()).len(), 1);
        assert_eq!(vigil.stuck(), ["x"]);
        assert!(vigil.changes(later()).is_empty(), "told once");
        progress.rests();
        assert_eq!(vigil.changes(later()).len(), 1);
        assert!(vigil.stuck().is_empty());
    }

    #[test]
    fn a_thread_that_has_not_begun_yet_is_asked_after() {
        let mut vigil = Vigil::over([Progress::of("x")]);
        let now = Instant::now();
        vigil.handed_on(1, now);
        assert_eq!(vigil.due(), Some(now + PATIENCE));
        vigil.handed_on(1, now + PATIENCE);
        assert_eq!(vigil.due(), None, "once");
    }
}
