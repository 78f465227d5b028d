//! Whose an alert is, by the files as they are when it is told: a container may have been
//! renamed since it was sighted, or started so lately that nothing named it yet.

use std::path::Path;

use crate::parse::cgroup::Runtime;
use crate::reach::read_table;
use crate::survey::layers::Layers;
use crate::survey::runtime::Readers;
use crate::watch::examiner::Examiner;
use crate::watch::jobs::Subject;
use crate::watch::surveyor::Ask;

impl Examiner {
    /// Has the files that describe containers read again for alerts, by these.
    #[must_use]
    pub fn reading(self, readers: Readers) -> Self {
        Self {
            readers: Some(readers),
            ..self
        }
    }

    /// The subject by another name than it was sighted under.
    pub(super) fn described(&mut self, subject: &Subject) -> Option<Subject> {
        if subject.container.runtime == Some(Runtime::PodmanRootless) && !may_ask(subject) {
            return None;
        }
        let readers = self.readers.as_mut()?;
        let (container, papers) = readers.again(&subject.papers, &subject.container)?;
        // Only the mount tells whose files they are when nothing was known. Where it has no
        // name of its own, its successor's may be read.
        let named = subject.container.id.is_some();
        let host = subject.reach.host.as_ref();
        let same = host.is_some_and(|host| host.unique.is_some() && host.is_there());
        if container == subject.container || !(named || same) {
            return None;
        }
        // The book is to know it, too.
        self.survey.ask(Ask::Again(subject.id));
        Some(Subject {
            container,
            papers,
            ..subject.clone()
        })
    }
}

/// A user's files may lie on a server of the user's own, which need not answer.
fn may_ask(subject: &Subject) -> bool {
    read_table(Path::new("/proc/self/mountinfo")).is_ok_and(|table| {
        let mut layers = Layers::new(&table);
        subject.papers.files().all(|file| layers.may_ask(file))
    })
}
