//! Goes through the rows: all containers first, then the watcher, then act by act.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::known::Caught;
use crate::row::{Act, Holds, Row, Step, Told};
use crate::stage::{Images, Stage};
use crate::support::PRELOAD;
use crate::support::program::Outcome;
use crate::support::record::{self, carries, field, is_about_the_file, text, texts};
use crate::support::scratch::nonce;
use crate::support::watcher::{Seen, Watcher};

/// What came of a row.
#[derive(Debug)]
pub enum Verdict {
    /// Told truly.
    Caught(Caught),
    /// A record that had to come did not; which.
    Missed(String),
    /// Something was told that is not so, or more than was done.
    Wrong(String),
    /// This kernel or filesystem does not offer the act; why.
    NotPossible(String),
}

/// How long records are waited for.
pub struct Patience {
    /// For one that must come.
    pub record: Duration,
    /// At the end, for those that must not.
    pub quiet: Duration,
}

/// A crowd is over when nothing more of it comes for so long.
const SILENCE: Duration = Duration::from_millis(500);
/// A risk score is raised by this when the writer is outside the container.
const CROSS_BOUNDARY: f64 = 10.0;

/// Plays all rows; the verdicts are in the order of the rows.
pub fn play(rows: &[&Row], config: &str, patience: &Patience) -> Result<Vec<Verdict>, String> {
    let images = Images::new()?;
    let made: Result<Vec<_>, String> = rows.iter().map(|row| Stage::new(row, &images)).collect();
    let mut stages = made?;
    let mut watcher = Watcher::start(config);
    for (stage, _) in &stages {
        watcher.mine(&stage.container.id);
        if let Some(neighbour) = &stage.neighbour {
            watcher.mine(&neighbour.id);
        }
    }
    let mut verdicts = Vec::new();
    for (row, (stage, prepared)) in rows.iter().zip(&mut stages) {
        let verdict = match prepared {
            Outcome::NotPossible(why) => Verdict::NotPossible(why.clone()),
            Outcome::Done => {
                let play = Play {
                    row,
                    stage,
                    watcher: &watcher,
                    patience,
                    wrong: Vec::new(),
                    caught: Caught::default(),
                };
                play.verdict()
            }
        };
        verdicts.push(verdict);
    }
    std::thread::sleep(patience.quiet);
    for (verdict, (stage, _)) in verdicts.iter_mut().zip(&stages) {
        leftovers(verdict, stage, &watcher);
    }
    if verdicts.iter().any(|one| matches!(one, Verdict::Missed(_))) {
        // What was missed may come late: that was told above.
        watcher.pass_over();
    }
    watcher.stop();
    Ok(verdicts)
}

/// Claims what nothing asked for, which is an error of a row that went well so far.
fn leftovers(verdict: &mut Verdict, stage: &Stage, watcher: &Watcher) {
    while let Some(seen) = watcher.claim_within(Duration::ZERO, |seen| is_of(seen, stage, None)) {
        if matches!(verdict, Verdict::Caught(_)) {
            *verdict = Verdict::Wrong(format!("more than was done: {}", brief(&seen)));
        }
    }
}

struct Play<'a> {
    row: &'a Row,
    stage: &'a mut Stage,
    watcher: &'a Watcher,
    patience: &'a Patience,
    /// What was told, but not as it is.
    wrong: Vec<String>,
    caught: Caught,
}

impl Play<'_> {
    fn verdict(mut self) -> Verdict {
        match self.row() {
            Ok(after) if self.wrong.is_empty() => Verdict::Caught(Caught {
                after,
                ..self.caught
            }),
            Ok(_) => Verdict::Wrong(self.wrong.join("; ")),
            Err(verdict) => verdict,
        }
    }

    fn row(&mut self) -> Result<Duration, Verdict> {
        for told in self.row.first {
            let seen = self.wait(None, "first look", told)?;
            self.check(&seen, told, "", None);
        }
        let mut longest = Duration::ZERO;
        for (number, step) in self.row.steps.iter().enumerate() {
            let own = nonce();
            let outcome = self.stage.act(step.act, &own).map_err(Verdict::Wrong)?;
            let done = Instant::now();
            if let Outcome::NotPossible(why) = outcome {
                return Err(Verdict::NotPossible(why));
            }
            let last = number + 1 == self.row.steps.len();
            let waited = match self.row.crowd && last {
                true => self.crowd(&own, done)?,
                false => self.step(step, &own, done)?,
            };
            longest = longest.max(waited);
        }
        Ok(longest)
    }

    fn step(&mut self, step: &Step, own: &str, done: Instant) -> Result<Duration, Verdict> {
        let mut longest = Duration::ZERO;
        for told in step.told {
            let seen = self.wait(Some(own), &format!("{:?}", step.act), told)?;
            longest = longest.max(seen.at.saturating_duration_since(done));
            self.check(&seen, told, own, Some(&step.act));
        }
        Ok(longest)
    }

    /// Records until silence; one must show the end, and none what was not done.
    fn crowd(&mut self, own: &str, done: Instant) -> Result<Duration, Verdict> {
        let end = format!("{own}-end");
        let mut caught = None;
        loop {
            let limit = caught.map_or(self.patience.record, |_| SILENCE);
            let fits = |seen: &Seen| is_of(seen, self.stage, Some(own));
            let Some(seen) = self.watcher.claim_within(limit, fits) else {
                return caught.ok_or(Verdict::Missed(end));
            };
            self.caught.note(&seen);
            let kind = texts(&seen.value, "event.type");
            let true_record = match kind.as_slice() {
                ["deletion"] => true,
                ["creation" | "change"] => carries(&seen.value, own) || is_brief(&seen),
                _ => false,
            };
            if !true_record || text(&seen.value, "container.id") != self.stage.container.id {
                return Err(Verdict::Wrong(brief(&seen)));
            }
            if carries(&seen.value, &end) {
                caught.get_or_insert(seen.at.saturating_duration_since(done));
            }
        }
    }

    fn wait(&self, own: Option<&str>, act: &str, told: &Told) -> Result<Seen, Verdict> {
        let missed = || Verdict::Missed(format!("{act}: {}/{}", told.change, told.action));
        self.claim(own).ok_or_else(missed)
    }

    /// The next record of this row's container, or with this act's nonce.
    fn claim(&self, own: Option<&str>) -> Option<Seen> {
        let fits = |seen: &Seen| is_of(seen, self.stage, own);
        self.watcher.claim_within(self.patience.record, fits)
    }

    fn check(&mut self, seen: &Seen, told: &Told, own: &str, act: Option<&Act>) {
        if act.is_some() {
            self.caught.note(seen);
        }
        if let Err(wrong) = self.compare(seen, told, own, act) {
            self.wrong.push(format!("{wrong}: {}", brief(seen)));
        }
    }

    fn compare(
        &self,
        seen: &Seen,
        told: &Told,
        own: &str,
        act: Option<&Act>,
    ) -> Result<(), String> {
        let value = &seen.value;
        if text(value, "container.id") != self.stage.container.id {
            return Err("not this container".to_owned());
        }
        if text(value, "event.kind") != told.kind || texts(value, "event.type") != [told.change] {
            return Err(format!("not {}/{}", told.kind, told.change));
        }
        if !told
            .action
            .split('|')
            .any(|one| one == text(value, "event.action"))
        {
            return Err(format!("the action is not {}", told.action));
        }
        let risk = field(value, "event.risk_score").and_then(Value::as_f64);
        let raised = self.raised(told, act, value);
        if !risk.is_some_and(|risk| raised.contains(&risk)) {
            return Err(format!("the risk is {risk:?}, not one of {raised:?}"));
        }
        self.content(seen, told, own)?;
        match (act, &self.stage.neighbour) {
            (Some(Act::Neighbour(_)), Some(neighbour)) => writer(seen, &neighbour.id),
            _ => Ok(()),
        }
    }

    /// The risk scores that are true: higher when the writer is seen to be outside. Where
    /// one that has gone came from may have to stay unknown, but it is never inside.
    fn raised(&self, told: &Told, act: Option<&Act>, value: &Value) -> Vec<f64> {
        let across = matches!(
            act,
            Some(Act::Merged(_) | Act::Upper(_) | Act::Source(_) | Act::Neighbour(_))
        );
        let [origin, source] =
            ["origin", "source"].map(|name| text(value, &format!("ldwatch.writer.{name}")));
        match (across && told.kind == "alert", origin, source) {
            (false, ..) => vec![told.risk],
            (true, "inside", _) => Vec::new(),
            (true, "host" | "other-container", _) | (true, _, "live") => {
                vec![told.risk + CROSS_BOUNDARY]
            }
            (true, ..) => vec![told.risk, told.risk + CROSS_BOUNDARY],
        }
    }

    fn content(&self, seen: &Seen, told: &Told, own: &str) -> Result<(), String> {
        let first = self.stage.first.as_deref().unwrap_or_default();
        let size = field(&seen.value, "file.size").and_then(Value::as_u64);
        let right = match told.holds {
            Holds::Own => carries(&seen.value, own),
            Holds::First => carries(&seen.value, first),
            Holds::Empty => size == Some(0),
            Holds::None => true,
        };
        if right {
            return Ok(());
        }
        Err(format!(
            "the content is not {:?} ({own}, {first})",
            told.holds
        ))
    }
}

/// A writer that was still there must be known to be in that container.
fn writer(seen: &Seen, id: &str) -> Result<(), String> {
    let writer = text(&seen.value, "ldwatch.writer.container.id");
    let live = text(&seen.value, "ldwatch.writer.source") == "live";
    if writer == id || !live {
        return Ok(());
    }
    Err(format!("the writer's container is {writer:?}, not {id}"))
}

/// It names the row's container or its root, or carries the nonce.
fn is_of(seen: &Seen, stage: &Stage, own: Option<&str>) -> bool {
    let value = &seen.value;
    let container = &stage.container;
    let its = text(value, "container.id") == container.id
        || container.merged == Path::new(text(value, "ldwatch.rootfs"));
    is_about_the_file(value) && (its || own.is_some_and(|own| carries(value, own)))
}

/// A file that was gone again, or not yet written, when it was looked at.
fn is_brief(seen: &Seen) -> bool {
    let size = field(&seen.value, "file.size").and_then(Value::as_u64);
    size.is_none_or(|size| size == 0)
}

/// A record in one short line.
fn brief(seen: &Seen) -> String {
    let value = &seen.value;
    let content = field(value, "ldwatch.content").map(Value::to_string);
    format!(
        "{}/{}/{} by {} in {} risk {} holding {} ({PRELOAD} {})",
        text(value, "event.kind"),
        texts(value, "event.type").join("+"),
        text(value, "event.action"),
        text(value, "ldwatch.detection"),
        text(value, "container.id")
            .get(..12)
            .unwrap_or("no container"),
        field(value, "event.risk_score").map_or_else(String::new, ToString::to_string),
        content.unwrap_or_default().escape_debug(),
        record::text(value, "file.target_path"),
    )
}
