//! A quiet container beside one that does its worst: how long its alerts take.

use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

use super::PRELOAD;
use super::hand::Hand;
use super::overlay::Overlay;
use super::record::{carries, text};
use super::scratch::nonce;
use super::watcher::Watcher;

/// Writes at intervals in a quiet container: how long each took from its close (as the
/// writer says) until its alert was read. A write that is not told within ten seconds is an error.
pub fn writes(
    watcher: &Watcher,
    container: &Overlay,
    (count, every): (u32, Duration),
) -> Result<Vec<Duration>, String> {
    let mut hand: Hand = container.hand(PRELOAD);
    let begun = Instant::now();
    let mut took = Vec::new();
    for number in 0..count {
        sleep((every * number).saturating_sub(begun.elapsed()));
        let own = nonce();
        let begun = hand.say("put", &own)?;
        let (now, clock) = (Instant::now(), SystemTime::now());
        let seen = watcher.claim("a write of the quiet container", |seen| {
            carries(&seen.value, &own) && text(&seen.value, "container.id") == container.id
        })?;
        if text(&seen.value, "event.kind") != "alert" {
            return Err(format!("no alert: {}", seen.raw));
        }
        // A hint, while the trail is too long to be read to its end.
        let named = ["process.executable", "ldwatch.writer.hint.executable"];
        let named = named.map(|name| text(&seen.value, name));
        if !named.iter().any(|name| name.ends_with("attack")) {
            return Err(format!("the writer is not named: {}", seen.raw));
        }
        let told = clock + seen.at.saturating_duration_since(now);
        let early = now.saturating_duration_since(seen.at);
        took.push((told - early).duration_since(begun).unwrap_or_default());
    }
    Ok(took)
}
