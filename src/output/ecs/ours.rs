//! `ldwatch.*`: what the schema has no field for.

use std::os::unix::ffi::OsStrExt;

use crate::model::{Container, Content, Coverage, FileView, Finding, Home, Writer};
use crate::output::escape::{base64, escape, hex};
use crate::output::words::entries;
use crate::parse::cgroup::Runtime;
use crate::parse::preload::Entry;

use super::object::{Object, Twins};
use super::{file, process};

/// Longest content shown, in bytes; the twin holds all that was read.
const CONTENT_CAP: usize = 8192;

pub(super) fn finding<'a>(finding: &'a Finding, mut all: Twins<'a>) -> Object<'a> {
    let twins = &mut all;
    let mut object = Object::default();
    object.put("detection", finding.detection.name());
    object.put(
        "rootfs",
        twins.text("ldwatch", "rootfs", finding.rootfs.as_os_str().as_bytes()),
    );
    object.put("folded", finding.folded);
    object.put("repeat", finding.repeat);
    object.put("gone", finding.file.is_none());
    object.nest("coverage", coverage(&finding.coverage, twins));
    object.nest("container", container(&finding.container, twins));
    if let Some(view) = &finding.file {
        object.nest("file", file::beyond(view, twins));
    }
    if let Some(content) = read(finding.file.as_ref()) {
        put_content(&mut object, content);
    }
    if let Some(view) = &finding.before {
        object.nest("previous", previous(view));
    }
    difference(&mut object, finding);
    if let Some(who) = &finding.writer {
        object.nest("writer", writer(who, twins));
    }
    object.nest("raw", all.into_object());
    object
}

/// `ldwatch.container`: how the container came to be known.
pub(super) fn container<'a>(container: &'a Container, twins: &mut Twins<'a>) -> Object<'a> {
    let mut object = Object::default();
    object.put_some("source", container.source);
    object.list("missing", container.missing.iter().copied());
    object.put("build", container.build);
    let in_pod = container
        .pod
        .as_ref()
        .and_then(|pod| pod.container.as_deref());
    object.put_some(
        "name_in_pod",
        in_pod.map(|name| twins.text("ldwatch.container", "name_in_pod", name.as_bytes())),
    );
    object
}

fn coverage<'a>(coverage: &'a Coverage, twins: &mut Twins<'a>) -> Object<'a> {
    let mut object = Object::default();
    object.put("rung", coverage.rung.name());
    object.list(
        "gaps",
        twins.texts(
            "ldwatch.coverage",
            "gaps",
            coverage.gaps.iter().map(String::as_bytes),
        ),
    );
    object
}

fn read(view: Option<&FileView>) -> Option<&Content> {
    view?.content.as_ref().ok()
}

fn put_content<'a>(object: &mut Object<'a>, content: &'a Content) {
    let text = escape(&content.head, CONTENT_CAP);
    if text.altered {
        object.put("content_base64", base64(&content.head));
    }
    object.put("content", text.shown);
    object.put("content_truncated", content.truncated);
    object.list(
        "entries",
        content.entries.iter().map(|entry| self::entry(&entry.raw)),
    );
}

fn entry(raw: &[u8]) -> Object<'_> {
    let text = escape(raw, CONTENT_CAP);
    let mut object = Object::default();
    if text.altered {
        object.put("raw_base64", base64(raw));
    }
    // A name without a slash is searched for, `$LIB` and the like are expanded: only
    // what is left names a file as it stands.
    if raw.starts_with(b"/") && !raw.contains(&b'$') {
        object.put("path", text.shown.clone());
    }
    object.put("raw", text.shown);
    object
}

fn previous(view: &FileView) -> Object<'_> {
    let mut object = Object::default();
    object.put("inode", view.inode.to_string());
    object.put("size", view.size);
    object.put("mode", format!("{:04o}", view.mode & 0o7777));
    object.put("uid", view.uid.to_string());
    object.put("gid", view.gid.to_string());
    if let Ok(content) = &view.content {
        object.put("sha256", hex(&content.sha256));
        put_content(&mut object, content);
    }
    object
}

/// Which libraries a change brought, and which it took away.
fn difference<'a>(object: &mut Object<'a>, finding: &'a Finding) {
    let now = entries(finding.file.as_ref()).unwrap_or_default();
    let before = entries(finding.before.as_ref()).unwrap_or_default();
    let shown = |entry: &'a Entry| escape(&entry.raw, CONTENT_CAP).shown;
    object.list(
        "added",
        now.iter()
            .filter(|entry| !before.contains(entry))
            .map(shown),
    );
    object.list(
        "removed",
        before
            .iter()
            .filter(|entry| !now.contains(entry))
            .map(shown),
    );
}

fn writer<'a>(writer: &'a Writer, twins: &mut Twins<'a>) -> Object<'a> {
    let mut object = Object::default();
    object.put("source", writer.source.name());
    object.put("confirmed", writer.confirmed);
    object.put("origin", writer.origin.name());
    object.put("args_truncated", writer.args_truncated);
    object.put_some("args_missing", writer.args_missing);
    object.put_some("entry", writer.entry.name());
    object.put_some("tool", writer.tool);
    if let Some(home) = &writer.home {
        object.nest("container", place(home, twins));
    }
    let lineage = if writer.confirmed {
        "ancestors"
    } else {
        "hint_ancestors"
    };
    let at = |place: usize| format!("ldwatch.writer.{lineage}.{place}");
    let parents = writer.parents.iter().enumerate();
    let parents: Vec<_> = parents
        .map(|(place, one)| process::ancestor(one, &at(place), twins))
        .collect();
    object.list(lineage, parents);
    object.nest("hint", process::hint(writer, twins));
    if let Some(first) = &writer.first {
        object.nest(
            "first",
            process::briefly(first, "ldwatch.writer.first", twins),
        );
    }
    object
}

/// The container that the writer is in.
fn place<'a>(home: &'a Home, twins: &mut Twins<'a>) -> Object<'a> {
    let at = "ldwatch.writer.container";
    let mut object = Object::default();
    let texts = [
        ("id", &home.id),
        ("name", &home.name),
        ("pod_uid", &home.pod_uid),
    ];
    for (key, text) in texts {
        let text = text.as_deref();
        object.put_some(key, text.map(|text| twins.text(at, key, text.as_bytes())));
    }
    object.put_some("runtime", home.runtime.map(Runtime::name));
    object.put("told_by", home.told_by);
    object
}
