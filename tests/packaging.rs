//! What is shipped beside the program agrees with it: configurations, completion,
//! the unit, the init scripts.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use ldwatch::config::{Config, StdoutFormat, parse};
use ldwatch::error::{EXIT_CONFIG, EXIT_NOPERM, EXIT_UNAVAILABLE, EXIT_USAGE};

/// Directives that give a service a mount namespace of its own (systemd.exec(5)): it
/// would look at copies of the host's mounts.
const BLINDING: [&str; 24] = [
    "BindPaths",
    "BindReadOnlyPaths",
    "DynamicUser",
    "ExecPaths",
    "InaccessiblePaths",
    "MountAPIVFS",
    "NoExecPaths",
    "PrivateDevices",
    "PrivateMounts",
    "PrivateNetwork",
    "PrivateTmp",
    "PrivateUsers",
    "ProcSubset",
    "ProtectControlGroups",
    "ProtectHome",
    "ProtectKernelLogs",
    "ProtectKernelModules",
    "ProtectKernelTunables",
    "ProtectProc",
    "ProtectSystem",
    "ReadOnlyPaths",
    "ReadWritePaths",
    "RootDirectory",
    "TemporaryFileSystem",
];

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn text(name: &str) -> String {
    let path = path(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The values of one directive of the unit, in its order.
fn unit(directive: &str) -> Vec<String> {
    let unit = text("packaging/ldwatch.service");
    let value = |line: &str| Some(line.strip_prefix(directive)?.strip_prefix('=')?.to_owned());
    unit.lines().filter_map(value).collect()
}

fn config(name: &str) -> Config {
    parse(&text(name)).unwrap_or_else(|problems| panic!("{name}: {problems:?}"))
}

#[test]
fn the_service_tells_into_a_file_and_to_syslog_and_nowhere_else() {
    let mut config = config("packaging/service.toml");
    let file = config.file.path.take();
    assert_eq!(
        file.as_deref(),
        Some("/var/log/ldwatch/alerts.json".as_ref())
    );
    assert!(config.syslog.enabled);
    assert_eq!(config.stdout.format, StdoutFormat::Off);
    assert_eq!(config.heartbeat, Some(Duration::from_secs(300)));
    // Nothing else differs from the defaults.
    config.heartbeat = None;
    config.syslog.enabled = false;
    config.stdout.format = StdoutFormat::Auto;
    assert_eq!(config, Config::default());
}

#[test]
fn an_appliance_needs_no_place_that_outlives_a_restart() {
    let config = config("packaging/tar/ldwatch.toml");
    assert_eq!(config.state_dir, None);
    assert_eq!(config.stdout.format, StdoutFormat::Json);
    assert!(!config.sinks_elsewhere());
}

#[test]
fn the_completion_offers_what_the_help_of_each_verb_names() -> io::Result<()> {
    let binary = env!("CARGO_BIN_EXE_ldwatch");
    let complete = |words: &str, at: usize| -> io::Result<Vec<String>> {
        let script = format!(
            ". packaging/ldwatch.bash; COMP_WORDS=({words} ''); COMP_CWORD={at}; _ldwatch; \
             printf '%s\\n' \"${{COMPREPLY[@]}}\""
        );
        let output = Command::new("bash")
            .args(["-c", &script])
            .current_dir(path("."))
            .output()?;
        assert!(output.stderr.is_empty(), "{output:?}");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        Ok(text.lines().map(str::to_owned).collect())
    };
    let first = complete("ldwatch", 1)?;
    let verbs: Vec<_> = first.iter().filter(|word| !word.starts_with('-')).collect();
    assert_eq!(verbs.len(), 8, "{verbs:?}");
    for verb in verbs {
        let help = Command::new(binary).args([verb, "--help"]).output()?;
        let help = String::from_utf8_lossy(&help.stdout).into_owned();
        let named = |line: &str| {
            let word = line
                .split_whitespace()
                .find(|word| word.starts_with("--"))?;
            line.starts_with("  ").then(|| word.to_owned())
        };
        let (_, options) = help.split_once("Options:\n").unwrap_or_default();
        let (options, _) = options.split_once("\n\n").unwrap_or_default();
        let mut wanted: Vec<_> = options.lines().filter_map(named).collect();
        let mut offered = complete(&format!("ldwatch {verb}"), 2)?;
        wanted.sort();
        offered.sort();
        assert_eq!(offered, wanted, "{verb}");
    }
    Ok(())
}

#[test]
fn the_unit_gives_the_watcher_no_mounts_of_its_own() {
    for directive in BLINDING {
        assert_eq!(unit(directive), [""; 0], "{directive}");
    }
}

#[test]
fn the_unit_does_not_restart_what_a_restart_does_not_help() {
    let codes = [EXIT_USAGE, EXIT_UNAVAILABLE, EXIT_NOPERM, EXIT_CONFIG];
    let codes = codes.map(|code| code.to_string()).join(" ");
    assert_eq!(unit("RestartPreventExitStatus"), [codes]);
    assert_eq!(unit("Restart"), ["on-failure"]);
}

#[test]
fn the_watchdog_rides_on_the_sweep() {
    let watchdog = unit("WatchdogSec")
        .concat()
        .parse()
        .map(Duration::from_secs);
    let sweep = Config::default().sweep.unwrap_or_default();
    // Fed at a sweep once a quarter is over, and by a wake-up of its own at half.
    assert!(watchdog.is_ok_and(|time| sweep > time / 4 && sweep < time / 2));
    assert_eq!(unit("Type"), ["notify"]);
}

#[test]
fn the_unit_keeps_what_sight_needs_and_no_more() {
    let mut capabilities = unit("CapabilityBoundingSet");
    capabilities.sort();
    assert_eq!(
        capabilities,
        ["CAP_DAC_READ_SEARCH", "CAP_SYS_ADMIN", "CAP_SYS_PTRACE"]
    );
    assert_eq!(unit("RestrictAddressFamilies"), ["AF_UNIX"]);
    assert_eq!(unit("RestrictRealtime"), [""; 0]);
    assert_eq!(unit("LimitRTPRIO"), ["10"]);
}

#[test]
fn every_shell_script_is_one() -> io::Result<()> {
    let scripts = [
        "packaging/deb/postinst",
        "packaging/deb/postrm",
        "packaging/deb/prerm",
        "packaging/tar/ldwatch.init",
        "packaging/tar/ldwatch.openrc",
    ];
    for script in scripts {
        let status = Command::new("sh").arg("-n").arg(path(script)).status()?;
        assert!(status.success(), "{script}");
    }
    Ok(())
}
