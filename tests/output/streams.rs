//! Pipes and files.

use std::fs::{self, File};
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, symlink};
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

use ldwatch::output::ecs::Ecs;
use ldwatch::output::sink::file::File as FileSink;
use ldwatch::output::sink::stdout::Stdout;
use ldwatch::output::sink::{Form, Message, Sink, SinkError};
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::pipe;

use super::findings::{host, moment, with};

/// Calls `run` with a message; its line is returned.
pub fn message<T>(run: impl FnOnce(&Message<'_>) -> T) -> (T, Vec<u8>) {
    let record = with(|_| {});
    let mut line = Vec::new();
    Ecs::new(&host(), "ldwatch").render(&record, moment(1), &mut line);
    (
        run(&Message {
            record: &record,
            line: &line,
        }),
        line,
    )
}

fn stream(fd: OwnedFd) -> Stdout {
    Stdout::new(File::from(fd), Form::Json).with_patience(Duration::from_millis(50))
}

#[test]
fn a_record_is_one_whole_line() {
    let (reader, writer) = pipe().unwrap();
    let mut sink = stream(writer);
    let (outcome, line) = message(|message| sink.write(message));
    outcome.unwrap();
    drop(sink);
    let mut read = Vec::new();
    File::from(reader).read_to_end(&mut read).unwrap();
    assert_eq!(read, line);
}

#[test]
fn a_reader_that_is_gone_is_told_apart() {
    let (reader, writer) = pipe().unwrap();
    drop(reader);
    let mut sink = stream(writer);
    assert!(matches!(
        message(|message| sink.write(message)).0,
        Err(SinkError::ReaderGone)
    ));
}

/// Fills the pipe until a record does not fit; lets `nonblocking` be what it is.
fn a_full_pipe_tears_no_line(nonblocking: bool) {
    let (reader, writer) = pipe().unwrap();
    if nonblocking {
        fcntl(&writer, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
    }
    let mut sink = stream(writer);
    let mut taken = 0;
    let start = Instant::now();
    while let (Ok(()), _) = message(|message| sink.write(message)) {
        taken += 1;
    }
    assert!(start.elapsed() < Duration::from_secs(5));
    assert!(matches!(
        message(|message| sink.write(message)).0,
        Err(SinkError::Blocked)
    ));
    let mut reader = File::from(reader);
    let drain = std::thread::spawn(move || {
        let mut read = String::new();
        reader.read_to_string(&mut read).unwrap();
        read
    });
    // One that was stuck is not waited for before it reads.
    sleep(Duration::from_millis(500));
    // Finishes the torn line first.
    message(|message| sink.write(message)).0.unwrap();
    drop(sink);
    let read = drain.join().unwrap();
    assert!(
        read.lines()
            .all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok())
    );
    assert!((taken + 1..=taken + 2).contains(&read.lines().count()));
}

#[test]
fn a_full_blocking_pipe_tears_no_line_and_holds_nothing_up() {
    a_full_pipe_tears_no_line(false);
}

#[test]
fn a_full_nonblocking_pipe_tears_no_line() {
    a_full_pipe_tears_no_line(true);
}

/// A long record is not taken in time; the reader comes back, and is not fast.
#[test]
fn a_reader_that_comes_back_gets_the_rest_and_the_next_record() {
    let patience = Duration::from_secs(1);
    let (reader, writer) = pipe().unwrap();
    let mut sink = stream(writer).with_patience(patience);
    let record = with(|_| {});
    let long = [b"x".repeat(300 << 10), b"\n".to_vec()].concat();
    let mut write = |line: &[u8]| {
        let record = &record;
        sink.write(&Message { record, line })
    };
    assert!(matches!(write(&long), Err(SinkError::Blocked)));
    assert!(matches!(write(b"lost\n"), Err(SinkError::Blocked)));
    let drain = spawn(move || {
        let (mut reader, mut read, mut piece) = (File::from(reader), Vec::new(), [0; 8192]);
        loop {
            match reader.read(&mut piece).unwrap() {
                0 => return read,
                count => read.extend_from_slice(&piece[..count]),
            }
            sleep(Duration::from_millis(3));
        }
    });
    sleep(patience);
    let taken = write(b"next\n").is_ok();
    drop(sink);
    assert!(taken);
    assert_eq!(drain.join().unwrap(), [&long[..], b"next\n"].concat());
}

#[test]
fn text_goes_to_a_stream_in_pages() {
    let (reader, writer) = pipe().unwrap();
    let mut sink = Stdout::new(File::from(writer), Form::Text { colour: false });
    message(|message| sink.write(message)).0.unwrap();
    drop(sink);
    let mut read = String::new();
    File::from(reader).read_to_string(&mut read).unwrap();
    assert!(read.contains("ALERT") && read.ends_with("\n\n"));
}

#[test]
fn a_file_is_private_and_appended_to() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("alerts.jsonl");
    let mut sink = FileSink::open(&path, Form::Json).unwrap();
    let (_, line) = message(|message| sink.write(message).unwrap());
    let mut again = FileSink::open(&path, Form::Json).unwrap();
    message(|message| again.write(message).unwrap());
    assert_eq!(fs::read(&path).unwrap(), [line.clone(), line].concat());
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
}

#[test]
fn after_a_rotation_the_new_file_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let (path, old) = (dir.path().join("a"), dir.path().join("a.1"));
    let mut sink = FileSink::open(&path, Form::Json).unwrap();
    message(|message| sink.write(message).unwrap());
    fs::rename(&path, &old).unwrap();
    sink.reopen().unwrap();
    let (_, line) = message(|message| sink.write(message).unwrap());
    assert_eq!(
        (fs::read(&path).unwrap(), fs::read(&old).unwrap()),
        (line.clone(), line)
    );
}

#[test]
fn links_and_fifos_are_refused_and_a_refused_reopen_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (path, link, fifo) = (
        dir.path().join("a"),
        dir.path().join("link"),
        dir.path().join("fifo"),
    );
    let mut sink = FileSink::open(&path, Form::Json).unwrap();
    symlink(&path, &link).unwrap();
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert!(FileSink::open(&link, Form::Json).is_err());
    assert!(FileSink::open(&fifo, Form::Json).is_err());
    fs::rename(&path, dir.path().join("b")).unwrap();
    symlink("/nowhere", &path).unwrap();
    assert!(sink.reopen().is_err());
    message(|message| sink.write(message).unwrap());
    assert!(fs::metadata(dir.path().join("b")).unwrap().len() > 0);
}

#[test]
fn a_file_that_ends_within_a_line_goes_on_with_a_fresh_one() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a");
    fs::write(&path, "{\"torn").unwrap();
    let mut sink = FileSink::open(&path, Form::Json).unwrap();
    let (_, line) = message(|message| sink.write(message).unwrap());
    assert_eq!(fs::read(&path).unwrap(), [b"{\"torn\n", &line[..]].concat());
}

#[test]
fn a_full_disk_is_an_error_for_the_caller() {
    // /dev/full is no regular file, so the stream sink stands in for the errno.
    let full = fs::OpenOptions::new()
        .write(true)
        .custom_flags(0)
        .open("/dev/full")
        .unwrap();
    let mut sink = Stdout::new(full, Form::Json);
    let outcome = message(|message| sink.write(message)).0;
    assert!(
        matches!(outcome, Err(SinkError::Io(error)) if error.raw_os_error() == Some(libc::ENOSPC))
    );
}

#[test]
#[ignore = "needs root: mounts a tmpfs of one page"]
fn after_a_full_disk_the_next_record_starts_on_a_fresh_line() {
    let dir = tempfile::tempdir().unwrap();
    unshare(CloneFlags::CLONE_NEWNS).unwrap();
    mount(
        None::<&str>,
        "/",
        None::<&str>,
        MsFlags::MS_REC | MsFlags::MS_PRIVATE,
        None::<&str>,
    )
    .unwrap();
    let tmpfs =
        |flags, size| mount(Some("none"), dir.path(), Some("tmpfs"), flags, Some(size)).unwrap();
    tmpfs(MsFlags::empty(), "size=4k");
    let path = dir.path().join("a");
    let mut sink = FileSink::open(&path, Form::Text { colour: false }).unwrap();
    let mut taken = 0;
    let error = loop {
        match message(|message| sink.write(message)).0 {
            Ok(()) => taken += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, SinkError::Io(error) if error.raw_os_error() == Some(libc::ENOSPC)));
    tmpfs(MsFlags::MS_REMOUNT, "size=64k");
    message(|message| sink.write(message)).0.unwrap();
    let text = fs::read_to_string(&path).unwrap();
    // The torn record began, and so did the one after it, each on its own line.
    assert_eq!(
        text.lines()
            .filter(|line| line.contains("Z  ALERT  "))
            .count(),
        taken + 2
    );
    assert!(
        text.lines()
            .filter(|line| line.contains("ALERT"))
            .all(|line| line.starts_with("2025-"))
    );
}
