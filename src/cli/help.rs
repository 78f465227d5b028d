//! The help texts, made from the table of verbs and options, so that what is
//! printed is what is parsed. Pure.

use std::fmt::Write;

use crate::cli::args::{Opt, Verb};

/// The help of one verb, or of the whole program.
#[must_use]
pub fn text(verb: Option<Verb>) -> String {
    match verb {
        None => overall(),
        Some(verb) => of(verb),
    }
}

fn overall() -> String {
    let mut out = String::from(
        "ldwatch - tells when /etc/ld.so.preload is created or modified in a container\n\n\
         Usage: ldwatch COMMAND [OPTIONS]\n\nCommands:\n",
    );
    for verb in Verb::ALL {
        let argument = if verb == Verb::Whois { " PID" } else { "" };
        let name = format!("{}{argument}", verb.name());
        let _ = writeln!(out, "  {name:<10} {}", summary(verb));
    }
    out.push_str("\nOptions:\n");
    for opt in [
        Opt::Config,
        Opt::Json,
        Opt::Syslog,
        Opt::Proc,
        Opt::Help,
        Opt::Version,
    ] {
        out.push_str(line(opt));
    }
    out.push_str(
        "\nExamples:\n\
         \x20 ldwatch run                  watch, text on the terminal\n\
         \x20 ldwatch run --json | jq .    watch, one ECS record a line\n\
         \x20 ldwatch scan; echo $?        look once; 3: found\n\
         \x20 ldwatch whois 4711           which container is process 4711 in?\n\
         \nExit codes: 0 fine, 1 failed, 3 scan found or selftest missed something, 64 usage,\n\
         69 no way to watch on this kernel, 77 capability missing, 78 bad configuration.\n\
         `ldwatch COMMAND --help` tells more; so do ldwatch(8) and ldwatch.toml(5).\n",
    );
    out
}

fn of(verb: Verb) -> String {
    let mut out = format!(
        "ldwatch {} - {}\n\nUsage: ldwatch {}",
        verb.name(),
        summary(verb),
        verb.name()
    );
    if verb == Verb::Whois {
        out.push_str(" PID");
    }
    out.push_str(" [OPTIONS]\n\n");
    out.push_str(more(verb));
    out.push_str("\nOptions:\n");
    for opt in verb.options().iter().chain(&[Opt::Help, Opt::Version]) {
        out.push_str(line(*opt));
    }
    let _ = write!(out, "\nExample:\n  {}\n", example(verb));
    out
}

fn summary(verb: Verb) -> &'static str {
    match verb {
        Verb::Run => "watch every container and tell each change",
        Verb::Scan => "look once at every container; exit 3 when a file is found",
        Verb::List => "list the containers, how each is watched, what is not seen",
        Verb::Whois => "name the container that a process is in",
        Verb::Probe => "try what this kernel offers and show how it would be used",
        Verb::Check => "check the configuration file",
        Verb::Selftest => "attack a throw-away container; exit 3 when something is missed",
        Verb::Status => "show what the running watcher says of itself",
    }
}

fn more(verb: Verb) -> &'static str {
    match verb {
        Verb::Run => {
            "Needs root. Where no sink is configured, records go to standard output: text on\n\
             a terminal, JSON lines into a pipe. SIGHUP reloads the configuration, SIGTERM and\n\
             SIGINT end the watch after the last record.\n"
        }
        Verb::Scan => {
            "Needs root. Reads the file in each container as it is now; watches nothing.\n"
        }
        Verb::List => "Needs root to see every container.\n",
        Verb::Whois => "With --proc nothing is read but what lies below DIR.\n",
        Verb::Probe => "Needs root. Leaves nothing behind.\n",
        Verb::Check => {
            "Says everything that is wrong with the file, each with line and column, and exits\n\
             with 78; or says that it is good.\n"
        }
        Verb::Selftest => {
            "Needs root. The container is an overlay mount in a private mount namespace; no\n\
             container runtime is needed.\n"
        }
        Verb::Status => {
            "Reads the status file that the watcher rewrites; needs no watcher to answer.\n"
        }
    }
}

fn example(verb: Verb) -> &'static str {
    match verb {
        Verb::Run => "ldwatch run --json -c /etc/ldwatch/ldwatch.toml",
        Verb::Scan => "ldwatch scan --json",
        Verb::List => "ldwatch list",
        Verb::Whois => "ldwatch whois 4711 --json",
        Verb::Probe => "ldwatch probe",
        Verb::Check => "ldwatch check -c ./ldwatch.toml",
        Verb::Selftest => "ldwatch selftest",
        Verb::Status => "ldwatch status --json",
    }
}

fn line(opt: Opt) -> &'static str {
    match opt {
        Opt::Config => "  -c, --config FILE  configuration [/etc/ldwatch/ldwatch.toml]\n",
        Opt::Json => "      --json         JSON instead of text\n",
        Opt::Syslog => {
            "      --syslog       send records to syslog, whatever the configuration says (run)\n"
        }
        Opt::Proc => "      --proc DIR     read processes below DIR instead of /proc (whois)\n",
        Opt::Help => "  -h, --help         this help, or that of one command\n",
        Opt::Version => "  -V, --version      version\n",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_help_fits_a_screen() {
        for verb in Verb::ALL.into_iter().map(Some).chain([None]) {
            let text = text(verb);
            assert!(text.lines().count() < 40, "{verb:?}");
            assert!(
                text.lines().all(|line| line.chars().count() <= 90),
                "{text}"
            );
        }
    }

    #[test]
    fn the_help_of_a_verb_names_the_options_it_takes_and_no_other() {
        for verb in Verb::ALL {
            let text = text(Some(verb));
            for opt in [Opt::Config, Opt::Json, Opt::Syslog, Opt::Proc] {
                let named = text
                    .lines()
                    .any(|l| l.starts_with("  ") && l.contains(line(opt).trim_end()));
                assert_eq!(named, verb.options().contains(&opt), "{verb:?} {opt:?}");
            }
        }
    }
}
