//! Components that carry a name instead of a full ID: machines, LXC, scopes.

use std::borrow::Cow;

use super::Runtime;
use super::shape;

/// What the rules say about one component.
pub enum Verdict<'a> {
    Container(Runtime, Cow<'a, str>),
    /// A container, unless something better is on the way.
    Perhaps(Runtime, Cow<'a, str>),
    /// A process beside containers: monitor, build step, virtual machine.
    Helper(Runtime),
    Nothing,
}

/// Components that carry the name of a container, wherever they are.
pub fn named(component: &[u8]) -> Verdict<'_> {
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
pub fn lxc(name: &[u8]) -> Verdict<'_> {
    let runtime = if name.contains(&b'_') {
        Runtime::Incus
    } else {
        Runtime::Lxc
    };
    own_name(runtime, name)
}

/// `name` as it is, when it can be a name.
pub fn own_name(runtime: Runtime, name: &[u8]) -> Verdict<'_> {
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
