//! Rows: mounts over the file and over `etc`, and writers outside the container.

use crate::row::{
    Act, Base, CHANGED, CREATED, DELETED, Holds, PRESENT, Row, Told, WRITTEN, alert, row, step,
};

const ETC: &str = "/etc";
/// What is bound over the file in these rows.
const SOURCE: &str = "/opt/source";
const BOUND: &[Act] = &[
    Act::At("create-long", SOURCE),
    Act::In("touch"),
    Act::With("bind", "/etc/ld.so.preload", SOURCE),
];
const MOUNT_FOUND: &[Told] = &[alert("creation", "mount", Holds::First)];
const MOUNTED: Told = alert("change", "mount", Holds::Own);
/// Created at once in what was just mounted: before or after the mark there.
const CAME: Told = alert("creation", "creation|mount", Holds::Own);

pub const ROWS: &[Row] = &[
    row("bound file written", &[step(Act::In("append"), &[CHANGED])]).before(BOUND, MOUNT_FOUND),
    row(
        "bound file written at its source",
        &[step(Act::At("append", SOURCE), &[CHANGED])],
    )
    .before(BOUND, MOUNT_FOUND),
    row("bind over the file", &[step(Act::In("bind"), &[MOUNTED])]).over_a_file(),
    row(
        "bind over the file, then a write to its source",
        &[
            step(
                Act::With("bind", "/etc/ld.so.preload", SOURCE),
                &[alert("change", "mount", Holds::None)],
            ),
            step(Act::At("append", SOURCE), &[CHANGED]),
        ],
    )
    .before(
        &[Act::In("create-long"), Act::At("create", SOURCE)],
        crate::row::AS_FOUND,
    ),
    row(
        "the mount over the file taken away",
        &[step(
            Act::In("umount"),
            &[alert("change", "mount", Holds::First)],
        )],
    )
    .before(
        &[
            Act::In("create-long"),
            Act::At("create", SOURCE),
            Act::With("bind", "/etc/ld.so.preload", SOURCE),
        ],
        &[alert("creation", "mount", Holds::None)],
    ),
    row(
        "bound directory with the file over etc",
        &[step(
            Act::In("bind-directory"),
            &[alert("creation", "mount", Holds::Own)],
        )],
    ),
    row(
        "tmpfs over etc, file created at once",
        &[step(Act::In("tmpfs-create"), &[CAME])],
    ),
    row(
        "tmpfs over etc, then the file created",
        &[
            step(Act::At("tmpfs", ETC), &[]),
            step(Act::In("create"), &[CAME]),
        ],
    ),
    row(
        "tmpfs over etc before, file created",
        &[step(Act::In("create"), &[CREATED])],
    )
    .before(&[Act::At("tmpfs", ETC)], &[]),
    row(
        "tmpfs over etc hides the file",
        &[step(Act::At("tmpfs", ETC), &[DELETED])],
    )
    .over_a_file(),
    row(
        "overlay over etc, file created at once",
        &[step(Act::In("overlay-create"), &[CAME])],
    ),
    row(
        "overlay over etc before, file created",
        &[step(Act::In("create"), &[CREATED])],
    )
    .before(&[Act::At("overlay", ETC)], &[]),
    row(
        "volume on etc, file created",
        &[step(Act::In("create"), &[CREATED])],
    )
    .on(Base::Volume),
    row(
        "volume on etc, rename over the file",
        &[step(
            Act::In("rename-inside"),
            &[alert("creation", "rename", Holds::Own)],
        )],
    )
    .on(Base::Volume),
    row(
        "volume on etc, file created by the host",
        &[step(Act::Source("create"), &[CREATED])],
    )
    .on(Base::Volume),
    row(
        "file of the host bound, written inside",
        &[step(Act::In("append"), &[CHANGED])],
    )
    .on(Base::FileMount)
    .before(&[], MOUNT_FOUND),
    row(
        "file of the host bound, written by the host",
        &[step(Act::Source("append"), &[CHANGED])],
    )
    .on(Base::FileMount)
    .before(&[], MOUNT_FOUND),
    row(
        "host creates through merged",
        &[step(Act::Merged("create"), &[CREATED])],
    ),
    row(
        "host appends through merged",
        &[step(Act::Merged("append"), &[CHANGED])],
    )
    .before(WRITTEN, crate::row::AS_FOUND),
    row(
        "host appends in the upper",
        &[step(Act::Upper("append"), &[CHANGED])],
    )
    .before(WRITTEN, crate::row::AS_FOUND),
    row(
        "host creates in the upper's etc",
        &[step(Act::Upper("create"), &[CREATED])],
    )
    .before(&[Act::At("create", "/etc/other")], &[]),
    row(
        "another container by /proc/PID/root",
        &[step(Act::Neighbour("create"), &[CREATED])],
    ),
    row(
        "another container by /proc/PID/root, copy-up",
        &[step(Act::Neighbour("append"), &[CHANGED])],
    )
    .on(Base::ImageFile)
    .before(&[], &[PRESENT]),
];
