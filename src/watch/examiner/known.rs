//! What the examiner knows of each root filesystem, and how it comes to know again
//! a container that was here before: in an earlier run, or a moment ago.

use std::cmp::Reverse;
use std::collections::VecDeque;
use std::sync::Arc;

use crate::judge::restart::{Last, Past};
use crate::model::Gap;
use crate::watch::jobs::Subject;
use crate::watch::state::identity::{Identity, Key};
use crate::watch::state::store::{Loaded, Store};
use crate::watch::state::{Remember, unreadable};

/// Containers that are gone, and may come back under their name: their last state
/// may still be on its way to the disk.
const PARTED: usize = 256;

/// What is known of one root filesystem's file.
#[derive(Debug, Default)]
pub struct Known {
    /// The file as last known.
    pub past: Past,
    /// Pid of the last act told.
    pub told: Option<i32>,
    /// The last look did not see; told once until it sees again.
    pub blind: Option<String>,
    /// The name of its state, and whose it is.
    place: Option<(Key, Identity)>,
}

impl Known {
    /// What is to be stored now.
    pub fn remember(&mut self, subject: &Subject) -> Option<Box<Remember>> {
        let (key, identity) = self.place.as_mut()?;
        identity.take_name(subject);
        Some(Box::new(Remember {
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
    parted: VecDeque<(Key, Identity, Last)>,
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
        // The name may have been unknown at one time and known at another.
        keys.sort_by_key(|key| Reverse(store.used(key)));
        let mut trouble = None;
        for key in keys {
            let past = match self.take_parted(&key, &identity) {
                Some(last) => Past {
                    last,
                    earlier: true,
                    doubt: None,
                },
                None => match store.load(&key) {
                    Loaded::State(stored) if stored.identity.may_be(&identity) => Past {
                        last: stored.last,
                        earlier: true,
                        doubt: stored.doubt,
                    },
                    Loaded::State(_) => {
                        // Another container had the name: notes must not go behind its state.
                        store.forget(&key);
                        continue;
                    }
                    Loaded::Nothing => continue,
                    Loaded::Refused(why) => {
                        trouble = Some(unreadable(&why, &subject.container));
                        continue;
                    }
                },
            };
            return (known(past, key, identity), trouble);
        }
        (known(Past::default(), first, identity), trouble)
    }

    fn take_parted(&mut self, key: &Key, identity: &Identity) -> Option<Last> {
        let found = self.parted.iter().position(|(parted, ..)| parted == key)?;
        let (_, whose, last) = self.parted.remove(found)?;
        whose.may_be(identity).then_some(last)
    }

    /// Keeps what was known of a container that is gone. The name of its state.
    pub fn part(&mut self, known: Known) -> Option<Key> {
        let (key, identity) = known.place?;
        if known.past.doubt.is_none() && known.past.last != Last::Unseen {
            self.parted
                .push_back((key.clone(), identity, known.past.last));
        }
        if self.parted.len() > PARTED {
            self.parted.pop_front();
        }
        Some(key)
    }
}

fn known(past: Past, key: Key, identity: Identity) -> Known {
    Known {
        past,
        place: Some((key, identity)),
        ..Known::default()
    }
}
