//! What the examiner knows of each root filesystem, and how it comes to know again
//! a container that was here before: in an earlier run, or a moment ago.

use std::cmp::Reverse;
use std::collections::VecDeque;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use crate::examine::accounts::{Kind, names};
use crate::judge::change::is_the_same;
use crate::judge::restart::{Doubt, Last, Past};
use crate::model::{FileView, Gap};
use crate::sys::fanotify::mask;
use crate::sys::limits::give_back;
use crate::watch::jobs::{Acted, Subject};
use crate::watch::state::identity::{Identity, Key};
use crate::watch::state::store::{Loaded, Store};
use crate::watch::state::{Remember, unreadable};

/// Containers that are gone, and may come back under their name: their last state
/// may still be on its way to the disk.
const PARTED: usize = 256;
/// By then it is there.
const STORED: Duration = Duration::from_secs(10);

/// How long after a look the close of what it saw may come.
const ITS_CLOSE: Duration = Duration::from_secs(1);

/// Names kept for one container.
const ACCOUNTS: usize = 16;

/// Bits of an act that writes, or removes and makes anew; a file that loses its last name
/// tells of its attributes, too.
pub(super) const WRITING: u64 =
    mask::CREATE | mask::MODIFY | mask::CLOSE_WRITE | mask::DELETE | mask::ATTRIB;

/// What is known of one root filesystem's file.
#[derive(Debug, Default)]
pub struct Known {
    /// The file as last known.
    pub past: Past,
    /// Pid of the last act told.
    pub told: Option<i32>,
    /// When the last act was looked at.
    pub looked: Option<Instant>,
    /// The container as last sighted, while the loop holds it.
    pub subject: Weak<Subject>,
    /// Names of ids that were asked for, by the host's numbers.
    pub accounts: Vec<(Kind, u32, Vec<u8>)>,
    /// The last look did not see; told once until it sees again.
    pub blind: Option<String>,
    /// The name of its state, and whose it is.
    place: Option<(Key, Identity)>,
}

impl Known {
    /// This very act was looked at before its last event was read: the file equals the one
    /// last known, to the time stamp. A close that follows may find other time stamps than
    /// a look between the writing and the close, or one name less.
    pub fn has_told(&self, acted: &Acted, after: Option<&FileView>) -> bool {
        let (Some(last), Some(now)) = (self.past.last.file(), after) else {
            return false;
        };
        let closes = acted.mask & !(mask::CLOSE_WRITE | mask::ATTRIB) == 0;
        let recent = self.looked.is_some_and(|at| at.elapsed() < ITS_CLOSE);
        let same = last == now || (closes && recent && is_the_same(last, now));
        let pids = (self.told, acted.pid());
        acted.mask != 0
            && acted.mask & !WRITING == 0
            && same
            && (pids.0 == pids.1 || pids.0.is_none() || pids.1.is_none())
    }

    /// Looks up the names of ids that are not known yet.
    pub fn learn(&mut self, subject: &Subject, kind: Kind, ids: impl Iterator<Item = u32>) {
        let mut ids: Vec<u32> = ids.filter(|&id| self.name(kind, id).is_none()).collect();
        ids.dedup();
        if ids.is_empty() {
            return;
        }
        if self.accounts.len() > ACCOUNTS {
            self.accounts.clear();
        }
        let found = names(&subject.reach, kind, &ids).into_iter();
        self.accounts
            .extend(found.map(|(id, name)| (kind, id, name)));
    }

    /// The name of an id, where it is known.
    pub fn name(&self, kind: Kind, id: u32) -> Option<&[u8]> {
        let of = |(which, number, _): &&(Kind, u32, Vec<u8>)| (*which, *number) == (kind, id);
        self.accounts.iter().find(of).map(|(.., name)| &**name)
    }

    /// What is to be stored now.
    pub fn remember(&mut self, subject: &Subject) -> Option<Arc<Remember>> {
        let (key, identity) = self.place.as_mut()?;
        identity.take_name(subject);
        Some(Arc::new(Remember {
            key: key.clone(),
            identity: identity.clone(),
            last: self.past.last.clone(),
        }))
    }
}

/// States of containers that are not watched now.
#[derive(Debug)]
pub struct Memory {
    store: Option<Arc<Store>>,
    parted: VecDeque<Parted>,
}

/// What was known of a container that is gone.
#[derive(Debug)]
struct Parted {
    at: Instant,
    key: Key,
    identity: Identity,
    last: Last,
}

impl Memory {
    /// The states below `store`. Without one nothing is known of any container.
    pub fn new(store: Option<Arc<Store>>) -> Self {
        Self {
            store,
            parted: VecDeque::new(),
        }
    }

    /// What is known of a container that is sighted, and what went wrong.
    pub fn recall(&mut self, subject: &Subject) -> (Known, Option<Gap>) {
        let (identity, mut keys) = Identity::of(subject);
        let Some((store, first)) = self.store.clone().zip(keys.first().cloned()) else {
            return (Known::default(), None);
        };
        if let Some((key, last)) = self.take_parted(&identity) {
            return (known(earlier(last, None), key, identity), None);
        }
        // What it is known by may have been unknown at one time and known at another.
        keys.sort_by_key(|key| Reverse(store.used(key)));
        let mut trouble = None;
        for key in keys {
            match store.load(&key) {
                Loaded::State(stored) if stored.identity.may_be(&identity) => {
                    let past = earlier(stored.last, stored.doubt);
                    return (known(past, key, identity), trouble);
                }
                // Another container's: notes must not go behind its state.
                Loaded::State(_) => store.forget(&key),
                Loaded::Nothing => {}
                Loaded::Refused(why) => trouble = Some(unreadable(&why, &subject.container)),
            }
        }
        (known(Past::default(), first, identity), trouble)
    }

    fn take_parted(&mut self, identity: &Identity) -> Option<(Key, Last)> {
        let whose =
            |parted: &Parted| parted.identity.meets(identity) && parted.identity.may_be(identity);
        let found = self.parted.iter().position(whose)?;
        let parted = self.parted.remove(found)?;
        Some((parted.key, parted.last))
    }

    /// When `tidy` has something to do.
    pub fn due(&self) -> Option<Instant> {
        self.parted.front().map(|parted| parted.at + STORED)
    }

    /// Drops what is on the disk by now: of a thousand that went, single pieces of many
    /// pages.
    pub fn tidy(&mut self, now: Instant) {
        if self.due().is_none_or(|due| now < due) {
            return;
        }
        self.parted.retain(|parted| now < parted.at + STORED);
        if self.parted.is_empty() {
            self.parted = VecDeque::new();
            give_back();
        }
    }

    /// Keeps what was known of a container that is gone. The name of its state.
    pub fn part(&mut self, known: Known) -> Option<Key> {
        let (key, identity) = known.place?;
        if known.past.doubt.is_none() && known.past.last != Last::Unseen {
            self.parted.push_back(Parted {
                at: Instant::now(),
                key: key.clone(),
                identity,
                last: known.past.last,
            });
        }
        if self.parted.len() > PARTED {
            self.parted.pop_front();
        }
        Some(key)
    }
}

fn earlier(last: Last, doubt: Option<Doubt>) -> Past {
    Past {
        last,
        earlier: true,
        doubt,
    }
}

fn known(past: Past, key: Key, identity: Identity) -> Known {
    Known {
        past,
        place: Some((key, identity)),
        ..Known::default()
    }
}
