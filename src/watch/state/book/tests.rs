//! What is on disk after each step, and how often it is written.

use std::path::PathBuf;

use super::*;
use crate::model::{Action, ChangeType};
use crate::watch::state::form::Stored;
use crate::watch::state::identity::Identity;
use crate::watch::state::store::Loaded;

struct Bench {
    _dir: tempfile::TempDir,
    store: Arc<Store>,
    book: Book,
    start: Instant,
}

fn bench() -> Bench {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(Store::open(dir.path()).unwrap());
    let start = Instant::now();
    Bench {
        _dir: dir,
        book: Book::new(Arc::clone(&store), start),
        store,
        start,
    }
}

fn key() -> Key {
    Key::parse(&"a".repeat(64)).unwrap()
}

/// A state that tells `number` in its identity.
fn remember(number: u64) -> Arc<Remember> {
    Arc::new(Remember {
        key: key(),
        identity: Identity {
            layer: Some(PathBuf::from("/l")),
            layer_born: Some(number),
            ..Identity::default()
        },
        last: Last::Absent,
    })
}

fn changes() -> Vec<Change> {
    vec![Change {
        kind: ChangeType::Creation,
        action: Action::Creation,
        alert: true,
        risk: 73,
    }]
}

impl Bench {
    fn stored(&self) -> Stored {
        match self.store.load(&key()) {
            Loaded::State(stored) => *stored,
            other => panic!("{other:?}"),
        }
    }

    fn number(&self) -> Option<u64> {
        self.stored().identity.layer_born
    }

    fn tell(&mut self, number: u64, now: Instant) {
        self.book.telling(&remember(number), changes(), now);
        self.book.told(remember(number), now);
        self.book.tick(now);
    }
}

#[test]
fn what_is_about_to_be_told_is_noted_and_then_stored() {
    let mut bench = bench();
    let now = bench.start;
    bench.book.telling(&remember(1), changes(), now);
    let first = bench.stored();
    assert_eq!(first.last, Last::Unseen);
    let telling = Doubt::Telling {
        digest: digest(None),
        changes: changes(),
    };
    assert_eq!(first.doubt, Some(telling.clone()));
    bench.book.told(remember(1), now);
    bench.book.tick(now);
    let second = bench.stored();
    assert_eq!((second.last, second.doubt), (Last::Absent, None));
    bench.book.telling(&remember(2), changes(), now);
    let third = bench.stored();
    assert_eq!((third.last, third.doubt), (Last::Absent, Some(telling)));
}

#[test]
fn a_flood_is_written_so_many_times_and_its_end_a_second_later() {
    let mut bench = bench();
    for number in 1..1000 {
        bench.tell(number, bench.start);
    }
    assert_eq!(bench.stored().doubt, Some(Doubt::Lagging));
    let written = u64::from(WRITES) / 2;
    assert_eq!(bench.number(), Some(written));
    assert_eq!(bench.book.due(), bench.start + WINDOW);
    bench.book.tick(bench.start + WINDOW);
    assert_eq!((bench.number(), bench.stored().doubt), (Some(999), None));
    // The next record is noted again.
    bench
        .book
        .telling(&remember(1000), changes(), bench.start + WINDOW);
    assert!(matches!(bench.stored().doubt, Some(Doubt::Telling { .. })));
}

#[test]
fn what_is_pending_is_written_at_the_end_and_when_the_container_goes() {
    let mut bench = bench();
    bench.book.later(remember(1), bench.start);
    assert_eq!(bench.store.load(&key()), Loaded::Nothing);
    bench.book.forget(&key(), bench.start);
    assert_eq!(bench.number(), Some(1));
    bench.book.later(remember(2), bench.start);
    bench.book.finish();
    assert_eq!(bench.number(), Some(2));
}

#[test]
fn a_failure_is_told_once_until_it_works_again() {
    let mut bench = bench();
    // A directory in the file's place: neither a note nor a state can be written.
    let path = bench._dir.path().join(format!("{}.json", key().text()));
    std::fs::create_dir(&path).unwrap();
    bench.tell(1, bench.start);
    assert_eq!(
        bench.book.trouble().map(|gap| gap.reason),
        Some("state-not-written")
    );
    bench.tell(2, bench.start);
    assert!(bench.book.trouble().is_none());
    assert!(bench.store.failures() >= 2);
    std::fs::remove_dir(&path).unwrap();
    bench.book.tick(bench.start + AGAIN);
    assert_eq!((bench.number(), bench.stored().doubt), (Some(2), None));
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    bench.tell(3, bench.start + AGAIN);
    assert!(bench.book.trouble().is_some());
}
