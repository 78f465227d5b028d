//! Later facts about an alert: the writer's executable.

use std::time::SystemTime;

use crate::model::{Enrichment, Mention};
use crate::output::escape::hex;
use crate::output::time::rfc3339_or_epoch;

use super::object::{Object, Twins};
use super::{Ecs, MODULE, container, ours};

/// `event.code`.
const CODE: &str = "LDP-700";
/// Severity: low. The alert has the weight.
const SEVERITY: u8 = 21;

impl Ecs {
    pub(super) fn enrichment<'a>(
        &'a self,
        more: &'a Enrichment,
        now: SystemTime,
        root: &mut Object<'a>,
    ) {
        let mut twins = Twins::default();
        let alert = self.mentioned(&more.alert);
        root.nest("event", self.happening(more, &alert, now));
        container::put(root, &more.alert.container, &mut twins);
        root.nest("process", process(more, &mut twins));
        if let Some(sha256) = &more.program.sha256 {
            let mut related = Object::default();
            related.list("hash", [hex(sha256)]);
            root.nest("related", related);
        }
        let mut own = Object::default();
        let mut about = Object::default();
        about.put("id", alert);
        own.nest("alert", about);
        own.nest(
            "container",
            ours::container(&more.alert.container, &mut twins),
        );
        own.nest("writer", writer(more, &mut twins));
        own.nest("raw", twins.into_object());
        root.nest("ldwatch", own);
    }

    fn happening<'a>(&self, more: &Enrichment, alert: &str, now: SystemTime) -> Object<'a> {
        let mut event = Object::default();
        event.put("kind", "enrichment");
        event.list("category", ["file"]);
        event.list("type", ["info"]);
        event.put("action", "enrichment");
        event.put("severity", SEVERITY);
        event.put("module", MODULE);
        event.put("dataset", "ldwatch.enrichment");
        event.put("code", CODE);
        event.put("id", self.id(more.at, "enrichment", &[alert.as_bytes()]));
        event.put("sequence", self.sequence);
        event.put("reason", "writer-executable");
        event.put("created", rfc3339_or_epoch(now));
        event
    }

    fn mentioned(&self, alert: &Mention) -> String {
        self.alert_id(alert.at, alert.action, &alert.container, &alert.rootfs)
    }
}

fn process<'a>(more: &'a Enrichment, twins: &mut Twins<'a>) -> Object<'a> {
    let mut object = Object::default();
    object.put_some("pid", more.pid);
    object.put_some("entity_id", more.entity_id.as_deref());
    object.put(
        "executable",
        twins.text("process", "executable", &more.executable),
    );
    // What merely has its name now is no fact about the process.
    let certain = more.program.found == "process";
    if let Some(sha256) = more.program.sha256.as_ref().filter(|_| certain) {
        let mut digests = Object::default();
        digests.put("sha256", hex(sha256));
        object.nest("hash", digests);
    }
    object
}

fn writer<'a>(more: &'a Enrichment, twins: &mut Twins<'a>) -> Object<'a> {
    let program = &more.program;
    let mut object = Object::default();
    object.put("confirmed", more.confirmed);
    object.put("executable_found", program.found);
    object.put_some(
        "executable_sha256",
        program.sha256.as_ref().map(|sha| hex(sha)),
    );
    object.put_some("executable_size", program.size);
    object.put_some("executable_layer", program.layer);
    object.put_some("executable_deleted", program.deleted);
    let unread = program.unread.as_deref();
    object.put_some(
        "executable_unread",
        unread.map(|why| twins.text("ldwatch.writer", "executable_unread", why.as_bytes())),
    );
    object
}
