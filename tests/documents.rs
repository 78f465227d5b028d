//! The documents tell what the program does: options in the man page, keys in the
//! configuration's page and in the shipped file, every dependency with its reason;
//! and they name files that exist.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::process::Command;

use ldwatch::config::{Config, keys, parse};
use ldwatch::watch::status::Counters;

fn text(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn help(words: &[&str]) -> io::Result<String> {
    let output = Command::new(env!("CARGO_BIN_EXE_ldwatch"))
        .args(words)
        .arg("--help")
        .output()?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The words of a help text that are options.
fn options(help: &str) -> BTreeSet<String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let words = help.split(|c: char| !fits(c));
    let option =
        |word: &&str| word.starts_with('-') && word.chars().any(|c| c.is_ascii_alphabetic());
    words.filter(option).map(str::to_owned).collect()
}

/// The verbs: first words of the lines below "Commands:".
fn verbs(help: &str) -> Vec<String> {
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let named = lines.take_while(|line| !line.is_empty());
    named
        .filter_map(|line| line.split_whitespace().next().map(str::to_owned))
        .collect()
}

#[test]
fn each_verb_and_option_of_the_help_stands_in_the_man_page() -> io::Result<()> {
    // `\-` keeps two hyphens from becoming a dash when the page is rendered.
    let page = text("docs/man/ldwatch.8.md").replace("\\-", "-");
    let overall = help(&[])?;
    let verbs = verbs(&overall);
    assert_eq!(verbs.len(), 8, "{verbs:?}");
    let mut all = options(&overall);
    for verb in &verbs {
        assert!(page.contains(&format!("**{verb}**")), "{verb} is missing");
        all.extend(options(&help(&[verb])?));
    }
    assert!(all.len() >= 9, "{all:?}");
    for option in all {
        assert!(
            page.contains(&format!("**{option}**")),
            "{option} is missing"
        );
    }
    Ok(())
}

#[test]
fn each_exit_code_stands_in_the_man_page() {
    let page = text("docs/man/ldwatch.8.md");
    for code in [0, 1, 3, 64, 69, 77, 78] {
        assert!(
            page.contains(&format!("\n**{code}**\n")),
            "{code} is missing"
        );
    }
}

#[test]
fn each_counter_stands_in_the_operators_page() {
    let page = text("docs/ALERTS.md");
    for (name, _) in Counters::default().named() {
        let row = format!("\n| `{}` | ", name.replace('_', "-"));
        assert!(page.contains(&row), "{name} has no row");
    }
}

#[test]
fn the_shipped_file_is_the_defaults() {
    assert_eq!(
        parse(&text("packaging/ldwatch.toml")),
        Ok(Config::default())
    );
}

#[test]
fn each_key_stands_in_the_shipped_file_and_in_its_man_page() {
    let shipped = text("packaging/ldwatch.toml");
    let page = text("docs/man/ldwatch.toml.5.md");
    let keys = keys();
    assert!(keys.len() >= 17, "{keys:?}");
    for key in keys {
        let (table, name) = key.split_once('.').unwrap_or(("", &key));
        let section = match table {
            "" => shipped.split("\n[").next(),
            table => shipped
                .split("\n[")
                .find(|part| part.starts_with(&format!("{table}]"))),
        };
        let set = |line: &str| {
            line.trim_start_matches("# ")
                .starts_with(&format!("{name} = "))
        };
        assert!(
            section.is_some_and(|part| part.lines().any(set)),
            "{key} is not shipped"
        );
        assert!(
            page.contains(&format!("**{name}** =")),
            "{key} has no entry in the man page"
        );
    }
}

/// A line that is commented out is an example: with its mark taken away it is good, too.
#[test]
fn the_examples_of_the_shipped_file_are_good() {
    let shipped = text("packaging/ldwatch.toml");
    let example = |line: &str| line.starts_with("# ") && line.contains(" = ");
    let lines = shipped.lines().map(|l| {
        if example(l) {
            l.trim_start_matches("# ")
        } else {
            l
        }
    });
    let with: Vec<&str> = lines.collect();
    let config = parse(&with.join("\n")).unwrap_or_else(|all| panic!("{all:?}"));
    assert_ne!(config, Config::default());
}

#[test]
fn each_dependency_has_its_reason() {
    let manifest = text("Cargo.toml");
    let reasons = text("docs/DEPENDENCIES.md");
    let mut wanted = false;
    let mut seen = 0;
    for line in manifest.lines() {
        if line.starts_with('[') {
            wanted = line.ends_with("dependencies]");
        } else if let Some((name, _)) = line.split_once(" = ").filter(|_| wanted) {
            assert!(
                reasons.contains(&format!("| {name} |")),
                "{name} has no reason"
            );
            seen += 1;
        }
    }
    let rows = reasons
        .lines()
        .filter(|l| l.starts_with("| ") && !l.starts_with("| crate"))
        .count();
    assert_eq!(rows, seen, "a row of DEPENDENCIES.md names no dependency");
}

/// Every document that is written for people.
const DOCUMENTS: [&str; 11] = [
    "README.md",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "SECURITY.md",
    "docs/ALERTS.md",
    "docs/CONTRIBUTING.md",
    "docs/DEPENDENCIES.md",
    "docs/ECS.md",
    "docs/KERNELS.md",
    "docs/OPERATING.md",
    "docs/man/ldwatch.8.md",
];

fn exists(path: &Path) -> bool {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path).exists()
}

/// What stands between `open` and the next `close`, each time.
fn between<'a>(text: &'a str, open: &str, close: char) -> Vec<&'a str> {
    let parts = text.split(open).skip(1);
    parts.filter_map(|part| part.split(close).next()).collect()
}

#[test]
fn the_commands_of_the_readme_name_scripts_and_verbs_that_exist() -> io::Result<()> {
    let readme = text("README.md");
    let blocks: Vec<&str> = readme.split("```sh\n").skip(1).collect();
    let commands: Vec<&str> = blocks
        .iter()
        .filter_map(|block| block.split("```").next())
        .collect();
    let words = commands
        .iter()
        .flat_map(|all| all.split([' ', '"', '(', ')', '\n']));
    let scripts: Vec<&str> = words.filter(|word| word.starts_with("scripts/")).collect();
    assert!(scripts.len() >= 3, "{scripts:?}");
    for script in scripts {
        assert!(exists(script.as_ref()), "{script} is not there");
    }
    let verbs = verbs(&help(&[])?);
    for verb in between(&readme, "| `ldwatch ", '`') {
        let verb = verb.split(' ').next().unwrap_or_default().to_owned();
        assert!(verbs.contains(&verb), "{verb} is no verb");
    }
    Ok(())
}

#[test]
fn links_and_source_files_named_in_the_documents_exist() {
    for document in DOCUMENTS {
        let content = text(document);
        let folder = Path::new(document).parent().unwrap_or(Path::new(""));
        for link in between(&content, "](", ')') {
            let file = link.split('#').next().unwrap_or_default();
            let here =
                file.starts_with("https://") || file.is_empty() || exists(&folder.join(file));
            assert!(here, "{document}: {link} is not there");
        }
        let spans = content.split('`').skip(1).step_by(2);
        for source in spans.filter(|span| span.ends_with(".rs") && span.contains('/')) {
            let here = exists(&Path::new("src").join(source)) || exists(source.as_ref());
            assert!(here, "{document}: {source} is not there");
        }
    }
}

/// The table is made from the runs on those kernels, and by no hand.
#[test]
fn the_table_of_kernels_in_the_readme_is_the_scripts() -> io::Result<()> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/vm/report");
    let output = Command::new(script).arg("check").output()?;
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "scripts/kernels --table: {told}");
    assert!(text("README.md").contains("| 5.10 | `split` |"), "no table");
    Ok(())
}
