//! The containers, and the next thing that is done to one of them.

use std::fs::File;
use std::io::Read;
use std::thread::sleep;
use std::time::Duration;

use crate::account::Account;
use crate::support::PRELOAD;
use crate::support::overlay::{Image, Overlay, Wish};
use crate::support::program::Outcome;
use crate::support::scratch::nonce;

const CONTAINERS: usize = 6;
/// Each leaves a file that holds its nonce and no other: where there is none yet …
const ABSENT: [&str; 8] = [
    "create",
    "create-long",
    "rename-outside",
    "rename-inside",
    "link",
    "symlink",
    "tmpfile-link",
    "io_uring",
];
/// … and where there is one.
const PRESENT: [&str; 8] = [
    "create-long",
    "truncate-write",
    "rename-outside",
    "rename-inside",
    "rename-link",
    "copy_file_range",
    "sendfile",
    "splice",
];

/// A container, and whether the file is there.
struct Plot {
    container: Overlay,
    present: bool,
}

pub struct Field {
    image: Image,
    bare: Image,
    plots: Vec<Plot>,
    random: File,
}

impl Field {
    pub fn new() -> Result<Self, String> {
        let mut field = Self {
            image: Image::new(),
            bare: Image::with(&["bin", "tmp", "proc", "opt/etc"]),
            plots: Vec::new(),
            random: File::open("/dev/urandom").unwrap(),
        };
        for number in 0..CONTAINERS {
            let plot = field.plot(number)?;
            field.plots.push(plot);
        }
        Ok(field)
    }

    fn plot(&self, number: usize) -> Result<Plot, String> {
        let own_etc = Wish {
            upper: &["etc"],
            ..Wish::default()
        };
        let container = match number % 3 {
            0 => self.bare.start_as(&own_etc)?,
            _ => self.image.start()?,
        };
        Ok(Plot {
            container,
            present: false,
        })
    }

    /// Below `limit`.
    fn draw(&mut self, limit: usize) -> usize {
        let mut bytes = [0; 4];
        self.random.read_exact(&mut bytes).unwrap();
        u32::from_ne_bytes(bytes) as usize % limit
    }

    /// One act, then a short pause.
    pub fn act(&mut self, account: &mut Account) {
        let which = self.draw(self.plots.len());
        let present = self.plots[which].present;
        let verb = match (present, self.draw(8), self.draw(8)) {
            (true, 0, _) => "unlink",
            (true, _, verb) => PRESENT[verb],
            (false, _, verb) => ABSENT[verb],
        };
        let own = nonce();
        let plot = &mut self.plots[which];
        if plot.container.attack(&[verb, PRELOAD, &own]) == Outcome::Done {
            plot.present = verb != "unlink";
            match plot.present {
                true => account.written(&plot.container.id, verb, own),
                false => account.removed(&plot.container.id),
            }
        }
        sleep(Duration::from_millis(self.draw(120) as u64));
    }

    /// One container ends, another comes in its place.
    pub fn change(&mut self) {
        let which = self.draw(self.plots.len());
        let plot = self.plot(which).unwrap();
        self.plots[which] = plot;
    }
}
