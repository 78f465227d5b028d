//! What is around a writer, so that it can be placed: which containers there are, and
//! what `/proc` says of those whose cgroup may have been chosen.

use std::sync::{Arc, Weak};

use crate::examine::accounts::Kind;
use crate::examine::program::is_of_the_host;
use crate::judge::origin::{Around, engine};
use crate::model::{Home, Names, Writer};
use crate::parse::cgroup::member;
use crate::reach::{ProcessKey, pinned, read_of};
use crate::survey::processes::root_now;
use crate::watch::examiner::Examiner;
use crate::watch::jobs::{Acted, Subject};

/// Bytes of a cgroup text taken.
const MAX_CGROUP: u64 = 16 * 1024;

impl Examiner {
    /// Notes a container as of its last sighting.
    pub(super) fn meet(&mut self, subject: &Arc<Subject>) {
        if let Some(known) = self.known.get_mut(&subject.id) {
            let is_new = !Weak::ptr_eq(&known.subject, &Arc::downgrade(subject));
            known.subject = Arc::downgrade(subject);
            // Without its init the container's user namespace is not known.
            if is_new && subject.reach.init.is_some() && !self.unnamed.contains(&subject.id) {
                self.unnamed.push_back(subject.id);
            }
        }
    }

    /// What is known around the writer of an act.
    pub(super) fn around(&self, subject: &Subject, acted: &Acted) -> Around {
        let mut around = Around {
            same_root: acted.same_root,
            container_ns: subject.mount_ns,
            host_ns: self.host_ns,
            init: subject.reach.init.map(|init| init.key.pid),
            ..Around::default()
        };
        let Some(writer) = &acted.writer else {
            return around;
        };
        if writer.mount_ns.is_none() || writer.mount_ns == self.host_ns {
            return around;
        }
        if writer.mount_ns == subject.mount_ns {
            // Only a writer with another cgroup than the container's raises the question.
            let id = writer.member.as_ref().and_then(|member| member.id.as_ref());
            around.init_named = id != subject.container.id.as_ref() && names_it(subject);
            return around;
        }
        around.elsewhere = self
            .others(subject)
            // The number of a namespace that is gone is soon another's.
            .find(|other| other.mount_ns == writer.mount_ns && has_its_init(other))
            .map(|other| home(&other, "mount-namespace"));
        if around.elsewhere.is_none()
            && let Some(root) = key(writer).and_then(root_now)
        {
            // The changed root filesystem itself proves nothing: a copy tool takes it as
            // its root, too.
            let mut others = self.others(subject);
            around.elsewhere = others
                .find(|other| other.root == root.key && other.reach.open().is_ok())
                .map(|other| home(&other, "rootfs"));
        }
        around
    }

    /// Names the writer's ids, as its container does. What was asked before is known;
    /// it is asked anew once the container is seen anew.
    pub(super) fn name(&mut self, subject: &Subject, acted: &mut Acted) {
        let Some(writer) = acted.writer.as_mut() else {
            return;
        };
        let known = self.known.entry(subject.id).or_default();
        let users = [writer.uid, writer.real_uid];
        known.learn(subject, Kind::User, users.into_iter().flatten());
        known.learn(subject, Kind::Group, writer.gid.into_iter());
        let name = |kind, id: Option<u32>| known.name(kind, id?).map(<[u8]>::to_vec);
        writer.names = Names {
            user: name(Kind::User, writer.uid),
            real_user: name(Kind::User, writer.real_uid),
            group: name(Kind::Group, writer.gid),
        };
    }

    /// Learns the name that most writers have, while nothing else is to be done: an
    /// alert then has it without being late.
    pub(super) fn learn_ahead(&mut self) {
        let Some(id) = self.unnamed.pop_front() else {
            return;
        };
        if let Some(known) = self.known.get_mut(&id)
            && let Some(subject) = known.subject.upgrade()
        {
            known.accounts.clear();
            known.learn(&subject, Kind::User, [0].into_iter());
            known.learn(&subject, Kind::Group, [0].into_iter());
        }
    }

    fn others(&self, subject: &Subject) -> impl Iterator<Item = Arc<Subject>> {
        let id = subject.id;
        let all = self.known.iter().filter(move |(other, _)| **other != id);
        all.filter_map(|(_, known)| Weak::upgrade(&known.subject))
    }
}

/// The process, named so that it can be found again; `None` when little is known of it.
pub fn key(writer: &Writer) -> Option<ProcessKey> {
    Some(ProcessKey {
        pid: writer.pid?,
        start_ticks: writer.start_ticks?,
    })
}

/// An engine's tool may work in a mount namespace of its own, where its path proves
/// nothing; the file does, while the tool lives.
pub(super) fn compare_with_host(acted: &mut Acted, host_ns: Option<u64>) {
    if let Some(writer) = acted.writer.as_mut()
        && writer.mount_ns != host_ns
        && let Some(link) = writer.executable.as_deref()
        && engine(link).is_some()
        && let Some(key) = key(writer)
    {
        writer.host_program = is_of_the_host(key, link);
    }
}

/// The container's init lives, and with it the mount namespace it was found in.
fn has_its_init(subject: &Subject) -> bool {
    let init = subject.reach.init;
    init.is_some_and(|init| pinned(init.key).is_ok())
}

/// The cgroup of the container's init names the container.
fn names_it(subject: &Subject) -> bool {
    let Some(init) = subject.reach.init else {
        return false;
    };
    let text = pinned(init.key).and_then(|process| read_of(&process, "cgroup", MAX_CGROUP));
    let id = member(&text.unwrap_or_default()).and_then(|member| member.id);
    id.is_some() && id == subject.container.id
}

fn home(subject: &Subject, told_by: &'static str) -> Home {
    let container = &subject.container;
    let pod = container.pod.as_ref();
    Home {
        id: container.id.clone(),
        name: (container.name.clone()).or_else(|| pod.and_then(|pod| pod.container.clone())),
        runtime: container.runtime,
        pod_uid: pod.and_then(|pod| pod.uid.clone()),
        told_by,
    }
}
