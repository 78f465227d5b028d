//! The walk along one cgroup path. State is what the components so far say:
//! whether a pod is near, whether a user's manager is above, which container was
//! entered last. Nothing is allocated before the walk has ended.

use std::borrow::Cow;

use super::shape;
use super::{Member, Runtime};

/// What a path says.
pub struct Found<'a> {
    /// Container ID; `None` for a helper beside containers.
    pub id: Option<Cow<'a, str>>,
    runtime: Runtime,
    pod: Option<&'a [u8]>,
    /// The shape is no proof: another line may know better.
    pub weak: bool,
    /// Containers on the way, this one included.
    pub depth: usize,
}

impl Found<'_> {
    pub fn into_member(self) -> Member {
        let uid = self
            .pod
            .map(|uid| String::from_utf8_lossy(uid).replace('_', "-"));
        Member {
            id: self.id.map(Cow::into_owned),
            runtime: self.runtime,
            pod_uid: uid,
        }
    }
}

/// What the rules say about one component.
enum Verdict<'a> {
    Container(Runtime, Cow<'a, str>),
    /// A container, unless something better is on the way.
    Perhaps(Runtime, Cow<'a, str>),
    /// A process beside containers: monitor, build step, virtual machine.
    Helper(Runtime),
    Nothing,
}

/// Walks `path` to the container it leads into.
pub fn walk(path: &[u8]) -> Option<Found<'_>> {
    let mut walk = Walk::default();
    for component in path
        .split(|&byte| byte == b'/')
        .filter(|component| !component.is_empty())
    {
        walk.step(component);
    }
    walk.found
}

/// The components so far.
#[derive(Default)]
struct Walk<'a> {
    found: Option<Found<'a>>,
    /// The component before, and the one before that.
    parent: &'a [u8],
    grandparent: &'a [u8],
    // The following hold since the last container was entered.
    pod: Option<&'a [u8]>,
    kubernetes: bool,
    kubelet: bool,
    ecs: bool,
    user: bool,
}

impl<'a> Walk<'a> {
    fn step(&mut self, component: &'a [u8]) {
        self.notice(component);
        match self.judge(component) {
            Verdict::Container(runtime, id) => self.enter(runtime, id, false),
            Verdict::Perhaps(runtime, id) if !self.inside() => self.enter(runtime, id, true),
            Verdict::Helper(runtime) if !self.inside() || self.supervises(component) => {
                self.found = Some(Found {
                    id: None,
                    runtime,
                    pod: self.pod,
                    weak: false,
                    depth: 0,
                });
            }
            _ => {}
        }
        self.grandparent = self.parent;
        self.parent = component;
    }

    /// A container is known for sure. A helper that runs inside it is part of it.
    fn inside(&self) -> bool {
        self.found
            .as_ref()
            .is_some_and(|found| found.id.is_some() && !found.weak)
    }

    fn enter(&mut self, runtime: Runtime, id: Cow<'a, str>, weak: bool) {
        let depth = self.found.as_ref().map_or(0, |found| found.depth) + 1;
        self.found = Some(Found {
            id: Some(id),
            runtime,
            pod: self.pod,
            weak,
            depth,
        });
        if !weak {
            (self.pod, self.kubernetes, self.kubelet, self.ecs, self.user) =
                (None, false, false, false, false);
        }
    }

    /// Takes up what a component says about those below it.
    fn notice(&mut self, component: &'a [u8]) {
        if let Some(uid) = shape::pod(component) {
            self.pod = Some(uid);
            self.kubernetes = true;
        }
        self.kubernetes |= shape::contains(component, b"kubepods");
        self.kubelet |= component == b"kubelet";
        self.ecs |= matches!(component, b"ecs" | b"ecstasks.slice");
        let uid = shape::between(component, b"user-", b".slice")
            .or_else(|| shape::between(component, b"user@", b".service"));
        self.user |= uid.is_some_and(|uid| shape::decimal(uid) && uid != b"0");
    }

    fn judge(&self, component: &'a [u8]) -> Verdict<'a> {
        match self.below_parent(component) {
            Verdict::Nothing => {}
            verdict => return verdict,
        }
        if let Some((prefix, id)) = shape::prefixed_id(component) {
            return self.full_id(prefix, id);
        }
        match named(component) {
            Verdict::Nothing => self.other(component),
            verdict => verdict,
        }
    }

    /// Names that mean something because of the directory they are in.
    fn below_parent(&self, component: &'a [u8]) -> Verdict<'a> {
        let tier = matches!(self.parent, b"good" | b"bad") && self.grandparent == b"garden";
        let top = self.grandparent.is_empty() || self.grandparent.ends_with(b".service");
        match self.parent {
            b"lxc.monitor" => Verdict::Helper(Runtime::LxcMonitor),
            b"lxc" | b"lxc.payload" => lxc(component),
            b"garden" if matches!(component, b"good" | b"bad") => Verdict::Nothing,
            b"garden" => own_name(Runtime::Garden, component),
            _ if tier => own_name(Runtime::Garden, component),
            b"mesos" => own_name(Runtime::Mesos, component),
            b"buildkit" if shape::build(component) => own_name(Runtime::Buildkit, component),
            b"libpod_parent" if component == b"conmon" => Verdict::Helper(Runtime::PodmanConmon),
            // containerd writes `/<namespace>/<id>`, with names of the user's choice.
            // Only namespaces of a known meaning are believed.
            b"default" if top => own_name(Runtime::Containerd, component),
            b"system" if self.grandparent.is_empty() && component != b"runtime" => {
                own_name(Runtime::Containerd, component)
            }
            b"k8s.io" if top => own_name(Runtime::ContainerdCri, component),
            _ => Verdict::Nothing,
        }
    }

    /// A full ID, with the prefix its runtime gave it.
    fn full_id(&self, prefix: &[u8], id: &'a [u8]) -> Verdict<'a> {
        let runtime = match prefix {
            // The cgroup of a pod of podman.
            b"" if self.parent == b"libpod_parent" => return Verdict::Nothing,
            b"" => self.bare(),
            b"docker" if self.kubernetes => Runtime::KubernetesDocker,
            b"docker" if self.ecs => Runtime::Ecs,
            b"docker" => Runtime::Docker,
            b"balena" | b"balena-engine" => Runtime::Balena,
            b"containerd" if !self.kubernetes => Runtime::Containerd,
            b"cri-containerd" | b"containerd" => Runtime::ContainerdCri,
            b"crio" | b"cri-o" => Runtime::CriO,
            b"crio-conmon" | b"cri-o-conmon" => return Verdict::Helper(Runtime::CriOConmon),
            b"libpod" | b"libpod-payload" if self.user => Runtime::PodmanRootless,
            b"libpod" | b"libpod-payload" => Runtime::Podman,
            b"libpod-conmon" => return Verdict::Helper(Runtime::PodmanConmon),
            b"nerdctl" => Runtime::Nerdctl,
            b"buildkit" => Runtime::Buildkit,
            b"buildah" => return Verdict::Helper(Runtime::Buildah),
            b"machine" => Runtime::Nspawn,
            b"bpm" => Runtime::Bpm,
            _ if self.kubernetes => Runtime::Kubernetes,
            b"runc" | b"crun" | b"youki" => Runtime::Unknown,
            _ => return Verdict::Perhaps(Runtime::Unknown, String::from_utf8_lossy(id)),
        };
        Verdict::Container(runtime, String::from_utf8_lossy(id))
    }

    /// The runtime of an ID without prefix: docker with its cgroupfs driver, below any
    /// parent, or some engine of Kubernetes.
    fn bare(&self) -> Runtime {
        let outer = self.found.as_ref().map(|found| found.runtime);
        match () {
            // `/kubelet` is the cgroup root that kind gives its kubelet; its nodes run containerd.
            () if self.kubernetes && self.kubelet => Runtime::ContainerdCri,
            // A node that is a docker container itself, without that root: minikube.
            () if self.kubernetes && outer == Some(Runtime::Docker) => Runtime::KubernetesDocker,
            () if self.kubernetes => Runtime::Kubernetes,
            () if self.ecs => Runtime::Ecs,
            () => Runtime::Docker,
        }
    }

    /// What is left: shapes that depend on what lies above.
    fn other(&self, component: &'a [u8]) -> Verdict<'a> {
        if shape::fargate(component) {
            let id = String::from_utf8_lossy(component);
            return if self.ecs {
                Verdict::Container(Runtime::Fargate, id)
            } else {
                Verdict::Perhaps(Runtime::Fargate, id)
            };
        }
        if shape::uuid(component) && !self.ecs && !self.kubernetes {
            return Verdict::Perhaps(Runtime::Unknown, String::from_utf8_lossy(component));
        }
        match component {
            b"payload" => Verdict::Helper(Runtime::Nspawn),
            b"supervisor" if self.parent.is_empty() || self.supervises(component) => {
                Verdict::Helper(Runtime::Nspawn)
            }
            // podman with --cgroups=split keeps its monitor there.
            b"supervisor" if self.parent.ends_with(b".service") => {
                Verdict::Helper(Runtime::PodmanConmon)
            }
            _ => Verdict::Nothing,
        }
    }

    /// The component is the supervisor's cgroup right below that of an nspawn machine:
    /// the one helper that a container's own cgroup holds.
    fn supervises(&self, component: &[u8]) -> bool {
        let machine =
            self.parent.starts_with(b"machine-") || self.parent.starts_with(b"systemd-nspawn@");
        component == b"supervisor"
            && machine
            && self
                .found
                .as_ref()
                .is_some_and(|found| found.runtime == Runtime::Nspawn)
    }
}

/// Components that carry the name of a container, wherever they are.
fn named(component: &[u8]) -> Verdict<'_> {
    if let Some(name) = component.strip_prefix(b"lxc.payload.") {
        return lxc(name);
    }
    if component.starts_with(b"lxc.monitor.") {
        return Verdict::Helper(Runtime::LxcMonitor);
    }
    if let Some(name) = shape::between(component, b"machine-", b".scope") {
        return machine(name);
    }
    if let Some(name) = shape::between(component, b"systemd-nspawn@", b".service") {
        return escaped(Runtime::Nspawn, name);
    }
    if let Some(name) = shape::between(component, b"", b".libvirt-lxc") {
        return domain(name);
    }
    if component.ends_with(b".libvirt-qemu") {
        return Verdict::Helper(Runtime::LibvirtVm);
    }
    if component.starts_with(b"buildah-") && !shape::unit(component) {
        return Verdict::Helper(Runtime::Buildah);
    }
    component
        .strip_suffix(b".scope")
        .map_or(Verdict::Nothing, scope)
}

/// Scopes whose name is `prefix-NAME`.
fn scope(stem: &[u8]) -> Verdict<'_> {
    if let Some(name) = stem.strip_prefix(b"bpm-") {
        return escaped(Runtime::Bpm, name);
    }
    if stem.starts_with(b"podman-pause-") {
        return Verdict::Helper(Runtime::PodmanPause);
    }
    let build = stem
        .strip_prefix(b"docker-")
        .or_else(|| stem.strip_prefix(b"buildkit-"));
    if let Some(id) = build.filter(|id| shape::build(id)) {
        return Verdict::Container(Runtime::Buildkit, String::from_utf8_lossy(id));
    }
    // Without a cgroup path in the bundle, these name the scope themselves.
    let prefixes: [&[u8]; 3] = [b"runc-", b"crun-", b"youki-"];
    match prefixes
        .into_iter()
        .find_map(|prefix| stem.strip_prefix(prefix))
    {
        Some(name) => escaped(Runtime::Unknown, name),
        None => Verdict::Nothing,
    }
}

/// A machine registered with systemd: nspawn, or a guest of libvirt, whose names are
/// `<driver>-<number>-<name>`.
fn machine(name: &[u8]) -> Verdict<'_> {
    let Some(plain) = shape::unescape(name) else {
        return Verdict::Nothing;
    };
    if numbered(&plain, "qemu-") {
        return Verdict::Helper(Runtime::LibvirtVm);
    }
    if numbered(&plain, "lxc-") {
        domain(name)
    } else {
        escaped(Runtime::Nspawn, name)
    }
}

/// A container of libvirt, with or without `lxc-` in front of its number.
fn domain(name: &[u8]) -> Verdict<'_> {
    let Some(plain) = shape::unescape(name) else {
        return Verdict::Nothing;
    };
    let id = match plain.strip_prefix("lxc-") {
        Some(rest) if numbered(&plain, "lxc-") => Cow::Owned(rest.to_owned()),
        _ => plain,
    };
    Verdict::Container(Runtime::LibvirtLxc, id)
}

fn numbered(name: &str, driver: &str) -> bool {
    let number = name
        .strip_prefix(driver)
        .and_then(|rest| rest.split_once('-'));
    number.is_some_and(|(number, _)| shape::decimal(number.as_bytes()))
}

/// A name of LXC. Incus and LXD put the project in front, with `_`, which none of
/// their own names may hold.
fn lxc(name: &[u8]) -> Verdict<'_> {
    let runtime = if name.contains(&b'_') {
        Runtime::Incus
    } else {
        Runtime::Lxc
    };
    own_name(runtime, name)
}

fn own_name(runtime: Runtime, name: &[u8]) -> Verdict<'_> {
    if shape::chosen(name) {
        Verdict::Container(runtime, String::from_utf8_lossy(name))
    } else {
        Verdict::Nothing
    }
}

fn escaped(runtime: Runtime, name: &[u8]) -> Verdict<'_> {
    match shape::unescape(name) {
        Some(id) if !id.is_empty() => Verdict::Container(runtime, id),
        _ => Verdict::Nothing,
    }
}
