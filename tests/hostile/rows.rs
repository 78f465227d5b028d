//! The table: what is done, and what one record must say. In the words, `{file}` is the
//! file, `{own}` the row's nonce, `{secret}` a file of the host, `{cwd}` the directory
//! that the watcher works in.

/// A row.
pub struct Row {
    /// What it is about.
    pub name: &'static str,
    /// Words for the attack program, each act a process of its own.
    pub acts: &'static [&'static [&'static str]],
    /// All of this must stand in one record.
    pub told: &'static [&'static str],
    /// `etc` is in the writable layer alone, so that it can be renamed.
    pub own_etc: bool,
}

const fn row(
    name: &'static str,
    acts: &'static [&'static [&'static str]],
    told: &'static [&'static str],
) -> Row {
    Row {
        name,
        acts,
        told,
        own_etc: false,
    }
}

const fn etc(
    name: &'static str,
    acts: &'static [&'static [&'static str]],
    told: &'static [&'static str],
) -> Row {
    Row {
        own_etc: true,
        ..row(name, acts, told)
    }
}

/// In hexadecimal: a newline, a forged record, escape sequences, a forged syslog line,
/// bytes that are no UTF-8, a right-to-left override.
const HOSTILE: &str = "0a7b226576656e74223a7b226b696e64223a22666f72676564227d7d0a1b5b324a1b5d303b700709\
3c33343e4e6f762032342031363a30303a303020726f6f743a20666f726765640dfffec3e280ae";

const ALERT: &str = r#""kind":"alert""#;
const LINK: &str = r#""action":"symlink""#;
const PROC: &[&str] = &["proc", "/proc", "-"];
const CREATED: &str = r#""action":"creation""#;

pub const ROWS: &[Row] = &[
    // Files.
    row(
        "FIFO",
        &[&["mkfifo", "{file}", "{own}"]],
        &[ALERT, CREATED, "fifo"],
    ),
    row(
        "device",
        &[&["mknod", "{file}", "{own}"]],
        &[ALERT, CREATED, "device"],
    ),
    row(
        "socket",
        &[&["socket", "{file}", "{own}"]],
        &[ALERT, CREATED, "socket"],
    ),
    row(
        "directory",
        &[&["mkdir", "{file}", "{own}"]],
        &[ALERT, CREATED, "dir"],
    ),
    row(
        "64 GiB, sparse",
        &[&["sparse", "{file}", "{own}"]],
        &[ALERT, "{own}", "68719476736"],
    ),
    row(
        "a line of 1 MiB",
        &[&["long-line", "{file}", "{own}"]],
        &[ALERT, "{own}"],
    ),
    row(
        "grows while it is read",
        &[&["grow", "{file}", "{own}"]],
        &[ALERT, "{own}"],
    ),
    row(
        "mode 0",
        &[&["unreadable", "{file}", "{own}"]],
        &[ALERT, "{own}"],
    ),
    row(
        "full filesystem",
        &[&["full", "{file}", "{own}"]],
        &[ALERT, "\"size\":0"],
    ),
    row(
        "read-only filesystem",
        &[&["read-only", "{file}", "{own}"]],
        &[ALERT, "{own}"],
    ),
    // Links. Those out of the root lead to the same path within it, or nowhere.
    row(
        "absolute link out of the root",
        &[&["symlink-text", "{file}", "-", "{secret}"]],
        &[ALERT, LINK, "{secret}"],
    ),
    row(
        "relative link out of the root",
        &[&["symlink-text", "{file}", "-", "../../../../..{secret}"]],
        &[ALERT, LINK, "{secret}"],
    ),
    row(
        "link to itself",
        &[&["symlink-text", "{file}", "-", "ld.so.preload"]],
        &[ALERT, LINK],
    ),
    row(
        "40 links",
        &[&["chain", "{file}", "{own}", "40"]],
        &[ALERT, "{own}.so"],
    ),
    row(
        "41 links",
        &[&["chain", "{file}", "{own}", "41"]],
        &[ALERT, LINK, "leads to no file"],
    ),
    row(
        "link through /proc/self/root",
        &[
            PROC,
            &["symlink-text", "{file}", "-", "/proc/self/root{secret}"],
        ],
        &[ALERT, LINK, "not asked"],
    ),
    row(
        "link through /proc/1/root",
        &[
            PROC,
            &["symlink-text", "{file}", "-", "/proc/1/root{secret}"],
        ],
        &[ALERT, LINK, "not asked"],
    ),
    row(
        "link to the reader's environment",
        &[PROC, &["symlink-text", "{file}", "-", "/proc/self/environ"]],
        &[ALERT, LINK, "not asked"],
    ),
    row(
        "link to a descriptor of the reader's",
        &[PROC, &["symlink-text", "{file}", "-", "/proc/self/fd/3"]],
        &[ALERT, LINK, "not asked"],
    ),
    row(
        "link to a device",
        &[
            &["mknod", "/tmp/null", "-"],
            &["symlink-text", "{file}", "-", "/tmp/null"],
        ],
        &[ALERT, LINK],
    ),
    row(
        "link with a hostile text",
        &[&["link-text", "{file}", "-", HOSTILE]],
        &[ALERT, LINK, "\\\\x1b"],
    ),
    etc(
        "etc -> /",
        &[
            &["relink", "/etc", "{own}", "/"],
            &["create", "/ld.so.preload", "{own}"],
        ],
        &[ALERT, "{own}.so"],
    ),
    etc(
        "etc -> ../../..",
        &[
            &["relink", "/etc", "{own}", "../../.."],
            &["create", "/ld.so.preload", "{own}"],
        ],
        &[ALERT, "{own}.so"],
    ),
    etc(
        "etc -> etc",
        &[
            &["relink", "/etc", "{own}", "etc"],
            &["remove-all", "/etc", "-"],
            &["directory", "/etc", "-"],
            &["create", "{file}", "{own}"],
        ],
        &[ALERT, "{own}.so"],
    ),
    etc(
        "etc -> /proc/self/cwd, and on to the reader's environment",
        &[
            PROC,
            &["directory", "{cwd}", "-"],
            &[
                "symlink-text",
                "{cwd}/ld.so.preload",
                "-",
                "/proc/self/environ",
            ],
            &["relink", "/etc", "{own}", "/proc/self/cwd"],
        ],
        &["not-seen", "proc"],
    ),
    // Contents and names.
    row(
        "content with forged records",
        &[&["bytes", "{file}", "{own}", HOSTILE]],
        &[ALERT, "{own}.so", "forged"],
    ),
    row(
        "nonce with an escape sequence",
        &[&[
            "held-fd",
            "{file}",
            "{own}\u{1b}]0;x\u{7}\n<34>Nov 24 16:00:00 root: forged",
            "700",
        ]],
        &[ALERT, "{own}", "\\\\x1b"],
    ),
    // Processes.
    row(
        "a process named as a runtime",
        &[&["renamed", "{file}", "{own}", "runc:[2:INIT]"]],
        &[ALERT, "{own}.so", "runc:[2:INIT]", r#""origin":"inside""#],
    ),
    row(
        "a process named with an escape sequence",
        &[&["renamed", "{file}", "{own}", ") Z 1 (\u{1b}[2J\n"]],
        &[ALERT, "{own}.so", "\\\\x1b[2J"],
    ),
    row(
        "a program that is deleted",
        &[&["deleted", "{file}", "{own}"]],
        &[ALERT, "{own}.so", ".prog (deleted)"],
    ),
    row(
        "a program without a name",
        &[&["memfd", "{file}", "{own}"]],
        &[ALERT, "{own}.so", "memfd:"],
    ),
    row(
        "2000 short processes",
        &[&["many", "{file}", "{own}", "2000"]],
        &[ALERT, "{own}-end.so"],
    ),
];
