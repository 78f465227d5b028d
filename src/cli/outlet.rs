//! The configured sinks, as the delivery thread sees them.

use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::time::SystemTime;

use log::{error, info, warn};

use crate::cli::{args, host};
use crate::config::{self, Config, StdoutFormat, SyslogFormat};
use crate::error::Error;
use crate::model::{Record, Told};
use crate::output::ecs::Ecs;
use crate::output::fan::{Sinks, Turn};
use crate::output::sink::{Form, file::File, journal::Journal, stdout::Stdout, syslog::Syslog};
use crate::output::syslog::{Facility, Form as Packet, Frame, Payload};
use crate::watch::deliver::Outlet;
use crate::watch::run::Options;
use crate::watch::status::Status;

/// The sinks of a configuration, and how to come by a newer one.
pub struct Configured {
    sinks: Sinks,
    typed: args::Options,
    status_file: Option<PathBuf>,
    status_failed: bool,
    /// Of the sinks before the last reload.
    before: Told,
}

impl Configured {
    /// Opens the sinks that `config` and the command line ask for.
    ///
    /// # Errors
    /// A file that cannot be opened, a standard output that is closed.
    pub fn open(config: &Config, typed: args::Options) -> Result<Self, Error> {
        Ok(Self {
            sinks: sinks(config, &typed)?,
            typed,
            status_file: config.status_file.clone(),
            status_failed: false,
            before: Told::default(),
        })
    }

    /// Says what turned, and tells the sinks that still work.
    fn turned(&mut self, turns: Vec<Turn>) -> Result<(), String> {
        for turn in turns {
            let gap = turn.gap(SystemTime::now());
            if let Turn::Failed {
                sink,
                error,
                reader_gone: true,
            } = &turn
            {
                return Err(format!("{sink}: {error}"));
            }
            warn!("{}; {}", gap.detail, gap.remedy);
            // A failure while telling a failure is counted, and not told in turn.
            let _ = self
                .sinks
                .write(&Record::Gap(Box::new(gap)), SystemTime::now());
        }
        Ok(())
    }
}

impl Outlet for Configured {
    fn record(&mut self, record: &Record) -> Result<(), String> {
        let turns = self.sinks.write(record, SystemTime::now());
        self.turned(turns)
    }

    fn status(&mut self, status: &Status) {
        let Some(path) = &self.status_file else {
            return;
        };
        let outcome = status.write(path);
        if let (Err(error), false) = (&outcome, self.status_failed) {
            warn!(
                "cannot write the status file {}: {error}; `ldwatch status` will not work",
                path.display()
            );
        }
        self.status_failed = outcome.is_err();
    }

    fn told(&self) -> Told {
        let now = self.sinks.told();
        Told {
            alerts: self.before.alerts + now.alerts,
            gaps: self.before.gaps + now.gaps,
            lost: self.before.lost + now.lost,
        }
    }

    fn ready(&mut self, watched: usize) {
        info!("ldwatch ready: {watched} root filesystems are watched");
    }

    fn reload(&mut self) -> Option<Options> {
        let path = self.typed.config.clone();
        match load(&self.typed).and_then(|config| Ok((sinks(&config, &self.typed)?, config))) {
            Ok((sinks, config)) => {
                self.before = self.told();
                self.sinks = sinks;
                self.status_file.clone_from(&config.status_file);
                info!("configuration read again");
                Some(options(&config))
            }
            Err(error) => {
                let name = path.unwrap_or_else(|| PathBuf::from(config::DEFAULT_PATH));
                error!(
                    "{error}; {} is not used, the old configuration stays in force",
                    name.display()
                );
                None
            }
        }
    }
}

/// The configuration with what the environment and the command line add.
///
/// # Errors
/// As `config::load`.
pub fn load(typed: &args::Options) -> Result<Config, Error> {
    let (mut config, _) = config::load(typed.config.as_deref())?;
    config.force_rung(std::env::var_os(config::RUNG_VARIABLE).as_deref())?;
    config.syslog.enabled |= typed.syslog;
    Ok(config)
}

/// What the loop needs of a configuration.
#[must_use]
pub fn options(config: &Config) -> Options {
    Options {
        settle: config.settle,
        sweep: config.sweep,
        heartbeat: config.heartbeat,
        realtime: config.realtime,
        exec_trail: config.exec_trail,
        rung: config.rung.forced(),
        quote: config.content_limit,
        state_roots: config.runtimes.state_roots.clone(),
        state_dir: config.state_dir.clone(),
    }
}

fn sinks(config: &Config, typed: &args::Options) -> Result<Sinks, Error> {
    let mut sinks = Sinks::new(Ecs::new(&host::read(), &config.event_module));
    let terminal = io::stdout().is_terminal();
    let form = match config.printing(typed.json, terminal) {
        StdoutFormat::Off | StdoutFormat::Auto => None,
        StdoutFormat::Json => Some(Form::Json),
        StdoutFormat::Text => Some(Form::Text {
            colour: colour(terminal),
        }),
    };
    if let Some(form) = form {
        let stdout = Stdout::standard(form).map_err(|source| failed("standard output", source))?;
        sinks.add(Box::new(stdout));
    }
    if let Some(path) = &config.file.path {
        let file = File::open(path, Form::Json)
            .map_err(|source| failed(&path.to_string_lossy(), source))?;
        sinks.add(Box::new(file));
    }
    if config.syslog.enabled {
        sinks.add(Box::new(Syslog::new(&config.syslog.socket, packet(config))));
    }
    if config.journal.enabled {
        sinks.add(Box::new(Journal::new(&config.journal.socket)));
    }
    Ok(sinks)
}

fn packet(config: &Config) -> Packet {
    Packet {
        facility: facility(config.syslog.facility),
        frame: match config.syslog.format {
            SyslogFormat::Rfc3164 => Frame::Rfc3164,
            SyslogFormat::Rfc5424 => Frame::Rfc5424,
        },
        payload: Payload::Ecs,
        cap: config.syslog.max_length,
        pid: std::process::id(),
    }
}

fn facility(configured: config::Facility) -> Facility {
    match configured {
        config::Facility::User => Facility::LOG_USER,
        config::Facility::Daemon => Facility::LOG_DAEMON,
        config::Facility::Auth => Facility::LOG_AUTH,
        config::Facility::Authpriv => Facility::LOG_AUTHPRIV,
        config::Facility::Local0 => Facility::LOG_LOCAL0,
        config::Facility::Local1 => Facility::LOG_LOCAL1,
        config::Facility::Local2 => Facility::LOG_LOCAL2,
        config::Facility::Local3 => Facility::LOG_LOCAL3,
        config::Facility::Local4 => Facility::LOG_LOCAL4,
        config::Facility::Local5 => Facility::LOG_LOCAL5,
        config::Facility::Local6 => Facility::LOG_LOCAL6,
        config::Facility::Local7 => Facility::LOG_LOCAL7,
    }
}

/// Colour on a terminal, unless the person does not want any (no-color.org).
#[must_use]
pub fn colour(terminal: bool) -> bool {
    terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

fn failed(on: &str, source: io::Error) -> Error {
    Error::Failed {
        act: "open",
        on: on.to_owned(),
        source,
        advice: "see the sinks in the configuration",
    }
}
