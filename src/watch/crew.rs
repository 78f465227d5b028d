//! The threads beside the loop: the survey reads the host, the examiner looks at
//! files, the delivery thread writes. None of them is ever waited for by the loop.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::thread::{self, JoinHandle};

use crossbeam_channel::{Sender, bounded};

use crate::survey::runtime::Readers;
use crate::survey::sight::Survey;
use crate::sys::epoll::Wake;
use crate::watch::deliver::{Deliverer, Delivery, Outlet};
use crate::watch::enricher::{self, Enrich};
use crate::watch::examiner::Examiner;
use crate::watch::jobs::Subject;
use crate::watch::pace::Pace;
use crate::watch::queue::{Desk, Jobs};
use crate::watch::run::Options;
use crate::watch::state::Opened;
use crate::watch::state::store::Store;
use crate::watch::surveyor::{Asker, Surveyor};
use crate::watch::vigil::{Progress, Vigil};
use crate::who::boot::Boot;

/// Jobs that may wait for the examiner; beyond, acts are folded and counted.
const JOBS: usize = 4096;

/// An examiner's place, at which another one can take over.
#[derive(Debug)]
pub struct Seat {
    records: Sender<Delivery>,
    dropped: Arc<AtomicU64>,
    quote: usize,
    host_ns: Option<u64>,
    store: Option<Arc<Store>>,
    survey: Asker,
    desk: Desk,
    enrich: Enrich,
    realtime: bool,
    state_roots: Vec<PathBuf>,
}

/// An examiner at work.
#[derive(Debug)]
pub struct Hired {
    /// Its thread.
    pub thread: JoinHandle<()>,
    /// What it is at.
    pub progress: Arc<Progress>,
}

impl Seat {
    /// An examiner that first looks at `subjects`, and then takes what is on the desk.
    ///
    /// # Errors
    /// When no thread can be made.
    pub fn hire(&self, subjects: Vec<Arc<Subject>>) -> io::Result<Hired> {
        let examiner = Examiner::new(
            self.records.clone(),
            Arc::clone(&self.dropped),
            self.quote,
            self.host_ns,
            self.store.clone(),
            self.survey.clone(),
        )
        .enriched(self.enrich.clone())
        .reading(readers(&self.state_roots));
        let progress = Progress::of("examine");
        let (desk, own) = (self.desk.clone(), Arc::clone(&progress));
        let realtime = self.realtime;
        let thread = thread::Builder::new()
            .name("examine".to_owned())
            .spawn(move || {
                // An alert waits for no survey. What one container may ask for is bounded.
                let pace = Pace::of_alerts(realtime);
                examiner.work((&desk, pace), &own, subjects);
            })?;
        Ok(Hired { thread, progress })
    }
}

/// The threads and the loop's ends of the channels to them.
#[derive(Debug)]
pub struct Crew {
    /// Which root filesystems there are.
    pub surveyor: Surveyor,
    /// Where records go.
    pub deliverer: Deliverer,
    /// The examiner.
    pub examiner: Hired,
    /// Its place.
    pub seat: Seat,
    /// Work for it.
    pub jobs: Jobs,
    /// Records that were given up.
    pub dropped: Arc<AtomicU64>,
    /// An eye on them all.
    pub vigil: Vigil,
    /// Alerts that were not looked into further.
    pub left_out: Arc<AtomicU64>,
}

impl Crew {
    /// Starts them all. `bell` wakes the loop.
    ///
    /// # Errors
    /// When no thread can be made.
    pub fn start(
        options: &Options,
        outlet: Box<dyn Outlet>,
        boot: &Boot,
        bell: &Arc<Wake>,
    ) -> io::Result<Self> {
        let states = Opened::at(options.state_dir.as_deref());
        let deliverer = Deliverer::start(outlet, Arc::clone(bell), states, options.realtime)?;
        let survey = Survey::new(readers(&options.state_roots), boot.mount_ns.unwrap_or(0));
        let surveyor = Surveyor::start(survey, Arc::clone(bell))?;
        let dropped = Arc::new(AtomicU64::new(0));
        let (jobs, desk) = Jobs::new(JOBS);
        let enrich = enricher(&deliverer.queue)?;
        let left_out = Arc::clone(&enrich.left_out);
        let seat = Seat {
            records: deliverer.queue.clone(),
            dropped: Arc::clone(&dropped),
            quote: options.quote,
            host_ns: boot.mount_ns,
            store: deliverer.store.clone(),
            survey: surveyor.asker(),
            desk,
            enrich,
            realtime: options.realtime,
            state_roots: options.state_roots.clone(),
        };
        let examiner = seat.hire(Vec::new())?;
        let all = [&surveyor.progress, &examiner.progress];
        let all = all.into_iter().chain(&deliverer.progress);
        Ok(Self {
            vigil: Vigil::over(all.map(Arc::clone)),
            surveyor,
            deliverer,
            examiner,
            seat,
            jobs,
            dropped,
            left_out,
        })
    }
}

/// Readers of the runtimes' files on this host.
fn readers(state_roots: &[PathBuf]) -> Readers {
    Readers::new(Path::new("/")).with_state_roots(state_roots)
}

/// Has alerts looked into by a thread of its own once they are told.
fn enricher(records: &Sender<Delivery>) -> io::Result<Enrich> {
    let (alerts, wanted) = bounded(enricher::ROOM);
    let left_out = Arc::new(AtomicU64::new(0));
    let enrich = Enrich {
        alerts,
        left_out: Arc::clone(&left_out),
    };
    let records = records.clone();
    thread::Builder::new()
        .name("enrich".to_owned())
        .spawn(move || enricher::work(&wanted, &records, &left_out))?;
    Ok(enrich)
}
