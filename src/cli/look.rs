//! One survey without a loop: what `scan` and `list` share.

use std::io;

use crate::config::Config;
use crate::error::Error;
use crate::survey::runtime::Readers;
use crate::survey::sight::{News, Sighting, Survey};
use crate::sys::epoll::Waiter;
use crate::watch::jobs::Subject;
use crate::watch::ladder::Tried;
use crate::watch::marks::Marks;
use crate::watch::trail::trail_of;
use crate::who::boot::Boot;
use crate::who::trail::Trail;

/// Surveys the host once, and tries to mark what is found.
///
/// # Errors
/// No group can be made, or the host's mount table cannot be read.
pub fn survey(config: &Config) -> Result<Vec<Subject>, Error> {
    let waiter = Waiter::new().map_err(failed)?;
    let mut marks = Marks::new(0, config.rung.forced()).map_err(super::run::refused)?;
    let trail = Trail::new(config.exec_trail);
    let readers = Readers::new("/".as_ref()).with_state_roots(&config.runtimes.state_roots);
    let mut survey = Survey::new(readers, Boot::read().mount_ns.unwrap_or(0));
    let mut sightings: Vec<Sighting> = Vec::new();
    let mut blind = None;
    survey.pass(&mut |news| match news {
        News::Sighted(sighting) => {
            sightings.retain(|known| known.id != sighting.id);
            sightings.push(*sighting);
        }
        News::Blind(why) => blind = Some(why),
        News::Gone(..) | News::Took(..) | News::Done(_) => {}
    });
    if let Some(why) = blind {
        return Err(failed(io::Error::other(why)));
    }
    Ok(sightings
        .into_iter()
        .map(|sighting| seen(sighting, &mut marks, &trail, &waiter))
        .collect())
}

fn seen(sighting: Sighting, marks: &mut Marks, trail: &Trail, waiter: &Waiter) -> Subject {
    let mut tried = Tried::default();
    for spot in &sighting.spots {
        tried.take(spot.kind, marks.add(sighting.id, spot, 0, waiter));
    }
    Subject {
        id: sighting.id,
        coverage: tried.coverage(&sighting.trouble),
        trail: trail_of(trail, &sighting),
        container: sighting.container,
        papers: sighting.papers,
        reach: sighting.reach,
        mount_ns: sighting.mount_ns,
        root: sighting.root,
        upper: sighting.upper,
    }
}

fn failed(source: io::Error) -> Error {
    Error::Failed {
        act: "survey",
        on: "the host".to_owned(),
        source,
        advice: "is /proc mounted, and is this the host's mount namespace?",
    }
}
