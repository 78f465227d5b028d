//! Wake-ups while nothing happens: context switches of every thread.

use std::collections::BTreeMap;
use std::thread::sleep;
use std::time::Duration;

use crate::memory::Many;
use crate::process::{switches, threads};
use crate::support::scratch::Scratch;
use crate::tail::Tail;

/// Watches for `seconds`, with one root filesystem and with a hundred.
pub fn run(seconds: usize) {
    let mut many = Many::new();
    for count in [1, 99] {
        many.mount(count);
        let files = Scratch::new();
        let ldwatch = Tail::ldwatch(files.path());
        // The survey's last look for an init is over then.
        sleep(Duration::from_secs(7));
        let before = counts(ldwatch.pid());
        sleep(Duration::from_secs(seconds as u64));
        let after = counts(ldwatch.pid());
        println!("{count} more root filesystems, {seconds} s, context switches by thread:");
        let mut sum = 0;
        for (name, count) in &after {
            let count = count - before.get(name).unwrap_or(&0);
            sum += count;
            println!("  {name:<16}{count:>8}");
        }
        println!("  {:<16}{sum:>8}", "all");
        ldwatch.stop();
    }
}

fn counts(pid: u32) -> BTreeMap<String, u64> {
    let all = threads(pid).into_iter();
    all.map(|(name, path)| (name, switches(&path))).collect()
}
