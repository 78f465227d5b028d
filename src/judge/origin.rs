//! Where a writer stands: in the container whose file changed, in another, or on
//! the host. Says "unknown" rather than guess.

use crate::model::{Container, Origin, Writer};

/// Sets the writer's origin. `container_ns` and `host_ns` are mount namespaces;
/// a writer that shares the init's is inside whatever its cgroup says. A container
/// that no file and no init named takes the ID of a writer whose root is that very
/// root filesystem (`same_root`): the first process of a container started by hand.
pub fn place(
    writer: &mut Writer,
    container: &mut Container,
    same_root: bool,
    container_ns: Option<u64>,
    host_ns: Option<u64>,
) {
    let named = writer.member.as_ref().and_then(|member| member.id.as_ref());
    // A runtime's copy tool has a mount namespace of its own, but the host's pids.
    let on_host = (writer.mount_ns.is_some() && writer.mount_ns == host_ns)
        || (writer.vpid.is_some() && writer.vpid == writer.pid);
    writer.origin = match (named, &container.id) {
        _ if same_root || (writer.mount_ns.is_some() && writer.mount_ns == container_ns) => {
            Origin::Inside
        }
        (Some(writer), Some(container)) if writer == container => Origin::Inside,
        (Some(_), Some(_)) => Origin::OtherContainer,
        (None, _) if on_host => Origin::Host,
        _ => Origin::Unknown,
    };
    if container.id.is_none()
        && same_root
        && !container.build
        && let Some(member) = &writer.member
        && let Some(id) = &member.id
    {
        container.id = Some(id.clone());
        container.runtime = Some(member.runtime);
        container.source = Some("writer-cgroup");
        container.missing.retain(|&piece| piece != "id");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::cgroup::{Member, Runtime};

    fn writer(id: Option<&str>, mount_ns: u64) -> Writer {
        let member = id.map(|id| Member {
            id: Some(id.to_owned()),
            runtime: Runtime::Docker,
            pod_uid: None,
        });
        Writer {
            mount_ns: Some(mount_ns),
            member,
            ..Writer::unknown(Some(7))
        }
    }

    fn container(id: Option<&str>) -> Container {
        Container {
            id: id.map(str::to_owned),
            ..Container::default()
        }
    }

    fn origin(mut writer: Writer, mut container: Container, container_ns: Option<u64>) -> Origin {
        place(&mut writer, &mut container, false, container_ns, Some(1));
        writer.origin
    }

    #[test]
    fn the_cgroup_or_the_namespace_places_a_writer_inside() {
        assert_eq!(
            origin(writer(Some("a"), 5), container(Some("a")), None),
            Origin::Inside
        );
        assert_eq!(
            origin(writer(None, 5), container(Some("a")), Some(5)),
            Origin::Inside
        );
    }

    #[test]
    fn another_container_and_the_host_are_told_apart() {
        assert_eq!(
            origin(writer(Some("b"), 6), container(Some("a")), Some(5)),
            Origin::OtherContainer
        );
        assert_eq!(
            origin(writer(None, 1), container(Some("a")), Some(5)),
            Origin::Host
        );
    }

    #[test]
    fn nothing_to_go_by_is_unknown() {
        assert_eq!(
            origin(writer(None, 6), container(Some("a")), Some(5)),
            Origin::Unknown
        );
        assert_eq!(
            origin(Writer::unknown(Some(7)), container(Some("a")), Some(5)),
            Origin::Unknown
        );
    }

    #[test]
    fn an_unnamed_container_takes_the_id_of_its_first_process() {
        let mut unnamed = container(None);
        place(&mut writer(Some("a"), 6), &mut unnamed, true, None, Some(1));
        assert_eq!(unnamed.id.as_deref(), Some("a"));
        let mut from_elsewhere = container(None);
        place(
            &mut writer(Some("a"), 6),
            &mut from_elsewhere,
            false,
            None,
            Some(1),
        );
        assert_eq!(from_elsewhere.id, None);
    }
}
