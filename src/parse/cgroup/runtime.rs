//! The one vocabulary of container runtimes, in output and in `whois`.

/// Container runtime (one vocabulary everywhere). Some words name what runs beside
/// containers (monitors, a virtual machine): those never come with an ID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Runtime {
    /// balenaEngine.
    Balena,
    /// BOSH process manager.
    Bpm,
    /// A build step of buildah or podman.
    Buildah,
    /// A build step of BuildKit.
    Buildkit,
    /// containerd without Kubernetes.
    Containerd,
    /// containerd below Kubernetes.
    ContainerdCri,
    /// The sandbox (pause) container of a pod in containerd.
    ContainerdCriSandbox,
    /// CRI-O.
    CriO,
    /// The monitor of a CRI-O container.
    CriOConmon,
    /// Docker.
    Docker,
    /// Amazon ECS on EC2.
    Ecs,
    /// Amazon ECS on Fargate.
    Fargate,
    /// Cloud Foundry Garden.
    Garden,
    /// Incus or LXD, in a project.
    Incus,
    /// Kubernetes, below it an engine that is not known.
    Kubernetes,
    /// Docker below Kubernetes.
    KubernetesDocker,
    /// A container of libvirt.
    LibvirtLxc,
    /// A virtual machine of libvirt: no container.
    LibvirtVm,
    /// LXC.
    Lxc,
    /// The monitor of an LXC container.
    LxcMonitor,
    /// Apache Mesos.
    Mesos,
    /// nerdctl.
    Nerdctl,
    /// systemd-nspawn.
    Nspawn,
    /// Podman as root.
    Podman,
    /// The monitor of a Podman container.
    PodmanConmon,
    /// The process that holds a user's rootless Podman namespaces.
    PodmanPause,
    /// Podman as a user.
    PodmanRootless,
    /// A container of a runtime that cannot be told.
    Unknown,
}

impl Runtime {
    /// Every word of the vocabulary, in alphabetical order.
    pub const ALL: [Self; 28] = [
        Self::Balena,
        Self::Bpm,
        Self::Buildah,
        Self::Buildkit,
        Self::Containerd,
        Self::ContainerdCri,
        Self::ContainerdCriSandbox,
        Self::CriO,
        Self::CriOConmon,
        Self::Docker,
        Self::Ecs,
        Self::Fargate,
        Self::Garden,
        Self::Incus,
        Self::Kubernetes,
        Self::KubernetesDocker,
        Self::LibvirtLxc,
        Self::LibvirtVm,
        Self::Lxc,
        Self::LxcMonitor,
        Self::Mesos,
        Self::Nerdctl,
        Self::Nspawn,
        Self::Podman,
        Self::PodmanConmon,
        Self::PodmanPause,
        Self::PodmanRootless,
        Self::Unknown,
    ];

    /// The word used in output.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Balena => "balena",
            Self::Bpm => "bpm",
            Self::Buildah => "buildah",
            Self::Buildkit => "buildkit",
            Self::Containerd => "containerd",
            Self::ContainerdCri => "containerd-cri",
            Self::ContainerdCriSandbox => "containerd-cri-sandbox",
            Self::CriO => "cri-o",
            Self::CriOConmon => "cri-o-conmon",
            Self::Docker => "docker",
            Self::Ecs => "ecs",
            Self::Fargate => "fargate",
            Self::Garden => "garden",
            Self::Incus => "incus",
            Self::Kubernetes => "kubernetes",
            Self::KubernetesDocker => "kubernetes-docker",
            Self::LibvirtLxc => "libvirt-lxc",
            Self::LibvirtVm => "libvirt-vm",
            Self::Lxc => "lxc",
            Self::LxcMonitor => "lxc-monitor",
            Self::Mesos => "mesos",
            Self::Nerdctl => "nerdctl",
            Self::Nspawn => "nspawn",
            Self::Podman => "podman",
            Self::PodmanConmon => "podman-conmon",
            Self::PodmanPause => "podman-pause",
            Self::PodmanRootless => "podman-rootless",
            Self::Unknown => "unknown",
        }
    }

    /// The runtime that `name` is the word for.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|runtime| runtime.name() == name)
    }
}
