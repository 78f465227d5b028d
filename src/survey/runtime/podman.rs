//! Podman, Buildah and CRI-O: whoever stores by the library they share. The mount
//! point is `<storage>/overlay/<layer>/merged`; `overlay-containers/containers.json`
//! says whose layer it is. When that file cannot be read, the bundles of all
//! containers are searched for the mount point.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::facts::{self, name_of, placed};
use crate::model::Container;
use crate::parse::cgroup::Runtime;
use crate::survey::file::Root;

const SOURCE: &str = "podman-files";
/// Containers that need not outlive the machine's next start.
const VOLATILE: &str = "volatile-containers.json";
/// Where the host may name another run directory.
const CONFIGS: [&str; 2] = [
    "/etc/containers/storage.conf",
    "/usr/share/containers/storage.conf",
];
/// Most bundles that are searched for a mount point.
const BUNDLES: usize = 4096;

/// The container whose root filesystem is mounted there.
pub fn container(root: &Root, mountpoint: &Path) -> Option<Container> {
    let layer = mountpoint
        .parent()
        .filter(|_| mountpoint.ends_with("merged"))?;
    let (layer_id, driver) = (name_of(layer)?, layer.parent()?);
    let storage = driver.parent().filter(|_| driver.ends_with("overlay"))?;
    let home = storage.join("overlay-containers");
    if !root.has_dir(&home) {
        return None;
    }
    let record = record(root, &home, layer_id);
    let id = record
        .as_ref()
        .and_then(|record| facts::string(record, "/id"))
        .map(str::to_owned);
    let id = id.or_else(|| search(root, &home, mountpoint));
    let record = record.or_else(|| {
        let run = run_home(root, &home, id.as_deref()?)?;
        find(root, &run.join(VOLATILE), layer_id)
    });
    let mut container = placed(id.as_deref(), word(root, &home), SOURCE);
    match &record {
        Some(record) => describe(root, storage, &mut container, record),
        None => container.missing.push("record"),
    }
    if let Some(id) = &id {
        bundle(root, &home.join(id).join("userdata"), &mut container);
    }
    facts::note_missing(&mut container);
    Some(container)
}

/// A user's storage belongs to the user, wherever it is.
fn word(root: &Root, home: &Path) -> Runtime {
    let system = root.owner(Path::new("/")) == root.owner(home);
    if system {
        Runtime::Podman
    } else {
        Runtime::PodmanRootless
    }
}

/// The entry of the container that the layer was made for.
fn record(root: &Root, home: &Path, layer: &str) -> Option<Value> {
    let volatile = Path::new("overlay-containers").join(VOLATILE);
    let mut files = vec![home.join("containers.json"), home.join(VOLATILE)];
    // A transient store keeps its containers in the run directory, which it does not name.
    files.push(Path::new("/run/containers/storage").join(&volatile));
    files.extend(configured(root).map(|run| run.join(&volatile)));
    let users = Path::new("/run/user");
    // A user's directories are not asked about what is not a user's.
    let names = match word(root, home) {
        Runtime::PodmanRootless => root.names(users).unwrap_or_default(),
        _ => Vec::new(),
    };
    files.extend(
        names
            .iter()
            .map(|name| users.join(name).join("containers").join(&volatile)),
    );
    files.iter().find_map(|file| find(root, file, layer))
}

/// The entry in one file.
fn find(root: &Root, file: &Path, layer: &str) -> Option<Value> {
    let Value::Array(records) = root.paper(file)? else {
        return None;
    };
    records
        .into_iter()
        .find(|record| facts::string(record, "/layer") == Some(layer))
}

/// The run directories that the host's configuration names.
fn configured(root: &Root) -> impl Iterator<Item = PathBuf> {
    let named = |file: &str| {
        let text = String::from_utf8(root.read(Path::new(file))?).ok()?;
        let table: toml::Table = text.parse().ok()?;
        table
            .get("storage")?
            .get("runroot")?
            .as_str()
            .map(PathBuf::from)
    };
    let named: Vec<PathBuf> = CONFIGS.into_iter().filter_map(named).collect();
    named.into_iter().filter(|run| run.is_absolute())
}

/// Where the run directory keeps containers: files of it are bound into each.
fn run_home(root: &Root, home: &Path, id: &str) -> Option<PathBuf> {
    let config = root.json(&home.join(id).join("userdata/config.json"))?;
    let own = Path::new("overlay-containers").join(id).join("userdata");
    let mounts = config.get("mounts")?.as_array()?;
    let sources = mounts
        .iter()
        .filter_map(|mount| facts::string(mount, "/source"));
    let mut below = sources.filter_map(|source| Path::new(source).parent());
    let found = below.find(|parent| parent.ends_with(&own) && !parent.starts_with(home))?;
    found.parent()?.parent().map(Path::to_owned)
}

/// The ID of the container whose bundle names the mount point.
fn search(root: &Root, home: &Path, mountpoint: &Path) -> Option<String> {
    let names = root.names(home)?;
    let ids = names.into_iter().filter_map(|name| name.into_string().ok());
    ids.take(BUNDLES).find(|id| {
        let config = root.json(&home.join(id).join("userdata/config.json"));
        config.is_some_and(|config| {
            facts::string(&config, "/root/path")
                .map(PathBuf::from)
                .as_deref()
                == Some(mountpoint)
        })
    })
}

/// Name and image, from the entry and the list of images.
fn describe(root: &Root, storage: &Path, container: &mut Container, record: &Value) {
    // A JSON text within the JSON text.
    let metadata = facts::string(record, "/metadata")
        .and_then(|text| serde_json::from_str::<Value>(text).ok());
    let get = |pointer: &str| {
        metadata
            .as_ref()
            .and_then(|metadata| facts::string(metadata, pointer))
    };
    container.name = name(record, get("/name"));
    container.image = get("/image-name").map(facts::image).unwrap_or_default();
    let images = root.json(&storage.join("overlay-images/images.json"));
    let image = facts::string(record, "/image");
    let digest = images
        .as_ref()
        .and_then(Value::as_array)
        .and_then(|images| {
            let found = images
                .iter()
                .find(|entry| image.is_some() && facts::string(entry, "/id") == image)?;
            facts::string(found, "/digest")
        });
    if let Some(digest) = digest {
        container.image.digest = Some(digest.to_owned());
    }
}

/// The name of an entry. A rename changes the list of names, and not the text within.
fn name(record: &Value, first: Option<&str>) -> Option<String> {
    let names = record.get("names").and_then(Value::as_array);
    let mut names = names.into_iter().flatten().filter_map(Value::as_str);
    let still = first.filter(|first| names.clone().any(|name| name == *first));
    still.or(names.next()).or(first).map(str::to_owned)
}

/// What the bundle tells: who manages it, whether it is privileged, its pod.
fn bundle(root: &Root, userdata: &Path, container: &mut Container) {
    if root.read(&userdata.join("buildah.json")).is_some() {
        container.runtime = Some(Runtime::Buildah);
        container.build = true;
        // A working container is no container of its own.
        container.id = None;
        return;
    }
    let Some(config) = root.paper(&userdata.join("config.json")) else {
        container.missing.push("config");
        return;
    };
    let annotations = facts::table(&config, "/annotations");
    if facts::entry(&annotations, "io.container.manager").as_deref() == Some("cri-o") {
        container.runtime = Some(Runtime::CriO);
        container.pod = facts::pod(&annotations);
        if let Some(name) = facts::entry(&annotations, "io.kubernetes.container.name") {
            container.name = Some(name);
        }
        if let Some(image) = facts::entry(&annotations, "io.kubernetes.cri-o.ImageName") {
            let digest = container.image.digest.take();
            container.image = facts::image(&image);
            container.image.digest = digest.or(container.image.digest.take());
        }
        return;
    }
    container.privileged =
        match facts::entry(&annotations, "io.podman.annotations.privileged").as_deref() {
            Some("TRUE") => Some(true),
            Some("FALSE") => Some(false),
            _ => None,
        };
    // podman keeps labels in a database that is not read.
    container.missing.push("labels");
}
