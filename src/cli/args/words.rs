//! The verbs and options there are. Parser and help are both made from this table.

use lexopt::Arg;

/// The verbs, in the order of the help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Watch and tell.
    Run,
    /// Look once.
    Scan,
    /// List containers and how they are covered.
    List,
    /// Name the container of a process.
    Whois,
    /// Try what the kernel offers.
    Probe,
    /// Check the configuration file.
    Check,
    /// Attack a throw-away container.
    Selftest,
    /// Show what the running watcher says of itself.
    Status,
}

impl Verb {
    /// All verbs.
    pub const ALL: [Self; 8] = [
        Self::Run,
        Self::Scan,
        Self::List,
        Self::Whois,
        Self::Probe,
        Self::Check,
        Self::Selftest,
        Self::Status,
    ];

    /// The word on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Scan => "scan",
            Self::List => "list",
            Self::Whois => "whois",
            Self::Probe => "probe",
            Self::Check => "check",
            Self::Selftest => "selftest",
            Self::Status => "status",
        }
    }

    /// The options it takes, besides help and version.
    #[must_use]
    pub fn options(self) -> &'static [Opt] {
        match self {
            Self::Run => &[Opt::Config, Opt::Json, Opt::Syslog],
            Self::Scan | Self::List | Self::Status => &[Opt::Config, Opt::Json],
            Self::Whois => &[Opt::Proc, Opt::Json],
            Self::Probe | Self::Selftest => &[Opt::Json],
            Self::Check => &[Opt::Config],
        }
    }
}

/// The options.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opt {
    /// `-c`, `--config FILE`
    Config,
    /// `--json`
    Json,
    /// `--syslog`
    Syslog,
    /// `--proc DIR`
    Proc,
    /// `-h`, `--help`
    Help,
    /// `-V`, `--version`
    Version,
}

impl Opt {
    const ALL: [Self; 6] = [
        Self::Config,
        Self::Json,
        Self::Syslog,
        Self::Proc,
        Self::Help,
        Self::Version,
    ];

    /// The long spelling.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Config => "--config",
            Self::Json => "--json",
            Self::Syslog => "--syslog",
            Self::Proc => "--proc",
            Self::Help => "--help",
            Self::Version => "--version",
        }
    }

    /// The option that was written.
    pub(super) fn of(arg: &Arg<'_>) -> Option<Self> {
        match arg {
            Arg::Short('c') => Some(Self::Config),
            Arg::Short('h') => Some(Self::Help),
            Arg::Short('V') => Some(Self::Version),
            Arg::Long(name) => Self::ALL
                .into_iter()
                .find(|o| o.name().get(2..) == Some(*name)),
            _ => None,
        }
    }
}
