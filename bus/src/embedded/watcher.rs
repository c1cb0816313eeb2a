//! The thread that notices other processes' commits.
//!
//! SQLite's `data_version` is a counter in shared memory, so that asking costs microseconds. It is
//! asked when the [bell](super::bell) has rung; where that cannot be heard, how often follows how busy
//! the log is. There is one thread per open log, whatever the number of readers.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::bell::Listener;
use super::file;
use super::log::Log;
use crate::BusError;

/// Starts the watcher. It ends once the log is dropped.
pub(super) fn start(log: &Arc<Log>) -> Result<(), BusError> {
    let connection = file::open(&log.path)?;
    let listener = Listener::new(&log.path);
    let weak = Arc::downgrade(log);
    std::thread::Builder::new()
        .name("bus-watcher".to_owned())
        .spawn(move || watch(&weak, &connection, &listener))
        .map_err(|error| BusError::Unavailable {
            bus: log.path.display().to_string(),
            reason: format!("cannot start the watcher thread: {error}"),
        })?;
    Ok(())
}

fn watch(log: &Weak<Log>, connection: &Connection, listener: &Listener) {
    let (mut seen, mut changed) = (None, Instant::now());
    while let Some(log) = log.upgrade() {
        let version = version(connection).ok();
        // On a failure the readers look for themselves and report it.
        if version != seen || version.is_none() {
            seen = version;
            changed = Instant::now();
            log.changes.send_modify(|count| *count = count.wrapping_add(1));
        }
        drop(log);
        match seen {
            None => std::thread::sleep(FAILED),
            Some(_) if listener.hears() => listener.wait(UNHEARD),
            Some(_) => std::thread::sleep(pause(changed.elapsed())),
        }
    }
}

fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))
}

/// Pause after a failure.
const FAILED: Duration = Duration::from_millis(100);

/// Longest pause of who hears the bell: somebody may not have rung.
const UNHEARD: Duration = Duration::from_millis(100);

/// Pause of who does not, by the time since the last change: a conversation that has just
/// moved goes on at once, and an idle log costs a few tenths of a percent of a core, most of which
/// is the waking up.
fn pause(idle: Duration) -> Duration {
    if idle < Duration::from_millis(50) {
        Duration::from_micros(500)
    } else if idle < Duration::from_secs(1) {
        Duration::from_millis(5)
    } else {
        Duration::from_millis(20)
    }
}
