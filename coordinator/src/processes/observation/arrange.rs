//! One block's events in the order in which all validators handle them.
//!
//! # Promises
//! New sets, removals and keys, hand-overs, retirements, burns, then batches; within each as the chain
//! has them. Burns come before batches because the supply is read at the block's end: what a
//! processor counts as in flight when it hears of a batch has to hold the burns of the same block
//! (ADR 0015). A batch carries which of its instructions failed.

use serai_messages::Coin;
use serai_messages::observation::Event;

/// An instruction of a batch of the block that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) coin: Coin,
    pub(super) batch: u32,
    /// Its position.
    pub(super) index: u32,
}

/// Orders the events and adds the failures to their batches.
///
/// # Errors
/// A failure in a batch that the block has not executed.
pub(super) fn arrange(events: &mut [Event], failures: &[Failure]) -> Result<(), Failure> {
    for failure in failures {
        let failed = events.iter_mut().find_map(|event| match event {
            Event::BatchExecuted { coin, id, failed, .. }
                if (*coin, *id) == (failure.coin, failure.batch) =>
            {
                Some(failed)
            }
            _ => None,
        });
        let failed = failed.ok_or(*failure)?;
        if let Err(place) = failed.binary_search(&failure.index) {
            failed.insert(place, failure.index);
        }
    }
    events.sort_by_key(rank);
    Ok(())
}

fn rank(event: &Event) -> u8 {
    match event {
        Event::NewSet { .. } => 0,
        Event::ParticipantRemoved { .. } | Event::KeyGen { .. } => 1,
        Event::AcceptedHandover { .. } => 2,
        Event::SetRetired { .. } => 3,
        Event::BatchExecuted { .. } => 5,
        _ => 4,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod tests {
    use serai_messages::observation::SeraiBlock;
    use serai_messages::{BlockHash, BlockNumber, KeyPair, Session, ValidatorKey, ValidatorSet};

    use super::*;

    const BLOCK: SeraiBlock = SeraiBlock { number: BlockNumber(9), hash: BlockHash([9; 32]) };

    fn set(coin: Coin) -> ValidatorSet {
        ValidatorSet { coin, session: Session(1) }
    }

    fn batch(id: u32) -> Event {
        Event::BatchExecuted {
            block: BLOCK,
            coin: Coin::Btc,
            id,
            external_block: [1; 32],
            instructions_hash: [2; 32],
            failed: Vec::new(),
        }
    }

    fn burn(index: u32) -> Event {
        let (address, data) = (vec![1], None);
        let from = ValidatorKey([7; 32]);
        Event::Burn { block: BLOCK, index, from, external_coin: 4, amount: 1, address, data }
    }

    #[test]
    fn a_block_is_told_in_one_order() {
        let removed = ValidatorKey([3; 32]);
        let key_pair = KeyPair { ristretto: [1; 32], external: vec![2; 33] };
        let mut events = vec![
            burn(1),
            Event::AcceptedHandover { block: BLOCK, set: set(Coin::Btc) },
            batch(4),
            burn(5),
            Event::SetRetired { block: BLOCK, set: set(Coin::Xmr) },
            Event::ParticipantRemoved { block: BLOCK, set: set(Coin::Eth), removed },
            Event::KeyGen { block: BLOCK, set: set(Coin::Eth), key_pair },
            Event::NewSet { block: BLOCK, set: set(Coin::Xmr), members: Vec::new() },
            Event::NewSet { block: BLOCK, set: set(Coin::Btc), members: Vec::new() },
        ];
        let failures = [7, 2, 7, 3].map(|index| Failure { coin: Coin::Btc, batch: 4, index });
        arrange(&mut events, &failures).unwrap();
        let words: Vec<_> = events.iter().map(Event::intent).collect();
        assert_eq!(
            words,
            [
                "serai/new-set/xmr-1",
                "serai/new-set/btc-1",
                &format!("serai/removed/eth-1/{removed}"),
                "serai/key-gen/eth-1",
                "serai/handover/btc-1",
                "serai/retired/xmr-1",
                "txout/9/1",
                "txout/9/5",
                "txin/btc/4",
            ]
        );
        let Some(Event::BatchExecuted { failed, .. }) = events.get(8) else { panic!("a batch") };
        assert_eq!(failed, &[2, 3, 7]);
    }

    #[test]
    fn a_failure_without_its_batch_is_refused() {
        let stray = Failure { coin: Coin::Btc, batch: 5, index: 0 };
        assert_eq!(arrange(&mut [batch(4)], &[stray]), Err(stray));
    }
}
