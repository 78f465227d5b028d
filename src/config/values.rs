//! How single values are written: durations, paths that may be off, and the
//! words of each choice. Pure.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::de::{Deserializer, Error, Unexpected, Visitor};
use serde::{Deserialize, de};

use crate::model::Rung;

/// `[stdout] format`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StdoutFormat {
    /// Text on a terminal, JSON lines into a pipe when no other sink is on.
    Auto,
    /// Text for people.
    Text,
    /// JSON lines.
    Json,
    /// Nothing.
    Off,
}

/// `rung`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RungChoice {
    /// The best that each root filesystem takes.
    Auto,
    /// Named events only.
    Named,
    /// inotify, fd-mode and the upper directory.
    Split,
    /// inotify and fd-mode.
    Plain,
}

impl RungChoice {
    /// The choice of that name.
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        match word {
            "auto" => Some(Self::Auto),
            "named" => Some(Self::Named),
            "split" => Some(Self::Split),
            "plain" => Some(Self::Plain),
            _ => None,
        }
    }

    /// The rung that is forced; `None`: each root filesystem gets its best.
    #[must_use]
    pub fn forced(self) -> Option<Rung> {
        match self {
            Self::Auto => None,
            Self::Named => Some(Rung::Named),
            Self::Split => Some(Rung::Split),
            Self::Plain => Some(Rung::Plain),
        }
    }
}

/// `[syslog] format`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum SyslogFormat {
    /// The classic BSD line.
    #[serde(rename = "3164")]
    Rfc3164,
    /// The structured one.
    #[serde(rename = "5424")]
    Rfc5424,
}

/// `[syslog] facility`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the names are those of syslog(3)")]
pub enum Facility {
    User,
    Daemon,
    Auth,
    Authpriv,
    Local0,
    Local1,
    Local2,
    Local3,
    Local4,
    Local5,
    Local6,
    Local7,
}

impl Facility {
    /// The facility's number in RFC 5424, table 1.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::User => 1,
            Self::Daemon => 3,
            Self::Auth => 4,
            Self::Authpriv => 10,
            Self::Local0 => 16,
            Self::Local1 => 17,
            Self::Local2 => 18,
            Self::Local3 => 19,
            Self::Local4 => 20,
            Self::Local5 => 21,
            Self::Local6 => 22,
            Self::Local7 => 23,
        }
    }
}

const DURATION: &str = "a duration such as \"30s\", \"5ms\" or \"1m 30s\"";

pub(super) fn duration<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    from.deserialize_str(Text(DURATION, |text| humantime::parse_duration(text).ok()))
}

pub(super) fn duration_or_off<'de, D>(from: D) -> Result<Option<Duration>, D::Error>
where
    D: Deserializer<'de>,
{
    let expected = "a duration such as \"30s\", or \"off\"";
    from.deserialize_str(Text(expected, |text| match text {
        "off" => Some(None),
        text => humantime::parse_duration(text).ok().map(Some),
    }))
}

/// The empty string switches off what would be at the path.
pub(super) fn path_or_off<'de, D>(from: D) -> Result<Option<PathBuf>, D::Error>
where
    D: Deserializer<'de>,
{
    let expected = "a path, or \"\" for none";
    from.deserialize_str(Text(expected, |text| {
        Some(Some(text).filter(|t| !t.is_empty()).map(PathBuf::from))
    }))
}

/// A string that a function makes a value of.
struct Text<T>(&'static str, fn(&str) -> Option<T>);

impl<T> Visitor<'_> for Text<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        (self.1)(text).ok_or_else(|| Error::invalid_value(Unexpected::Str(text), &self.0))
    }
}
