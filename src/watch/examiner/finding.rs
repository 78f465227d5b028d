//! From verdicts to records.

use std::path::Path;

use crate::judge::origin::place;
use crate::judge::restart::{Last, Past, Verdict};
use crate::model::{ChangeType, Detection, FileView, Finding, Record};
use crate::watch::jobs::{Acted, Subject};

/// Why a difference to what an earlier run knew matters: nobody looked.
const UNWATCHED: &str = "while-unwatched";

/// The records about one act. `host_ns`: the host's mount namespace.
pub fn records(
    subject: &Subject,
    mut acted: Acted,
    found: Vec<Verdict>,
    (past, after): (&Past, Option<&FileView>),
    host_ns: Option<u64>,
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
            ..finding(subject, &acted, verdict, after, host_ns)
        }))
    };
    found.into_iter().filter(is_news).map(record).collect()
}

fn finding(
    subject: &Subject,
    acted: &Acted,
    verdict: Verdict,
    after: Option<&FileView>,
    host_ns: Option<u64>,
) -> Finding {
    let mut writer = acted.writer.clone();
    let mut container = subject.container.clone();
    if let Some(writer) = &mut writer {
        place(
            writer,
            &mut container,
            acted.same_root,
            subject.mount_ns,
            host_ns,
        );
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
