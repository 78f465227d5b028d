//! What the service manager is told: that the watch is ready, that the loop still
//! turns, that it ends. Without a service manager, nothing.
//!
//! The loop itself feeds the watchdog, so that a loop that stands still starves it.
//! It feeds on a turn that it makes anyway once a quarter of the time is over, and
//! wakes up for it only when half is: with the usual sweep, never.

use std::time::{Duration, Instant};

use crate::sys::notify::Notify;

/// The loop's end of the service manager.
#[derive(Debug, Default)]
pub struct Service {
    notify: Option<Notify>,
    watchdog: Option<Duration>,
    fed: Option<Instant>,
    /// What the manager has had no room for yet.
    owed: Option<String>,
}

/// How soon what was refused is said again.
const RETRY: Duration = Duration::from_millis(100);

impl Service {
    /// A service manager that waits for a sign of life as often as `watchdog` says.
    #[must_use]
    pub fn new(notify: Notify, watchdog: Option<Duration>) -> Self {
        Self {
            notify: Some(notify),
            watchdog,
            fed: None,
            owed: None,
        }
    }

    /// The first survey is marked.
    pub fn ready(&mut self, watched: usize) {
        self.owed = Some(format!(
            "READY=1\nSTATUS=Watching; {watched} root filesystems at the start."
        ));
        self.pay();
    }

    /// Something that whoever asks for the service's state should see.
    pub fn status(&self, text: &str) {
        if let Some(notify) = &self.notify {
            // No room: the next word to the manager matters more.
            let _ = notify.say(&format!("STATUS={text}"));
        }
    }

    /// The loop ends because it was asked to.
    pub fn stopping(&mut self) {
        self.owed = Some("STOPPING=1".to_owned());
        self.pay();
    }

    /// When the loop must turn at the latest.
    #[must_use]
    pub fn due(&self) -> Option<Instant> {
        let fed = self.fed?;
        if self.owed.is_some() {
            return Some(fed + RETRY);
        }
        Some(fed + self.watchdog? / 2)
    }

    /// The loop has turned.
    pub fn turned(&mut self, now: Instant) {
        if self.owed.is_some() {
            self.fed = Some(now);
            return self.pay();
        }
        let (Some(notify), Some(watchdog)) = (&self.notify, self.watchdog) else {
            return;
        };
        let early = |fed| now.saturating_duration_since(fed) < watchdog / 4;
        if self.fed.is_some_and(early) {
            return;
        }
        self.fed = Some(now);
        if notify.say("WATCHDOG=1").is_err() {
            self.owed = Some("WATCHDOG=1".to_owned());
        }
    }

    /// Says what is owed; keeps it while the manager has no room.
    fn pay(&mut self) {
        let Some(words) = self.owed.take() else {
            return;
        };
        if let Some(notify) = &self.notify
            && let Err(error) = notify.say(&words)
            && error.kind() == std::io::ErrorKind::WouldBlock
        {
            self.fed.get_or_insert_with(Instant::now);
            self.owed = Some(words);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::os::unix::net::UnixDatagram;

    use super::*;

    const WATCHDOG: Duration = Duration::from_secs(80);

    fn service(watchdog: Option<Duration>) -> (tempfile::TempDir, UnixDatagram, Service) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        manager.set_nonblocking(true).unwrap();
        let notify = Notify::to(path.as_os_str()).unwrap();
        (dir, manager, Service::new(notify, watchdog))
    }

    fn said(manager: &UnixDatagram) -> Vec<String> {
        let mut bytes = [0; 256];
        std::iter::from_fn(|| {
            let count = manager.recv(&mut bytes).ok()?;
            Some(String::from_utf8_lossy(bytes.get(..count)?).into_owned())
        })
        .collect()
    }

    #[test]
    fn the_watchdog_rides_on_turns_that_are_made_anyway() {
        let (_dir, manager, mut service) = service(Some(WATCHDOG));
        let start = Instant::now();
        let mut heard = Vec::new();
        for second in 0..=240 {
            // A turn each second, and none that was asked for.
            let now = start + Duration::from_secs(second);
            service.turned(now);
            assert!(service.due() > Some(now));
            heard.append(&mut said(&manager));
        }
        assert_eq!(heard, vec!["WATCHDOG=1"; 13]);
    }

    #[test]
    fn a_loop_without_a_sweep_wakes_up_at_half_the_time() {
        let (_dir, _manager, mut service) = service(Some(WATCHDOG));
        let start = Instant::now();
        service.turned(start);
        assert_eq!(service.due(), Some(start + WATCHDOG / 2));
    }

    #[test]
    fn without_a_watchdog_or_a_manager_there_is_nothing_to_wake_up_for() {
        let (_dir, manager, mut unwatched) = service(None);
        unwatched.ready(2);
        unwatched.turned(Instant::now());
        unwatched.stopping();
        assert_eq!(unwatched.due(), None);
        let words = said(&manager);
        assert!(words.first().unwrap().starts_with("READY=1\nSTATUS="));
        assert_eq!(words.get(1..).unwrap(), ["STOPPING=1"]);
        let mut nobody = Service::default();
        nobody.ready(2);
        nobody.turned(Instant::now());
        assert_eq!(nobody.due(), None);
    }

    #[test]
    fn what_the_manager_had_no_room_for_is_said_again() {
        let (_dir, manager, mut service) = service(Some(WATCHDOG));
        while service.notify.as_ref().unwrap().say("x").is_ok() {}
        service.ready(1);
        let now = Instant::now();
        service.turned(now);
        assert_eq!(service.due(), Some(now + RETRY));
        said(&manager);
        service.turned(now + RETRY);
        let words = said(&manager);
        assert!(words.iter().any(|word| word.starts_with("READY=1")));
        assert_eq!(service.due(), Some(now + RETRY + WATCHDOG / 2));
    }
}
