//! `process.*`, `user.*`, `group.*`: who wrote.
//!
//! The schema's fields hold confirmed facts only. Of a writer that is a hint the pid
//! stands here, because the kernel gave it; all else goes below `ldwatch.writer.hint`.

use crate::model::{Ancestor, Origin, Writer};
use crate::output::escape::clip;
use crate::output::time::rfc3339;

use super::object::{Object, Twins};

/// Longest `command_line`, in bytes.
const COMMAND_LINE_CAP: usize = 8192;
/// Names of the capabilities by bit, without `CAP_` (capabilities(7)).
const CAPABILITIES: [&str; 41] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
];

pub(super) fn put<'a>(root: &mut Object<'a>, writer: &'a Writer, twins: &mut Twins<'a>) {
    let mut process = Object::default();
    process.put_some("pid", writer.pid);
    process.put_some("vpid", writer.vpid);
    if writer.confirmed {
        facts(&mut process, "process", writer, twins);
        process.put_some("entity_id", writer.entity_id.as_deref());
        parents(&mut process, writer, twins);
        root.nest("user", user(writer, "user", twins));
        root.nest("group", group(writer, "group", twins));
    }
    root.nest("process", process);
}

/// What is believed of a writer that is not confirmed: `ldwatch.writer.hint`.
pub(super) fn hint<'a>(writer: &'a Writer, twins: &mut Twins<'a>) -> Object<'a> {
    let mut object = Object::default();
    if !writer.confirmed {
        facts(&mut object, "ldwatch.writer.hint", writer, twins);
    }
    if let Some(hint) = &writer.hint {
        let mut put = |key, path: Option<&'a [u8]>| {
            object.put_some(
                key,
                path.map(|path| twins.text("ldwatch.writer.hint", key, path)),
            );
        };
        put("executable", hint.executable.as_deref());
        put("script", hint.script.as_deref());
        object.put("source", hint.source.name());
    }
    object
}

/// What names a writer, whatever it is worth: pid, name, executable.
pub(super) fn briefly<'a>(writer: &'a Writer, at: &str, twins: &mut Twins<'a>) -> Object<'a> {
    let mut object = Object::default();
    object.put_some("pid", writer.pid);
    let name = writer.name.as_deref();
    object.put_some("name", name.map(|name| twins.text(at, "name", name)));
    let executable = writer.executable.as_deref();
    object.put_some(
        "executable",
        executable.map(|path| twins.text(at, "executable", path)),
    );
    object
}

fn facts<'a>(object: &mut Object<'a>, at: &str, writer: &'a Writer, twins: &mut Twins<'a>) {
    let program = Program {
        name: writer.name.as_deref(),
        executable: writer.executable.as_deref(),
        args: &writer.args,
        whole: !writer.args_truncated,
    };
    program.put(object, at, twins);
    let cwd = writer.cwd.as_deref();
    object.put_some(
        "working_directory",
        cwd.map(|cwd| twins.text(at, "working_directory", cwd)),
    );
    object.put_some("start", writer.start.and_then(rfc3339));
    object.put_some("interactive", writer.interactive);
    object.nest("user", user(writer, &format!("{at}.user"), twins));
    let (real, name) = (writer.real_uid, writer.names.real_user.as_deref());
    let real = account(real, name, &format!("{at}.real_user"), twins);
    object.nest("real_user", real);
    object.nest("group", group(writer, &format!("{at}.group"), twins));
    let mut capabilities = Object::default();
    capabilities.list(
        "effective",
        writer
            .capabilities
            .map(capability_names)
            .unwrap_or_default(),
    );
    let mut thread = Object::default();
    thread.nest("capabilities", capabilities);
    object.nest("thread", thread);
}

/// The nearest ancestor, and the one that entered the container.
fn parents<'a>(process: &mut Object<'a>, writer: &'a Writer, twins: &mut Twins<'a>) {
    if let Some(parent) = writer.parents.first() {
        process.nest("parent", ancestor(parent, "process.parent", twins));
    }
    if writer.origin == Origin::Inside
        && let Some(leader) = writer.parents.last()
    {
        process.nest(
            "entry_leader",
            ancestor(leader, "process.entry_leader", twins),
        );
    }
}

/// One ancestor, with the schema's names, for the field with the full name `at`.
pub(super) fn ancestor<'a>(ancestor: &'a Ancestor, at: &str, twins: &mut Twins<'a>) -> Object<'a> {
    let mut object = Object::default();
    object.put("pid", ancestor.pid);
    let program = Program {
        name: Some(ancestor.name.as_slice()).filter(|name| !name.is_empty()),
        executable: ancestor.executable.as_deref(),
        args: &ancestor.args,
        whole: false,
    };
    program.put(&mut object, at, twins);
    object.put_some("start", ancestor.start.and_then(rfc3339));
    object.put_some("entity_id", ancestor.entity_id.as_deref());
    object
}

struct Program<'a> {
    name: Option<&'a [u8]>,
    executable: Option<&'a [u8]>,
    args: &'a [Vec<u8>],
    /// The arguments are known to be all there were.
    whole: bool,
}

impl<'a> Program<'a> {
    fn put(&self, object: &mut Object<'a>, at: &str, twins: &mut Twins<'a>) {
        object.put_some("name", self.name.map(|name| twins.text(at, "name", name)));
        object.put_some(
            "executable",
            self.executable.map(|exe| twins.text(at, "executable", exe)),
        );
        if self.args.is_empty() {
            return;
        }
        let args = twins.texts(at, "args", self.args.iter().map(Vec::as_slice));
        object.put(
            "command_line",
            clip(&args.join(" "), COMMAND_LINE_CAP).into_owned(),
        );
        if self.whole {
            object.put("args_count", args.len() as u64);
        }
        object.list("args", args);
    }
}

fn user<'a>(writer: &'a Writer, at: &str, twins: &mut Twins<'a>) -> Object<'a> {
    account(writer.uid, writer.names.user.as_deref(), at, twins)
}

fn group<'a>(writer: &'a Writer, at: &str, twins: &mut Twins<'a>) -> Object<'a> {
    account(writer.gid, writer.names.group.as_deref(), at, twins)
}

/// An id, and the name that the container has for it.
fn account<'a>(
    id: Option<u32>,
    name: Option<&'a [u8]>,
    at: &str,
    twins: &mut Twins<'a>,
) -> Object<'a> {
    let mut object = Object::default();
    object.put_some("id", id.map(|id| id.to_string()));
    object.put_some("name", name.map(|name| twins.text(at, "name", name)));
    object
}

fn capability_names(set: u64) -> Vec<String> {
    let named = |bit: u32| match CAPABILITIES.get(bit as usize) {
        Some(name) => format!("CAP_{name}"),
        None => format!("CAP_{bit}"),
    };
    (0..u64::BITS)
        .filter(|bit| set & (1 << bit) != 0)
        .map(named)
        .collect()
}
