//! The clocks that signings ask for.

use std::collections::BTreeSet;
use std::time::Duration;

use serai_bus::wall_clock;
use serai_messages::signing::SigningId;
use serai_protocol::signing::Timer;
use tokio::time::Instant;

/// Clocks that are running.
///
/// # Limits
/// In memory: after a restart the machines tell which they still wait for.
#[derive(Debug, Default)]
pub struct Alarms(BTreeSet<(Instant, SigningId, Timer)>);

impl Alarms {
    /// Rings for the signing after `delay_ms`.
    pub fn arm(&mut self, id: SigningId, delay_ms: u64, timer: Timer) {
        self.0.insert((Instant::now() + Duration::from_millis(delay_ms), id, timer));
    }

    /// Waits for the next one; for ever where there is none. Cancel safe.
    pub async fn next(&self) {
        match self.first() {
            Some(at) => tokio::time::sleep_until(at).await,
            None => std::future::pending().await,
        }
    }

    /// When the next one rings.
    pub fn first(&self) -> Option<Instant> {
        self.0.first().map(|(at, ..)| *at)
    }

    /// Takes all, as if time had passed.
    #[cfg(test)]
    pub fn take_all(&mut self) -> Vec<(SigningId, Timer)> {
        std::mem::take(&mut self.0).into_iter().map(|(_, id, timer)| (id, timer)).collect()
    }

    /// Takes those that ring.
    pub fn take_due(&mut self) -> Vec<(SigningId, Timer)> {
        let now = Instant::now();
        let mut due = Vec::new();
        while let Some(alarm) = self.0.first().copied().filter(|(at, ..)| *at <= now) {
            self.0.remove(&alarm);
            due.push((alarm.1, alarm.2));
        }
        due
    }
}

/// Milliseconds since the Unix epoch; shown to people, never decided upon.
pub fn now_ms() -> i64 {
    i64::try_from(wall_clock::now_ms()).unwrap_or(i64::MAX)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod tests {
    use serai_messages::signing::Thing;
    use serai_messages::{Coin, Session, ValidatorSet};

    use super::*;

    #[tokio::test]
    async fn they_ring_in_the_order_of_time() {
        let set = ValidatorSet { coin: Coin::Btc, session: Session(0) };
        let [late, soon] = [1, 2].map(|batch| SigningId { set, thing: Thing::Batch(batch) });
        let mut alarms = Alarms::default();
        alarms.arm(late, 100, Timer::Turn);
        alarms.arm(soon, 50, Timer::Grace);
        assert_eq!(alarms.take_due(), []);
        alarms.next().await;
        assert_eq!(alarms.take_due(), [(soon, Timer::Grace)]);
        alarms.next().await;
        assert_eq!(alarms.take_due(), [(late, Timer::Turn)]);
        assert_eq!(alarms.take_due(), []);
    }
}
