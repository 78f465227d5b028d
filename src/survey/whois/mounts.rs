//! What a process's own mount table says about its container: runtimes bind files
//! of their own, from a directory named by the container, to fixed places.

use crate::parse::cgroup::Runtime;

/// Where such files are bound, the surest first: podman's `.containerenv` is always the
/// container's own, the others may be those of a container whose network it shares.
const PLACES: [&[u8]; 4] = [
    b"/run/.containerenv",
    b"/etc/hostname",
    b"/etc/hosts",
    b"/etc/resolv.conf",
];
/// Where nspawn binds a directory that is named by the machine.
const MACHINE: [&[u8]; 2] = [b"/run/host/incoming", b"/run/systemd/nspawn/incoming"];
/// Most mounts that are looked at.
const MOUNTS: usize = 65_536;

/// The mounts of one mount namespace that matter here.
pub struct Table {
    root: Option<Mount>,
    binds: Vec<Mount>,
    cgroups: Vec<u8>,
    snapshot: bool,
}

struct Mount {
    id: Vec<u8>,
    device: Vec<u8>,
    /// The mounted directory or file within its filesystem.
    source: Vec<u8>,
    point: Vec<u8>,
    kind: Vec<u8>,
}

impl Table {
    /// Reads `/proc/PID/mountinfo`.
    pub fn of(text: &[u8]) -> Self {
        let mut table = Self {
            root: None,
            binds: Vec::new(),
            cgroups: Vec::new(),
            snapshot: false,
        };
        for line in text.split(|&byte| byte == b'\n').take(MOUNTS) {
            let Some(mount) = mount(line) else { continue };
            if mount.point == b"/" {
                let mark = b"/io.containerd.snapshotter.";
                table.snapshot = line.windows(mark.len()).any(|window| window == mark);
                table.root = Some(mount);
            } else if PLACES.contains(&mount.point.as_slice())
                || MACHINE.contains(&mount.point.as_slice())
            {
                table.binds.push(mount);
            } else if mount.kind.starts_with(b"cgroup")
                && mount.point.starts_with(b"/sys/fs/cgroup")
            {
                table
                    .cgroups
                    .extend([b"0::".as_slice(), mount.source.as_slice(), b"\n"].concat());
            }
        }
        table
    }

    /// The ID of the mount that is the root.
    pub fn root_id(&self) -> Option<&[u8]> {
        self.root.as_ref().map(|root| root.id.as_slice())
    }

    /// The root is one that is made for containers, or a directory of another filesystem.
    pub fn own_root(&self) -> bool {
        self.root
            .as_ref()
            .is_some_and(|root| root.layered() || root.source != b"/")
    }

    /// The layers of the root are snapshots of containerd.
    pub fn containerd(&self) -> bool {
        self.snapshot
    }

    /// Cgroup text made of the cgroups that are mounted as roots.
    pub fn cgroups(&self) -> Vec<u8> {
        self.cgroups.clone()
    }

    /// The container that bound files of its own.
    pub fn bound(&self) -> Option<(String, Runtime)> {
        if let Some(name) = self.at(&MACHINE).find_map(|bind| machine(&bind.source)) {
            return Some((name, Runtime::Nspawn));
        }
        // In a pod the kubelet writes the hosts file, and other files are the sandbox's.
        if self.at(&PLACES).any(|bind| kubelet(&bind.source)) {
            return None;
        }
        self.at(&PLACES).find_map(|bind| owner(&bind.source))
    }

    /// The sandbox whose files containerd's CRI bound.
    pub fn sandbox(&self) -> Option<String> {
        self.at(&PLACES).find_map(|bind| {
            let parts: Vec<&[u8]> = bind.source.split(|&byte| byte == b'/').collect();
            parts.windows(3).find_map(|window| match window {
                [b"io.containerd.grpc.v1.cri", b"sandboxes", id] => full_id(id),
                _ => None,
            })
        })
    }

    /// The binds on these places, in the order of the places. What comes from the
    /// container's own layers is the container's word, and not believed.
    fn at<'a>(&'a self, places: &'a [&'a [u8]]) -> impl Iterator<Item = &'a Mount> {
        let layers = self
            .root
            .as_ref()
            .filter(|root| root.layered())
            .map(|root| root.device.as_slice());
        let believed = move |bind: &&Mount| layers != Some(bind.device.as_slice());
        places
            .iter()
            .flat_map(move |place| self.binds.iter().filter(move |bind| bind.point == *place))
            .filter(believed)
    }
}

impl Mount {
    fn layered(&self) -> bool {
        self.kind == b"overlay" || self.kind == b"aufs" || self.kind == b"fuse.fuse-overlayfs"
    }
}

/// `ID PARENT DEVICE ROOT POINT OPTIONS… - TYPE …`
fn mount(line: &[u8]) -> Option<Mount> {
    let mut fields = line.split(|&byte| byte == b' ');
    let (id, _, device) = (fields.next()?, fields.next()?, fields.next()?);
    let (source, point) = (unescape(fields.next()?), unescape(fields.next()?));
    let kind = fields.skip_while(|&field| field != b"-").nth(1)?;
    Some(Mount {
        id: id.to_vec(),
        device: device.to_vec(),
        source,
        point,
        kind: kind.to_vec(),
    })
}

/// Undoes the kernel's `\ooo`.
fn unescape(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        match tail {
            [
                a @ b'0'..=b'3',
                b @ b'0'..=b'7',
                c @ b'0'..=b'7',
                after @ ..,
            ] if byte == b'\\' => {
                plain.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                rest = after;
            }
            _ => plain.push(byte),
        }
    }
    plain
}

/// `…/containers/<id>/<file>` is docker's, `…-containers/<id>/userdata/<file>` podman's.
fn owner(source: &[u8]) -> Option<(String, Runtime)> {
    let mut parts = source.rsplit(|&byte| byte == b'/');
    let (_, second, third) = (parts.next()?, parts.next()?, parts.next()?);
    if second == b"userdata" {
        let storage = parts.next()?.ends_with(b"-containers");
        return full_id(third)
            .filter(|_| storage)
            .map(|id| (id, Runtime::Podman));
    }
    full_id(second)
        .filter(|_| third == b"containers")
        .map(|id| (id, Runtime::Docker))
}

/// `…/systemd/nspawn/propagate/<machine>`.
fn machine(source: &[u8]) -> Option<String> {
    let mut parts = source.rsplit(|&byte| byte == b'/');
    let name = parts.next().filter(|name| !name.is_empty())?;
    let home = parts.next() == Some(b"propagate") && parts.next() == Some(b"nspawn");
    String::from_utf8(name.to_vec())
        .ok()
        .filter(|name| home && !name.contains(char::is_control))
}

/// `…/pods/<uid>/etc-hosts`.
fn kubelet(source: &[u8]) -> bool {
    let mut parts = source.rsplit(|&byte| byte == b'/');
    parts.next() == Some(b"etc-hosts") && parts.nth(1) == Some(b"pods")
}

/// A full container ID.
pub fn full_id(text: &[u8]) -> Option<String> {
    let hex = text.len() == 64
        && text
            .iter()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    hex.then(|| String::from_utf8_lossy(text).into_owned())
}
