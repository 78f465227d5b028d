//! Rows: what the name means. Renames, links, symbolic links, their targets, `etc`.

use crate::row::{
    AS_FOUND, Act, Base, CHANGED, CREATED, CUT, DELETED, Holds, Row, Told, alert, row, step,
};

/// Where the symbolic links of these rows lead.
const TARGET: &str = "/opt/a/b/list";
const LINK: &[Act] = &[Act::With("symlink-to", "/etc/ld.so.preload", TARGET)];
const LINK_ON_TMPFS: &[Act] = &[
    Act::At("tmpfs", "/opt"),
    Act::With("symlink-to", "/etc/ld.so.preload", TARGET),
];
const LINK_FOUND: &[Told] = &[alert("creation", "symlink", Holds::First)];
const OLD_NAME: &str = "/tmp/old-name";
const TWO_NAMES: &[Act] = &[
    Act::In("create-long"),
    Act::With("link-to", "/etc/ld.so.preload", OLD_NAME),
];
const TWO_NAMES_FOUND: &[Told] = &[alert("creation", "link", Holds::First)];

const RENAMED_IN: Told = alert("creation", "rename", Holds::Own);
const RENAMED_OVER: Told = alert("change", "rename", Holds::Own);
/// What lies further up made room: nobody saw the name itself move.
const CAME: Told = alert("creation", "creation|rename|symlink", Holds::Own);
const SWAPPED: Told = alert("change", "modification|rename", Holds::Own);
const NO_FILE: Told = alert("creation", "creation", Holds::None);

pub const ROWS: &[Row] = &[
    row(
        "rename from outside etc",
        &[step(Act::In("rename-outside"), &[RENAMED_IN])],
    ),
    row(
        "rename from outside etc over a file",
        &[step(Act::In("rename-outside"), &[RENAMED_OVER])],
    )
    .over_a_file(),
    row(
        "rename inside etc",
        &[step(Act::In("rename-inside"), &[RENAMED_IN])],
    ),
    row(
        "rename inside etc over the image's",
        &[step(Act::In("rename-inside"), &[RENAMED_OVER])],
    )
    .over_the_image(),
    row(
        "RENAME_EXCHANGE",
        &[step(Act::In("exchange"), &[RENAMED_OVER])],
    )
    .over_a_file(),
    row(
        "link",
        &[step(
            Act::In("link"),
            &[alert("creation", "link", Holds::Own)],
        )],
    ),
    row(
        "O_TMPFILE and linkat",
        &[step(Act::In("tmpfile-link"), &[CREATED])],
    ),
    row(
        "symlink",
        &[step(
            Act::In("symlink"),
            &[alert("creation", "symlink", Holds::Own)],
        )],
    ),
    row(
        "rename of a symlink over a file",
        &[step(Act::In("rename-link"), &[RENAMED_OVER])],
    )
    .over_a_file(),
    row(
        "symlink target edited",
        &[step(Act::At("append", TARGET), &[CHANGED])],
    )
    .before(LINK, LINK_FOUND),
    row(
        "symlink target cut by truncate(2)",
        &[step(Act::At("truncate2", TARGET), &[CUT])],
    )
    .before(LINK, LINK_FOUND),
    row(
        "symlink target replaced by rename",
        &[step(Act::At("rename-outside", TARGET), &[SWAPPED])],
    )
    .before(LINK, LINK_FOUND),
    row(
        "directory on the way replaced by rename",
        &[step(
            Act::With("swap-directory", "/opt/a", "b/list"),
            &[SWAPPED],
        )],
    )
    .before(LINK, LINK_FOUND),
    row(
        "directory on the way replaced by rename, on a tmpfs",
        &[step(
            Act::With("swap-directory", "/opt/a", "b/list"),
            &[SWAPPED],
        )],
    )
    .before(
        LINK_ON_TMPFS,
        &[alert("creation", "symlink|mount", Holds::First)],
    ),
    row(
        "write by an older hard link",
        &[step(Act::At("append", OLD_NAME), &[CHANGED])],
    )
    .before(TWO_NAMES, TWO_NAMES_FOUND),
    row("mkfifo", &[step(Act::In("mkfifo"), &[NO_FILE])]),
    row("mkdir", &[step(Act::In("mkdir"), &[NO_FILE])]),
    row("mknod", &[step(Act::In("mknod"), &[NO_FILE])]),
    row(
        "rename of a FIFO over a file",
        &[step(
            Act::In("rename-fifo"),
            &[alert("change", "rename", Holds::None)],
        )],
    )
    .over_a_file(),
    row("rename away", &[step(Act::In("rename-away"), &[DELETED])]).over_a_file(),
    row(
        "etc replaced by one with the file",
        &[step(
            Act::With("replace-directory", "/etc", "ld.so.preload"),
            &[CAME],
        )],
    )
    .on(Base::OwnEtc),
    row(
        "etc replaced, then the file created",
        &[
            step(Act::With("replace-directory", "/etc", "-"), &[]),
            step(Act::In("create"), &[CREATED]),
        ],
    )
    .on(Base::OwnEtc),
    row(
        "etc exchanged for one with another file",
        &[step(
            Act::With("swap-directory", "/etc", "ld.so.preload"),
            &[SWAPPED],
        )],
    )
    .on(Base::OwnEtc)
    .before(&[Act::In("create-long")], AS_FOUND),
    row(
        "etc replaced by a symlink to one with the file",
        &[step(
            Act::With("swap-for-link", "/etc", "ld.so.preload"),
            &[CAME],
        )],
    )
    .on(Base::OwnEtc),
    row(
        "etc with the file renamed away",
        &[step(Act::At("rename-away", "/etc"), &[DELETED])],
    )
    .on(Base::OwnEtc)
    .before(&[Act::In("create-long")], AS_FOUND),
    row(
        "etc removed, made again, then the file created",
        &[
            step(Act::At("remove-all", "/etc"), &[]),
            step(Act::At("mkdir", "/etc"), &[]),
            step(Act::In("create"), &[CREATED]),
        ],
    )
    .on(Base::OwnEtc),
    row(
        "root in a plain directory, create",
        &[step(Act::In("create"), &[CREATED])],
    )
    .on(Base::Directory),
    row(
        "root in a plain directory, etc removed, made again, then the file created",
        &[
            step(Act::At("remove-all", "/etc"), &[]),
            step(Act::At("pause", "/opt"), &[]),
            step(Act::At("mkdir", "/etc"), &[]),
            step(Act::At("pause", "/opt"), &[]),
            step(Act::In("create"), &[CREATED]),
        ],
    )
    .on(Base::Directory),
];
