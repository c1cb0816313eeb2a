//! The verbs of the lifecycle process.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serai_messages::Coin;
use serde::Serialize;
use tokio::sync::Notify;

use super::super::core::status::now_ms;

/// How a processor stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ProcessorState {
    /// Started, no heartbeat yet.
    Starting,
    /// Alive.
    Running,
    /// Silent for too long.
    Hung,
    /// Ended; waiting to be started again.
    BackingOff,
    /// Stopped with this program.
    Stopped,
    /// Not managed, and not heard of yet.
    Awaited,
}

/// What is known of one processor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProcessorStatus {
    /// Its coin.
    pub coin: Coin,
    /// Whether it is started and stopped here.
    pub managed: bool,
    /// Its process id while it runs here.
    pub pid: Option<u32>,
    /// How it stands.
    pub state: ProcessorState,
    /// Times that it was started again since this program started.
    pub restarts: u64,
    /// When it last gave a sign of life, in milliseconds since the Unix epoch.
    pub last_heartbeat_ms: Option<u64>,
    /// How it last ended.
    pub last_end: Option<String>,
}

/// One coin's place in the shared table.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) status: ProcessorStatus,
    /// Whether silence counts.
    pub(super) listening: bool,
    /// Raised by each heartbeat, so that a watcher knows a new one from the one it has seen.
    pub(super) beats: u64,
    /// Wakes the watcher.
    pub(super) changed: Arc<Notify>,
}

/// Handle to the lifecycle process. Its verbs write to a table of one row per coin, so that nothing
/// queues up however often they are called.
#[derive(Clone, Debug)]
pub struct Mailbox {
    slots: Arc<Mutex<BTreeMap<Coin, Slot>>>,
}

impl Mailbox {
    pub(super) fn new(processors: impl Iterator<Item = (Coin, bool)>) -> Self {
        let slots = processors.map(|(coin, managed)| {
            let state = if managed { ProcessorState::Starting } else { ProcessorState::Awaited };
            let status = ProcessorStatus {
                coin,
                managed,
                pid: None,
                state,
                restarts: 0,
                last_heartbeat_ms: None,
                last_end: None,
            };
            let changed = Arc::default();
            (coin, Slot { status, listening: false, beats: 0, changed })
        });
        Self { slots: Arc::new(Mutex::new(slots.collect())) }
    }

    /// The coin's processor gave a sign of life on its topic. From then on its silence counts.
    pub fn heartbeat(&self, coin: Coin) {
        self.with(coin, |slot| {
            slot.beats = slot.beats.wrapping_add(1);
            slot.listening = true;
            slot.status.last_heartbeat_ms = Some(now_ms());
            slot.changed.notify_one();
        });
    }

    /// Says whether the coin's topic is being read. While it is not, silence does not count; when
    /// it is again, the time allowed begins anew.
    pub fn set_listening(&self, coin: Coin, listening: bool) {
        self.with(coin, |slot| {
            slot.listening = listening;
            slot.changed.notify_one();
        });
    }

    /// What is known of each processor, in wire order of coins.
    pub fn status(&self) -> Vec<ProcessorStatus> {
        let slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.values().map(|slot| slot.status.clone()).collect()
    }

    /// Runs `work` on the coin's slot; coins without a processor are none of this process'.
    pub(super) fn with<T>(&self, coin: Coin, work: impl FnOnce(&mut Slot) -> T) -> Option<T> {
        // Slots hold plain values: after a panic elsewhere they are still sound.
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.get_mut(&coin).map(work)
    }
}
