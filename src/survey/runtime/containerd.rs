//! containerd and those above it. The mount point is
//! `<state>/io.containerd.runtime.v2.task/<namespace>/<id>/rootfs`: ID and namespace
//! are in the path. The bundle's `config.json` beside it has the rest as annotations
//! (CRI, nerdctl); for plain `ctr` the image is in a database only, and stays missing.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::docker;
use super::facts::{self, entry, name_of, placed};
use crate::model::{Container, Pod};
use crate::parse::cgroup::Runtime;
use crate::survey::file::Root;

const SOURCE: &str = "containerd-path";
/// Directories that tasks live in, of both generations of shims.
const TASKS: [&str; 2] = [
    "io.containerd.runtime.v2.task",
    "io.containerd.runtime.v1.linux",
];

/// The container whose root filesystem is mounted there.
pub fn container(root: &Root, mountpoint: &Path) -> Option<Container> {
    let bundle = mountpoint
        .parent()
        .filter(|_| mountpoint.ends_with("rootfs"))?;
    let (id, home) = (name_of(bundle)?, bundle.parent()?);
    let (namespace, tasks) = (name_of(home)?, home.parent()?);
    if !TASKS.contains(&name_of(tasks)?) {
        return None;
    }
    let config = root.paper(&bundle.join("config.json"));
    if namespace == "moby" {
        let data = config.as_ref().and_then(|config| data_root(config, id));
        return Some(docker::read(
            root,
            data.unwrap_or(Path::new(docker::DATA_ROOT)),
            id,
        ));
    }
    let annotations = config
        .as_ref()
        .map(|config| facts::table(config, "/annotations"))
        .unwrap_or_default();
    let mut container = match namespace {
        "k8s.io" => cri(id, &annotations),
        _ => plain(id, annotations),
    };
    if config.is_none() {
        container.missing.push("config");
    }
    facts::note_missing(&mut container);
    Some(container)
}

/// Docker's data root, from the files that it binds into each container.
fn data_root<'a>(config: &'a Value, id: &str) -> Option<&'a Path> {
    let mounts = config.get("mounts")?.as_array()?;
    let sources = mounts
        .iter()
        .filter_map(|mount| facts::string(mount, "/source"))
        .map(Path::new);
    let mut homes = sources.filter_map(Path::parent);
    homes
        .find(|home| home.ends_with(Path::new("containers").join(id)))?
        .parent()?
        .parent()
}

/// A container of a pod, or the sandbox that holds the pod's namespaces.
fn cri(id: &str, annotations: &BTreeMap<String, String>) -> Container {
    let get = |key: &str| entry(annotations, &format!("io.kubernetes.cri.{key}"));
    let sandbox = get("container-type").as_deref() == Some("sandbox");
    let runtime = if sandbox {
        Runtime::ContainerdCriSandbox
    } else {
        Runtime::ContainerdCri
    };
    let pod = Pod {
        name: get("sandbox-name"),
        namespace: get("sandbox-namespace"),
        uid: get("sandbox-uid"),
        container: get("container-name"),
    };
    let mut container = placed(Some(id), runtime, SOURCE);
    container.name.clone_from(&pod.container);
    container.image = get("image-name")
        .map(|name| facts::image(&name))
        .unwrap_or_default();
    if pod == Pod::default() {
        container.missing.push("pod");
    } else {
        container.pod = Some(pod);
    }
    container
}

/// A container of any other namespace: nerdctl, or a client of its own.
fn plain(id: &str, annotations: BTreeMap<String, String>) -> Container {
    let nerdctl = annotations.keys().any(|key| key.starts_with("nerdctl/"));
    let runtime = if nerdctl {
        Runtime::Nerdctl
    } else {
        Runtime::Containerd
    };
    let mut container = placed(Some(id), runtime, SOURCE);
    container.name = entry(&annotations, "nerdctl/name");
    container.labels = annotations;
    container
}
