//! The walk along one cgroup path. State is what the components so far say:
//! whether a pod is near, whether a user's manager is above, which container was
//! entered last. Nothing is allocated before the walk has ended.

use std::borrow::Cow;

use super::names::{Verdict, lxc, named, own_name};
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
            () if matches!(self.parent, b"balena" | b"balena-engine") => Runtime::Balena,
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
