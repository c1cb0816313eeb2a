//! The signing party, drawn apart from the coordinators' code, as the seed states the rule.

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore as _, SeedableRng as _};
use serai_messages::{BlockHash, Name, threshold};

/// The first party that the hash of the reference block draws of these validators: those `removed`
/// from the set are drawn, and skipped.
pub(super) fn party(hash: BlockHash, validators: &[Name], removed: &[Name]) -> Vec<Name> {
    let count = validators.len();
    let wanted = u16::try_from(count).map(threshold).map(usize::from).unwrap_or(count);
    let wanted = wanted.min(count.saturating_sub(removed.len()));
    let mut rng = ChaCha20Rng::from_seed(hash.0);
    let mut party: Vec<Name> = Vec::new();
    while party.len() < wanted {
        let position = usize::try_from(rng.next_u64() % count as u64).unwrap_or_default();
        let Some(drawn) = validators.get(position) else { break };
        if !removed.contains(drawn) && !party.contains(drawn) {
            party.push(drawn.clone());
        }
    }
    party
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod tests {
    use super::*;
    use crate::cluster::names;

    /// The seed's vectors.
    #[test]
    fn vectors() {
        let text = include_str!("../../../protocol/tests/vectors/party.json");
        let vectors: serde_json::Value = serde_json::from_str(text).unwrap();
        let mut met = 0;
        for vector in vectors["vectors"].as_array().unwrap() {
            let number = |key: &str| vector[key].as_u64().unwrap();
            let count = number("validator_count");
            let names = names(count.try_into().unwrap());
            let hash = vector["block_hash"].as_str().unwrap().parse().unwrap();
            let drawn = party(hash, &names, &[]);
            let told = vector["selected"].as_array().unwrap().iter();
            let told: Vec<_> =
                told.map(|one| names[one.as_u64().unwrap() as usize - 1].clone()).collect();
            // Where the vector's threshold is another one, the shorter is the beginning.
            let common = drawn.len().min(told.len());
            assert_eq!(drawn[..common], told[..common], "{vector}");
            met += 1;
        }
        assert!(met > 0);
    }
}
