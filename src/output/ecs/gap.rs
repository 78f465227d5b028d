//! A gap: something that is not seen, or was lost.

use std::time::SystemTime;

use crate::model::Gap;
use crate::output::time::rfc3339_or_epoch;

use super::object::{Object, Twins};
use super::{Ecs, MODULE, container, ours};

/// `event.code`.
const GAP_CODE: &str = "LDP-900";
/// Severity: medium. It is no finding, but a watcher that is blind must not look calm.
const SEVERITY: u8 = 47;

impl Ecs {
    pub(super) fn gap<'a>(&'a self, gap: &'a Gap, now: SystemTime, root: &mut Object<'a>) {
        let mut twins = Twins::default();
        let mut event = Object::default();
        event.put("kind", "state");
        event.list("category", ["host"]);
        event.list("type", ["info"]);
        event.put("action", "gap");
        event.put("severity", SEVERITY);
        event.put("module", MODULE);
        event.put("dataset", "ldwatch.gap");
        event.put("code", GAP_CODE);
        event.put("id", self.gap_id(gap));
        event.put("sequence", self.sequence);
        event.put("reason", gap.reason);
        event.put("created", rfc3339_or_epoch(now));
        root.nest("event", event);
        let mut facts = Object::default();
        facts.put("reason", gap.reason);
        facts.put(
            "detail",
            twins.text("ldwatch.gap", "detail", gap.detail.as_bytes()),
        );
        facts.put("remedy", gap.remedy);
        let mut own = Object::default();
        own.nest("gap", facts);
        if let Some(known) = &gap.container {
            container::put(root, known, &mut twins);
            own.nest("container", ours::container(known, &mut twins));
        }
        own.nest("raw", twins.into_object());
        root.nest("ldwatch", own);
    }
}
