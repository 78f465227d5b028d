use super::*;

const LOADER: &str = "/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2";

fn dynamic() -> Head {
    Head::Dynamic(b"ld-linux-x86-64.so.2".to_vec())
}

fn opened(path: &str, head: Head) -> Arc<Opened> {
    Arc::new(Opened {
        path: Some(path.as_bytes().into()),
        head,
    })
}

/// A process 7 that opens these, one after the other.
fn after(files: &[(&str, Head)]) -> Book {
    let mut book = Book::default();
    for (path, head) in files {
        book.note(7, opened(path, head.clone()), 100);
    }
    book
}

fn said(book: &Book) -> (Option<&str>, Option<&str>) {
    let program = book.last(7, 0).unwrap();
    let text = |bytes| std::str::from_utf8(bytes).unwrap();
    (
        program.executable(None).map(text),
        program.script().map(text),
    )
}

#[test]
fn a_static_program_is_itself() {
    assert_eq!(
        said(&after(&[("/bin/w", Head::Other)])),
        (Some("/bin/w"), None)
    );
    let twice = after(&[("/bin/a", Head::Shared), ("/bin/b", Head::Shared)]);
    assert_eq!(said(&twice), (Some("/bin/b"), None));
}

#[test]
fn the_loader_after_a_dynamic_program_is_not_the_program() {
    let book = after(&[("/usr/bin/dash", dynamic()), (LOADER, Head::Shared)]);
    assert_eq!(said(&book), (Some("/usr/bin/dash"), None));
    let link = after(&[("/bin/x", dynamic()), ("/lib/ld-2.31.so", Head::Shared)]);
    assert_eq!(said(&link), (Some("/bin/x"), None));
}

#[test]
fn a_program_after_a_dynamic_one_whose_loader_was_not_seen_counts() {
    let book = after(&[("/bin/dash", dynamic()), ("/bin/evil", Head::Shared)]);
    assert_eq!(said(&book), (Some("/bin/evil"), None));
}

#[test]
fn a_loader_that_is_run_by_itself_is_the_program() {
    assert_eq!(
        said(&after(&[(LOADER, Head::Shared)])),
        (Some(LOADER), None)
    );
    let again = after(&[
        ("/bin/dash", dynamic()),
        (LOADER, Head::Shared),
        (LOADER, Head::Shared),
    ]);
    assert_eq!(said(&again), (Some(LOADER), None));
}

#[test]
fn a_script_is_told_beside_its_interpreter() {
    let mut opened = vec![("/opt/run", Head::Script)];
    assert_eq!(said(&after(&opened)), (None, Some("/opt/run")));
    opened.push(("/usr/bin/dash", dynamic()));
    opened.push((LOADER, Head::Shared));
    assert_eq!(
        said(&after(&opened)),
        (Some("/usr/bin/dash"), Some("/opt/run"))
    );
    opened.push(("/bin/other", Head::Other));
    assert_eq!(said(&after(&opened)), (Some("/bin/other"), None));
}

#[test]
fn a_record_older_than_the_process_is_of_another() {
    let book = after(&[("/bin/w", Head::Other)]);
    assert!(book.last(7, 100).is_some());
    assert!(book.last(7, 101).is_none());
    assert!(book.last(8, 0).is_none());
}

#[test]
fn programs_are_counted_and_their_loaders_and_interpreters_are_not() {
    let script = [
        ("/opt/run", Head::Script),
        ("/usr/bin/dash", dynamic()),
        (LOADER, Head::Shared),
    ];
    let count = |book: &Book| book.last(7, 0).unwrap().count;
    assert_eq!(count(&after(&script)), 1);
    let more = [&script[..], &[("/bin/x", Head::Other)]].concat();
    assert_eq!(count(&after(&more)), 2);
}

#[test]
fn whether_it_had_its_program_when_it_acted_is_not_known_until_the_files_are_quiet() {
    let word = |book: &Book, name: &str| book.word(7, 100, name.as_bytes());
    // A child may act before it executes its first program.
    let mut book = after(&[("/bin/a", Head::Other)]);
    assert_eq!(word(&book, "/bin/a"), Word::Perhaps);
    book.next_round();
    assert_eq!(word(&book, "/bin/a"), Word::Yes);
    assert_eq!(word(&book, "/bin/a (deleted)"), Word::Yes);
    assert_eq!(book.word(8, 0, b"/bin/a"), Word::Nothing);
    assert_eq!(book.word(7, 101, b"/bin/a"), Word::Nothing);
    book.note(7, opened("/bin/b", Head::Other), 100);
    assert_eq!(word(&book, "/bin/b"), Word::Perhaps);
    book.next_round();
    assert_eq!(word(&book, "/bin/b"), Word::Yes);
    // It was opened, and could not be executed.
    assert_eq!(word(&book, "/bin/a"), Word::Yes);
    // From a volume, or under a name that it got later.
    assert_eq!(word(&book, "/vol/c"), Word::Other);
}

#[test]
fn a_loader_comes_with_its_program_and_an_interpreter_may_not_come_at_all() {
    let word = |book: &Book, name: &str| book.word(7, 100, name.as_bytes());
    let mut book = after(&[("/usr/bin/dash", dynamic())]);
    book.next_round();
    book.note(7, opened(LOADER, Head::Shared), 100);
    assert_eq!(word(&book, "/usr/bin/dash"), Word::Yes);
    assert!(book.note(7, opened("/opt/run", Head::Script), 100));
    book.next_round();
    // It failed, dash acted, and this was executed after it.
    assert!(!book.note(7, opened("/bin/a", Head::Other), 100));
    assert_eq!(word(&book, "/bin/a"), Word::Perhaps);
    book.next_round();
    assert_eq!(word(&book, "/bin/a"), Word::Yes);
}

#[test]
fn missing_records_make_programs_doubtful_until_the_files_are_quiet() {
    let mut book = Book::default();
    assert!(!book.misses());
    book.missed();
    assert!(book.misses());
    book.next_round();
    assert!(!book.misses());
}

#[test]
fn what_was_forgotten_may_have_been_of_any_older_process() {
    let mut book = Book::default();
    for pid in 1..=3 * i32::try_from(MAX_PIDS).unwrap() {
        book.note(pid, opened("/bin/a", Head::Other), 50);
    }
    assert!(book.last(1, 0).is_none());
    assert!(!book.remembers(50) && book.remembers(51));
}

#[test]
fn the_book_is_bounded_and_keeps_the_latest() {
    let mut book = Book::default();
    for pid in 1..100_000 {
        book.note(pid, opened(&"x".repeat(400), Head::Other), 1);
    }
    assert!(book.young.len() + book.old.len() <= 2 * MAX_PIDS);
    let bytes = |half: &HashMap<i32, Program>| half.values().map(Program::bytes).sum::<usize>();
    assert!(bytes(&book.young) + bytes(&book.old) <= 2 * (MAX_BYTES + 400));
    assert!(book.last(99_999, 0).is_some() && book.last(99_900, 0).is_some());
    assert!(book.last(1, 0).is_none());
}

#[test]
fn a_path_that_is_too_long_is_no_name_and_hides_the_one_before() {
    let mut book = after(&[("/bin/a", Head::Other)]);
    let nameless = Opened {
        path: None,
        head: Head::Other,
    };
    book.note(7, Arc::new(nameless), 100);
    assert_eq!(said(&book), (None, None));
}

#[test]
fn a_program_whose_loader_never_came_is_not_believed_over_the_one_before() {
    let failed = after(&[("/bin/w", Head::Other), ("/usr/bin/dpkg", dynamic())]);
    let program = failed.last(7, 0).unwrap();
    assert_eq!(program.executable(None), None);
    assert_eq!(program.executable(Some(b"w")).unwrap(), b"/bin/w");
    assert_eq!(program.executable(Some(b"dpkg")).unwrap(), b"/usr/bin/dpkg");
    let first = after(&[("/usr/bin/dpkg", dynamic())]);
    assert_eq!(said(&first), (Some("/usr/bin/dpkg"), None));
}

#[test]
fn the_name_of_a_zombie_tells_two_programs_apart() {
    let book = after(&[
        ("/bin/a-name-longer-than-comm", Head::Other),
        ("/bin/other", Head::Other),
    ]);
    let program = book.last(7, 0).unwrap();
    let named = |comm: &[u8]| program.executable(Some(comm)).unwrap().to_vec();
    assert_eq!(named(b"a-name-longer-t"), b"/bin/a-name-longer-than-comm");
    assert_eq!(named(b"other"), b"/bin/other");
    assert_eq!(named(b"chosen"), b"/bin/other");
}
