//! Two who act one after the other are not taken for each other.

use super::*;

#[test]
fn two_writers_are_told_apart_even_when_the_look_came_after_both() {
    let bench = bench();
    bench.write("/x.so\n");
    bench.act(WRITER, mask::CREATE | mask::MODIFY | mask::CLOSE_WRITE);
    bench.act(12, mask::MODIFY | mask::CLOSE_WRITE);
    let told = [
        (Action::Creation, Some(WRITER)),
        (Action::Modification, Some(12)),
    ];
    assert_eq!(bench.told(), told);
}

#[test]
fn what_another_wrote_meanwhile_is_not_laid_to_who_changed_attributes() {
    let bench = bench();
    bench.write("/x.so\n");
    bench.act(WRITER, mask::MOVED_TO);
    bench.is_done();
    // The file that was renamed over tells that it lost a name, after the next one came.
    bench.write("/y.so\n");
    bench.act(WRITER, mask::ATTRIB);
    bench.act(12, mask::MODIFY | mask::CLOSE_WRITE);
    let told = [
        (Action::Rename, Some(WRITER)),
        (Action::Modification, Some(12)),
    ];
    assert_eq!(bench.told(), told);
}

#[test]
fn who_gave_a_reason_to_look_did_not_make_what_another_made() {
    for confirmed in [false, true] {
        let bench = bench();
        bench.write("/x.so\n");
        bench.act(WRITER, mask::MOVED_TO);
        bench.is_done();
        // What it left in the writable layer is read after the next one wrote.
        bench.write("/y.so\n");
        bench.send(Acted {
            writer: Some(Writer {
                confirmed,
                ..Writer::unknown(Some(WRITER))
            }),
            ..Acted::look(SystemTime::now(), Detection::Event)
        });
        bench.act(12, mask::MODIFY | mask::CLOSE_WRITE);
        let told = [
            (Action::Rename, Some(WRITER)),
            (Action::Modification, Some(12)),
        ];
        assert_eq!(bench.told(), told, "confirmed: {confirmed}");
    }
}
