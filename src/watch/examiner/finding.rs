//! From verdicts to records.

use std::path::Path;

use crate::judge::origin::{Around, place};
use crate::judge::restart::{Last, Past, Verdict};
use crate::model::{ChangeType, Detection, FileView, Finding, Names, Origin, Record};
use crate::watch::examiner::Examiner;
use crate::watch::jobs::{Acted, Subject};

/// Why a difference to what an earlier run knew matters: nobody looked.
const UNWATCHED: &str = "while-unwatched";

impl Examiner {
    /// The records about one act.
    pub(super) fn records(
        &self,
        subject: &Subject,
        acted: Acted,
        found: Vec<Verdict>,
        views: (&Past, Option<&FileView>),
    ) -> Vec<Record> {
        if found.is_empty() {
            return Vec::new();
        }
        let around = self.around(subject, &acted);
        records(subject, acted, found, views, &around)
    }
}

fn records(
    subject: &Subject,
    mut acted: Acted,
    found: Vec<Verdict>,
    (past, after): (&Past, Option<&FileView>),
    around: &Around,
) -> Vec<Record> {
    let looked = acted.mask == 0 && (past.earlier || past.last == Last::Unseen);
    if looked {
        acted.detection = Detection::Scan;
    }
    let reasons = if looked && past.earlier {
        // Whoever acts now is not thereby the one who acted then.
        acted.writer = None;
        vec![UNWATCHED]
    } else {
        Vec::new()
    };
    // The close of a file whose writes were told is no news.
    let is_news = |verdict: &Verdict| {
        !acted.closing || verdict.change.alert || verdict.change.kind != ChangeType::Info
    };
    let record = |verdict: Verdict| {
        Record::Finding(Box::new(Finding {
            before: past.last.file().cloned(),
            reasons: reasons.clone(),
            ..finding(subject, &acted, verdict, after, around)
        }))
    };
    found.into_iter().filter(is_news).map(record).collect()
}

fn finding(
    subject: &Subject,
    acted: &Acted,
    verdict: Verdict,
    after: Option<&FileView>,
    around: &Around,
) -> Finding {
    let mut writer = acted.writer.clone();
    let mut container = subject.container.clone();
    if let Some(writer) = &mut writer {
        place(writer, &mut container, around.clone());
        // The container's names say nothing of others.
        if writer.origin != Origin::Inside {
            writer.names = Names::default();
        }
    }
    let rootfs = subject.reach.host_path().map(Path::to_owned);
    let gone = verdict.past || verdict.change.kind == ChangeType::Deletion;
    Finding {
        at: acted.at,
        change: verdict.change,
        detection: acted.detection,
        container,
        rootfs: rootfs.unwrap_or_default(),
        coverage: subject.coverage.clone(),
        writer,
        file: after.filter(|_| !gone).cloned(),
        before: None,
        folded: acted.folded,
        reasons: Vec::new(),
        repeat: verdict.repeat,
    }
}
