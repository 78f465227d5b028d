//! The parsers that stand in the way of an event or of a start: the event buffer, a
//! cgroup text, a mount table of a thousand overlays. Each is held against a bare pass
//! over the same bytes in the same run.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use ldwatch::parse::cgroup::member;
use ldwatch::parse::fanotify::events;
use ldwatch::parse::mountinfo::{by_id, mounts};

/// Events in the buffer, and overlays in the table.
const MANY: usize = 1000;
/// Each measurement runs for about this long.
const WHILE: Duration = Duration::from_millis(300);

fn main() {
    let buffer = event_buffer();
    let table = mount_table();
    let cgroup = cgroup_text();
    let last = u64::try_from(MANY).unwrap() + 99;
    println!("{:<44}{:>12}{:>10}", "", "ns", "x pass");
    row("event buffer, 1000 events", &buffer, || {
        events(black_box(&buffer)).count()
    });
    row("cgroup text of docker, v1 and v2", &cgroup, || {
        usize::from(member(black_box(&cgroup)).is_some())
    });
    row("mount table, 1000 overlays", &table, || {
        mounts(black_box(&table)).0.len()
    });
    row("the last of 1000 overlays by its id", &table, || {
        usize::from(by_id(black_box(&table), last).is_some())
    });
}

/// The time of one call, and how often a pass over the bytes fits in it.
fn row(name: &str, bytes: &[u8], call: impl Fn() -> usize) {
    assert!(call() > 0, "{name}: nothing was found");
    let pass = || {
        black_box(bytes)
            .iter()
            .filter(|byte| **byte == b'\n')
            .count()
    };
    let (took, floor) = (time(call), time(pass));
    let ratio = took.as_secs_f64() / floor.as_secs_f64();
    println!("{name:<44}{:>12}{ratio:>10.1}", took.as_nanos());
}

/// The fastest of many rounds: what disturbs only adds.
fn time(call: impl Fn() -> usize) -> Duration {
    let end = Instant::now() + WHILE;
    let mut best = Duration::MAX;
    while Instant::now() < end {
        let start = Instant::now();
        for _ in 0..10 {
            black_box(call());
        }
        best = best.min(start.elapsed() / 10);
    }
    best
}

/// Events as a group with names and pidfds reports them (fanotify(7)).
fn event_buffer() -> Vec<u8> {
    let name = b"ld.so.preload\0\0\0";
    let mut record = vec![2, 0, 0, 0];
    record.extend([7; 8]);
    record.extend(32_u32.to_ne_bytes());
    record.extend(0xf8_u32.to_ne_bytes());
    record.extend([9; 32]);
    record.extend(name);
    let length = u16::try_from(record.len()).unwrap();
    record.splice(2..4, length.to_ne_bytes());
    record.extend([4, 0, 8, 0]);
    record.extend(5_i32.to_ne_bytes());
    let whole = u32::try_from(24 + record.len()).unwrap();
    let mut event = Vec::new();
    event.extend(whole.to_ne_bytes());
    event.extend([3, 0]);
    event.extend(24_u16.to_ne_bytes());
    event.extend(8_u64.to_ne_bytes());
    event.extend((-1_i32).to_ne_bytes());
    event.extend(4242_i32.to_ne_bytes());
    event.extend(record);
    event.repeat(MANY)
}

fn mount_table() -> Vec<u8> {
    let line = |number: usize| {
        let id = format!("{number:064x}");
        let base = format!("/var/lib/docker/overlay2/{id}");
        let device = 100 + number;
        format!(
            "{device} 28 0:{device} / {base}/merged rw,relatime shared:{number} - overlay overlay \
             rw,lowerdir=/var/lib/docker/overlay2/l/AAAA:/var/lib/docker/overlay2/l/BBBB,\
             upperdir={base}/diff,workdir={base}/work\n"
        )
    };
    (0..MANY).map(line).collect::<String>().into_bytes()
}

fn cgroup_text() -> Vec<u8> {
    let id = "4d".repeat(32);
    let v1 = ["cpu", "memory", "pids", "devices", "blkio"];
    let lines = v1.iter().enumerate().rev();
    let mut text: String = lines
        .map(|(number, name)| format!("{}:{name}:/docker/{id}\n", number + 1))
        .collect();
    text.push_str(&format!("0::/docker/{id}\n"));
    text.into_bytes()
}
