//! A finding: alert or lesser event.

use std::collections::BTreeSet;
use std::os::unix::ffi::OsStrExt;
use std::time::SystemTime;

use sha2::{Digest, Sha256};

use crate::model::{Action, Detection, Finding, Writer};
use crate::output::escape::{escape, hex};
use crate::output::time::rfc3339_or_epoch;
use crate::output::words::{CROSS_BOUNDARY, RUNTIME_TOOL, cross_boundary, risk};

use super::object::{Object, Twins};
use super::{Ecs, MODULE, container, file, ours, process, rule};

/// Longest name of a user among those to pivot on, in bytes.
const NAME_CAP: usize = 256;
/// Severity of an alert: high.
const HIGH: u8 = 73;
/// Severity of an alert about attributes alone: medium.
const MEDIUM: u8 = 47;
/// Severity of what is no alert: low.
const LOW: u8 = 21;

impl Ecs {
    pub(super) fn finding<'a>(
        &'a self,
        finding: &'a Finding,
        now: SystemTime,
        root: &mut Object<'a>,
    ) {
        let mut twins = Twins::default();
        root.nest("event", self.finding_event(finding, now));
        root.nest("file", file::file(finding, &mut twins));
        container::put(root, &finding.container, &mut twins);
        if let Some(writer) = &finding.writer {
            process::put(root, writer, &mut twins);
        }
        root.nest("related", related(finding));
        root.list("tags", tags(finding));
        if finding.change.alert {
            root.put("rule", &self.rule);
            root.put("threat", &self.threat);
        }
        root.nest("ldwatch", ours::finding(finding, twins));
    }

    fn finding_event<'a>(&'a self, finding: &'a Finding, now: SystemTime) -> Object<'a> {
        let change = finding.change;
        let mut event = Object::default();
        event.put("kind", if change.alert { "alert" } else { "event" });
        // EQL takes the first category: `file where …`.
        event.list(
            "category",
            if change.alert {
                &["file", "intrusion_detection"][..]
            } else {
                &["file"]
            }
            .to_vec(),
        );
        event.list("type", [change.kind.name()]);
        event.put("action", change.action.name());
        event.put("outcome", "success");
        event.put("severity", severity(finding));
        event.put("risk_score", f64::from(risk(finding)));
        event.put(
            "module",
            if change.alert {
                self.alert_module.as_str()
            } else {
                MODULE
            },
        );
        event.put("dataset", "ldwatch.alert");
        event.put("provider", provider(finding.detection));
        event.put("code", rule::RULE_ID);
        event.put("id", self.event_id(finding));
        event.put("sequence", self.sequence);
        event.put("reason", reason(finding));
        event.put("hash", hash(finding));
        event.put("created", rfc3339_or_epoch(now));
        event
    }
}

fn severity(finding: &Finding) -> u8 {
    match (finding.change.alert, finding.change.action) {
        (true, Action::Attributes) => MEDIUM,
        (true, _) => HIGH,
        (false, _) => LOW,
    }
}

fn provider(detection: Detection) -> &'static str {
    match detection {
        Detection::Event => "fanotify",
        Detection::Mount => "mountinfo",
        Detection::Sweep | Detection::Scan => "scan",
    }
}

/// Fixed words: what happened, then why it matters more than that.
fn reason(finding: &Finding) -> String {
    let mut words = vec![match finding.change.action {
        Action::Creation => "preload-created",
        Action::Modification => "preload-modified",
        Action::Deletion => "preload-deleted",
        Action::Rename => "preload-renamed-in",
        Action::Link => "preload-linked",
        Action::Symlink => "preload-symlinked",
        Action::Mount => "preload-mounted-over",
        Action::Attributes => "preload-attributes",
        Action::Present => "preload-present",
        Action::Touched => "preload-touched",
    }];
    words.extend(marks(finding));
    words.join(" ")
}

fn tags(finding: &Finding) -> Vec<&'static str> {
    let mut tags = vec!["container"];
    if finding.change.alert {
        tags.push(rule::SUBTECHNIQUE);
    }
    tags.extend(marks(finding));
    if finding.change.action == Action::Mount {
        tags.push("bind_mount");
    }
    if finding.detection == Detection::Scan {
        tags.push("startup_scan");
    }
    tags
}

/// The finding's own reasons, `cross-boundary` once, and `runtime-tool`.
fn marks(finding: &Finding) -> impl Iterator<Item = &'static str> {
    let own = finding
        .reasons
        .iter()
        .copied()
        .filter(|&reason| reason != CROSS_BOUNDARY);
    let tool = finding.writer.as_ref().and_then(|writer| writer.tool);
    own.chain(cross_boundary(finding).then_some(CROSS_BOUNDARY))
        .chain(tool.map(|_| RUNTIME_TOOL))
}

/// The same for findings that say the same: container, action, file and content.
fn hash(finding: &Finding) -> String {
    let mut digest = Sha256::new();
    digest.update(finding.container.id.as_deref().unwrap_or_default());
    digest.update([0]);
    digest.update(finding.rootfs.as_os_str().as_bytes());
    digest.update([0]);
    digest.update(finding.change.action.name());
    if let Some(file) = &finding.file {
        digest.update(file.device.to_be_bytes());
        digest.update(file.inode.to_be_bytes());
        if let Ok(content) = &file.content {
            digest.update(content.sha256);
        }
    }
    hex(&digest.finalize())
}

/// What analysts pivot on.
fn related(finding: &Finding) -> Object<'static> {
    let confirmed = finding.writer.as_ref().filter(|writer| writer.confirmed);
    let users = |writer: &Writer| [writer.uid, writer.real_uid];
    let mut users: Vec<String> = confirmed
        .map(users)
        .into_iter()
        .flatten()
        .flatten()
        .map(|id| id.to_string())
        .collect();
    let names = confirmed.map(|writer| [&writer.names.user, &writer.names.real_user]);
    let names = names.into_iter().flatten().flatten();
    users.extend(names.map(|name| escape(name, NAME_CAP).shown.into_owned()));
    let mut seen = BTreeSet::new();
    users.retain(|user| seen.insert(user.clone()));
    let views = [finding.file.as_ref(), finding.before.as_ref()];
    let contents = views
        .into_iter()
        .flatten()
        .filter_map(|view| view.content.as_ref().ok());
    let mut hashes: Vec<String> = contents.map(|content| hex(&content.sha256)).collect();
    hashes.dedup();
    let mut object = Object::default();
    object.list("user", users);
    object.list("hash", hashes);
    object
}
