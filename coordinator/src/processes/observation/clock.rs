//! Whether this machine's clock agrees with Serai's.
//!
//! # Promises
//! A difference of more than [`BOUND`] is a fact on the board, in one sentence, a few
//! [`LOOK`]s after its beginning, and is withdrawn when it is over. Nothing is decided by it.
//!
//! # Limits
//! A node that is behind looks like a clock that is ahead; the sentence names both. While the node
//! finalizes nothing, which is shown by itself, a clock that is ahead does not show.

use std::time::Duration;

use serai_bus::wall_clock;
use serai_messages::BlockNumber;

use crate::processes::core::status::{Board, State};

/// Most by which the clock and Serai's newest finalized block may differ: twenty of its blocks, for a
/// block is final some time after it was made.
pub const BOUND: Duration = Duration::from_secs(120);

/// Time between two looks.
pub const LOOK: Duration = Duration::from_secs(5);

/// The fact's name.
const FACT: &str = "this machine's clock";

/// What the looks have found so far.
#[derive(Debug, Default)]
pub(super) struct Looks {
    newest: Option<BlockNumber>,
}

impl Looks {
    /// Shows how the clock stands to the node's newest finalized block, which states this time.
    pub(super) fn show(&mut self, board: &Board, head: BlockNumber, stated_ms: u64) {
        match self.compare(head, stated_ms, wall_clock::now_ms()) {
            None => {}
            Some(State::Ok) => board.withdraw("observation", FACT),
            Some(differs) => board.report("observation", FACT, differs),
        }
    }

    /// Compares the node's newest finalized block and the time that it states with the clock; nothing where
    /// a block that is older proves nothing.
    fn compare(&mut self, head: BlockNumber, stated_ms: u64, now_ms: u64) -> Option<State> {
        let moves = self.newest.is_some_and(|newest| newest < head);
        self.newest = self.newest.max(Some(head));
        let difference = Duration::from_millis(now_ms.abs_diff(stated_ms));
        let (seconds, bound) = (difference.as_secs(), BOUND.as_secs());
        if difference <= BOUND {
            return Some(State::Ok);
        }
        if stated_ms > now_ms {
            return Some(State::Failed(format!(
                "it is {seconds} s behind the time that Serai's block {head} states, more than \
                 {bound} s: set it. What is signed does not hang on it; backups are dated by it"
            )));
        }
        moves.then(|| {
            State::Failed(format!(
                "it is {seconds} s ahead of the time that Serai's newest block {head} states, more \
                 than {bound} s: set it, unless the Serai node is that far behind. What is signed \
                 does not hang on it; backups are dated by it"
            ))
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod tests {
    use super::*;

    const HOUR: u64 = 3_600_000;

    #[test]
    fn a_clock_that_is_wrong_either_way_is_said() {
        let mut looks = Looks::default();
        let now = 1_000 * HOUR;
        assert_eq!(looks.compare(BlockNumber(5), now - 119_000, now), Some(State::Ok));
        let behind = looks.compare(BlockNumber(6), now + 2 * HOUR, now).unwrap();
        assert!(behind.reason().unwrap().starts_with("it is 7200 s behind"), "{behind:?}");
        let ahead = looks.compare(BlockNumber(7), now - 2 * HOUR, now).unwrap();
        assert!(ahead.reason().unwrap().starts_with("it is 7200 s ahead"), "{ahead:?}");
        assert_eq!(looks.compare(BlockNumber(8), now, now), Some(State::Ok));
    }

    #[test]
    fn a_chain_that_stands_still_says_nothing_of_the_clock() {
        let mut looks = Looks::default();
        let now = 1_000 * HOUR;
        assert_eq!(looks.compare(BlockNumber(5), now - HOUR, now), None, "the first look");
        assert_eq!(looks.compare(BlockNumber(5), now - HOUR, now), None);
        assert!(looks.compare(BlockNumber(6), now - HOUR, now).is_some());
    }
}
