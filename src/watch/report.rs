//! What the loop says of itself: lost records, and its state.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime};

use crate::model::RootfsId;
use crate::watch::deliver::Delivery;
use crate::watch::run::Watch;
use crate::watch::status::{Counters, Covered, Status};
use crate::watch::watched::Watched;

impl Watch {
    /// Tells what is due: a sign of life, records that were given up, and the state.
    pub(super) fn report(&mut self, now: Instant) {
        self.service.turned(now);
        self.look_after_threads(now);
        self.beat(now);
        let dropped = self.dropped.swap(0, Ordering::Relaxed);
        if dropped > 0 {
            self.counters.records_dropped += dropped;
            let detail = format!("{dropped} records were given up, the sinks were too slow");
            self.gap(
                "records-dropped",
                detail,
                "see whether a sink hangs: a full disk, a stuck reader",
                None,
            );
            // Told again when the telling itself found no room, but not at once.
            self.status_due.get_or_insert(now + Duration::from_secs(1));
        }
        if self.ready && self.status_due.is_some_and(|due| due <= now) {
            self.status_due = None;
            self.deliver(Delivery::Status(Box::new(self.status(now))));
        }
    }

    /// Tells a sign of life on a turn that is made anyway: on the first, and then on
    /// the first after each interval.
    fn beat(&mut self, now: Instant) {
        let due = self.ready && self.beat_due.is_some_and(|due| due <= now);
        if let Some(every) = self.options.heartbeat.filter(|_| due) {
            self.beat_due = Some(now + every);
            self.deliver(Delivery::Heartbeat(Box::new(self.status(now))));
        }
    }

    /// When to wake up for a sign of life: only where no sweep turns the loop in time.
    pub(super) fn beat_alone(&self) -> Option<Instant> {
        let every = self.options.heartbeat.filter(|_| self.ready)?;
        let alone = self.options.sweep.is_none_or(|sweep| every < sweep);
        self.beat_due.filter(|_| alone)
    }

    fn status(&self, now: Instant) -> Status {
        let mut all: Vec<(&RootfsId, &Watched)> = self.watched.iter().collect();
        all.sort_by_key(|(id, _)| **id);
        let written = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            written: written.map_or(0, |since| since.as_secs()),
            uptime: now.saturating_duration_since(self.started).as_secs(),
            realtime: self.pace.is_realtime(),
            pidfds: self.marks.has_pidfds(),
            groups: self.marks.lanes(),
            marks: self.marks.len(),
            counters: Counters {
                enrichments_left_out: self.left_out.load(Ordering::Relaxed),
                state_failures: self.deliverer.state_failures(),
                execs: self.trail.execs,
                execs_lost: self.trail.lost,
                ..self.counters
            },
            stuck: self.vigil.stuck(),
            containers: all
                .into_iter()
                .map(|(_, watched)| covered(watched))
                .collect(),
        }
    }
}

fn covered(watched: &Watched) -> Covered {
    let subject = &watched.subject;
    Covered {
        id: subject.container.id.clone(),
        name: subject.container.name.clone(),
        runtime: subject
            .container
            .runtime
            .map(|runtime| runtime.name().to_owned()),
        rootfs: subject
            .reach
            .host_path()
            .map(|path| path.to_string_lossy().into_owned()),
        rung: subject.coverage.rung.name().to_owned(),
        gaps: subject.coverage.gaps.clone(),
        exec_trail: subject.trail.clone(),
    }
}
