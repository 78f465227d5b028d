//! One row's container, brought to where the row starts, and the acts on it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::mount::{MsFlags, mount};

use crate::row::{Act, Base, Row};
use crate::support::PRELOAD;
use crate::support::hand::Hand;
use crate::support::overlay::{Image, Overlay, Wish};
use crate::support::program::{self, Outcome, act};
use crate::support::scratch::nonce;

/// The images of all rows; rows of one base share one.
pub struct Images {
    plain: Image,
    with_file: Image,
    bare: Image,
    elsewhere: PathBuf,
    /// What the images' files hold.
    nonce: String,
}

impl Images {
    /// Makes them; the reason when they cannot be made.
    pub fn new() -> Result<Self, String> {
        let nonce = nonce();
        let content = format!("/tmp/{nonce}.so\n/tmp/{nonce}-tail.so\n");
        let with_file = Image::new();
        fs::write(with_file.lower().join("etc/ld.so.preload"), &content).unwrap();
        let plain = Image::new();
        let elsewhere = plain.layer_elsewhere("elsewhere")?;
        fs::write(elsewhere.join("etc/ld.so.preload"), &content).unwrap();
        Ok(Self {
            plain,
            with_file,
            bare: Image::with(&["bin", "tmp", "proc", "opt/etc"]),
            elsewhere,
            nonce,
        })
    }

    fn start(&self, base: Base, source: &Path) -> Result<Overlay, String> {
        let wish = Wish::default();
        let bind = |to| Wish {
            binds: vec![(source.to_owned(), to)],
            ..Wish::default()
        };
        match base {
            Base::Plain => self.plain.start(),
            Base::ImageFile => self.with_file.start(),
            Base::OtherFilesystem => self.plain.start_as(&Wish {
                layer: Some(self.elsewhere.clone()),
                ..wish
            }),
            Base::OwnEtc => self.bare.start_as(&Wish {
                upper: &["etc"],
                ..wish
            }),
            Base::Directory => self.plain.start_in_a_directory(),
            Base::Volume => self.plain.start_as(&bind("/etc")),
            Base::FileMount => self.with_file.start_as(&bind(PRELOAD)),
        }
    }
}

/// A row's container in the course of the row.
pub struct Stage {
    /// The container whose file it is.
    pub container: Overlay,
    /// Another one, where the row needs it.
    pub neighbour: Option<Overlay>,
    /// The nonce that stood in the file first.
    pub first: Option<String>,
    source: PathBuf,
    hand: Option<Hand>,
}

impl Stage {
    /// Starts the row's container and does what comes before the first look.
    pub fn new(row: &Row, images: &Images) -> Result<(Self, Outcome), String> {
        let word = nonce();
        let (source, first) = source(row.base, images, &word);
        let container = images.start(row.base, &source)?;
        let needs_neighbour = row.steps.iter().any(|s| matches!(s.act, Act::Neighbour(_)));
        let neighbour = needs_neighbour.then(|| images.plain.start()).transpose()?;
        let mut stage = Self {
            container,
            neighbour,
            first,
            source,
            hand: None,
        };
        if let Some(neighbour) = &stage.neighbour {
            neighbour.attack(&["proc", "/proc", "-"]);
        }
        for act in row.before {
            match stage.act(*act, &nonce())? {
                Outcome::Done => {}
                not_possible => return Ok((stage, not_possible)),
            }
        }
        Ok((stage, Outcome::Done))
    }

    /// Does one thing.
    pub fn act(&mut self, what: Act, nonce: &str) -> Result<Outcome, String> {
        let upper = self.container.upper.join("etc/ld.so.preload");
        let merged = self.container.merged.join("etc/ld.so.preload");
        let outcome = match what {
            Act::In(verb) => self.container.attack(&[verb, PRELOAD, nonce]),
            Act::At(verb, path) => self.container.attack(&[verb, path, nonce]),
            Act::With(verb, path, extra) => self.container.attack(&[verb, path, nonce, extra]),
            Act::Hand(word) => self.hand(word, nonce)?,
            Act::Merged(verb) => outside(verb, &merged, nonce),
            Act::Upper(verb) => {
                fs::create_dir_all(upper.parent().unwrap()).unwrap();
                let outcome = outside(verb, &upper, nonce);
                forget_absence(&self.container.merged)?;
                outcome
            }
            Act::Source(verb) if self.source.is_dir() => {
                outside(verb, &self.source.join("ld.so.preload"), nonce)
            }
            Act::Source(verb) => outside(verb, &self.source, nonce),
            Act::Neighbour(verb) => {
                let path = format!("/proc/{}/root{PRELOAD}", self.container.pid());
                let neighbour = self.neighbour.as_ref().ok_or("no neighbour")?;
                neighbour.attack(&[verb, &path, nonce])
            }
        };
        if !matches!(what, Act::At("tmpfs" | "overlay", _)) {
            self.first.get_or_insert_with(|| nonce.to_owned());
        }
        Ok(outcome)
    }

    fn hand(&mut self, word: &str, nonce: &str) -> Result<Outcome, String> {
        let container = &self.container;
        let hand = self.hand.get_or_insert_with(|| container.hand(PRELOAD));
        hand.say(word, nonce).map(|_| Outcome::Done)
    }
}

/// What is bound into containers of this base, with what it holds; and the nonce that
/// is in the file from the start.
fn source(base: Base, images: &Images, word: &str) -> (PathBuf, Option<String>) {
    let of_image = matches!(base, Base::ImageFile | Base::OtherFilesystem);
    match base {
        Base::Volume => (images.plain.directory(&format!("volume-{word}")), None),
        Base::FileMount => {
            let path = images.plain.lower().with_file_name(format!("file-{word}"));
            let content = format!("/tmp/{word}.so\n/tmp/{word}-tail.so\n");
            fs::write(&path, content).unwrap();
            (path, Some(word.to_owned()))
        }
        _ => (PathBuf::new(), of_image.then(|| images.nonce.clone())),
    }
}

fn outside(verb: &str, path: &Path, nonce: &str) -> Outcome {
    act(Command::new(program::attack())
        .arg(verb)
        .arg(path)
        .arg(nonce))
}

/// An overlay goes on answering that a name is absent when its layer has it by now. A
/// remount makes it ask the layer again, as memory pressure does sooner or later.
fn forget_absence(merged: &Path) -> Result<(), String> {
    let none = None::<&str>;
    mount(none, merged, none, MsFlags::MS_REMOUNT, none).map_err(|e| format!("remount: {e}"))
}
