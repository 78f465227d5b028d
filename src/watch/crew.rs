//! The threads beside the loop: the survey reads the host, the examiner looks at
//! files, the delivery thread writes. None of them is ever waited for by the loop.

use std::io;
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
use crate::watch::queue::Jobs;
use crate::watch::run::Options;
use crate::watch::state::Opened;
use crate::watch::surveyor::Surveyor;
use crate::who::process::Boot;

/// Jobs that may wait for the examiner; beyond, acts are folded and counted.
const JOBS: usize = 4096;

/// The threads and the loop's ends of the channels to them.
#[derive(Debug)]
pub struct Crew {
    /// Which root filesystems there are.
    pub surveyor: Surveyor,
    /// Where records go.
    pub deliverer: Deliverer,
    /// The examiner's thread.
    pub examiner: JoinHandle<()>,
    /// Work for it.
    pub jobs: Jobs,
    /// Records that were given up.
    pub dropped: Arc<AtomicU64>,
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
        let store = states.store.clone();
        let deliverer = Deliverer::start(outlet, Arc::clone(bell), states)?;
        let readers = Readers::new("/".as_ref()).with_state_roots(&options.state_roots);
        let survey = Survey::new(readers, boot.mount_ns.unwrap_or(0));
        let surveyor = Surveyor::start(survey, Arc::clone(bell))?;
        let dropped = Arc::new(AtomicU64::new(0));
        let (jobs, work) = Jobs::new(JOBS);
        let examiner = Examiner::new(
            deliverer.queue.clone(),
            Arc::clone(&dropped),
            options.quote,
            boot.mount_ns,
            store,
            surveyor.asker(),
        );
        let (examiner, left_out) = enriched(examiner, &deliverer.queue)?;
        let examiner = thread::Builder::new()
            .name("examine".to_owned())
            .spawn(move || examiner.work(&work))?;
        Ok(Self {
            surveyor,
            deliverer,
            examiner,
            jobs,
            dropped,
            left_out,
        })
    }
}

/// Has alerts looked into by a thread of its own once they are told; and what counts
/// those that were not.
fn enriched(
    examiner: Examiner,
    records: &Sender<Delivery>,
) -> io::Result<(Examiner, Arc<AtomicU64>)> {
    let (alerts, wanted) = bounded(enricher::ROOM);
    let left_out = Arc::new(AtomicU64::new(0));
    let enrich = Enrich {
        alerts,
        left_out: Arc::clone(&left_out),
    };
    let (records, counter) = (records.clone(), Arc::clone(&left_out));
    thread::Builder::new()
        .name("enrich".to_owned())
        .spawn(move || enricher::work(&wanted, &records, &counter))?;
    Ok((examiner.enriched(enrich), left_out))
}
