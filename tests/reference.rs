//! The reference documents are whole: every field of the golden records stands in
//! docs/ECS.md, every reason of a gap and every counter in docs/ALERTS.md.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use ldwatch::watch::status::Counters;
use serde_json::Value;

fn text(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The field names of docs/ECS.md: code in the first cell of a table's row. A name that
/// begins with a dot shares the parent of the full name before it.
fn documented() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for row in text("docs/ECS.md")
        .lines()
        .filter(|line| line.starts_with("| `"))
    {
        let cell = row.split(" | ").next().unwrap_or_default();
        let mut parent = String::new();
        for name in cell.split('`').skip(1).step_by(2) {
            if !name.starts_with('.') {
                parent = name.rsplit_once('.').map_or("", |(up, _)| up).to_owned();
            }
            let rest = name
                .strip_prefix('.')
                .map(|last| format!("{parent}.{last}"));
            names.insert(rest.unwrap_or_else(|| name.to_owned()));
        }
    }
    names
}

/// Every field of a record; items of arrays share the array's name.
fn fields(at: &str, value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                let dot = if at.is_empty() { "" } else { "." };
                fields(&format!("{at}{dot}{key}"), value, into);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| fields(at, item, into)),
        _ => {
            into.insert(at.to_owned());
        }
    }
}

#[test]
fn every_field_of_the_records_is_documented() {
    let names = documented();
    let covers = |field: &str| {
        let mut ups = field.match_indices('.').map(|(at, _)| field.split_at(at).0);
        names.contains(field) || ups.any(|up| names.contains(&format!("{up}.*")))
    };
    for golden in ["alert.json", "gap.json"] {
        let record = text(&format!("tests/fixtures/output/{golden}"));
        let record: Value = serde_json::from_str(&record).unwrap_or_default();
        let mut all = BTreeSet::new();
        fields("", &record, &mut all);
        assert!(all.len() > 20, "{golden}: {all:?}");
        let missing: Vec<&String> = all.iter().filter(|field| !covers(field)).collect();
        assert!(
            missing.is_empty(),
            "{golden}: not in docs/ECS.md: {missing:?}"
        );
    }
}

/// The source files, without those of tests.
fn sources(folder: &Path, into: &mut Vec<String>) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() && !path.ends_with("tests") {
            sources(&path, into)?;
        } else if path.extension().is_some_and(|kind| kind == "rs") && !path.ends_with("tests.rs") {
            into.push(std::fs::read_to_string(&path)?);
        }
    }
    Ok(())
}

/// Words that are given as the reason of a gap, in any of the ways the source does.
fn gap_reasons() -> io::Result<BTreeSet<String>> {
    let mut files = Vec::new();
    sources(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut files,
    )?;
    let mut reasons = BTreeSet::new();
    let plain = |word: &&str| word.chars().all(|c| c.is_ascii_lowercase() || c == '-');
    for file in files
        .iter()
        .filter(|file| file.contains("Gap {") || file.contains(".gap("))
    {
        let code: String = file
            .split("#[cfg(test)]")
            .next()
            .unwrap_or_default()
            .split_whitespace()
            .collect();
        // What is asked at the place of the call: `.gap(if … { "one" } else { "other" },`.
        let calls = code.split(".gap(").skip(1);
        let firsts = calls.filter_map(|call| call.split(',').next());
        reasons.extend(
            firsts
                .flat_map(|first| first.split('"').skip(1).step_by(2))
                .filter(plain)
                .map(str::to_owned),
        );
        for start in ["reason:\"", "=>(\""] {
            let words = code
                .split(start)
                .skip(1)
                .filter_map(|part| part.split('"').next());
            reasons.extend(words.filter(plain).map(str::to_owned));
        }
    }
    Ok(reasons)
}

#[test]
fn every_gap_reason_and_counter_is_explained() -> io::Result<()> {
    let alerts = text("docs/ALERTS.md");
    let page = text("docs/man/ldwatch.8.md");
    let reasons = gap_reasons()?;
    assert!(reasons.len() >= 8, "{reasons:?}");
    for reason in reasons {
        assert!(
            alerts.contains(&format!("| `{reason}` |")),
            "ALERTS.md: {reason}"
        );
        assert!(
            page.contains(&format!("\n**{reason}**\n")),
            "ldwatch(8): {reason}"
        );
    }
    let counters = serde_json::to_value(Counters::default()).unwrap_or_default();
    for counter in counters.as_object().into_iter().flat_map(|all| all.keys()) {
        assert!(
            alerts.contains(&format!("| `{counter}` |")),
            "ALERTS.md: {counter}"
        );
    }
    Ok(())
}
