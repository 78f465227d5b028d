//! What was typed, as a [`Command`]. A pure function of the words: it reads no
//! file and no environment, and takes paths as the bytes they are.
//!
//! An unknown word is refused with the nearest known one; nothing is guessed.

use std::ffi::OsString;
use std::path::PathBuf;

use lexopt::{Arg, Parser};

use crate::error::{Error, nearest};

mod words;

pub use words::{Opt, Verb};

/// The options that were given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// `-c FILE`; `None`: the default file, which may be missing.
    pub config: Option<PathBuf>,
    /// `--json`
    pub json: bool,
    /// `--syslog`
    pub syslog: bool,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Show the help, of one verb or of all.
    Help(Option<Verb>),
    /// Show the version.
    Version,
    /// `run`
    Run(Options),
    /// `scan`
    Scan(Options),
    /// `list`
    List(Options),
    /// `whois`
    Whois {
        /// The process.
        pid: i32,
        /// `--proc DIR`; `None`: `/proc`.
        proc_root: Option<PathBuf>,
        /// `--json`
        json: bool,
    },
    /// `probe`
    Probe(Options),
    /// `check`
    Check(Options),
    /// `selftest`
    Selftest(Options),
    /// `status`
    Status(Options),
}

/// The command in the words that follow the program's name.
///
/// # Errors
/// [`Error::Usage`], in one sentence, with the nearest known word.
pub fn parse<I>(words: I) -> Result<Command, Error>
where
    I: IntoIterator,
    I::Item: Into<OsString>,
{
    let mut parser = Parser::from_args(words);
    let verb = match next(&mut parser, None)? {
        None => return Err(usage(None, "no command given")),
        Some(Word::Help) => return Ok(Command::Help(None)),
        Some(Word::Version) => return Ok(Command::Version),
        Some(Word::Option(opt)) => return Err(too_early(opt)),
        Some(Word::Value(word)) => verb(&word)?,
    };
    let mut given = Given::default();
    while let Some(word) = next(&mut parser, Some(verb))? {
        match word {
            Word::Help => return Ok(Command::Help(Some(verb))),
            Word::Version => return Ok(Command::Version),
            Word::Option(opt) => given.option(&mut parser, verb, opt)?,
            Word::Value(value) => given.value(verb, value)?,
        }
    }
    given.command(verb)
}

/// One word, understood.
enum Word {
    Help,
    Version,
    Option(Opt),
    Value(OsString),
}

fn next(parser: &mut Parser, verb: Option<Verb>) -> Result<Option<Word>, Error> {
    let Some(arg) = parser.next().map_err(|e| usage(verb, &e.to_string()))? else {
        return Ok(None);
    };
    match (Opt::of(&arg), arg) {
        (Some(Opt::Help), _) => Ok(Some(Word::Help)),
        (Some(Opt::Version), _) => Ok(Some(Word::Version)),
        (Some(opt), _) => Ok(Some(Word::Option(opt))),
        (None, Arg::Value(value)) => Ok(Some(Word::Value(value))),
        (None, Arg::Long(name)) => Err(unknown_option(verb, &format!("--{name}"))),
        (None, Arg::Short(c)) => Err(unknown_option(verb, &format!("-{c}"))),
    }
}

/// What stands on the line after the verb.
#[derive(Default)]
struct Given {
    options: Options,
    proc_root: Option<PathBuf>,
    value: Option<OsString>,
}

impl Given {
    fn option(&mut self, parser: &mut Parser, verb: Verb, opt: Opt) -> Result<(), Error> {
        if !verb.options().contains(&opt) {
            let text = format!("`{}` does not take `{}`", verb.name(), opt.name());
            return Err(usage(Some(verb), &text));
        }
        match opt {
            Opt::Json => self.options.json = true,
            Opt::Syslog => self.options.syslog = true,
            Opt::Config => put(&mut self.options.config, parser, verb, opt)?,
            Opt::Proc => put(&mut self.proc_root, parser, verb, opt)?,
            Opt::Help | Opt::Version => {}
        }
        Ok(())
    }

    fn value(&mut self, verb: Verb, value: OsString) -> Result<(), Error> {
        if verb == Verb::Whois && self.value.is_none() {
            self.value = Some(value);
            return Ok(());
        }
        let text = format!("unexpected argument `{}`", value.to_string_lossy());
        Err(usage(Some(verb), &text))
    }

    fn command(self, verb: Verb) -> Result<Command, Error> {
        let options = self.options;
        Ok(match verb {
            Verb::Run => Command::Run(options),
            Verb::Scan => Command::Scan(options),
            Verb::List => Command::List(options),
            Verb::Probe => Command::Probe(options),
            Verb::Check => Command::Check(options),
            Verb::Selftest => Command::Selftest(options),
            Verb::Status => Command::Status(options),
            Verb::Whois => {
                let pid = pid(self.value)?;
                Command::Whois {
                    pid,
                    proc_root: self.proc_root,
                    json: options.json,
                }
            }
        })
    }
}

/// The value of an option that may be given once.
fn put(slot: &mut Option<PathBuf>, parser: &mut Parser, verb: Verb, opt: Opt) -> Result<(), Error> {
    let value = parser
        .value()
        .map_err(|_| usage(Some(verb), &format!("`{}` needs a value", opt.name())))?;
    if value.is_empty() {
        return Err(usage(
            Some(verb),
            &format!("`{}` needs a value that is not empty", opt.name()),
        ));
    }
    if slot.replace(PathBuf::from(value)).is_some() {
        return Err(usage(
            Some(verb),
            &format!("`{}` is given twice", opt.name()),
        ));
    }
    Ok(())
}

fn verb(word: &OsString) -> Result<Verb, Error> {
    let word = word.to_string_lossy();
    if let Some(verb) = Verb::ALL.into_iter().find(|verb| verb.name() == word) {
        return Ok(verb);
    }
    let names: Vec<&str> = Verb::ALL.iter().map(|verb| verb.name()).collect();
    let meant = match word.as_ref() {
        "help" => Some(Opt::Help.name()),
        "version" => Some(Opt::Version.name()),
        other => nearest(other, &names),
    };
    Err(usage(
        None,
        &format!("unknown command `{word}`{}", did_you_mean(meant)),
    ))
}

fn pid(value: Option<OsString>) -> Result<i32, Error> {
    let Some(value) = value else {
        return Err(usage(
            Some(Verb::Whois),
            "`whois` needs the PID of a process",
        ));
    };
    let text = value.to_string_lossy();
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    match text.parse() {
        Ok(pid) if digits && pid > 0 => Ok(pid),
        _ => Err(usage(Some(Verb::Whois), &format!("`{text}` is no PID"))),
    }
}

fn unknown_option(verb: Option<Verb>, name: &str) -> Error {
    let mut known = vec![Opt::Help.name(), Opt::Version.name()];
    known.extend(
        verb.map(Verb::options)
            .unwrap_or_default()
            .iter()
            .map(|opt| opt.name()),
    );
    let meant = nearest(name, &known);
    usage(
        verb,
        &format!("unknown option `{name}`{}", did_you_mean(meant)),
    )
}

fn too_early(opt: Opt) -> Error {
    let verb = Verb::ALL
        .into_iter()
        .find(|verb| verb.options().contains(&opt));
    let verb = verb.map_or("run", Verb::name);
    let name = opt.name();
    usage(
        None,
        &format!("`{name}` belongs behind a command, as in `ldwatch {verb} {name}`"),
    )
}

fn did_you_mean(word: Option<&str>) -> String {
    word.map(|word| format!("; did you mean `{word}`?"))
        .unwrap_or_default()
}

fn usage(verb: Option<Verb>, text: &str) -> Error {
    Error::Usage {
        text: text.to_owned(),
        verb: verb.map(Verb::name),
    }
}

#[cfg(test)]
mod tests;
