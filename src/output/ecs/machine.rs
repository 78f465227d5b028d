//! `host.*` and `agent.*`: the same in every record of one start.

use crate::output::host::Host;

use super::MODULE;
use super::object::Object;

pub(super) fn host(host: &Host) -> Object<'static> {
    let mut os = Object::default();
    os.put("type", "linux");
    os.put_some("family", host.os.family.clone());
    os.put_some("name", host.os.name.clone());
    os.put_some("platform", host.os.platform.clone());
    os.put_some("version", host.os.version.clone());
    os.put_some("full", host.os.full.clone());
    os.put_some("kernel", host.os.kernel.clone());
    let mut boot = Object::default();
    boot.put_some("id", host.boot_id.clone());
    let mut object = Object::default();
    object.put_some("name", host.name.clone());
    object.put_some("hostname", host.hostname.clone());
    object.put_some("id", host.id.clone());
    object.put_some("architecture", host.architecture.clone());
    object.put_some("pid_ns_ino", host.pid_ns_ino.clone());
    object.nest("boot", boot);
    object.nest("os", os);
    object
}

pub(super) fn agent(host: &Host) -> Object<'static> {
    let mut object = Object::default();
    object.put("type", MODULE);
    object.put_some("id", host.agent_id.clone());
    object.put_some("ephemeral_id", host.agent_ephemeral_id.clone());
    object.put_some("name", host.agent_name.clone());
    object.put_some("version", host.agent_version.clone());
    object
}
