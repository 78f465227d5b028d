//! The mount tables of the containers' namespaces: a mount over the file or over
//! `etc` raises no file event, only a change of the table.
//!
//! The table and the pidfd of the namespace's init are waited for together: a table
//! held open after the init's end would keep all mounts of a dead namespace. A
//! container that mounts without end is looked at after ever longer pauses, and one whose
//! table is long after pauses that are long beside the time that a look at it takes.

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use crate::model::RootfsId;
use crate::survey::sight::Table;
use crate::sys::epoll::Interest;
use crate::sys::poll;
use crate::watch::marks::leaves_tables_out;
use crate::watch::run::{INITS, TABLES, Watch};
use crate::watch::surveyor::Ask;

/// Shortest and longest pause between two looks at one table.
const PAUSE: (Duration, Duration) = (Duration::from_millis(5), Duration::from_secs(1));
/// The part of the survey's time that one container may take while it mounts without end:
/// one in so many.
const SHARE: u32 = 10;
/// A table that was quiet for this long starts with the shortest pause again.
const QUIET: Duration = Duration::from_secs(2);

/// A table that is waited for.
#[derive(Debug)]
pub struct Watching {
    table: Table,
    pause: Duration,
    last: Instant,
    /// How long the last look took.
    took: Duration,
    /// Not waited for until then.
    resting: Option<Instant>,
}

impl Watching {
    fn new(table: Table) -> Self {
        Self {
            table,
            pause: PAUSE.0,
            last: Instant::now(),
            took: Duration::ZERO,
            resting: None,
        }
    }
}

impl Watch {
    /// Waits for a container's mount table from now on.
    pub(super) fn watch_table(&mut self, id: RootfsId, table: Option<Table>) {
        let table = table.filter(|_| !leaves_tables_out());
        let Some(watched) = self.watched.get_mut(&id) else {
            return;
        };
        let same = match (&watched.table, &table) {
            (Some(known), Some(table)) => known.table.init == table.init,
            (None, None) => true,
            _ => false,
        };
        if same {
            return;
        }
        self.forget_table(id);
        let Some(table) = table else { return };
        let added = self
            .waiter
            .add(&table.mounts, Interest::Priority, TABLES + id.0)
            .and_then(|()| {
                self.waiter
                    .add(&table.pidfd, Interest::Readable, INITS + id.0)
            });
        if let Err(error) = added {
            self.gap(
                "not-covered",
                format!("mounts in a container cannot be waited for: {error}"),
                "only the sweep sees mounts over the file in this container",
                None,
            );
        }
        if let Some(watched) = self.watched.get_mut(&id) {
            watched.table = Some(Watching::new(table));
        }
    }

    /// Something was mounted or unmounted in a container.
    pub(super) fn table_moved(&mut self, id: RootfsId) {
        self.surveyor.ask(Ask::Again(id));
        let Some(watching) = self
            .watched
            .get_mut(&id)
            .and_then(|watched| watched.table.as_mut())
        else {
            return;
        };
        let now = Instant::now();
        let quiet = now.saturating_duration_since(watching.last) > QUIET;
        watching.pause = if quiet {
            PAUSE.0
        } else {
            (watching.pause * 2).min(PAUSE.1)
        };
        watching.last = now;
        watching.resting = Some(now + watching.pause.max(watching.took * SHARE));
        let _ = self.waiter.remove(&watching.table.mounts);
        self.resting.push(id);
    }

    /// A look at a container after its table changed was over after so long.
    pub(super) fn table_took(&mut self, id: RootfsId, took: Duration) {
        let watched = self.watched.get_mut(&id);
        if let Some(table) = watched.and_then(|watched| watched.table.as_mut()) {
            table.took = took;
        }
    }

    /// The init of a container ended.
    pub(super) fn init_ended(&mut self, id: RootfsId) {
        self.forget_table(id);
        self.surveyor.ask(Ask::Pass);
    }

    /// Closes a table; the kernel takes it out of the wait with its descriptor.
    pub(super) fn forget_table(&mut self, id: RootfsId) {
        if let Some(Watching { table, .. }) = self
            .watched
            .get_mut(&id)
            .and_then(|watched| watched.table.take())
        {
            let _ = self.waiter.remove(&table.mounts);
            let _ = self.waiter.remove(&table.pidfd);
        }
    }

    /// Waits again for tables that have rested. epoll takes a change that came meanwhile
    /// for told, so it is asked for before.
    pub(super) fn wake_tables(&mut self, now: Instant) {
        let mut still = std::mem::take(&mut self.resting);
        let mut moved = Vec::new();
        still.retain(|id| {
            let Some(watching) = self
                .watched
                .get_mut(id)
                .and_then(|watched| watched.table.as_mut())
            else {
                return false;
            };
            if watching.resting.is_some_and(|until| until > now) {
                return true;
            }
            watching.resting = None;
            if poll::is_ready(watching.table.mounts.as_fd(), Interest::Priority) {
                moved.push(*id);
            } else {
                let token = TABLES + id.0;
                let _ = self
                    .waiter
                    .add(&watching.table.mounts, Interest::Priority, token);
            }
            false
        });
        self.resting = still;
        for id in moved {
            self.table_moved(id);
        }
    }

    /// When the next table has rested.
    pub(super) fn next_rested(&self) -> Option<Instant> {
        self.resting
            .iter()
            .filter_map(|id| self.watched.get(id)?.table.as_ref()?.resting)
            .min()
    }
}
