//! Over programs of this test's own; no root is needed.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command};

use super::*;
use crate::parse::stat::stat;

struct Running(Child);

impl Running {
    fn start(path: &Path) -> Self {
        let child = Command::new(path).arg("60").spawn().unwrap();
        let running = Self(child);
        let link = || fs::read_link(format!("/proc/{}/exe", running.0.id())).unwrap();
        while link() != path {}
        running
    }

    fn query(&self) -> Query {
        let pid = i32::try_from(self.0.id()).unwrap();
        let text = fs::read(format!("/proc/{pid}/stat")).unwrap();
        let link = fs::read_link(format!("/proc/{pid}/exe")).unwrap();
        Query {
            key: ProcessKey {
                pid,
                start_ticks: stat(&text).unwrap().start_ticks,
            },
            link: link.as_os_str().as_bytes().to_vec(),
            inside: false,
            on_host: true,
            reach: Reach {
                host: None,
                init: None,
                closed: false,
            },
            device: (0, 0),
            upper: None,
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A copy of `sleep`, in a directory of its own.
fn copy() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("program");
    fs::copy(fs::canonicalize("/bin/sleep").unwrap(), &path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    (dir, path)
}

fn sha256(path: &Path) -> [u8; 32] {
    Sha256::digest(fs::read(path).unwrap()).into()
}

/// Whether this process may ask the filesystem that the test works on.
fn asked(program: &Program) -> bool {
    !program
        .unread
        .as_ref()
        .is_some_and(|why| why.ends_with("not asked"))
}

#[test]
fn a_deleted_program_is_read_through_its_process() {
    let (_dir, path) = copy();
    let digest = sha256(&path);
    let running = Running::start(&path);
    fs::remove_file(&path).unwrap();
    fs::write(&path, "another").unwrap();
    let program = look(&running.query(), &mut Digests::default());
    if asked(&program) {
        assert_eq!(
            (program.sha256, program.deleted),
            (Some(digest), Some(true))
        );
    }
    assert_eq!(program.found, "process");
}

#[test]
fn a_process_that_runs_another_program_by_now_is_not_read() {
    let (_dir, path) = copy();
    let running = Running::start(&path);
    let query = Query {
        link: b"/bin/other".to_vec(),
        ..running.query()
    };
    assert_eq!(look(&query, &mut Digests::default()).sha256, None);
    let mut query = running.query();
    query.key.start_ticks += 1;
    assert_eq!(
        look(&query, &mut Digests::default()).sha256,
        None,
        "a successor of the pid"
    );
}

#[test]
fn a_program_that_is_too_large_has_no_digest() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("large");
    File::create(&path).unwrap().set_len(CAP + 1).unwrap();
    let size = CAP + 1;
    assert!(digest(File::open(&path).unwrap(), size).is_err());
    assert!(digest(File::open(&path).unwrap(), 0).is_err(), "it grew");
}
