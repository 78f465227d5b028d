//! Mount namespaces and overlays of our own making (unshare(2), mount(2)).

use std::io;
use std::path::Path;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};

/// Puts the calling process into a mount namespace of its own: what it mounts is
/// seen by nobody else and goes away with it. Only before other threads exist.
///
/// # Errors
/// `EPERM` without `CAP_SYS_ADMIN`.
pub fn private_mounts() -> io::Result<()> {
    unshare(CloneFlags::CLONE_NEWNS)?;
    mount(
        None::<&str>,
        "/",
        None::<&str>,
        MsFlags::MS_REC | MsFlags::MS_PRIVATE,
        None::<&str>,
    )?;
    Ok(())
}

/// Mounts an empty tmpfs.
///
/// # Errors
/// The errno of mount(2).
pub fn tmpfs(target: &Path) -> io::Result<()> {
    mount(
        Some("ldwatch"),
        target,
        Some("tmpfs"),
        MsFlags::empty(),
        Some("mode=0755"),
    )?;
    Ok(())
}

/// Mounts an overlay of three directories.
///
/// # Errors
/// The errno of mount(2): `EINVAL` where the backing filesystem cannot be an
/// upper layer, `ENODEV` without the overlay module.
pub fn overlay(lower: &Path, upper: &Path, work: &Path, merged: &Path) -> io::Result<()> {
    let options = format!(
        "lowerdir={},upperdir={},workdir={}",
        lower.display(),
        upper.display(),
        work.display()
    );
    mount(
        Some("overlay"),
        merged,
        Some("overlay"),
        MsFlags::empty(),
        Some(options.as_str()),
    )?;
    Ok(())
}

/// Detaches whatever is mounted there.
///
/// # Errors
/// The errno of umount2(2).
pub fn detach(target: &Path) -> io::Result<()> {
    umount2(target, MntFlags::MNT_DETACH)?;
    Ok(())
}
