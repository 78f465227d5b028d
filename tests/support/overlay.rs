//! A container by hand: an overlay mount, a private mount namespace with it as root,
//! a cgroup named like a runtime's, and a first process that sleeps in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::mount::{MntFlags, MsFlags, mount, umount2};

use super::cgroup::Cgroup;
use super::command::{try_run, wait_until};
use super::hand::Hand;
use super::program::{self, Outcome, act};
use super::scratch::{Scratch, container_id};

/// What is out of the ordinary about a container.
#[derive(Debug, Default, Clone)]
pub struct Wish {
    /// Added to the overlay's options (`uuid=off`).
    pub options: &'static str,
    /// A layer of this path lies above the image's, as on another filesystem.
    pub layer: Option<PathBuf>,
    /// Bound into the container before its first process runs: from, to.
    pub binds: Vec<(PathBuf, &'static str)>,
    /// Made in the writable layer before it is mounted.
    pub upper: &'static [&'static str],
    /// What its first process does, if not sleep.
    pub init: &'static str,
}

/// A lower layer that several containers share, as those of one image do.
pub struct Image {
    scratch: Scratch,
}

impl Image {
    /// Makes the layer: the attack program and the few directories it needs.
    pub fn new() -> Self {
        Self::with(&["bin", "etc", "tmp", "proc", "opt/etc"])
    }

    /// A layer of these directories.
    pub fn with(directories: &[&str]) -> Self {
        let scratch = Scratch::new();
        for name in directories {
            scratch.directory(&format!("lower/{name}"));
        }
        fs::copy(program::attack(), scratch.join("lower/bin/attack")).unwrap();
        if directories.contains(&"etc") {
            fs::write(scratch.join("lower/etc/hostname"), "box\n").unwrap();
        }
        Self { scratch }
    }

    /// The layer's directory, to be filled before a container starts.
    pub fn lower(&self) -> PathBuf {
        self.scratch.join("lower")
    }

    /// A layer on a filesystem of its own, to be filled before a container starts.
    pub fn layer_elsewhere(&self, name: &str) -> Result<PathBuf, String> {
        let path = self.scratch.directory(name);
        let (kind, flags) = (Some("tmpfs"), MsFlags::empty());
        mount(kind, &path, kind, flags, None::<&str>).map_err(|error| format!("tmpfs: {error}"))?;
        fs::create_dir(path.join("etc")).unwrap();
        Ok(path)
    }

    /// A directory beside the layer, made.
    pub fn directory(&self, name: &str) -> PathBuf {
        self.scratch.directory(name)
    }

    /// Starts a container named as docker names them; the reason when it cannot be made.
    pub fn start(&self) -> Result<Overlay, String> {
        self.start_as(&Wish::default())
    }

    /// The same, with what is wished for.
    pub fn start_as(&self, wish: &Wish) -> Result<Overlay, String> {
        let id = container_id();
        let cgroup = format!("/docker/{id}");
        let (upper, merged) = self.mount(&id, wish)?;
        Overlay::begin(id, upper, merged, &cgroup, wish)
    }

    /// Starts a container in a cgroup of any name.
    pub fn start_in(&self, id: String, cgroup: &str) -> Result<Overlay, String> {
        let wish = Wish::default();
        let (upper, merged) = self.mount(&id, &wish)?;
        Overlay::begin(id, upper, merged, cgroup, &wish)
    }

    /// Starts a container whose root is a copy of the layer, bound on itself.
    pub fn start_in_a_directory(&self) -> Result<Overlay, String> {
        let id = container_id();
        let root = self.scratch.directory(&id).join("rootfs");
        try_run(Command::new("cp").arg("-a").arg(self.lower()).arg(&root))?;
        let none = None::<&str>;
        mount(Some(&root), &root, none, MsFlags::MS_BIND, none)
            .map_err(|error| format!("bind: {error}"))?;
        let cgroup = format!("/docker/{id}");
        Overlay::begin(id, PathBuf::new(), root, &cgroup, &Wish::default())
    }

    /// Mounts a root filesystem without any process; gives its upper and merged.
    pub fn mount(&self, id: &str, wish: &Wish) -> Result<(PathBuf, PathBuf), String> {
        let made = |name: &str| self.scratch.directory(&format!("{id}/{name}"));
        let (upper, work, merged) = (made("upper"), made("work"), made("merged"));
        for name in wish.upper {
            fs::create_dir_all(upper.join(name)).unwrap();
        }
        let above = wish
            .layer
            .as_ref()
            .map(|path| format!("{}:", path.display()));
        let more = match wish.options {
            "" => String::new(),
            options => format!(",{options}"),
        };
        let options = format!(
            "lowerdir={}{},upperdir={},workdir={}{more}",
            above.unwrap_or_default(),
            self.lower().display(),
            upper.display(),
            work.display()
        );
        let (kind, flags) = (Some("overlay"), MsFlags::empty());
        mount(kind, &merged, kind, flags, Some(options.as_str()))
            .map_err(|error| format!("no overlay mount on {}: {error}", merged.display()))?;
        Ok((upper, merged))
    }
}

/// One such container; it ends with the value, its mount with the image.
pub struct Overlay {
    /// What its cgroup calls it.
    pub id: String,
    /// Its root on the host.
    pub merged: PathBuf,
    /// Its writable layer.
    pub upper: PathBuf,
    cgroup: Cgroup,
    init: Child,
}

impl Overlay {
    fn begin(
        id: String,
        upper: PathBuf,
        merged: PathBuf,
        cgroup: &str,
        wish: &Wish,
    ) -> Result<Self, String> {
        let cgroup = Cgroup::new(cgroup).map_err(|error| format!("no cgroup: {error}"))?;
        let init = contain(&merged, &cgroup, wish);
        let container = Self {
            id,
            merged,
            upper,
            cgroup,
            init,
        };
        container.wait_for_its_root();
        Ok(container)
    }

    /// Runs the attack program inside, in a process that has just come.
    pub fn attack(&self, args: &[&str]) -> Outcome {
        act(self.command("/bin/attack").args(args))
    }

    /// Leaves the attack program inside, to act when it is told to.
    pub fn hand(&self, path: &str) -> Hand {
        Hand::start(self.command("/bin/attack").args(["hand", path]))
    }

    /// A command that will run a program of the image inside.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program::attack());
        command.arg("enter").arg(self.way_in());
        command.args(self.cgroup.directories());
        command.args(["--", program]);
        command
    }

    /// The directories of its cgroup.
    pub fn cgroups(&self) -> &[PathBuf] {
        self.cgroup.directories()
    }

    /// Its first process below /proc; a thread of it when the main one has ended.
    fn way_in(&self) -> String {
        let pid = self.pid();
        let lives = |way: &String| fs::read_link(format!("/proc/{way}/ns/mnt")).is_ok();
        let tasks = fs::read_dir(format!("/proc/{pid}/task"));
        let tasks = tasks.into_iter().flatten().flatten();
        let tasks = tasks.map(|one| one.file_name().to_string_lossy().into_owned());
        let mut ways =
            std::iter::once(pid.to_string()).chain(tasks.map(|t| format!("{pid}/task/{t}")));
        ways.find(lives)
            .expect("the container's first process lives")
    }

    /// Its first process.
    pub fn pid(&self) -> u32 {
        self.init.id()
    }

    /// The path is there, seen from inside. Reads nothing in `etc` itself.
    pub fn has(&self, path: &str) -> bool {
        let inside = self.merged.join(path.trim_start_matches('/'));
        fs::symlink_metadata(inside).is_ok()
    }

    fn wait_for_its_root(&self) {
        let exe = format!("/proc/{}/exe", self.pid());
        let inside = || fs::read_link(&exe).is_ok_and(|path| path == Path::new("/bin/attack"));
        assert!(
            wait_until(Duration::from_secs(10), inside),
            "the container {} did not start",
            self.id
        );
    }
}

impl Drop for Overlay {
    fn drop(&mut self) {
        let _ = self.init.kill();
        let _ = self.init.wait();
        let _ = umount2(&self.merged, MntFlags::MNT_DETACH);
    }
}

fn contain(merged: &Path, cgroup: &Cgroup, wish: &Wish) -> Child {
    let bind = |(from, to): &(PathBuf, &str)| format!("bind:{}:{to}", from.display());
    let init = if wish.init.is_empty() {
        "sleep"
    } else {
        wish.init
    };
    Command::new(program::attack())
        .arg("contain")
        .arg(merged)
        .args(cgroup.directories())
        .args(wish.binds.iter().map(bind))
        .args(["--", "/bin/attack", init])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .expect("the attack program starts")
}
