//! The table of rows that need the sweep: `tests/fixtures/catalogue-without-sweep.txt`.

const TABLE: &str = include_str!("../fixtures/catalogue-without-sweep.txt");

/// How a row needs the sweep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Nothing else tells: when it is caught without, the table is out of date.
    Always,
    /// On some kernels, or when the watcher is late.
    Sometimes,
}

/// What the table says of a row; `None`: it is caught without the sweep.
pub fn need(name: &str) -> Option<Need> {
    lines().find(|(row, _)| *row == name).map(|(_, need)| need)
}

/// The rows that the table names.
pub fn names() -> impl Iterator<Item = &'static str> {
    lines().map(|(name, _)| name)
}

/// `NAME: always|sometimes: why`, and comments.
fn lines() -> impl Iterator<Item = (&'static str, Need)> {
    let rows = TABLE.lines().filter(|line| !line.starts_with('#'));
    rows.filter(|line| !line.trim().is_empty()).map(|line| {
        let mut parts = line.splitn(3, ": ");
        let (name, word, why) = (parts.next(), parts.next(), parts.next());
        assert!(why.is_some_and(|why| !why.is_empty()), "no reason: {line}");
        let need = match word {
            Some("always") => Need::Always,
            Some("sometimes") => Need::Sometimes,
            _ => panic!("neither always nor sometimes: {line}"),
        };
        (name.unwrap_or_default(), need)
    })
}
