//! What is written is read back; what is not a state is refused, never a panic.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use proptest::prelude::*;

use super::*;
use crate::model::{Content, FileKind, FileView};
use crate::parse::preload::entries;

fn identity() -> Identity {
    Identity {
        runtime: Some("docker".to_owned()),
        id: Some("a".repeat(64)),
        rootfs: Some("/m".to_owned()),
        layer: Some(PathBuf::from("/u")),
        layer_born: Some(7),
    }
}

fn view(text: &[u8]) -> FileView {
    FileView {
        kind: FileKind::Regular,
        device: 39,
        inode: 7,
        size: 10,
        mode: 0o100_644,
        uid: 0,
        gid: 0,
        links: 1,
        mtime: SystemTime::UNIX_EPOCH + Duration::new(5, 6),
        ctime: SystemTime::UNIX_EPOCH,
        created: Some(SystemTime::UNIX_EPOCH),
        attributes: vec!["immutable"],
        xattrs: Some([9; 32]),
        target: Some(b"/\xff".to_vec()),
        mounted: None,
        in_upper: Some(true),
        content: Ok(Content {
            head: text.to_vec(),
            sha256: [3; 32],
            truncated: false,
            entries: entries(text, 64),
        }),
    }
}

fn telling() -> Doubt {
    Doubt::Telling {
        digest: [0xab; 32],
        changes: vec![Change {
            kind: ChangeType::Creation,
            action: Action::Rename,
            alert: true,
            risk: 73,
        }],
    }
}

fn text(last: &Last, notes: &[Doubt]) -> Vec<u8> {
    let mut text = encode(&identity(), last).unwrap();
    for note in notes {
        text.extend(encode_note(note).unwrap());
    }
    text
}

#[test]
fn what_is_written_is_read_back() {
    for last in [
        Last::Unseen,
        Last::Absent,
        Last::seen(Some(&view(b"/a.so \xfe\n"))),
    ] {
        let stored = decode(&text(&last, &[])).unwrap();
        assert_eq!((stored.identity, stored.last), (identity(), last));
        assert_eq!(stored.doubt, None);
    }
}

#[test]
fn of_a_large_content_the_beginning_is_kept() {
    let long = view(&b"/x.so ".repeat(10_000));
    let text = text(&Last::seen(Some(&long)), &[]);
    assert!(text.len() < 20_000, "{}", text.len());
    let stored = decode(&text).unwrap();
    let content = stored.last.file().unwrap().content.as_ref().unwrap();
    assert_eq!((content.head.len(), content.entries.len()), (4096, 64));
}

#[test]
fn the_last_note_counts_and_lagging_counts_more() {
    let other = Doubt::Telling {
        digest: [1; 32],
        changes: Vec::new(),
    };
    let doubt = |notes: &[Doubt]| decode(&text(&Last::Absent, notes)).unwrap().doubt;
    assert_eq!(doubt(&[other.clone(), telling()]), Some(telling()));
    assert_eq!(doubt(&[Doubt::Lagging, telling()]), Some(Doubt::Lagging));
}

#[test]
fn a_note_that_is_cut_off_or_not_understood_means_that_more_was_told() {
    let whole = text(&Last::Absent, &[telling()]);
    let cut = decode(&whole[..whole.len() - 4]).unwrap();
    assert_eq!(cut.doubt, Some(Doubt::Lagging));
    let mut strange = text(&Last::Absent, &[]);
    strange.extend(b"\"later\"\n");
    assert_eq!(decode(&strange).unwrap().doubt, Some(Doubt::Lagging));
}

#[test]
fn a_later_version_is_told_from_damage() {
    assert_eq!(
        decode(b"{\"version\":2,\"state\":[]}\n"),
        Err(Refusal::Future(2))
    );
    let damaged = [
        &b""[..],
        b"\n",
        b"{\"version\":1}\n",
        b"{\"version\":1",
        b"\0\0\0\0\n",
        b"{\"version\":-1}\n",
    ];
    for text in damaged {
        assert!(matches!(decode(text), Err(Refusal::Damaged(_))), "{text:?}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..500)) {
        let _ = decode(&bytes);
        let mut notes = text(&Last::Absent, &[]);
        notes.extend(&bytes);
        prop_assert!(decode(&notes).is_ok());
    }

    #[test]
    fn a_state_with_one_byte_changed_is_read_or_refused(at in 0_usize..700, byte in any::<u8>()) {
        let mut text = text(&Last::seen(Some(&view(b"/a.so"))), &[telling()]);
        let at = at % text.len();
        text[at] = byte;
        let _ = decode(&text);
    }

    #[test]
    fn any_view_is_read_back(
        head in proptest::collection::vec(any::<u8>(), 0..300),
        size in any::<u64>(), mode in any::<u32>(), inode in any::<u64>(),
        target in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..50)),
        blind in any::<bool>(), seconds in 0_u64..10_000_000_000, nanos in 0_u32..1_000_000_000,
    ) {
        let mut view = view(&head);
        (view.size, view.mode, view.inode, view.target) = (size, mode, inode, target);
        view.mtime = SystemTime::UNIX_EPOCH + Duration::new(seconds, nanos);
        if blind {
            view.content = Err("open: EIO".to_owned());
        }
        let last = Last::seen(Some(&view));
        prop_assert_eq!(decode(&text(&last, &[])).unwrap().last, last);
    }
}
