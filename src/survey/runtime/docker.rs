//! Docker and balenaEngine. `<data-root>/overlay2/<mount id>/merged` belongs to the
//! container whose `layerdb/mounts/<id>/mount-id` holds that mount ID; with images
//! kept by containerd, the path is `<data-root>/rootfs/<snapshotter>/<id>`. The rest is
//! in `<data-root>/containers/<id>`. A layer without entry is a step of a build.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::facts::{self, build_id, full_id, name_of, placed};
use crate::model::Container;
use crate::parse::cgroup::Runtime;
use crate::survey::file::Root;

const SOURCE: &str = "docker-files";
/// Where docker keeps its data unless told otherwise.
pub const DATA_ROOT: &str = "/var/lib/docker";

/// Which mount ID is whose, per data root. Each mount-id file is read once; a miss
/// lists the directory again and reads only those that are not known.
#[derive(Debug, Default)]
pub struct Index {
    roots: HashMap<PathBuf, HashMap<String, String>>,
}

impl Index {
    /// The container (or build step) whose root filesystem is mounted there.
    pub fn container(&mut self, root: &Root, mountpoint: &Path) -> Option<Container> {
        if let Some((data, id)) = by_snapshotter(mountpoint) {
            return Some(read(root, data, id));
        }
        let layer = mountpoint
            .parent()
            .filter(|_| mountpoint.ends_with("merged"))?;
        let (mount_id, driver) = (name_of(layer)?, layer.parent()?);
        let data = driver.parent().filter(|_| driver.ends_with("overlay2"))?;
        let mounts = data.join("image/overlay2/layerdb/mounts");
        let Some(id) = self.lookup(root, &mounts, mount_id) else {
            return Some(without_entry(root, data, &mounts, mount_id));
        };
        if full_id(&id) {
            Some(read(root, data, &id))
        } else {
            Some(step(None, engine(data)))
        }
    }

    fn lookup(&mut self, root: &Root, mounts: &Path, mount_id: &str) -> Option<String> {
        let known = self.roots.entry(mounts.to_path_buf()).or_default();
        if let Some(id) = known.get(mount_id) {
            // A removed container's mount ID is not used again, but its entry may be gone.
            if root.has_dir(&mounts.join(id)) {
                return Some(id.clone());
            }
        }
        refresh(root, mounts, known);
        known.get(mount_id).cloned()
    }
}

/// Brings the table up to date with the directory.
fn refresh(root: &Root, mounts: &Path, known: &mut HashMap<String, String>) {
    let names = root.names(mounts).unwrap_or_default();
    let mut held: HashMap<String, String> =
        known.drain().map(|(mount_id, id)| (id, mount_id)).collect();
    for id in names.iter().filter_map(|name| name.to_str()) {
        let mount_id = held.remove(id).or_else(|| {
            let text = root.read(&mounts.join(id).join("mount-id"))?;
            let text = String::from_utf8(text).ok()?;
            Some(text.trim().to_owned()).filter(|text| !text.is_empty())
        });
        if let Some(mount_id) = mount_id {
            known.insert(mount_id, id.to_owned());
        }
    }
}

/// `<data-root>/rootfs/<snapshotter>/<id>`.
fn by_snapshotter(mountpoint: &Path) -> Option<(&Path, &str)> {
    let id = name_of(mountpoint).filter(|id| full_id(id))?;
    let rootfs = mountpoint
        .parent()?
        .parent()
        .filter(|path| path.ends_with("rootfs"))?;
    Some((rootfs.parent()?, id))
}

/// A step of BuildKit: `…/executor/<id>/rootfs`.
pub fn build(mountpoint: &Path) -> Option<Container> {
    let bundle = mountpoint
        .parent()
        .filter(|_| mountpoint.ends_with("rootfs"))?;
    let id = name_of(bundle).filter(|id| build_id(id))?;
    bundle
        .parent()?
        .ends_with("executor")
        .then(|| step(Some(id), Runtime::Buildkit))
}

/// No container claims the layer: a build step, unless the claims cannot be read.
fn without_entry(root: &Root, data: &Path, mounts: &Path, mount_id: &str) -> Container {
    if build_id(mount_id) {
        return step(None, Runtime::Buildkit);
    }
    let mut container = step(None, engine(data));
    container.build = root.has_dir(mounts);
    container
}

fn step(id: Option<&str>, runtime: Runtime) -> Container {
    let mut container = Container {
        build: true,
        ..placed(id, runtime, SOURCE)
    };
    facts::note_missing(&mut container);
    container
}

fn engine(data: &Path) -> Runtime {
    let balena = data
        .components()
        .filter_map(|part| part.as_os_str().to_str())
        .any(|part| part.starts_with("balena"));
    if balena {
        Runtime::Balena
    } else {
        Runtime::Docker
    }
}

/// All that the files in `<data-root>/containers/<id>` tell.
pub fn read(root: &Root, data: &Path, id: &str) -> Container {
    let mut container = placed(Some(id), engine(data), SOURCE);
    let home = data.join("containers").join(id);
    let config = root.paper(&home.join("config.v2.json"));
    match &config {
        Some(config) => describe(&mut container, config),
        None => container.missing.push("config"),
    }
    let host = root.json(&home.join("hostconfig.json"));
    container.build = config
        .as_ref()
        .zip(host.as_ref())
        .is_some_and(|(config, host)| is_step(config, host));
    container.privileged = host
        .as_ref()
        .and_then(|host| host.get("Privileged")?.as_bool());
    facts::note_missing(&mut container);
    container
}

/// A RUN step of the classic builder is a container like any other, but for what nobody
/// types together: an image by its ID alone, no log, and the image's health check undone.
fn is_step(config: &Value, host: &Value) -> bool {
    let image = facts::string(config, "/Config/Image").unwrap_or_default();
    image.starts_with("sha256:")
        && facts::string(host, "/LogConfig/Type") == Some("none")
        && facts::string(config, "/Config/Healthcheck/Test/0") == Some("NONE")
}

fn describe(container: &mut Container, config: &Value) {
    container.name =
        facts::string(config, "/Name").map(|name| name.trim_start_matches('/').to_owned());
    container.image = facts::string(config, "/Config/Image")
        .map(facts::image)
        .unwrap_or_default();
    // The ID of the image in use; a digest in the reference is what was asked for.
    if let Some(digest) = facts::string(config, "/Image") {
        container.image.digest = Some(digest.to_owned());
    }
    container.labels = facts::table(config, "/Config/Labels");
    container.pod = facts::pod(&container.labels);
    if container.pod.is_some() {
        container.runtime = Some(Runtime::KubernetesDocker);
    } else if container.labels.contains_key("com.amazonaws.ecs.task-arn") {
        container.runtime = Some(Runtime::Ecs);
    }
}
