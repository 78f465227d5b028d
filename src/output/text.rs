//! Records for people: a headline that says it all, then aligned facts.
//!
//! Read at three in the morning, so: what and where first, what the file now loads,
//! who did it, how sure that is, and how well the container is watched. A label
//! stands only where there is something to say.

use crate::model::{
    Action, Container, Detection, Enrichment, Entry, FileKind, FileView, Finding, Gap, Origin,
    Record, Writer,
};
use crate::output::escape::{escape, hex, quoted};
use crate::output::program::program_facts;
use crate::output::time::{rfc3339, rfc3339_or_epoch};
use crate::output::words::{
    container_name, cross_boundary, entries, home_name, image, newest_first, risk, sentence,
    short_id, verb,
};

/// Longest name or argument list shown, in bytes.
const NAME_CAP: usize = 512;
/// Libraries shown, one a line.
const ENTRIES: usize = 8;
/// Ancestors shown.
const PARENTS: usize = 8;

const RED: &str = "\x1b[1;31m";
const YELLOW: &str = "\x1b[1;33m";
const BOLD: &str = "\x1b[1m";
const PLAIN: &str = "\x1b[0m";

/// Appends `record` to `into`, as a few lines and one empty line.
pub fn render(record: &Record, colour: bool, into: &mut String) {
    let mut page = Page { out: into, colour };
    match record {
        Record::Finding(finding) => page.finding(finding),
        Record::Gap(gap) => page.gap(gap),
        Record::Enrichment(more) => page.enrichment(more),
        Record::Heartbeat(beat) => page.line("", &rfc3339_or_epoch(beat.at), &sentence(record)),
    }
    page.out.push('\n');
}

struct Page<'a> {
    out: &'a mut String,
    colour: bool,
}

impl Page<'_> {
    fn finding(&mut self, finding: &Finding) {
        let (paint, word) = match (finding.change.alert, finding.change.action) {
            (true, Action::Attributes) => (YELLOW, "ALERT"),
            (true, _) => (RED, "ALERT"),
            (false, _) => (BOLD, "event"),
        };
        let place = place(&finding.container);
        let what = verb(finding.change.action);
        self.headline(
            paint,
            &format!("{word}  /etc/ld.so.preload {what} in {place}"),
            finding,
        );
        self.fact("container", &container(&finding.container));
        if let Some(pod) = &finding.container.pod {
            let names =
                [pod.namespace.as_deref(), pod.name.as_deref()].map(|name| name.unwrap_or("?"));
            self.fact("pod", &quoted(names.join("/").as_bytes(), NAME_CAP));
        }
        self.libraries(finding);
        match &finding.writer {
            Some(writer) => self.writer(writer, &finding.container),
            None => self.fact("writer", "not known: no event told of one"),
        }
        self.fact("noticed", &noticed(finding));
        for gap in &finding.coverage.gaps {
            self.fact("not seen", &escape(gap.as_bytes(), NAME_CAP).shown);
        }
        match &finding.file {
            Some(view) => self.file(view),
            None => self.fact("file", "gone"),
        }
        if let Some(Ok(content)) = finding.file.as_ref().map(|view| &view.content) {
            self.fact("sha256", &hex(&content.sha256));
        }
    }

    fn gap(&mut self, gap: &Gap) {
        let line = format!("GAP    ldwatch does not see everything: {}", gap.reason);
        self.line(YELLOW, &rfc3339_or_epoch(gap.at), &line);
        if let Some(known) = &gap.container {
            self.fact("container", &container(known));
        }
        self.fact("detail", &escape(gap.detail.as_bytes(), 4 * NAME_CAP).shown);
        self.fact("remedy", gap.remedy);
    }

    fn enrichment(&mut self, more: &Enrichment) {
        let place = place(&more.alert.container);
        let line = format!(
            "MORE   on the alert of {} in {place}",
            rfc3339_or_epoch(more.alert.at)
        );
        self.line(BOLD, &rfc3339_or_epoch(more.at), &line);
        let pid = more.pid.map_or(String::new(), |pid| format!("  pid {pid}"));
        self.fact(
            "writer",
            &format!("{}{pid}", quoted(&more.executable, NAME_CAP)),
        );
        for (place, fact) in program_facts(&more.program).iter().enumerate() {
            self.fact(if place == 0 { "program" } else { "" }, fact);
        }
    }

    fn headline(&mut self, paint: &str, text: &str, finding: &Finding) {
        let outside = if cross_boundary(finding) {
            ", FROM OUTSIDE"
        } else {
            ""
        };
        self.line(
            paint,
            &rfc3339_or_epoch(finding.at),
            &format!("{text}{outside}"),
        );
    }

    fn line(&mut self, paint: &str, at: &str, text: &str) {
        let (on, off) = if self.colour {
            (paint, PLAIN)
        } else {
            ("", "")
        };
        self.out.push_str(&format!("{at}  {on}{text}{off}\n"));
    }

    fn fact(&mut self, label: &str, text: &str) {
        self.out.push_str(&format!("  {label:<10} {text}\n"));
    }

    fn libraries(&mut self, finding: &Finding) {
        for (place, (entry, old)) in newest_first(finding).take(ENTRIES).enumerate() {
            let mark = if old { "  (as before)" } else { "" };
            let label = if place == 0 { "loads" } else { "" };
            self.fact(label, &format!("{}{mark}", quoted(&entry.raw, NAME_CAP)));
        }
        let now = entries(finding.file.as_ref());
        if now.is_some_and(<[_]>::is_empty) {
            self.fact("loads", "no library (the file names none)");
        }
        let now = now.unwrap_or_default();
        if let Some(more) = now.len().checked_sub(ENTRIES).filter(|&more| more > 0) {
            self.fact("", &format!("and {more} more"));
        }
        let before = entries(finding.before.as_ref()).unwrap_or_default();
        for entry in before
            .iter()
            .filter(|entry| !now.contains(entry))
            .take(ENTRIES)
        {
            self.fact("no longer", &quoted(&entry.raw, NAME_CAP));
        }
    }

    fn writer(&mut self, writer: &Writer, container: &Container) {
        let label = if writer.confirmed || writer.program_in_doubt {
            "writer"
        } else {
            "writer?"
        };
        self.fact(label, &who(writer));
        if !writer.args.is_empty() {
            let args: Vec<String> = writer
                .args
                .iter()
                .map(|arg| quoted(arg, NAME_CAP))
                .collect();
            let more = if writer.args_truncated { " …" } else { "" };
            self.fact(
                "command",
                &format!(
                    "{}{more}",
                    escape(args.join(" ").as_bytes(), 2 * NAME_CAP).shown
                ),
            );
        }
        if let Some(parents) = parents(writer) {
            self.fact("parents", &parents);
        }
        if let Some(from) = from(writer, container) {
            self.fact("from", &from);
        }
    }

    fn file(&mut self, view: &FileView) {
        let mut facts = format!(
            "{} {:04o} owner {}:{} {} bytes",
            kind(view),
            view.mode & 0o7777,
            view.uid,
            view.gid,
            view.size
        );
        if let Some(mtime) = rfc3339(view.mtime) {
            facts.push_str(&format!(", written {mtime}"));
        }
        for attribute in &view.attributes {
            facts.push_str(&format!(", {attribute}"));
        }
        self.fact("file", &facts);
        if let Some(target) = &view.target {
            self.fact("points to", &quoted(target, NAME_CAP));
        }
        if let Err(why) = &view.content {
            self.fact("not read", &escape(why.as_bytes(), NAME_CAP).shown);
        }
    }
}

fn kind(view: &FileView) -> &'static str {
    match view.kind {
        FileKind::Regular => "regular file",
        FileKind::Directory => "directory",
        FileKind::Symlink => "symbolic link",
        FileKind::Fifo => "FIFO",
        FileKind::Socket => "socket",
        FileKind::CharDevice => "character device",
        FileKind::BlockDevice => "block device",
    }
}

/// The container by the one name an operator would use.
fn place(container: &Container) -> String {
    let id = container.id.as_deref().map(short_id);
    let name = container_name(container)
        .or(id)
        .unwrap_or("a container of unknown name");
    let kind = if container.build { "image build " } else { "" };
    format!("{kind}{}", quoted(name.as_bytes(), NAME_CAP))
}

/// Every name of the container: name, short ID, runtime, image.
fn container(container: &Container) -> String {
    let id = container.id.as_deref().map(short_id);
    let runtime = container.runtime.map(|runtime| runtime.name());
    let names = [container_name(container), id, runtime]
        .into_iter()
        .flatten();
    let mut facts: Vec<String> = names
        .map(|name| quoted(name.as_bytes(), NAME_CAP))
        .collect();
    facts.extend(
        image(container).map(|image| format!("image {}", quoted(image.as_bytes(), NAME_CAP))),
    );
    if container.privileged == Some(true) {
        facts.push("PRIVILEGED".to_owned());
    }
    if facts.is_empty() {
        "nothing names it".to_owned()
    } else {
        facts.join("  ")
    }
}

fn who(writer: &Writer) -> String {
    let mut facts = vec![writer.program().map_or_else(
        || "unknown program".to_owned(),
        |name| quoted(name, NAME_CAP),
    )];
    facts.extend(writer.pid.map(|pid| format!("pid {pid}")));
    let inside = writer.vpid.filter(|&vpid| Some(vpid) != writer.pid);
    facts.extend(inside.map(|vpid| format!("(inside: {vpid})")));
    let user = writer.names.user.as_deref();
    let user = user.map_or(String::new(), |name| {
        format!(" ({})", quoted(name, NAME_CAP))
    });
    facts.extend(writer.uid.map(|uid| format!("uid {uid}{user}")));
    let real = writer.real_uid.filter(|&real| Some(real) != writer.uid);
    facts.extend(real.map(|real| format!("real uid {real}")));
    if writer.interactive == Some(true) {
        facts.push("on a terminal".to_owned());
    }
    if writer.program_in_doubt {
        facts.push("(a hint: it may have executed this after the act)".to_owned());
    } else if !writer.confirmed {
        facts.push(format!("(a hint, not confirmed: {})", writer.source.name()));
    } else if let Some(hint) = writer.hint.as_ref().filter(|_| !writer.is_program_sure()) {
        let source = hint.source.name();
        facts.push(format!("(the program is a hint, not confirmed: {source})"));
    }
    facts.join("  ")
}

/// The way up to the container's init, nearest first.
fn parents(writer: &Writer) -> Option<String> {
    let named = |name: &[u8], pid: i32| format!("{}({pid})", quoted(name, NAME_CAP));
    let mut names: Vec<String> = writer
        .parents
        .iter()
        .take(PARENTS)
        .map(|parent| named(&parent.name, parent.pid))
        .collect();
    if writer.parents.len() > PARENTS {
        names.push("…".to_owned());
    }
    (!names.is_empty()).then(|| names.join(" < "))
}

/// Where a writer comes from, when that is not the container's own start.
fn from(writer: &Writer, container: &Container) -> Option<String> {
    let mut text = match writer.origin {
        Origin::Inside if writer.entry == Entry::Session => {
            "a session started from outside (as by docker exec)".to_owned()
        }
        Origin::Inside | Origin::Unknown => return None,
        Origin::Host if container.id.is_some() => "the HOST, not from the container".to_owned(),
        Origin::Host => "the host".to_owned(),
        Origin::OtherContainer => {
            let name = writer.home.as_ref().and_then(home_name);
            let name = name.unwrap_or_else(|| "of unknown id".to_owned());
            format!("ANOTHER CONTAINER, {name}")
        }
    };
    if let Some(tool) = writer.tool {
        text.push_str(&format!("; {tool}"));
    }
    Some(text)
}

fn noticed(finding: &Finding) -> String {
    let how = match finding.detection {
        Detection::Event => "by a file event",
        Detection::Mount => "by a change of mounts",
        Detection::Sweep => "by the periodic look: no event told of it",
        Detection::Scan => "by a scan: it happened while ldwatch was not looking",
    };
    let mut text = format!(
        "{how}; rung {}; risk {}",
        finding.coverage.rung.name(),
        risk(finding)
    );
    if finding.folded > 0 {
        text.push_str(&format!("; {} more acts folded in", finding.folded));
    }
    if finding.repeat {
        text.push_str("; may have been told before");
    }
    text
}
