//! Hides `/sys/kernel/btf`: an empty directory over it, in a mount namespace of our own.

use std::io::{Error, Result};
use std::path::Path;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

const BTF: &str = "/sys/kernel/btf";

/// Hides it from this process and its children; a kernel without it needs nothing.
pub fn btf() -> Result<()> {
    if !Path::new(BTF).exists() {
        return Ok(());
    }
    let none = None::<&str>;
    let told = |act: &'static str| move |error| Error::other(format!("{act}: {error}"));
    unshare(CloneFlags::CLONE_NEWNS).map_err(told("a mount namespace of our own (as root)"))?;
    // What is mounted here stays here; what the host mounts later still comes in.
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_SLAVE, none).map_err(told("/"))?;
    mount(Some("none"), BTF, Some("tmpfs"), MsFlags::MS_RDONLY, none).map_err(told(BTF))
}
