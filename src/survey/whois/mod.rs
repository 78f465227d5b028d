//! Which container a process is in, from what lies below a `/proc` directory and
//! nothing else. The cgroup text comes first. Where it holds no ID, the process's
//! own mount table and the command lines of its ancestors do, but only for a
//! process that has a root of its own: the host's table mentions every container,
//! and that makes no host process a member of one.

mod mounts;
mod parents;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use self::mounts::Table;
use crate::parse::cgroup::{Member, Runtime, member};

/// Longest text that is read of one `/proc` file.
const LIMIT: u64 = 4 << 20;
/// Sources of an ID.
const CGROUP: &str = "cgroup";
const LEAF: &str = "cgroup-leaf";
const BOUND: &str = "mountinfo";
/// Names of cgroups that runtimes and init systems make below a container's own.
const INNER: [&[u8]; 6] = [
    b"container",
    b"init",
    b"ns",
    b"payload",
    b"runtime",
    b"supervisor",
];

/// The answer: both `None` for a process in no container.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Whois {
    /// Container ID in the runtime's own spelling.
    pub container_id: Option<String>,
    /// The runtime, also where the process is no container's but a runtime's helper.
    pub runtime: Option<Runtime>,
    /// Where the ID came from: `cgroup`, `cgroup-leaf`, `mountinfo` (files that the runtime
    /// bound into the container), `monitor` (the command line of the process above it).
    pub source: Option<&'static str>,
}

/// The process could not be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {path}: {source}")]
pub struct WhoisError {
    /// What was to be read.
    pub path: PathBuf,
    /// Why it failed.
    #[source]
    pub source: io::Error,
}

/// Which container process `pid` is in.
///
/// # Errors
///
/// There is no such process below `proc_root`, or its cgroups cannot be read.
pub fn whois(proc_root: &Path, pid: i32) -> Result<Whois, WhoisError> {
    let home = proc_root.join(pid.to_string());
    let error = |path: &Path, source| WhoisError {
        path: path.to_path_buf(),
        source,
    };
    std::fs::metadata(&home).map_err(|source| error(&home, source))?;
    let file = home.join("cgroup");
    let text = match read(&file) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            return Err(error(&file, source));
        }
        text => text.unwrap_or_default(),
    };
    let process = Process {
        proc_root,
        home,
        text,
    };
    Ok(process.resolve())
}

/// Reads the start of a file.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    File::open(path)?.take(LIMIT).read_to_end(&mut text)?;
    Ok(text)
}

struct Process<'a> {
    proc_root: &'a Path,
    home: PathBuf,
    text: Vec<u8>,
}

impl Process<'_> {
    fn resolve(&self) -> Whois {
        match member(&self.text) {
            Some(Member {
                id: Some(id),
                runtime,
                ..
            }) => self.refine(id, runtime),
            // nspawn's cgroups do not always name the machine; other helpers are in none.
            Some(Member {
                id: None, runtime, ..
            }) if runtime != Runtime::Nspawn => known(None, runtime, CGROUP),
            other => self.beyond_cgroups(other.map(|member| member.runtime)),
        }
    }

    /// The cgroup names a container; the rest of the directory may know it better.
    fn refine(&self, id: String, runtime: Runtime) -> Whois {
        if let Some(leaf) = self.leaf().filter(|_| self.levels() > 2)
            && leaf.parent_holds(&id)
        {
            // A pid namespace within the container's, and a cgroup of its own: a
            // container in the container, started by hand.
            return known(Some(leaf.name), Runtime::Unknown, LEAF);
        }
        if runtime != Runtime::Kubernetes {
            return known(Some(id), runtime, CGROUP);
        }
        let runtime = match self.table().and_then(|table| table.sandbox()) {
            Some(sandbox) if sandbox == id => Runtime::ContainerdCriSandbox,
            Some(_) => Runtime::ContainerdCri,
            None => runtime,
        };
        known(Some(id), runtime, CGROUP)
    }

    fn beyond_cgroups(&self, hint: Option<Runtime>) -> Whois {
        let fallback = Whois {
            container_id: None,
            runtime: hint,
            source: None,
        };
        let table = self.table();
        if let Some(table) = &table {
            if !self.own_root(table) {
                return fallback;
            }
            if let Some((id, runtime)) = table.bound() {
                return known(Some(id), self.podman(runtime), BOUND);
            }
        }
        if let Some((id, runtime)) = parents::manager(self.proc_root, &self.home) {
            return known(Some(id), self.podman(runtime), "monitor");
        }
        let Some(table) = table else { return fallback };
        if let Some(Member {
            id: Some(id),
            runtime,
            ..
        }) = member(&table.cgroups())
        {
            return known(Some(id), runtime, BOUND);
        }
        if table.sandbox().is_some() {
            // The files are the sandbox's; nothing names the container itself.
            return known(None, Runtime::ContainerdCri, BOUND);
        }
        match self.leaf().filter(|_| hint.is_none() && self.levels() > 1) {
            // A namespace of containerd whose name says nothing.
            Some(leaf) if table.containerd() => known(Some(leaf.name), Runtime::Containerd, LEAF),
            Some(leaf) => known(Some(leaf.name), Runtime::Unknown, LEAF),
            None => fallback,
        }
    }

    fn table(&self) -> Option<Table> {
        read(&self.home.join("mountinfo"))
            .ok()
            .map(|text| Table::of(&text))
    }

    /// The process sees another root than the host does.
    fn own_root(&self, table: &Table) -> bool {
        let host = read(&self.proc_root.join("1/mountinfo"))
            .ok()
            .map(|text| Table::of(&text));
        let shared =
            host.is_some_and(|host| host.root_id().is_some() && host.root_id() == table.root_id());
        table.own_root() && !shared
    }

    /// Podman's word: a user's containers map root to the user, and one id alone.
    fn podman(&self, runtime: Runtime) -> Runtime {
        if runtime != Runtime::Podman {
            return runtime;
        }
        let map = read(&self.home.join("uid_map")).unwrap_or_default();
        let map = String::from_utf8_lossy(&map).into_owned();
        let rows: Vec<Vec<&str>> = map
            .lines()
            .map(|row| row.split_whitespace().collect())
            .collect();
        let single = rows
            .iter()
            .any(|row| matches!(row.as_slice(), [_, outside, "1"] if *outside != "0"));
        if rows.is_empty() || single {
            Runtime::PodmanRootless
        } else {
            Runtime::Podman
        }
    }

    /// How many pid namespaces deep the process is; 1 on the host.
    fn levels(&self) -> usize {
        let status = read(&self.home.join("status")).unwrap_or_default();
        let line = status
            .split(|&byte| byte == b'\n')
            .find_map(|line| line.strip_prefix(b"NSpid:"));
        line.map_or(0, |line| {
            line.split(u8::is_ascii_whitespace)
                .filter(|pid| !pid.is_empty())
                .count()
        })
    }

    /// The last component of the cgroup path, when it can be a container's name.
    fn leaf(&self) -> Option<Leaf> {
        let lines = || self.text.split(|&byte| byte == b'\n');
        let find = |mark: &[u8]| {
            let path = lines().find_map(|line| line.strip_prefix(mark))?;
            (path != b"/").then_some(path)
        };
        let named = || {
            lines().find_map(|line| {
                line.splitn(3, |&byte| byte == b':')
                    .nth(2)
                    .filter(|_| systemd(line))
            })
        };
        let path = find(b"0::").or_else(named)?;
        let at = path.iter().rposition(|&byte| byte == b'/')?;
        let (parent, name) = (path.get(..at)?, path.get(at + 1..)?);
        let unit = [b".scope".as_slice(), b".service", b".slice", b".mount"]
            .iter()
            .any(|unit| name.ends_with(unit));
        let name = std::str::from_utf8(name)
            .ok()
            .filter(|name| !name.is_empty() && !name.contains(char::is_control))?;
        let plain = !unit && name != ".." && !INNER.contains(&name.as_bytes());
        plain.then(|| Leaf {
            parent: parent.to_vec(),
            name: name.to_owned(),
        })
    }
}

/// The line is that of systemd's own v1 hierarchy.
fn systemd(line: &[u8]) -> bool {
    line.splitn(3, |&byte| byte == b':').nth(1) == Some(b"name=systemd")
}

/// The end of a cgroup path.
struct Leaf {
    parent: Vec<u8>,
    name: String,
}

impl Leaf {
    /// The directory above is the container's own cgroup.
    fn parent_holds(&self, id: &str) -> bool {
        let last = self
            .parent
            .rsplit(|&byte| byte == b'/')
            .next()
            .unwrap_or_default();
        last.windows(id.len()).any(|window| window == id.as_bytes())
    }
}

fn known(id: Option<String>, runtime: Runtime, source: &'static str) -> Whois {
    Whois {
        source: id.is_some().then_some(source),
        container_id: id,
        runtime: Some(runtime),
    }
}
