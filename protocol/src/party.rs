//! The signing party's draw, as the seed states it (SEED "Party Formation", DESIGN D11).
//!
//! # Promises
//! The same block hash gives every validator the same order. A draw of `t` is the beginning of the
//! order of all.
//!
//! # Limits
//! `next_u64() % n` favours low numbers by less than `n / 2^64`, as the rule has it.

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use serai_messages::BlockHash;

/// A party that cannot be drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PartyError {
    /// Nobody to draw from.
    #[error("a party cannot be drawn from 0 validators")]
    NoValidators,
    /// More members than validators, or none.
    #[error("a party of {threshold} cannot be drawn from {validators} validators")]
    Threshold {
        /// Members asked for.
        threshold: u16,
        /// Validators there are.
        validators: u16,
    },
}

/// Draws `threshold` of the validators `1..=validators`: `ChaCha20Rng::from_seed(block_hash)`, then
/// `next_u64() % validators + 1` again and again, repeats skipped. In draw order.
///
/// # Errors
/// [`PartyError`] when either number is zero or the threshold exceeds the validators.
pub fn draw(
    block_hash: BlockHash,
    validators: u16,
    threshold: u16,
) -> Result<Vec<u16>, PartyError> {
    if validators == 0 {
        return Err(PartyError::NoValidators);
    }
    if threshold == 0 || threshold > validators {
        return Err(PartyError::Threshold { threshold, validators });
    }
    let mut rng = ChaCha20Rng::from_seed(block_hash.0);
    let mut drawn = vec![false; usize::from(validators)];
    let mut party = Vec::with_capacity(usize::from(threshold));
    while party.len() < usize::from(threshold) {
        // The remainder is below `validators`, a u16.
        let position = (rng.next_u64() % u64::from(validators)) as u16;
        if let Some(drawn @ false) = drawn.get_mut(usize::from(position)) {
            *drawn = true;
            party.push(position + 1);
        }
    }
    Ok(party)
}

/// The draw continued over all validators: first party, then who stands in, in this order.
///
/// # Errors
/// [`PartyError::NoValidators`] for 0 validators.
pub fn order(block_hash: BlockHash, validators: u16) -> Result<Vec<u16>, PartyError> {
    draw(block_hash, validators, validators)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod tests {
    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Vectors {
        vectors: Vec<Vector>,
    }

    #[derive(Deserialize)]
    struct Vector {
        block_hash: BlockHash,
        validator_count: u16,
        threshold: u16,
        selected: Vec<u16>,
    }

    #[test]
    fn vectors() {
        let text = include_str!("../tests/vectors/party.json");
        let Vectors { vectors } = serde_json::from_str(text).unwrap();
        assert!(!vectors.is_empty());
        for vector in vectors {
            let drawn = draw(vector.block_hash, vector.validator_count, vector.threshold);
            assert_eq!(drawn, Ok(vector.selected), "{}", vector.block_hash);
        }
    }

    #[test]
    fn impossible_parties_are_refused() {
        let hash = BlockHash([0; 32]);
        assert_eq!(draw(hash, 0, 0), Err(PartyError::NoValidators));
        assert_eq!(draw(hash, 3, 4), Err(PartyError::Threshold { threshold: 4, validators: 3 }));
        assert!(draw(hash, 3, 0).is_err());
    }

    proptest! {
        #[test]
        fn draws_are_prefixes_of_a_permutation(
            hash in any::<[u8; 32]>(),
            (validators, threshold) in (1_u16..200).prop_flat_map(|n| (Just(n), 1..=n)),
        ) {
            let order = order(BlockHash(hash), validators).unwrap();
            let party = draw(BlockHash(hash), validators, threshold).unwrap();
            prop_assert_eq!(&order[..usize::from(threshold)], party.as_slice());
            let mut sorted = order;
            sorted.sort_unstable();
            prop_assert_eq!(sorted, (1..=validators).collect::<Vec<_>>());
        }
    }
}
