//! What goes and what stays. Time is a value.

use std::fs;
use std::path::PathBuf;

use super::*;
use crate::judge::restart::Last;
use crate::watch::state::form::encode;
use crate::watch::state::identity::Identity;

struct Bench {
    dir: tempfile::TempDir,
    store: Store,
    prune: Prune,
    start: Instant,
}

fn bench() -> Bench {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let start = Instant::now();
    Bench {
        dir,
        store,
        prune: Prune::new(start),
        start,
    }
}

impl Bench {
    fn state(&self, number: usize, layer: Option<PathBuf>) -> Key {
        let key = Key::parse(&format!("{number:064x}")).unwrap();
        let identity = Identity {
            layer,
            ..Identity::default()
        };
        let text = encode(&identity, &Last::Absent).unwrap();
        self.store.save(&key, &text).unwrap();
        key
    }

    /// Looks everything through, `later` than now.
    fn clear(&mut self, live: &[Key], later: Duration) {
        let now = self.start + FIRST;
        self.prune.due = now;
        while self.prune.due() <= now {
            let clock = SystemTime::now() + later;
            let live = |key: &Key| live.contains(key);
            self.prune.step(&self.store, &live, now, clock);
        }
    }

    fn left(&self) -> usize {
        fs::read_dir(self.dir.path()).unwrap().count()
    }
}

#[test]
fn nothing_is_cleared_before_its_time() {
    let mut bench = bench();
    bench.state(1, Some(PathBuf::from("/nowhere/at/all")));
    let live = |_: &Key| false;
    let later = SystemTime::now() + 2 * OLD;
    bench.prune.step(&bench.store, &live, bench.start, later);
    assert_eq!(bench.left(), 1);
    bench.clear(&[], FRESH / 2);
    assert_eq!(bench.left(), 1);
}

#[test]
fn a_removed_container_goes_and_a_stopped_one_stays() {
    let mut bench = bench();
    bench.state(1, Some(PathBuf::from("/nowhere/at/all")));
    bench.state(2, Some(bench.dir.path().to_owned()));
    bench.state(3, None);
    bench.clear(&[], 2 * FRESH);
    assert_eq!(bench.left(), 2);
    bench.clear(&[], OLD + FRESH);
    assert_eq!(bench.left(), 0);
}

#[test]
fn what_is_in_use_stays_and_is_marked_as_used() {
    let mut bench = bench();
    let live = bench.state(1, Some(PathBuf::from("/nowhere/at/all")));
    let path = bench.dir.path().join(format!("{}.json", live.text()));
    let file = fs::File::open(&path).unwrap();
    file.set_modified(SystemTime::now() - 2 * OLD).unwrap();
    bench.clear(&[live], Duration::ZERO);
    let modified = fs::metadata(&path).unwrap().modified().unwrap();
    assert!(modified.elapsed().unwrap_or_default() < DAY);
}

#[test]
fn the_oldest_go_when_there_are_too_many() {
    let mut bench = bench();
    for number in 0..MOST + 3 {
        bench.state(number, None);
    }
    bench.clear(&[], Duration::ZERO);
    assert_eq!(bench.left(), MOST);
}

#[test]
fn leftovers_of_a_crash_go_and_other_files_stay() {
    let mut bench = bench();
    let name = format!(".{}.123", "a".repeat(64));
    fs::write(bench.dir.path().join(name), "").unwrap();
    fs::write(bench.dir.path().join("README"), "").unwrap();
    bench.clear(&[], 2 * FRESH);
    assert_eq!(bench.left(), 1);
}
