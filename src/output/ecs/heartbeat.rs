//! A heartbeat: the watcher is there, and what it has counted.

use std::time::SystemTime;

use crate::model::Heartbeat;
use crate::output::time::rfc3339_or_epoch;

use super::object::Object;
use super::{Ecs, MODULE};

/// `event.code`.
const HEARTBEAT_CODE: &str = "LDP-800";

impl Ecs {
    pub(super) fn heartbeat<'a>(
        &'a self,
        beat: &'a Heartbeat,
        now: SystemTime,
        root: &mut Object<'a>,
    ) {
        let mut event = Object::default();
        event.put("kind", "metric");
        event.list("category", ["host"]);
        event.list("type", ["info"]);
        event.put("action", "heartbeat");
        event.put("severity", 0_u8);
        event.put("module", MODULE);
        event.put("dataset", "ldwatch.heartbeat");
        event.put("code", HEARTBEAT_CODE);
        event.put("id", self.id(beat.at, "heartbeat", &[]));
        event.put("sequence", self.sequence);
        event.put("created", rfc3339_or_epoch(now));
        root.nest("event", event);
        let mut facts = Object::default();
        facts.put("uptime", beat.uptime);
        facts.put("containers", beat.containers());
        facts.nest("rungs", counts(&beat.rungs));
        facts.put("with_gaps", beat.with_gaps);
        facts.nest("counters", counts(&beat.counters));
        let mut own = Object::default();
        own.nest("heartbeat", facts);
        root.nest("ldwatch", own);
    }
}

fn counts(named: &[(&'static str, u64)]) -> Object<'static> {
    let mut object = Object::default();
    for (name, count) in named {
        object.put(*name, *count);
    }
    object
}
