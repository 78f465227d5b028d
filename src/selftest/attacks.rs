//! The attacks: each changes `/etc/ld.so.preload` of the root it runs in, in one
//! of the ways a filesystem allows. Run by a process of its own, which has entered
//! the throw-away container's cgroup and root.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};

use crate::model::{Action, PRELOAD_PATH};

const OUTSIDE: &str = "/tmp/prepared";
const BESIDE: &str = "/etc/prepared";

/// One attack.
#[derive(Debug, Clone, Copy)]
pub struct Attack {
    /// What it is called.
    pub name: &'static str,
    /// The action that tells it.
    pub action: Action,
    /// What to prepare before it, unseen.
    prepare: fn(&str) -> io::Result<()>,
    act: fn(&str) -> io::Result<()>,
}

/// All attacks. The file does not exist before each, unless it prepares one.
pub const ATTACKS: [Attack; 13] = [
    Attack {
        name: "create",
        action: Action::Creation,
        prepare: nothing,
        act: write,
    },
    Attack {
        name: "append",
        action: Action::Modification,
        prepare: old,
        act: append,
    },
    Attack {
        name: "overwrite",
        action: Action::Modification,
        prepare: old,
        act: write,
    },
    Attack {
        name: "truncate",
        action: Action::Modification,
        prepare: old,
        act: truncate,
    },
    Attack {
        name: "rename from /tmp",
        action: Action::Rename,
        prepare: outside,
        act: rename_outside,
    },
    Attack {
        name: "rename in /etc",
        action: Action::Rename,
        prepare: beside,
        act: rename_beside,
    },
    Attack {
        name: "exchange",
        action: Action::Rename,
        prepare: both,
        act: exchange,
    },
    Attack {
        name: "hard link",
        action: Action::Link,
        prepare: outside,
        act: link,
    },
    Attack {
        name: "symbolic link",
        action: Action::Symlink,
        prepare: outside,
        act: soft_link,
    },
    Attack {
        name: "copy_file_range",
        action: Action::Creation,
        prepare: outside,
        act: copy,
    },
    Attack {
        name: "remove and recreate",
        action: Action::Creation,
        prepare: old,
        act: recreate,
    },
    Attack {
        name: "chmod",
        action: Action::Attributes,
        prepare: old,
        act: chmod,
    },
    Attack {
        name: "delete",
        action: Action::Deletion,
        prepare: old,
        act: delete,
    },
];

impl Attack {
    /// Brings the root into the state the attack starts from.
    ///
    /// # Errors
    /// The errno of the filesystem.
    pub fn prepare(&self, nonce: &str) -> io::Result<()> {
        for path in [PRELOAD_PATH, OUTSIDE, BESIDE] {
            match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        (self.prepare)(nonce)
    }

    /// Attacks.
    ///
    /// # Errors
    /// The errno of the filesystem: the attack is not possible here.
    pub fn act(&self, nonce: &str) -> io::Result<()> {
        (self.act)(nonce)
    }
}

fn line(nonce: &str) -> String {
    format!("/tmp/{nonce}.so\n")
}

fn nothing(_: &str) -> io::Result<()> {
    Ok(())
}

fn old(_: &str) -> io::Result<()> {
    fs::write(PRELOAD_PATH, "/usr/lib/old.so\n/usr/lib/older.so\n")
}

fn outside(nonce: &str) -> io::Result<()> {
    fs::write(OUTSIDE, line(nonce))
}

fn beside(nonce: &str) -> io::Result<()> {
    fs::write(BESIDE, line(nonce))
}

fn both(nonce: &str) -> io::Result<()> {
    old(nonce)?;
    outside(nonce)
}

fn write(nonce: &str) -> io::Result<()> {
    fs::write(PRELOAD_PATH, line(nonce))
}

fn append(nonce: &str) -> io::Result<()> {
    OpenOptions::new()
        .append(true)
        .open(PRELOAD_PATH)?
        .write_all(line(nonce).as_bytes())
}

fn truncate(_: &str) -> io::Result<()> {
    nix::unistd::truncate(PRELOAD_PATH, 16)?;
    Ok(())
}

fn rename_outside(_: &str) -> io::Result<()> {
    fs::rename(OUTSIDE, PRELOAD_PATH)
}

fn rename_beside(_: &str) -> io::Result<()> {
    fs::rename(BESIDE, PRELOAD_PATH)
}

fn exchange(_: &str) -> io::Result<()> {
    renameat2(
        AT_FDCWD,
        OUTSIDE,
        AT_FDCWD,
        PRELOAD_PATH,
        RenameFlags::RENAME_EXCHANGE,
    )?;
    Ok(())
}

fn link(_: &str) -> io::Result<()> {
    fs::hard_link(OUTSIDE, PRELOAD_PATH)
}

fn soft_link(_: &str) -> io::Result<()> {
    symlink(OUTSIDE, PRELOAD_PATH)
}

/// The standard library copies between files by copy_file_range(2).
fn copy(_: &str) -> io::Result<()> {
    io::copy(&mut File::open(OUTSIDE)?, &mut File::create(PRELOAD_PATH)?)?;
    Ok(())
}

fn recreate(nonce: &str) -> io::Result<()> {
    fs::remove_file(PRELOAD_PATH)?;
    write(nonce)
}

fn chmod(_: &str) -> io::Result<()> {
    fs::set_permissions(Path::new(PRELOAD_PATH), fs::Permissions::from_mode(0o666))
}

fn delete(_: &str) -> io::Result<()> {
    fs::remove_file(PRELOAD_PATH)
}
