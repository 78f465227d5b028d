//! Acts that are told in parts, each by another queue of the kernel.

use super::*;

#[test]
fn what_is_written_without_a_pid_waits_for_the_close_that_has_one() {
    let bench = with_a_file();
    bench.write("/x.so\n");
    let inotify = Acted {
        mask: mask::MODIFY,
        writer: Some(Writer::unknown(None)),
        ..Acted::look(SystemTime::now(), Detection::Event)
    };
    bench.send(inotify);
    bench.act(WRITER, mask::MODIFY | mask::CLOSE_WRITE);
    let told = [
        (Action::Creation, Some(1)),
        (Action::Modification, Some(WRITER)),
    ];
    assert_eq!(bench.told(), told);
}
