//! What every output form says about a record in the same words: how grave it is,
//! the risk, and the one sentence that tells it.

use std::fmt::Write as _;

use crate::model::{
    Action, ChangeType, Container, Enrichment, FileView, Finding, Gap, Heartbeat, Home, Origin,
    PRELOAD_PATH, Record, Writer,
};
use crate::output::escape::{escape, quoted};
use crate::output::program::program_facts;
use crate::parse::preload::Entry;

/// Word for a writer outside the container whose file it changed.
pub const CROSS_BOUNDARY: &str = "cross-boundary";
/// Word for a container engine's own tool.
pub const RUNTIME_TOOL: &str = "runtime-tool";
/// Added to the risk of an alert whose writer came from outside.
const CROSS_BOUNDARY_RISK: u8 = 10;
/// Libraries named in the sentence before it says "and N more".
const NAMED: usize = 3;
/// Longest name inside a sentence, in bytes.
const NAME_CAP: usize = 160;

/// How grave a record is; the codes are those of syslog.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// An alert.
    Critical = 2,
    /// A loss of sight.
    Error = 3,
    /// An alert of lesser weight (attributes).
    Warning = 4,
    /// Worth keeping: a deletion, an allowed change.
    Notice = 5,
    /// State: present, touched, heartbeat.
    Info = 6,
}

impl Level {
    /// The number that syslog and the journal use.
    #[must_use]
    pub fn code(self) -> u8 {
        self as u8
    }

    /// The word for `log.level`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Notice => "notice",
            Self::Info => "info",
        }
    }
}

/// How grave `record` is.
#[must_use]
pub fn level(record: &Record) -> Level {
    match record {
        Record::Gap(_) => Level::Error,
        Record::Enrichment(_) => Level::Info,
        Record::Heartbeat(_) => Level::Info,
        Record::Finding(finding) => match (
            finding.change.alert,
            finding.change.action,
            finding.change.kind,
        ) {
            (true, Action::Attributes, _) => Level::Warning,
            (true, ..) => Level::Critical,
            (false, _, ChangeType::Info) => Level::Info,
            (false, ..) => Level::Notice,
        },
    }
}

/// The writer reached into a container that is not its own.
#[must_use]
pub fn cross_boundary(finding: &Finding) -> bool {
    let origin = finding
        .writer
        .as_ref()
        .map_or(Origin::Unknown, |writer| writer.origin);
    match origin {
        Origin::OtherContainer => true,
        Origin::Host => finding.container.id.is_some(),
        Origin::Inside | Origin::Unknown => finding.reasons.contains(&CROSS_BOUNDARY),
    }
}

/// Risk score, raised when the writer of an alert came from outside.
#[must_use]
pub fn risk(finding: &Finding) -> u8 {
    let raise = if finding.change.alert && cross_boundary(finding) {
        CROSS_BOUNDARY_RISK
    } else {
        0
    };
    finding.change.risk.saturating_add(raise).min(100)
}

/// What happened to the file, to stand after its path.
#[must_use]
pub fn verb(action: Action) -> &'static str {
    match action {
        Action::Creation => "was created",
        Action::Modification => "was modified",
        Action::Deletion => "was deleted",
        Action::Rename => "was put in place by a rename",
        Action::Link => "was put in place as a hard link",
        Action::Symlink => "was put in place as a symbolic link",
        Action::Mount => "was covered by a mount",
        Action::Attributes => "had its attributes changed",
        Action::Present => "is present",
        Action::Touched => "was written without a change",
    }
}

/// The short form of a container ID that operators know; other IDs stay whole.
#[must_use]
pub fn short_id(id: &str) -> &str {
    let hex = id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    if hex { id.get(..12).unwrap_or(id) } else { id }
}

/// `name:tag`, as the user would type it.
#[must_use]
pub fn image(container: &Container) -> Option<String> {
    let name = container.image.name.as_deref()?;
    Some(match container.image.tag.as_deref() {
        Some(tag) => format!("{name}:{tag}"),
        None => name.to_owned(),
    })
}

/// The name by which `container` is known, where it has one.
#[must_use]
pub fn container_name(container: &Container) -> Option<&str> {
    let in_pod = || {
        container
            .pod
            .as_ref()
            .and_then(|pod| pod.container.as_deref())
    };
    container.name.as_deref().or_else(in_pod)
}

/// One sentence: who, what, which container, which libraries. Fit for a log line.
#[must_use]
pub fn sentence(record: &Record) -> String {
    match record {
        Record::Finding(finding) => finding_sentence(finding),
        Record::Gap(gap) => gap_sentence(gap),
        Record::Enrichment(more) => enrichment_sentence(more),
        Record::Heartbeat(beat) => heartbeat_sentence(beat),
    }
}

fn finding_sentence(finding: &Finding) -> String {
    let mut out = format!(
        "{PRELOAD_PATH} {} in {}",
        verb(finding.change.action),
        container(&finding.container)
    );
    if let Some(writer) = &finding.writer {
        by(&mut out, writer);
    }
    let Some(Ok(content)) = finding.file.as_ref().map(|file| &file.content) else {
        return out;
    };
    if content.entries.is_empty() {
        out.push_str("; it names no library");
        return out;
    }
    let names = newest_first(finding)
        .take(NAMED)
        .map(|(entry, _)| quoted(&entry.raw, NAME_CAP));
    let _ = write!(out, "; it names {}", names.collect::<Vec<_>>().join(", "));
    if let Some(more) = content
        .entries
        .len()
        .checked_sub(NAMED)
        .filter(|&more| more > 0)
    {
        let _ = write!(out, " and {more} more");
    }
    out
}

/// The libraries that the file names now, each with whether it did so before. The new
/// ones come first: a long list of old ones must not hide them.
pub fn newest_first(finding: &Finding) -> impl Iterator<Item = (&Entry, bool)> {
    let before = entries(finding.before.as_ref()).unwrap_or_default();
    let now = entries(finding.file.as_ref()).unwrap_or_default();
    let marked = now.iter().map(move |entry| (entry, before.contains(entry)));
    marked
        .clone()
        .filter(|(_, old)| !old)
        .chain(marked.filter(|(_, old)| *old))
}

/// The libraries that the file names; `None` when there is no content to name them.
#[must_use]
pub fn entries(view: Option<&FileView>) -> Option<&[Entry]> {
    let content = view?.content.as_ref().ok()?;
    Some(&content.entries)
}

fn container(container: &Container) -> String {
    let kind = if container.build {
        "image build"
    } else {
        "container"
    };
    let id = container
        .id
        .as_deref()
        .map(|id| quoted(short_id(id).as_bytes(), NAME_CAP));
    let runtime = container.runtime.map(|runtime| runtime.name().to_owned());
    let image = image(container).map(|image| quoted(image.as_bytes(), NAME_CAP));
    let name = container_name(container).map(|name| quoted(name.as_bytes(), NAME_CAP));
    let (head, rest) = match name {
        Some(name) => (name, vec![id, runtime, image]),
        None => (
            id.unwrap_or_else(|| "of unknown name".to_owned()),
            vec![runtime, image],
        ),
    };
    let rest: Vec<String> = rest.into_iter().flatten().collect();
    if rest.is_empty() {
        format!("{kind} {head}")
    } else {
        format!("{kind} {head} ({})", rest.join(", "))
    }
}

fn by(out: &mut String, writer: &Writer) {
    let program = writer.program();
    // Only a confirmed fact is told without "probably".
    let probably = if writer.is_program_sure() {
        ""
    } else {
        " probably"
    };
    let uid = writer.uid.filter(|_| writer.confirmed);
    let _ = match program {
        Some(program) => write!(out, "{probably} by {}", quoted(program, NAME_CAP)),
        None => write!(out, " by an unknown process"),
    };
    let facts = [
        writer.pid.map(|pid| format!("pid {pid}")),
        uid.map(|uid| format!("uid {uid}")),
    ];
    let facts: Vec<String> = facts.into_iter().flatten().collect();
    if !facts.is_empty() {
        let _ = write!(out, " ({})", facts.join(", "));
    }
    let home = writer.home.as_ref().and_then(home_name);
    let _ = match (writer.origin, home) {
        (Origin::OtherContainer, Some(name)) => {
            write!(out, " from another container, {name}")
        }
        (Origin::OtherContainer, None) => write!(out, " from another container"),
        (Origin::Host, _) => write!(out, " from the host"),
        (Origin::Inside | Origin::Unknown, _) => Ok(()),
    };
    if let Some(tool) = writer.tool {
        let _ = write!(out, " ({tool})");
    }
}

/// The name and the short ID of the container that a writer is in.
#[must_use]
pub fn home_name(home: &Home) -> Option<String> {
    let id = home.id.as_deref().map(short_id);
    let names = [home.name.as_deref(), id].into_iter().flatten();
    let names: Vec<String> = names
        .map(|name| quoted(name.as_bytes(), NAME_CAP))
        .collect();
    match names.as_slice() {
        [] => None,
        [one] => Some(one.clone()),
        [name, rest @ ..] => Some(format!("{name} ({})", rest.join(", "))),
    }
}

fn gap_sentence(gap: &Gap) -> String {
    let place = gap
        .container
        .as_ref()
        .map(|known| format!(" in {}", container(known)))
        .unwrap_or_default();
    let detail = escape(gap.detail.as_bytes(), 4 * NAME_CAP).shown;
    format!(
        "ldwatch does not see everything{place}: {}: {detail}",
        gap.reason
    )
}

fn enrichment_sentence(more: &Enrichment) -> String {
    let program = quoted(&more.executable, NAME_CAP);
    let place = container(&more.alert.container);
    format!(
        "{program}, which changed {PRELOAD_PATH} in {place}, {}",
        program_facts(&more.program).join(", ")
    )
}

fn heartbeat_sentence(beat: &Heartbeat) -> String {
    let rungs: Vec<String> = beat
        .rungs
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(name, count)| format!("{name} {count}"))
        .collect();
    let rungs = match rungs.is_empty() {
        true => String::new(),
        false => format!(" ({})", rungs.join(", ")),
    };
    let lost = beat.counter("records_dropped") + beat.counter("records_lost");
    format!(
        "ldwatch watches {} containers{rungs}, {} with gaps; up {} s; told {} alerts and {} gaps, lost {lost} records",
        beat.containers(),
        beat.with_gaps,
        beat.uptime,
        beat.counter("alerts"),
        beat.counter("gaps"),
    )
}
