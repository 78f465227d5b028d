//! `ldwatch scan`: look once at every container, and tell what is there.

use std::time::SystemTime;

use crate::cli::args;
use crate::cli::look::survey;
use crate::cli::outlet::{Configured, load};
use crate::error::Error;
use crate::examine::file::{Look, look};
use crate::judge::change::first_sight;
use crate::model::{Detection, Finding, Gap, Record};
use crate::watch::deliver::Outlet;
use crate::watch::jobs::Subject;

/// Looks, tells, and fails with `Error::Finding` when something is an alert.
///
/// # Errors
/// As above, and whatever keeps it from looking.
pub fn run(typed: args::Options) -> Result<(), Error> {
    let config = load(&typed)?;
    let subjects = survey(&config)?;
    let mut outlet = Configured::open(&config, typed)?;
    let mut alerts = 0;
    for subject in &subjects {
        let record = match look(
            &subject.reach,
            subject.upper.as_deref(),
            config.content_limit,
        ) {
            Look::Absent => continue,
            Look::File(file) => {
                let change = first_sight(&file);
                alerts += usize::from(change.alert);
                found(
                    subject,
                    Finding {
                        at: SystemTime::now(),
                        change,
                        detection: Detection::Scan,
                        container: subject.container.clone(),
                        rootfs: std::path::PathBuf::new(),
                        coverage: subject.coverage.clone(),
                        writer: None,
                        file: Some(*file),
                        before: None,
                        folded: 0,
                        reasons: Vec::new(),
                        repeat: false,
                    },
                )
            }
            Look::Blind(reason) => Record::Gap(Box::new(Gap {
                at: SystemTime::now(),
                reason: "not-seen",
                detail: format!("the file could not be looked at: {reason}"),
                remedy: "see `ldwatch list`",
                container: Some(subject.container.clone()),
            })),
        };
        let gone = |why| Error::ReaderGone {
            sink: "standard output",
            source: std::io::Error::other::<String>(why),
        };
        outlet.record(&record).map_err(gone)?;
    }
    log::info!("{} containers looked at, {alerts} alerts", subjects.len());
    if alerts == 0 {
        return Ok(());
    }
    let text = format!(
        "{alerts} of {} containers hold a file that did not come with the image",
        subjects.len()
    );
    Err(Error::Finding { verb: "scan", text })
}

fn found(subject: &Subject, finding: Finding) -> Record {
    let rootfs = subject
        .reach
        .host
        .as_ref()
        .map(|(path, _)| path.clone())
        .unwrap_or_default();
    Record::Finding(Box::new(Finding { rootfs, ..finding }))
}
