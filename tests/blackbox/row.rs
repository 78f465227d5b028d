//! What a row of the catalogue is: a container, what is done to it before the watcher
//! looks, what is done afterwards, and what must be told of each.

/// The container that a row starts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Base {
    /// The image has `etc`, and no such file in it.
    Plain,
    /// The image brings the file.
    ImageFile,
    /// The image brings the file, in a layer on another filesystem.
    OtherFilesystem,
    /// `etc` is in the writable layer only, so that it can be renamed.
    OwnEtc,
    /// The root is no overlay but a directory of the host's filesystem.
    Directory,
    /// A directory of the host is bound on `etc`.
    Volume,
    /// A file of the host is bound on the file.
    FileMount,
}

/// One thing done, with a nonce of its own.
#[derive(Debug, Clone, Copy)]
pub enum Act {
    /// In the container: verb, on the file.
    In(&'static str),
    /// In the container: verb, path.
    At(&'static str, &'static str),
    /// In the container: verb, path, further argument.
    With(&'static str, &'static str, &'static str),
    /// A word to the program that stays in the container (opened or mapped).
    Hand(&'static str),
    /// On the host: verb, through the merged mount.
    Merged(&'static str),
    /// On the host: verb, in the container's writable layer.
    Upper(&'static str),
    /// On the host: verb, on what is bound into the container.
    Source(&'static str),
    /// In another container: verb, through `/proc/PID/root`.
    Neighbour(&'static str),
}

/// What the record must show of the content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// The nonce of this act.
    Own,
    /// The nonce of the first thing that was in the file.
    First,
    /// A file without any content.
    Empty,
    /// No content: no file any more, or no regular one.
    None,
}

/// One record that must come.
#[derive(Debug, Clone, Copy)]
pub struct Told {
    /// `event.kind`
    pub kind: &'static str,
    /// `event.type`
    pub change: &'static str,
    /// `event.action`; several that are equally true are parted by `|`.
    pub action: &'static str,
    /// `event.risk_score` when the writer is in the container or unknown.
    pub risk: f64,
    /// What it shows of the content.
    pub holds: Holds,
}

/// An act and the records that must come of it, in this order.
#[derive(Debug, Clone, Copy)]
pub struct Step {
    /// The act.
    pub act: Act,
    /// The records; none when it must stay silent.
    pub told: &'static [Told],
}

/// A row.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// What it is about; the name in tables and output.
    pub name: &'static str,
    /// The container.
    pub base: Base,
    /// Before the watcher's first look.
    pub before: &'static [Act],
    /// What the first look must tell.
    pub first: &'static [Told],
    /// After it.
    pub steps: &'static [Step],
    /// The last step comes as a crowd: any number of alerts that carry its nonce and
    /// of deletions; one must show the content that is there at the end.
    pub crowd: bool,
}

impl Row {
    /// The row with this base.
    pub const fn on(self, base: Base) -> Self {
        Self { base, ..self }
    }

    /// The row with these acts before the first look, and what that look tells.
    pub const fn before(self, before: &'static [Act], first: &'static [Told]) -> Self {
        Self {
            before,
            first,
            ..self
        }
    }

    /// The row, with a last step that comes as a crowd.
    pub const fn crowd(self) -> Self {
        Self {
            crowd: true,
            ..self
        }
    }

    /// The row over a file that the container has written before the first look.
    pub const fn over_a_file(self) -> Self {
        self.before(WRITTEN, AS_FOUND)
    }

    /// The row over a file that came with the image.
    pub const fn over_the_image(self) -> Self {
        Self {
            base: Base::ImageFile,
            first: &[PRESENT],
            ..self
        }
    }
}

/// A row on an ordinary container in which there is no such file yet.
pub const fn row(name: &'static str, steps: &'static [Step]) -> Row {
    Row {
        name,
        base: Base::Plain,
        before: &[],
        first: &[],
        steps,
        crowd: false,
    }
}

/// An alert.
pub const fn alert(change: &'static str, action: &'static str, holds: Holds) -> Told {
    Told {
        kind: "alert",
        change,
        action,
        risk: 73.0,
        holds,
    }
}

const fn event(change: &'static str, action: &'static str, holds: Holds) -> Told {
    Told {
        kind: "event",
        change,
        action,
        risk: 21.0,
        holds,
    }
}

/// Two lines, the first of which is one nonce long.
pub const WRITTEN: &[Act] = &[Act::In("create-long")];
/// What the first look says of them.
pub const AS_FOUND: &[Told] = &[alert("creation", "creation", Holds::First)];

pub const CREATED: Told = alert("creation", "creation", Holds::Own);
pub const CHANGED: Told = alert("change", "modification", Holds::Own);
/// Changed in such a way that the first line stays.
pub const CUT: Told = alert("change", "modification", Holds::First);
pub const DELETED: Told = event("deletion", "deletion", Holds::None);
pub const PRESENT: Told = event("info", "present", Holds::First);
pub const ATTRIBUTES: Told = Told {
    risk: 47.0,
    ..alert("change", "attributes", Holds::First)
};

/// One act on the file, and the one record of it.
pub const fn step(act: Act, told: &'static [Told]) -> Step {
    Step { act, told }
}
