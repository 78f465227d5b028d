//! The in-root walker: from a root directory held open to an object below it,
//! as a process with that root would find it, on every kernel.
//!
//! One component at a time, `O_PATH|O_NOFOLLOW`, so nothing is opened and no
//! symbolic link is followed by the kernel; `..` pops and never leaves the root;
//! links are resolved here, below the root, and bounded. Each mount crossing is
//! seen by its mount id (fdinfo, which asks no filesystem) and put to the caller
//! before anything is asked of what lies on it.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat, readlinkat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat};
use nix::unistd::read;

/// Symbolic links followed before giving up (the kernel's own limit, path_resolution(7)).
const MAX_LINKS: usize = 40;
/// Components walked in all, links included.
const MAX_STEPS: usize = 400;

/// Bytes read of an fdinfo; `mnt_id` is its third line.
const FDINFO: usize = 512;

/// A directory on the way.
#[derive(Debug)]
pub struct Dir {
    /// Held open with `O_PATH`.
    pub fd: OwnedFd,
    /// Mount it lies on.
    pub mount: u64,
    /// Name of the next component looked up in it.
    pub next: Vec<u8>,
    /// That name was the last of the path, or of the link that stands for it:
    /// the object itself, not a directory on the way.
    pub leaf: bool,
}

impl Dir {
    /// Notes the name looked up here next. Passed a second time (`..`, a relative
    /// link), the first name counts, too: it is given back as a directory of its own.
    fn look_up(&mut self, name: &[u8], leaf: bool) -> io::Result<Option<Self>> {
        let first = if self.next.is_empty() {
            None
        } else {
            let (fd, next) = (self.fd.try_clone()?, std::mem::take(&mut self.next));
            Some(Self { fd, next, ..*self })
        };
        self.next = name.to_vec();
        self.leaf = leaf;
        Ok(first)
    }
}

/// The object a walk ended at.
#[derive(Debug)]
pub struct Found {
    /// Held open with `O_PATH`.
    pub fd: OwnedFd,
    /// Mount it lies on.
    pub mount: u64,
    /// Its facts.
    pub stat: FileStat,
}

/// How a walk ended.
#[derive(Debug)]
pub enum End {
    /// At an object.
    Found(Found),
    /// A component does not exist.
    Absent,
    /// A link leads nowhere, or the links are too many; the last link's own facts.
    Dangling(FileStat),
    /// Not entered: the caller does not trust what is mounted there.
    Untrusted {
        /// Id of the mount that was not entered.
        mount: u64,
    },
}

/// What a walk saw.
#[derive(Debug)]
pub struct Walk {
    /// Every directory and every name that was looked up in it; a directory that is
    /// passed twice under two names is there twice.
    pub dirs: Vec<Dir>,
    /// Mount of the root.
    pub root_mount: u64,
    /// Text of the link that stood at the asked path itself, if one did.
    pub link: Option<Vec<u8>>,
    /// Facts of that link.
    pub link_stat: Option<FileStat>,
    /// How it ended.
    pub end: End,
}

/// Mount id of an object held open. The kernel answers by itself, no filesystem
/// is asked.
///
/// # Errors
/// When `/proc` is not there or the text is not understood.
pub fn mount_id(fd: BorrowedFd<'_>) -> io::Result<u64> {
    let path = format!("/proc/self/fdinfo/{}", fd.as_raw_fd());
    let info = open(
        path.as_str(),
        OFlag::O_RDONLY | OFlag::O_CLOEXEC,
        Mode::empty(),
    )?;
    // The line is among the first, and the kernel gives them in one read.
    let mut text = [0; FDINFO];
    let length = read(&info, &mut text)?;
    text.get(..length)
        .unwrap_or_default()
        .split(|&byte| byte == b'\n')
        .find_map(|line| {
            let value = line.strip_prefix(b"mnt_id:")?.trim_ascii();
            std::str::from_utf8(value).ok()?.parse().ok()
        })
        .ok_or_else(|| io::Error::other("fdinfo names no mnt_id"))
}

/// Walks `path` (its slashes are separators, a leading one is ignored) below
/// `root`. `trust` is asked for every mount other than the root's own.
///
/// # Errors
/// Any errno that means neither "absent" nor an end of the walk: `EACCES`,
/// `EMFILE`, `EIO` …
pub fn walk(
    root: BorrowedFd<'_>,
    path: &[u8],
    trust: &mut dyn FnMut(u64) -> bool,
) -> io::Result<Walk> {
    let root_mount = mount_id(root)?;
    let mut walker = Walker {
        root,
        root_mount,
        stack: Vec::new(),
        todo: components(path),
        seen: Vec::new(),
        link: None,
        link_stat: None,
        links: 0,
        trust,
    };
    let end = walker.run()?;
    let Walker {
        mut seen,
        stack,
        link,
        link_stat,
        ..
    } = walker;
    seen.extend(stack);
    Ok(Walk {
        dirs: seen,
        root_mount,
        link,
        link_stat,
        end,
    })
}

/// Components in reverse order, next one last.
fn components(path: &[u8]) -> Vec<Vec<u8>> {
    path.split(|&byte| byte == b'/')
        .rev()
        .filter(|part| !part.is_empty() && *part != b".")
        .map(<[u8]>::to_vec)
        .collect()
}

struct Walker<'a> {
    root: BorrowedFd<'a>,
    root_mount: u64,
    /// Directories between the root and where the walk stands, the root first.
    stack: Vec<Dir>,
    todo: Vec<Vec<u8>>,
    /// Directories that were left again by `..` or an absolute link, or that are
    /// passed a second time.
    seen: Vec<Dir>,
    link: Option<Vec<u8>>,
    link_stat: Option<FileStat>,
    links: usize,
    trust: &'a mut dyn FnMut(u64) -> bool,
}

impl Walker<'_> {
    fn run(&mut self) -> io::Result<End> {
        self.enter_root()?;
        for _ in 0..MAX_STEPS {
            let Some(name) = self.todo.pop() else {
                return self.arrived();
            };
            if name == b".." {
                if self.stack.len() > 1 {
                    self.seen.extend(self.stack.pop());
                }
                continue;
            }
            if let Some(end) = self.step(name)? {
                return Ok(end);
            }
        }
        Ok(self.link_stat.map_or(End::Absent, End::Dangling))
    }

    fn enter_root(&mut self) -> io::Result<()> {
        let fd = self.root.try_clone_to_owned()?;
        self.seen.append(&mut self.stack);
        self.stack.push(Dir {
            fd,
            mount: self.root_mount,
            next: Vec::new(),
            leaf: false,
        });
        Ok(())
    }

    /// The path ended at a directory that is on the stack (`/`, `..`, a link to one).
    fn arrived(&mut self) -> io::Result<End> {
        let Some(dir) = self.stack.last() else {
            return Ok(End::Absent);
        };
        let stat = fstat(&dir.fd)?;
        Ok(End::Found(Found {
            fd: dir.fd.try_clone()?,
            mount: dir.mount,
            stat,
        }))
    }

    /// Looks one name up. `None`: the walk goes on.
    fn step(&mut self, name: Vec<u8>) -> io::Result<Option<End>> {
        let Some(here) = self.stack.last_mut() else {
            return Ok(Some(End::Absent));
        };
        self.seen.extend(here.look_up(&name, self.todo.is_empty())?);
        let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let fd = match openat(&here.fd, name.as_slice(), flags, Mode::empty()) {
            Ok(fd) => fd,
            Err(Errno::ENOENT | Errno::ENOTDIR | Errno::ENAMETOOLONG) => {
                return Ok(Some(self.link_stat.map_or(End::Absent, End::Dangling)));
            }
            Err(errno) => return Err(errno.into()),
        };
        let mount = mount_id(fd.as_fd())?;
        if mount != here.mount && mount != self.root_mount && !(self.trust)(mount) {
            return Ok(Some(End::Untrusted { mount }));
        }
        let stat = fstat(&fd)?;
        let kind = SFlag::from_bits_truncate(stat.st_mode & SFlag::S_IFMT.bits());
        if kind == SFlag::S_IFLNK {
            return self.follow(&fd, stat);
        }
        if kind == SFlag::S_IFDIR && !self.todo.is_empty() {
            self.stack.push(Dir {
                fd,
                mount,
                next: Vec::new(),
                leaf: false,
            });
            return Ok(None);
        }
        if self.todo.is_empty() {
            return Ok(Some(End::Found(Found { fd, mount, stat })));
        }
        Ok(Some(self.link_stat.map_or(End::Absent, End::Dangling)))
    }

    /// Puts a link's components before what is left to walk.
    fn follow(&mut self, link: &OwnedFd, stat: FileStat) -> io::Result<Option<End>> {
        let text = readlinkat(link, "")?.into_encoded_bytes();
        self.links += 1;
        if self.todo.is_empty() && self.link.is_none() {
            self.link = Some(text.clone());
            self.link_stat = Some(stat);
        }
        if self.links > MAX_LINKS {
            return Ok(Some(End::Dangling(stat)));
        }
        if text.first() == Some(&b'/') {
            self.enter_root()?;
        }
        self.todo.extend(components(&text));
        Ok(None)
    }
}

/// Opens a directory of the host by path, without following a link at its end.
///
/// # Errors
/// The errno of open(2).
pub fn open_dir(path: &std::path::Path) -> io::Result<OwnedFd> {
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    Ok(open(path, flags, Mode::empty())?)
}
