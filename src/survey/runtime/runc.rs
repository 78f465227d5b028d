//! runc and crun without a manager above. Each keeps a directory per container in its
//! state root: runc a `state.json` with the root filesystem's path, crun a `status`. The
//! vocabulary has no word for them: their runtime is `unknown`, unless an annotation
//! names the manager.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde_json::Value;

use super::facts::{self, bounded, placed};
use crate::model::Container;
use crate::parse::cgroup::Runtime;
use crate::survey::file::Root;

const SOURCE: &str = "runc-state";
/// State roots of root, and those within the run directory of each user.
const ROOTS: [&str; 2] = ["/run/runc", "/run/crun"];
const USER_ROOTS: [&str; 2] = ["runc", "crun"];
/// Most states that are read for one question.
const STATES: usize = 4096;

/// The states on disk. One is read again when its file has changed.
#[derive(Debug, Default)]
pub struct States {
    extra: Vec<PathBuf>,
    known: HashMap<PathBuf, Known>,
    /// State file and ID by root filesystem, as of the last scan.
    index: HashMap<PathBuf, (PathBuf, String)>,
}

/// What one state file said.
#[derive(Debug)]
struct Known {
    stamp: (SystemTime, u64),
    rootfs: Option<PathBuf>,
    labels: Vec<String>,
}

impl States {
    /// Looks into these state roots, too.
    pub fn add_roots(&mut self, roots: &[PathBuf]) {
        self.extra.extend_from_slice(roots);
    }

    /// The container whose root filesystem is mounted there.
    pub fn container(&mut self, root: &Root, mountpoint: &Path) -> Option<Container> {
        if let Some(container) = self.indexed(root, mountpoint) {
            return Some(container);
        }
        self.scan(root);
        self.indexed(root, mountpoint)
    }

    /// The container that the last scan found there, when its state still says so.
    fn indexed(&mut self, root: &Root, mountpoint: &Path) -> Option<Container> {
        let (file, id) = self.index.get(mountpoint)?.clone();
        let known = self.known(root, &file)?;
        (known.rootfs.as_deref() == Some(mountpoint)).then(|| describe(&id, &file, &known.labels))
    }

    fn scan(&mut self, root: &Root) {
        let mut files = self.files(root);
        files.truncate(STATES);
        let present: HashSet<&Path> = files.iter().map(|(file, _)| file.as_path()).collect();
        self.known
            .retain(|file, _| present.contains(file.as_path()));
        self.index.clear();
        for (file, id) in files {
            let rootfs = self
                .known(root, &file)
                .and_then(|known| known.rootfs.clone());
            if let Some(rootfs) = rootfs {
                // The first that claims a root filesystem keeps it.
                self.index.entry(rootfs).or_insert((file, id));
            }
        }
    }

    /// The state files there may be, with the ID that the directory names. Those of root
    /// come first: a user may claim what is not theirs.
    fn files(&self, root: &Root) -> Vec<(PathBuf, String)> {
        let users = Path::new("/run/user");
        let names = root.names(users).unwrap_or_default();
        let below = names
            .iter()
            .flat_map(|user| USER_ROOTS.map(|name| users.join(user).join(name)));
        let roots = ROOTS
            .map(PathBuf::from)
            .into_iter()
            .chain(self.extra.iter().cloned())
            .chain(below);
        let mut files = Vec::new();
        for state_root in roots {
            for id in root
                .names(&state_root)
                .unwrap_or_default()
                .into_iter()
                .filter_map(|id| id.into_string().ok())
            {
                files.extend(
                    ["state.json", "status"]
                        .map(|name| (state_root.join(&id).join(name), id.clone())),
                );
            }
        }
        files
    }

    fn known(&mut self, root: &Root, file: &Path) -> Option<&Known> {
        let metadata = std::fs::symlink_metadata(root.at(file)).ok()?;
        let stamp = (metadata.modified().ok()?, metadata.len());
        if self
            .known
            .get(file)
            .is_none_or(|known| known.stamp != stamp)
        {
            let known = read(root, file, stamp);
            self.known.insert(file.to_path_buf(), known);
        }
        self.known.get(file)
    }
}

/// Reads one state. Garbage is remembered as such until the file changes.
fn read(root: &Root, file: &Path, stamp: (SystemTime, u64)) -> Known {
    let state = root.json(file).unwrap_or(Value::Null);
    let rootfs =
        facts::string(&state, "/config/rootfs").or_else(|| facts::string(&state, "/rootfs"));
    // crun without an absolute root path: it is relative to the bundle.
    let bundle = facts::string(&state, "/bundle")
        .map(Path::new)
        .unwrap_or(Path::new(""));
    let labels = state.pointer("/config/labels").and_then(Value::as_array);
    let labels = labels
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_owned);
    Known {
        stamp,
        rootfs: rootfs.map(|rootfs| bundle.join(rootfs)),
        labels: labels.take(256).collect(),
    }
}

fn describe(id: &str, file: &Path, labels: &[String]) -> Container {
    let pairs = labels
        .iter()
        .filter_map(|label| label.split_once('='))
        .filter(|(key, _)| *key != "bundle");
    let labels = bounded(pairs);
    let runtime = match facts::entry(&labels, "io.container.manager").as_deref() {
        Some("libpod") if file.starts_with("/run/user") => Runtime::PodmanRootless,
        Some("libpod") => Runtime::Podman,
        Some("cri-o") => Runtime::CriO,
        _ => Runtime::Unknown,
    };
    let mut container = placed(Some(id), runtime, SOURCE);
    container.labels = labels;
    facts::note_missing(&mut container);
    container
}
