//! `ldwatch list`: the containers, how each is watched, what is not seen.

use serde_json::{Value, json};

use crate::cli::look::survey;
use crate::cli::outlet::load;
use crate::cli::{args, say};
use crate::error::{Error, shown};
use crate::examine::file::Look;
use crate::output::words::{image, short_id};
use crate::watch::jobs::Subject;
use crate::watch::outpost::Outposts;

/// Surveys and prints.
///
/// # Errors
/// Whatever keeps it from looking.
pub fn run(typed: &args::Options) -> Result<(), Error> {
    let config = load(typed)?;
    let subjects = survey(&config)?;
    let mut outposts = Outposts::default();
    if typed.json {
        let mut text = String::new();
        for subject in &subjects {
            text.push_str(&row(subject, &mut outposts).to_string());
            text.push('\n');
        }
        return say(&text);
    }
    say(&table(&subjects, &mut outposts))
}

/// The file in one word.
fn state(subject: &Subject, outposts: &mut Outposts) -> String {
    match outposts.look_at(subject, 0) {
        Look::Absent => "absent".to_owned(),
        Look::File(file) if file.mounted.is_some() => "mounted".to_owned(),
        Look::File(file) if file.in_upper == Some(true) => "written".to_owned(),
        Look::File(_) => "from image".to_owned(),
        Look::Gone => "gone".to_owned(),
        Look::Unasked(reason) | Look::Blind(reason) => reason,
    }
}

fn row(subject: &Subject, outposts: &mut Outposts) -> Value {
    let container = &subject.container;
    let pod = container.pod.as_ref();
    json!({
        "id": container.id,
        "name": container.name,
        "runtime": container.runtime.map(|runtime| runtime.name()),
        "image": image(container),
        "pod": pod.and_then(|pod| pod.name.as_ref()),
        "namespace": pod.and_then(|pod| pod.namespace.as_ref()),
        "build": container.build,
        "source": container.source,
        "missing": container.missing,
        "rootfs": subject.reach.host_path().map(|path| path.to_string_lossy()),
        "init": subject.reach.init.map(|init| init.key.pid),
        "rung": subject.coverage.rung.name(),
        "gaps": subject.coverage.gaps,
        "exec-trail": subject.trail,
        "file": state(subject, outposts),
    })
}

fn table(subjects: &[Subject], outposts: &mut Outposts) -> String {
    let mut rows = vec![
        [
            "CONTAINER",
            "NAME",
            "RUNTIME",
            "IMAGE",
            "RUNG",
            "FILE",
            "GAPS",
        ]
        .map(str::to_owned),
    ];
    for subject in subjects {
        let container = &subject.container;
        let word = |word: Option<&str>| shown(word.unwrap_or("-"));
        rows.push([
            word(container.id.as_deref().map(short_id)),
            word(container.name.as_deref()),
            word(container.runtime.map(|runtime| runtime.name())),
            word(image(container).as_deref()),
            subject.coverage.rung.name().to_owned(),
            state(subject, outposts),
            word(Some(subject.coverage.gaps.join("; ").as_str()).filter(|gaps| !gaps.is_empty())),
        ]);
    }
    aligned(&rows)
}

/// Columns as wide as their widest cell.
fn aligned<const N: usize>(rows: &[[String; N]]) -> String {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for row in rows {
        let cells: Vec<String> = widths
            .iter()
            .zip(row)
            .map(|(&width, cell)| format!("{cell:width$}"))
            .collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}
