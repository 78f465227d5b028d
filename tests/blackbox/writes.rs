//! Rows: the content and the attributes of the file.

use crate::row::{
    ATTRIBUTES, Act, Base, CHANGED, CREATED, CUT, DELETED, Holds, PRESENT, Row, alert, row, step,
};

const EMPTY: &[crate::row::Told] = &[alert("creation", "creation", Holds::Empty)];

pub const ROWS: &[Row] = &[
    row("create", &[step(Act::In("create"), &[CREATED])]),
    row("touch", &[step(Act::In("touch"), EMPTY)]),
    row("append", &[step(Act::In("append"), &[CHANGED])]).over_a_file(),
    row("append, copy-up", &[step(Act::In("append"), &[CHANGED])]).over_the_image(),
    row(
        "append, copy-up between filesystems",
        &[step(Act::In("append"), &[CHANGED])],
    )
    .over_the_image()
    .on(Base::OtherFilesystem),
    row(
        "O_TRUNC write",
        &[step(Act::In("truncate-write"), &[CHANGED])],
    )
    .over_a_file(),
    row(
        "O_TRUNC write, copy-up",
        &[step(Act::In("truncate-write"), &[CHANGED])],
    )
    .over_the_image(),
    row("truncate(2)", &[step(Act::In("truncate2"), &[CUT])]).over_a_file(),
    row(
        "truncate(2), copy-up",
        &[step(Act::In("truncate2"), &[CUT])],
    )
    .over_the_image(),
    row("sendfile", &[step(Act::In("sendfile"), &[CREATED])]),
    row("splice", &[step(Act::In("splice"), &[CREATED])]),
    row(
        "copy_file_range",
        &[step(Act::In("copy_file_range"), &[CREATED])],
    ),
    row("io_uring", &[step(Act::In("io_uring"), &[CREATED])]),
    row("fallocate", &[step(Act::In("fallocate"), &[CUT])]).over_a_file(),
    row(
        "mapped store and munmap",
        &[step(Act::In("mmap-store"), &[CHANGED])],
    )
    .over_a_file(),
    row(
        "mapped before, store and munmap",
        &[step(Act::Hand("store-unmap"), &[CHANGED])],
    )
    .before(
        &[Act::In("create-long"), Act::Hand("map")],
        crate::row::AS_FOUND,
    ),
    row(
        "second store through one mapping",
        &[step(Act::Hand("store"), &[CHANGED])],
    )
    .before(
        &[Act::In("create-long"), Act::Hand("map"), Act::Hand("store")],
        &[alert("creation", "creation", Holds::None)],
    ),
    row(
        "long-held descriptor",
        &[
            step(Act::Hand("write"), &[CHANGED]),
            step(Act::Hand("close"), &[]),
        ],
    )
    .before(
        &[Act::In("create-long"), Act::Hand("open")],
        crate::row::AS_FOUND,
    ),
    row(
        "long-held descriptor, copied up before",
        &[step(Act::Hand("write"), &[CHANGED])],
    )
    .on(Base::ImageFile)
    .before(&[Act::Hand("open")], crate::row::AS_FOUND),
    row(
        "same-size rewrite at once",
        &[step(Act::In("rewrite"), &[])],
    )
    .crowd(),
    row("chmod", &[step(Act::In("chmod"), &[ATTRIBUTES])]).over_a_file(),
    row("chmod, copy-up", &[step(Act::In("chmod"), &[ATTRIBUTES])]).over_the_image(),
    row(
        "chmod, copy-up between filesystems",
        &[step(Act::In("chmod"), &[ATTRIBUTES])],
    )
    .over_the_image()
    .on(Base::OtherFilesystem),
    row("chown", &[step(Act::In("chown"), &[ATTRIBUTES])]).over_a_file(),
    row("setxattr", &[step(Act::In("setxattr"), &[ATTRIBUTES])]).over_a_file(),
    row("chattr +i", &[step(Act::In("chattr+i"), &[ATTRIBUTES])]).over_a_file(),
    row("chattr -i", &[step(Act::In("chattr-i"), &[ATTRIBUTES])]).before(
        &[Act::In("create-long"), Act::In("chattr+i")],
        crate::row::AS_FOUND,
    ),
    row("unlink", &[step(Act::In("unlink"), &[DELETED])]).over_a_file(),
    row("unlink, whiteout", &[step(Act::In("unlink"), &[DELETED])]).over_the_image(),
    row("unlink and create in a loop", &[step(Act::In("flap"), &[])]).crowd(),
    row(
        "image file untouched, then read",
        &[step(Act::In("read"), &[])],
    )
    .over_the_image(),
    row(
        "another name in etc, then the file",
        &[
            step(Act::At("create", "/etc/ld.so.preload.bak"), &[]),
            step(Act::In("create"), &[CREATED]),
        ],
    ),
    row(
        "opt/etc, then the file",
        &[
            step(Act::At("create", "/opt/etc/ld.so.preload"), &[]),
            step(Act::In("create"), &[CREATED]),
        ],
    ),
    row("image file, another filesystem, untouched", &[])
        .on(Base::OtherFilesystem)
        .before(&[], &[PRESENT]),
];
