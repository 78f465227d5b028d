//! A file of the host that no container has a claim to, and whoever touches it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};

use crate::support::scratch::{Scratch, nonce};
use crate::support::watcher::Watcher;

/// The environment variable in which the watcher has a secret, too.
const VARIABLE: &str = "LDWATCH_TEST_SECRET";

pub struct Secret {
    directory: Scratch,
    path: PathBuf,
    word: String,
    touched: Inotify,
}

impl Secret {
    /// Makes the file and listens to what happens to it.
    pub fn new() -> Self {
        let directory = Scratch::new();
        let word = format!("secret-{}", nonce());
        let path = directory.join("ld.so.preload");
        fs::write(&path, format!("/{word}.so\n")).unwrap();
        let touched = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC).unwrap();
        let flags = AddWatchFlags::IN_OPEN | AddWatchFlags::IN_ACCESS;
        touched.add_watch(&path, flags).unwrap();
        Self {
            directory,
            path,
            word,
            touched,
        }
    }

    /// Where it is, on the host.
    pub fn path(&self) -> &str {
        self.path.to_str().unwrap()
    }

    /// What the watcher did to it that it must not do.
    pub fn betrayed(&self, watcher: &Watcher) -> Vec<String> {
        let mut wrong = Vec::new();
        if watcher.count(|seen| seen.raw.contains(&self.word)) > 0 {
            wrong.push("a record quotes what lies outside every container".to_owned());
        }
        if watcher.count(|seen| seen.raw.contains(VARIABLE)) > 0 {
            wrong.push("a record quotes the watcher's environment".to_owned());
        }
        match self.touched.read_events() {
            Err(Errno::EAGAIN) => {}
            touched => wrong.push(format!("it was opened: {touched:?}")),
        }
        let pid = watcher.pid();
        for entry in fs::read_dir(format!("/proc/{pid}/fdinfo"))
            .unwrap()
            .flatten()
        {
            let info = fs::read_to_string(entry.path()).unwrap_or_default();
            for path in [self.directory.path(), &self.path] {
                let inode = fs::metadata(path).unwrap().ino();
                let mark = format!("ino:{inode:x} ");
                let marked = |line: &&str| line.contains("notify") && line.contains(&mark);
                wrong.extend(
                    info.lines()
                        .find(marked)
                        .map(|line| format!("it is marked: {line}")),
                );
            }
        }
        wrong
    }
}
