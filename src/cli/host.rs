//! What every record says of this machine: read once, at start.

use std::fs;
use std::os::unix::fs::MetadataExt;

use nix::sys::utsname::uname;

use crate::output::host::{Host, Os};

/// Reads the facts. A missing one leaves its field out.
#[must_use]
pub fn read() -> Host {
    let names = uname().ok();
    let name =
        |part: Option<&std::ffi::OsStr>| part.map(|part| part.to_string_lossy().into_owned());
    let hostname = name(names.as_ref().map(|names| names.nodename()));
    let id = line("/etc/machine-id");
    Host {
        name: hostname.clone(),
        hostname,
        architecture: name(names.as_ref().map(|names| names.machine())),
        boot_id: line("/proc/sys/kernel/random/boot_id"),
        pid_ns_ino: fs::metadata("/proc/self/ns/pid")
            .ok()
            .map(|ns| ns.ino().to_string()),
        os: Os {
            kernel: name(names.as_ref().map(|names| names.release())),
            ..os()
        },
        agent_id: id.clone(),
        id,
        agent_ephemeral_id: Some(uuid::Uuid::now_v7().to_string()),
        agent_name: None,
        agent_version: Some(env!("CARGO_PKG_VERSION").to_owned()),
    }
}

fn line(path: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// The operating system, as os-release(5) names it.
fn os() -> Os {
    let text = fs::read_to_string("/etc/os-release")
        .or_else(|_| fs::read_to_string("/usr/lib/os-release"));
    let text = text.unwrap_or_default();
    let value = |key: &str| {
        let value = text
            .lines()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix('='))?;
        Some(value.trim().trim_matches(['"', '\'']).to_owned()).filter(|value| !value.is_empty())
    };
    let platform = value("ID");
    Os {
        family: value("ID_LIKE").or_else(|| platform.clone()),
        name: value("NAME"),
        platform,
        version: value("VERSION_ID"),
        full: value("PRETTY_NAME"),
        kernel: None,
    }
}
