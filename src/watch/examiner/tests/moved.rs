//! A mount in another namespace that became a container's root.

use super::*;
use crate::reach::ProcessKey;

/// An act whose way in is gone.
fn gone(bench: &Bench) -> Job {
    let nobody = ProcessKey {
        pid: i32::MAX,
        start_ticks: 0,
    };
    let mount = HostMount::listed(nobody, "/m".as_ref(), 1);
    let subject = Subject {
        reach: Reach::by_host(Some(mount)),
        ..Subject::clone(&bench.subject)
    };
    let acted = Acted {
        mask: mask::CREATE | mask::MODIFY | mask::CLOSE_WRITE,
        writer: Some(Writer::unknown(Some(WRITER))),
        ..Acted::look(SystemTime::now(), Detection::Event)
    };
    Job::Look(Arc::new(subject), Box::new(acted), Arc::default())
}

#[test]
fn an_act_in_a_mount_that_became_a_root_is_told_once() {
    let bench = bench();
    bench.write("/x.so\n");
    bench.jobs.offer(gone(&bench), Queue::Swift).unwrap();
    bench.send(Acted::look(SystemTime::now(), Detection::Mount));
    std::thread::sleep(HOLD * 2);
    bench.send(Acted::look(SystemTime::now(), Detection::Sweep));
    assert_eq!(bench.told(), [(Action::Creation, Some(WRITER))]);
}

#[test]
fn an_act_in_a_mount_that_became_nothing_is_told_by_its_events() {
    let bench = bench();
    bench.jobs.offer(gone(&bench), Queue::Swift).unwrap();
    bench
        .jobs
        .offer(Job::Forget(RootfsId(1)), Queue::Swift)
        .unwrap();
    assert_eq!(bench.told(), [(Action::Creation, Some(WRITER))]);
}
