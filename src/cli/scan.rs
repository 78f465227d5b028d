//! `ldwatch scan`: look once at every container, and tell what is there.

use std::io;
use std::path::Path;
use std::time::SystemTime;

use crate::cli::args;
use crate::cli::look::survey;
use crate::cli::outlet::{Configured, load};
use crate::error::Error;
use crate::examine::file::Look;
use crate::judge::change::first_sight;
use crate::model::{Detection, FileView, Finding, Gap, Record};
use crate::watch::deliver::Outlet;
use crate::watch::jobs::Subject;
use crate::watch::outpost::Outposts;

/// Looks, tells, and fails with `Error::Finding` when something is an alert.
///
/// # Errors
/// As above, and whatever keeps it from looking.
pub fn run(typed: args::Options) -> Result<(), Error> {
    let config = load(&typed)?;
    let subjects = survey(&config)?;
    let mut outlet = Configured::open(&config, typed)?;
    let mut alerts = 0;
    let mut outposts = Outposts::default();
    for record in subjects
        .iter()
        .filter_map(|subject| look_at(subject, config.content_limit, &mut outposts))
    {
        alerts += usize::from(matches!(&record, Record::Finding(finding) if finding.change.alert));
        outlet.record(&record).map_err(|why| Error::ReaderGone {
            sink: "standard output",
            source: io::Error::other(why),
        })?;
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

/// What is to be told of one container; `None` when it has no such file.
fn look_at(subject: &Subject, quote: usize, outposts: &mut Outposts) -> Option<Record> {
    match outposts.look_at(subject, quote) {
        Look::Absent | Look::Gone => None,
        Look::File(file) => Some(found(subject, *file)),
        Look::Unasked(reason) | Look::Blind(reason) => Some(Record::Gap(Box::new(Gap {
            at: SystemTime::now(),
            reason: "not-seen",
            detail: format!("the file could not be looked at: {reason}"),
            remedy: "see `ldwatch list`",
            container: Some(subject.container.clone()),
        }))),
    }
}

fn found(subject: &Subject, file: FileView) -> Record {
    Record::Finding(Box::new(Finding {
        at: SystemTime::now(),
        change: first_sight(&file),
        detection: Detection::Scan,
        container: subject.container.clone(),
        rootfs: subject
            .reach
            .host_path()
            .map(Path::to_owned)
            .unwrap_or_default(),
        coverage: subject.coverage.clone(),
        writer: None,
        file: Some(file),
        before: None,
        folded: 0,
        reasons: Vec::new(),
        repeat: false,
    }))
}
