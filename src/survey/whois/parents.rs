//! The monitor above a container's processes names the container on its command
//! line: conmon, containerd's shim, nspawn's supervisor, LXC's monitor.

use std::path::Path;

use super::mounts::full_id;
use super::read;
use crate::parse::cgroup::Runtime;

/// Most ancestors that are asked.
const ANCESTORS: usize = 64;

/// The container that an ancestor of the process in `home` manages.
pub fn manager(proc_root: &Path, home: &Path) -> Option<(String, Runtime)> {
    let mut pid = parent(home)?;
    for _ in 0..ANCESTORS {
        if pid <= 1 {
            return None;
        }
        let home = proc_root.join(pid.to_string());
        let found = read(&home.join("cmdline"))
            .ok()
            .and_then(|text| managed(&text));
        if found.is_some() {
            return found;
        }
        pid = parent(&home)?;
    }
    None
}

/// The parent's pid, from `status`, else from `stat`.
fn parent(home: &Path) -> Option<i32> {
    if let Ok(status) = read(&home.join("status")) {
        let line = status
            .split(|&byte| byte == b'\n')
            .find_map(|line| line.strip_prefix(b"PPid:"));
        if let Some(pid) = line.and_then(number) {
            return Some(pid);
        }
    }
    let stat = read(&home.join("stat")).ok()?;
    // The command's name is in brackets, and may hold anything, brackets too.
    let end = stat.iter().rposition(|&byte| byte == b')')?;
    let mut fields = stat
        .get(end + 1..)?
        .split(u8::is_ascii_whitespace)
        .filter(|field| !field.is_empty());
    fields.nth(1).and_then(number)
}

fn number(text: &[u8]) -> Option<i32> {
    std::str::from_utf8(text).ok()?.trim().parse().ok()
}

/// What a monitor's command line names.
fn managed(cmdline: &[u8]) -> Option<(String, Runtime)> {
    let args: Vec<&[u8]> = cmdline.split(|&byte| byte == 0).take(256).collect();
    let program = args.first()?.rsplit(|&byte| byte == b'/').next()?;
    if let Some(rest) = args.first()?.strip_prefix(b"[lxc monitor] ") {
        let name = rest.rsplit(|&byte| byte == b' ').next()?;
        return Some((text(name)?, Runtime::Lxc));
    }
    match program {
        b"conmon" => {
            let id = option(&args, &[b"-c", b"--cid"]).and_then(full_id)?;
            Some((id, Runtime::Podman))
        }
        b"systemd-nspawn" => Some((machine(&args)?, Runtime::Nspawn)),
        _ if program.starts_with(b"containerd-shim") => {
            let id = option(&args, &[b"-id", b"--id"])?;
            match option(&args, &[b"-namespace", b"--namespace"])? {
                b"moby" => Some((full_id(id)?, Runtime::Docker)),
                // One shim serves all containers of a pod; it carries the sandbox's ID.
                b"k8s.io" => None,
                _ => Some((text(id)?, Runtime::Containerd)),
            }
        }
        _ => None,
    }
}

/// The machine's name: given, else that of the directory, which `--ephemeral` changes.
fn machine(args: &[&[u8]]) -> Option<String> {
    if let Some(name) = option(args, &[b"-M", b"--machine"]) {
        return text(name);
    }
    if args
        .iter()
        .any(|arg| matches!(*arg, b"-x" | b"--ephemeral"))
    {
        return None;
    }
    let directory = option(args, &[b"-D", b"--directory"])?;
    let mut parts = directory
        .rsplit(|&byte| byte == b'/')
        .filter(|part| !part.is_empty());
    text(parts.next()?)
}

/// The value of an option: `-x VALUE`, `-xVALUE`, `--long VALUE`, `--long=VALUE`.
fn option<'a>(args: &[&'a [u8]], names: &[&[u8]]) -> Option<&'a [u8]> {
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        for name in names {
            match arg.strip_prefix(*name) {
                Some(b"") => return rest.next().copied(),
                Some(value) if name.starts_with(b"--") => {
                    if let Some(value) = value.strip_prefix(b"=") {
                        return Some(value);
                    }
                }
                Some(value) if name.len() == 2 => return Some(value),
                _ => {}
            }
        }
    }
    None
}

fn text(name: &[u8]) -> Option<String> {
    let name = std::str::from_utf8(name).ok()?;
    (!name.is_empty() && name.len() <= 255 && !name.contains(char::is_control))
        .then(|| name.to_owned())
}
