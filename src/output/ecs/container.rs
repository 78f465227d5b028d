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

pub(super) fn put(root: &mut Object, container: &Container, twins: &mut Twins) {
    root.nest("container", object(container, twins));
    if let Some(pod) = &container.pod {
        root.nest("orchestrator", orchestrator(pod, &container.labels, twins));
    }
}

fn object(container: &Container, twins: &mut Twins) -> Object {
    let mut text =
        |field: &str, value: Option<&str>| value.map(|value| twins.text(field, value.as_bytes()));
    let mut image = Object::default();
    image.put_some(
        "name",
        text("container.image.name", container.image.name.as_deref()),
    );
    image.list(
        "tag",
        text("container.image.tag", container.image.tag.as_deref()),
    );
    let mut hash = Object::default();
    hash.list(
        "all",
        text(
            "container.image.hash.all",
            container.image.digest.as_deref(),
        ),
    );
    image.nest("hash", hash);
    let mut context = Object::default();
    context.put_some("privileged", container.privileged);
    let mut object = Object::default();
    object.put_some("id", text("container.id", container.id.as_deref()));
    object.put_some("name", text("container.name", container_name(container)));
    object.put_some("runtime", container.runtime.map(|runtime| runtime.name()));
    object.nest("image", image);
    object.nest("security_context", context);
    object.nest("labels", labels(&container.labels, twins));
    object
}

/// Dots in a label's name would make objects of it, and two labels of which one is the
/// other's prefix could not both be indexed: dots become underscores.
fn labels(labels: &BTreeMap<String, String>, twins: &mut Twins) -> Object {
    let mut object = Object::default();
    let mut originals = Vec::new();
    for (name, value) in labels.iter().take(LABELS) {
        let (key, shown) = (
            escape(name.as_bytes(), LABEL_CAP),
            escape(value.as_bytes(), LABEL_CAP),
        );
        if key.altered || shown.altered {
            originals.push(base64(format!("{name}={value}").as_bytes()));
        }
        object.put(&key.shown.replace('.', "_"), shown.shown.into_owned());
    }
    twins.keep("container.labels", originals);
    object
}

fn orchestrator(pod: &Pod, labels: &BTreeMap<String, String>, twins: &mut Twins) -> Object {
    let mut text =
        |field: &str, value: Option<&str>| value.map(|value| twins.text(field, value.as_bytes()));
    let mut resource = Object::default();
    resource.put("type", "pod");
    resource.put_some(
        "name",
        text("orchestrator.resource.name", pod.name.as_deref()),
    );
    resource.put_some("id", text("orchestrator.resource.id", pod.uid.as_deref()));
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
        text("orchestrator.namespace", pod.namespace.as_deref()),
    );
    object.nest("resource", resource);
    object
}
