//! A hand that keeps what it took: `attack hand PATH` opens or maps the file and obeys
//! one word a line on stdin, so that a test can start the watcher in between. Each
//! line that was obeyed is answered on stdout by `ok` and when it was begun; a `put`, when
//! its close was.

use std::fs::{File, OpenOptions};
use std::io::{Error, Result, Write, stdin, stdout};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::raw::{self, Mapping};
use crate::verbs::line;

#[derive(Default)]
struct Hand {
    file: Option<File>,
    mapping: Option<Mapping>,
    /// When the close of a `put` was begun.
    closing: Option<SystemTime>,
}

/// Obeys until stdin ends.
pub fn obey(path: &Path) -> Result<()> {
    let mut hand = Hand::default();
    for words in stdin().lines() {
        let words = words?;
        let (verb, nonce) = words.split_once(' ').unwrap_or((&words, ""));
        let begun = SystemTime::now();
        hand.act(verb, path, nonce)?;
        let begun = hand.closing.take().unwrap_or(begun);
        let begun = begun.duration_since(UNIX_EPOCH).map_err(Error::other)?;
        let begun = begun.as_nanos();
        stdout().write_all(format!("ok {begun}\n").as_bytes())?;
        stdout().flush()?;
    }
    Ok(())
}

impl Hand {
    fn act(&mut self, verb: &str, path: &Path, nonce: &str) -> Result<()> {
        match verb {
            "create" => std::fs::write(path, line(nonce))?,
            "open" => {
                let mut options = OpenOptions::new();
                self.file = Some(options.read(true).append(true).open(path)?);
            }
            "write" => self.file()?.write_all(line(nonce).as_bytes())?,
            // A write, and a lease that lets nobody else open the file.
            "lease" => {
                std::fs::write(path, line(nonce))?;
                let file = OpenOptions::new().read(true).write(true).open(path)?;
                raw::lease(&file)?;
                self.file = Some(file);
            }
            "close" => self.file = None,
            // The whole file at once: open, write, close.
            "put" => {
                let mut file = File::create(path)?;
                file.write_all(line(nonce).as_bytes())?;
                self.closing = Some(SystemTime::now());
            }
            "map" => {
                let file = OpenOptions::new().read(true).write(true).open(path)?;
                let length = line(nonce).len();
                self.mapping = Some(Mapping::new(&file, length)?);
            }
            "store" => self.mapping()?.store(line(nonce).as_bytes()),
            "store-unmap" => {
                self.mapping()?.store(line(nonce).as_bytes());
                self.mapping = None;
            }
            _ => return Err(Error::other(format!("unknown word {verb}"))),
        }
        Ok(())
    }

    fn file(&mut self) -> Result<&mut File> {
        let none = || Error::other("nothing is open");
        self.file.as_mut().ok_or_else(none)
    }

    fn mapping(&self) -> Result<&Mapping> {
        let none = || Error::other("nothing is mapped");
        self.mapping.as_ref().ok_or_else(none)
    }
}
