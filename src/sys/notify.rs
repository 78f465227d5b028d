//! Messages to the service manager (sd_notify(3)): one datagram each to the socket
//! that `NOTIFY_SOCKET` names. Nothing is read back, and sending never waits: a full
//! socket refuses the message, and the caller may say it again.

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// The way to the service manager.
#[derive(Debug)]
pub struct Notify {
    socket: UnixDatagram,
    manager: SocketAddr,
}

impl Notify {
    /// To the socket named as in `NOTIFY_SOCKET`: a path, or `@` and an abstract name.
    ///
    /// # Errors
    /// `InvalidInput`: neither of the two; otherwise the errno of socket(2).
    pub fn to(name: &OsStr) -> io::Result<Self> {
        let manager = match name.as_bytes() {
            [b'@', rest @ ..] => SocketAddr::from_abstract_name(rest)?,
            [b'/', ..] => SocketAddr::from_pathname(name)?,
            _ => return Err(io::ErrorKind::InvalidInput.into()),
        };
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        Ok(Self { socket, manager })
    }

    /// Says `words`, assignments that newlines separate. The name is looked up each
    /// time: a manager that came anew under the old name hears it.
    ///
    /// # Errors
    /// `WouldBlock` when the manager is behind.
    pub fn say(&self, words: &str) -> io::Result<()> {
        let bytes = words.as_bytes();
        self.socket.send_to_addr(bytes, &self.manager).map(drop)
    }
}

/// The watchdog's time, as `WATCHDOG_USEC` and `WATCHDOG_PID` tell it to the process
/// `own` (sd_watchdog_enabled(3)).
#[must_use]
pub fn watchdog(usec: Option<&OsStr>, pid: Option<&OsStr>, own: u32) -> Option<Duration> {
    let number = |value: &OsStr| value.to_str()?.parse::<u64>().ok();
    if pid.is_some_and(|pid| number(pid) != Some(u64::from(own))) {
        return None;
    }
    let usec = number(usec?)?;
    (usec > 0).then(|| Duration::from_micros(usec))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn said(manager: &UnixDatagram) -> String {
        let mut bytes = [0; 256];
        let count = manager.recv(&mut bytes).unwrap();
        String::from_utf8_lossy(bytes.get(..count).unwrap()).into_owned()
    }

    #[test]
    fn a_path_is_spoken_to() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        Notify::to(path.as_os_str())
            .unwrap()
            .say("READY=1\nSTATUS=x")
            .unwrap();
        assert_eq!(said(&manager), "READY=1\nSTATUS=x");
    }

    #[test]
    fn an_abstract_name_is_spoken_to() {
        let name = format!("ldwatch-notify-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let manager = UnixDatagram::bind_addr(&address).unwrap();
        let notify = Notify::to(OsStr::new(&format!("@{name}"))).unwrap();
        notify.say("WATCHDOG=1").unwrap();
        assert_eq!(said(&manager), "WATCHDOG=1");
    }

    #[test]
    fn a_manager_that_reads_nothing_holds_nobody_up() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let _manager = UnixDatagram::bind(&path).unwrap();
        let notify = Notify::to(path.as_os_str()).unwrap();
        let refused = (0..100_000).find_map(|_| notify.say("WATCHDOG=1").err());
        assert_eq!(
            refused.map(|error| error.kind()),
            Some(io::ErrorKind::WouldBlock)
        );
    }

    #[test]
    fn other_names_and_absent_sockets_are_errors() {
        for name in ["", "vsock:2:1234", "relative"] {
            assert!(Notify::to(OsStr::new(name)).is_err(), "{name}");
        }
        let absent = Notify::to(OsStr::new("/nonexistent/notify")).unwrap();
        assert!(absent.say("READY=1").is_err());
    }

    #[test]
    fn a_manager_that_comes_anew_is_heard() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let first = UnixDatagram::bind(&path).unwrap();
        let notify = Notify::to(path.as_os_str()).unwrap();
        drop(first);
        std::fs::remove_file(&path).unwrap();
        let second = UnixDatagram::bind(&path).unwrap();
        notify.say("WATCHDOG=1").unwrap();
        assert_eq!(said(&second), "WATCHDOG=1");
    }

    #[test]
    fn the_watchdog_is_for_the_process_that_is_named() {
        let word = |text: &'static str| Some(OsStr::new(text));
        let minute = Some(Duration::from_secs(60));
        assert_eq!(watchdog(word("60000000"), word("7"), 7), minute);
        assert_eq!(watchdog(word("60000000"), None, 7), minute);
        assert_eq!(watchdog(word("60000000"), word("8"), 7), None);
        for nonsense in ["", "0", "-1", "soon"] {
            assert_eq!(watchdog(word(nonsense), None, 7), None, "{nonsense}");
        }
        assert_eq!(watchdog(None, None, 7), None);
    }
}
