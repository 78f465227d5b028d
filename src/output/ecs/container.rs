//! `container.*` and `orchestrator.*`.

use std::collections::BTreeMap;

use crate::model::{Container, Pod};
use crate::output::escape::{base64, escape};
use crate::output::words::container_name;

use super::object::{Object, Twins};

/// Labels shown; an image can carry any number.
const LABELS: usize = 64;
/// Longest label name and value shown, in bytes.
const LABEL_CAP: usize = 1024;

pub(super) fn put<'a>(root: &mut Object<'a>, container: &'a Container, twins: &mut Twins<'a>) {
    root.nest("container", object(container, twins));
    if let Some(pod) = &container.pod {
        root.nest("orchestrator", orchestrator(pod, &container.labels, twins));
    }
}

fn object<'a>(container: &'a Container, twins: &mut Twins<'a>) -> Object<'a> {
    let mut text = |at: &str, key: &str, value: &'a Option<String>| {
        value
            .as_ref()
            .map(|value| twins.text(at, key, value.as_bytes()))
    };
    let name = container_name(container);
    let mut image = Object::default();
    image.put_some(
        "name",
        text("container.image", "name", &container.image.name),
    );
    image.list("tag", text("container.image", "tag", &container.image.tag));
    let mut hash = Object::default();
    hash.list(
        "all",
        text("container.image.hash", "all", &container.image.digest),
    );
    image.nest("hash", hash);
    let mut context = Object::default();
    context.put_some("privileged", container.privileged);
    let mut object = Object::default();
    object.put_some("id", text("container", "id", &container.id));
    object.put_some(
        "name",
        name.map(|name| twins.text("container", "name", name.as_bytes())),
    );
    object.put_some("runtime", container.runtime.map(|runtime| runtime.name()));
    object.nest("image", image);
    object.nest("security_context", context);
    object.nest("labels", labels(&container.labels, twins));
    object
}

/// Dots in a label's name would make objects of it, and two labels of which one is the
/// other's prefix could not both be indexed: dots become underscores.
fn labels<'a>(labels: &'a BTreeMap<String, String>, twins: &mut Twins<'a>) -> Object<'a> {
    let mut shown = BTreeMap::new();
    let mut originals = Vec::new();
    for (name, value) in labels.iter().take(LABELS) {
        let (key, text) = (
            escape(name.as_bytes(), LABEL_CAP),
            escape(value.as_bytes(), LABEL_CAP),
        );
        if key.altered || text.altered {
            originals.push(base64(format!("{name}={value}").as_bytes()));
        }
        shown.insert(key.shown.replace('.', "_"), text.shown);
    }
    twins.keep("container", "labels", originals);
    let mut object = Object::default();
    for (key, text) in shown {
        object.put(key, text);
    }
    object
}

fn orchestrator<'a>(
    pod: &'a Pod,
    labels: &'a BTreeMap<String, String>,
    twins: &mut Twins<'a>,
) -> Object<'a> {
    let mut text = |at: &str, key: &str, value: &'a Option<String>| {
        value
            .as_ref()
            .map(|value| twins.text(at, key, value.as_bytes()))
    };
    let mut resource = Object::default();
    resource.put("type", "pod");
    resource.put_some("name", text("orchestrator.resource", "name", &pod.name));
    resource.put_some("id", text("orchestrator.resource", "id", &pod.uid));
    let pairs = labels
        .iter()
        .take(LABELS)
        .map(|(name, value)| format!("{name}:{value}"));
    resource.list(
        "label",
        pairs.map(|pair| escape(pair.as_bytes(), LABEL_CAP).shown.into_owned()),
    );
    let mut object = Object::default();
    object.put("type", "kubernetes");
    object.put_some(
        "namespace",
        text("orchestrator", "namespace", &pod.namespace),
    );
    object.nest("resource", resource);
    object
}
