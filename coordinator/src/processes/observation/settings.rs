//! What the process is told at its start.

use std::time::Duration;

use serai_bus::OffsetReset;
use serai_messages::{Coin, Incarnation};

use super::Profile;
use crate::processes::core::config::ShortfallAction;
use crate::processes::core::status::Board;

/// What the process is told at its start.
#[derive(Clone, Debug)]
pub struct Settings {
    /// URLs of Serai nodes (`ws://host:port`), in order of preference; at least one.
    pub endpoints: Vec<String>,
    /// What the nodes speak.
    pub profile: Profile,
    /// Coins whose events are published.
    pub chains: Vec<Coin>,
    /// This instance's incarnation, for the records that it writes.
    pub incarnation: Incarnation,
    /// Where the consumers begin to read `{name}-serai` when they have no position yet.
    pub reset: OffsetReset,
    /// What follows when a coin's vaults hold less than Serai owes.
    pub on_shortfall: ShortfallAction,
    /// Where the process says how it stands.
    pub board: Board,
    /// Time without a block from the node's subscription after which the finalized head is asked
    /// for.
    pub silence: Duration,
    /// Time without a new finalized block after which another endpoint is tried, where there is one; and
    /// where there is none, after which the node is said to stand still.
    pub stall: Duration,
    /// Most records that wait for the topic; while there are more the chain is not read further.
    pub room: u64,
    /// Longest wait for an answer of the node.
    pub request_timeout: Duration,
    /// Pause after all endpoints have failed once; doubles with each further round.
    pub backoff_min: Duration,
    /// Longest pause.
    pub backoff_max: Duration,
    /// Longest pause between two attempts at a refused submission; what changes on the chain ends it
    /// early.
    pub submission_backoff_max: Duration,
    /// Longest wait for a submitted extrinsic to be finalized before it is submitted again.
    pub finality_timeout: Duration,
}

impl Settings {
    /// Settings with the times that suit Serai's blocks (6 s).
    pub fn new(
        endpoints: Vec<String>,
        profile: Profile,
        chains: Vec<Coin>,
        incarnation: Incarnation,
    ) -> Self {
        Self {
            endpoints,
            profile,
            chains,
            incarnation,
            reset: OffsetReset::Earliest,
            on_shortfall: ShortfallAction::Report,
            board: Board::default(),
            silence: Duration::from_secs(12),
            stall: Duration::from_secs(120),
            room: 4_096,
            request_timeout: Duration::from_secs(20),
            backoff_min: Duration::from_millis(250),
            backoff_max: Duration::from_secs(5),
            submission_backoff_max: Duration::from_secs(60),
            finality_timeout: Duration::from_secs(120),
        }
    }

    /// Pause after the `failures`-th round in a row (from 1) in which all endpoints failed.
    pub(super) fn backoff(&self, failures: u32) -> Duration {
        self.doubled(failures).min(self.backoff_max)
    }

    /// Pause after the `attempts`-th attempt at a submission (from 1).
    pub(super) fn submission_backoff(&self, attempts: u32) -> Duration {
        self.doubled(attempts).min(self.submission_backoff_max)
    }

    fn doubled(&self, times: u32) -> Duration {
        self.backoff_min.saturating_mul(1 << times.saturating_sub(1).min(16))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_doubles_up_to_its_cap() {
        let settings = Settings::new(Vec::new(), Profile::Serai, Vec::new(), Incarnation(1));
        let pauses: Vec<_> =
            [0, 1, 2, 3, 6, u32::MAX].map(|n| settings.backoff(n).as_millis()).into();
        assert_eq!(pauses, [250, 250, 500, 1000, 5000, 5000]);
        assert_eq!(settings.submission_backoff(8).as_millis(), 32_000);
        assert_eq!(settings.submission_backoff(9).as_millis(), 60_000);
    }
}
