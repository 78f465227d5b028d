//! Properties that hold for any text.

use proptest::prelude::*;

use super::{A, B, UID, member};

/// Pieces that paths are made of, so that random paths come near the rules.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(A.to_owned()),
        Just(format!("docker-{B}.scope")),
        Just(format!("pod{UID}")),
        Just("kubepods.slice:crio:x".to_owned()),
        Just("lxc.payload.c_1".to_owned()),
        Just("machine-a\\x2db.scope".to_owned()),
        Just("supervisor".to_owned()),
        Just("default".to_owned()),
        "[a-z0-9_.:\\\\x-]{0,70}",
    ]
}

proptest! {
    #[test]
    fn any_bytes_are_survived(text in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = member(&text);
    }

    #[test]
    fn an_id_is_part_of_the_text(parts in prop::collection::vec(piece(), 0..8)) {
        let text = format!("0::/{}", parts.join("/"));
        if let Some(id) = member(text.as_bytes()).and_then(|member| member.id) {
            prop_assert!(!id.is_empty());
            prop_assert!(text.contains(&id) || text.contains('\\'), "{text}: {id}");
        }
    }
}
