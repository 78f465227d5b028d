//! `file.*`: the file as the container sees it.

use std::time::SystemTime;

use nix::sys::stat::{major, minor};

use crate::model::{FileKind, FileView, Finding, PRELOAD_PATH};
use crate::output::escape::hex;
use crate::output::time::{rfc3339, unix_seconds};

use super::object::{Object, Twins};

pub(super) fn file<'a>(finding: &'a Finding, twins: &mut Twins<'a>) -> Object<'a> {
    let mut object = Object::default();
    object.put("path", PRELOAD_PATH);
    object.put("name", "ld.so.preload");
    object.put("directory", "/etc");
    let Some(view) = &finding.file else {
        return object;
    };
    object.put("type", kind(view.kind));
    object.put_some(
        "target_path",
        view.target
            .as_deref()
            .map(|target| twins.text("file", "target_path", target)),
    );
    object.put("inode", view.inode.to_string());
    object.put("device", device(view.device));
    object.put("size", view.size);
    object.put("mode", format!("{:04o}", view.mode & 0o7777));
    object.put("uid", view.uid.to_string());
    object.put("gid", view.gid.to_string());
    for (key, at) in times(view) {
        object.put_some(key, rfc3339(at));
    }
    object.list("attributes", view.attributes.iter().copied());
    if let Ok(content) = &view.content {
        let mut hash = Object::default();
        hash.put("sha256", hex(&content.sha256));
        object.nest("hash", hash);
    }
    object
}

/// `ldwatch.file`: facts that have no field in the schema.
pub(super) fn beyond<'a>(view: &'a FileView, twins: &mut Twins<'a>) -> Object<'a> {
    let mut object = Object::default();
    object.put("links", view.links);
    object.put_some(
        "xattrs_sha256",
        view.xattrs.as_ref().map(|digest| hex(digest)),
    );
    object.put_some("mount_id", view.mounted);
    object.put_some("in_upper_layer", view.in_upper);
    let unread = view.content.as_ref().err();
    object.put_some(
        "unread",
        unread.map(|why| twins.text("ldwatch.file", "unread", why.as_bytes())),
    );
    for (key, at) in times(view) {
        if rfc3339(at).is_none() {
            object.put(format!("{key}_unix"), unix_seconds(at));
        }
    }
    object
}

/// The word in `file.type`.
fn kind(kind: FileKind) -> &'static str {
    match kind {
        FileKind::Regular => "file",
        FileKind::Directory => "dir",
        FileKind::Symlink => "symlink",
        FileKind::Fifo => "fifo",
        FileKind::Socket => "socket",
        FileKind::CharDevice => "character-device",
        FileKind::BlockDevice => "block-device",
    }
}

fn times(view: &FileView) -> impl Iterator<Item = (&'static str, SystemTime)> {
    let known = [("mtime", view.mtime), ("ctime", view.ctime)];
    known
        .into_iter()
        .chain(view.created.map(|at| ("created", at)))
}

fn device(device: u64) -> String {
    format!("{}:{}", major(device), minor(device))
}
