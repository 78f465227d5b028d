//! Pieces that several runtimes keep in the same form: image references, labels,
//! Kubernetes keys, OCI bundles.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::model::{Container, Image, Pod};
use crate::parse::cgroup::Runtime;

/// Most labels that are kept of one container, and the longest value: an image's
/// author chooses them, and they are held for as long as the container lives.
const LABELS: usize = 128;
const LABEL: usize = 4096;

/// A container as far as its place tells: ID and runtime.
pub fn placed(id: Option<&str>, runtime: Runtime, source: &'static str) -> Container {
    Container {
        id: id.map(str::to_owned),
        runtime: Some(runtime),
        source: Some(source),
        ..Container::default()
    }
}

/// The string at a JSON pointer, when it is one and not empty.
pub fn string<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    value
        .pointer(pointer)?
        .as_str()
        .filter(|text| !text.is_empty())
}

/// The entry of a flat table, when it is a string and not empty.
pub fn entry(table: &BTreeMap<String, String>, key: &str) -> Option<String> {
    table.get(key).filter(|text| !text.is_empty()).cloned()
}

/// The table of strings at a JSON pointer, bounded.
pub fn table(value: &Value, pointer: &str) -> BTreeMap<String, String> {
    let Some(object) = value.pointer(pointer).and_then(Value::as_object) else {
        return BTreeMap::new();
    };
    let strings = object
        .iter()
        .filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)));
    bounded(strings)
}

/// The first so many entries, none of them too long.
pub fn bounded<'a>(entries: impl Iterator<Item = (&'a str, &'a str)>) -> BTreeMap<String, String> {
    let short = entries.filter(|(key, value)| key.len() <= LABEL && value.len() <= LABEL);
    short
        .take(LABELS)
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

/// Splits an image reference. `sha256:…` alone is no name; the `:` of a registry's
/// port is no tag.
pub fn image(reference: &str) -> Image {
    let (name, digest) = match reference.split_once('@') {
        Some((name, digest)) => (name, Some(digest.to_owned())),
        None if reference.starts_with("sha256:") => ("", Some(reference.to_owned())),
        None => (reference, None),
    };
    let (name, tag) = match name.rsplit_once(':') {
        Some((front, tag)) if !tag.contains('/') => (front, Some(tag)),
        _ => (name, None),
    };
    let owned = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Image {
        name: owned(name),
        tag: tag.and_then(owned),
        digest,
    }
}

/// The pod, from the labels that the kubelet gives every container.
pub fn pod(labels: &BTreeMap<String, String>) -> Option<Pod> {
    let pod = Pod {
        name: entry(labels, "io.kubernetes.pod.name"),
        namespace: entry(labels, "io.kubernetes.pod.namespace"),
        uid: entry(labels, "io.kubernetes.pod.uid"),
        container: entry(labels, "io.kubernetes.container.name"),
    };
    (pod != Pod::default()).then_some(pod)
}

/// Lists what was looked for and not found.
pub fn note_missing(container: &mut Container) {
    let pieces = [
        ("id", container.id.is_none()),
        ("name", container.name.is_none()),
        ("image", container.image.name.is_none()),
        ("digest", container.image.digest.is_none()),
        ("privileged", container.privileged.is_none()),
    ];
    container.missing.extend(
        pieces
            .iter()
            .filter(|(_, missing)| *missing)
            .map(|(piece, _)| *piece),
    );
}

/// A full container ID.
pub fn full_id(text: &str) -> bool {
    text.len() == 64
        && text
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// The ID of a BuildKit step: 25 letters and digits.
pub fn build_id(text: &str) -> bool {
    text.len() == 25
        && text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase())
}

/// The last component, when it is text.
pub fn name_of(path: &Path) -> Option<&str> {
    path.file_name()?.to_str()
}

#[cfg(test)]
mod tests {
    use super::image;

    fn parts(reference: &str) -> [Option<String>; 3] {
        let image = image(reference);
        [image.name, image.tag, image.digest]
    }

    #[test]
    fn an_image_reference_is_split_at_its_tag_and_digest() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(parts("lab/bb:1"), [some("lab/bb"), some("1"), None]);
        assert_eq!(parts("host:5000/bb"), [some("host:5000/bb"), None, None]);
        assert_eq!(
            parts("host:5000/bb:2"),
            [some("host:5000/bb"), some("2"), None]
        );
        assert_eq!(parts("bb@sha256:00"), [some("bb"), None, some("sha256:00")]);
        assert_eq!(
            parts("bb:3@sha256:00"),
            [some("bb"), some("3"), some("sha256:00")]
        );
        assert_eq!(parts("sha256:00"), [None, None, some("sha256:00")]);
        assert_eq!(parts(""), [None, None, None]);
    }
}
