//! `ValidatorSets.set_keys`: the keys that a set has generated.

use parity_scale_codec::Encode;
use serai_messages::{KeyPair, Session, SignatureBytes, ValidatorKey, ValidatorSet};

use super::super::error::EndpointError;
use super::super::{chain, tables};
use super::call::{Look, View, index};

/// The parts of `Event::SetKeys`.
#[derive(Clone, Copy)]
pub(super) struct SetKeys<'a> {
    pub(super) set: ValidatorSet,
    pub(super) removed: &'a [ValidatorKey],
    pub(super) key_pair: &'a KeyPair,
    pub(super) signature: SignatureBytes,
}

/// Whether the chain shows keys for the set, now or, as far as the cursor has come, before; else the
/// call.
pub(super) async fn look(view: &View<'_>, keys: SetKeys<'_>) -> Result<Look, EndpointError> {
    let set = keys.set;
    let shown = match view.keys(set).await? {
        Some(shown) => Some(shown),
        None => view.observed_keys(set)?,
    };
    if let Some(shown) = shown {
        return Ok(if shown == *keys.key_pair {
            Look::done(format!("the chain shows the keys at block {}", view.block.number))
        } else {
            Look::failed(format!(
                "the chain has other keys for {set}: {} instead of {}",
                hex::encode(shown.ristretto),
                hex::encode(keys.key_pair.ristretto)
            ))
        });
    }
    let current = chain::current_session(view.connection, &view.at, set.coin).await?;
    if current != Some(set.session) {
        return Ok(not_current(view, current, set));
    }
    let fields = ["network", "removed_participants", "key_pair", "signature"];
    Ok(match index(view.at.metadata_ref(), "ValidatorSets", "set_keys", &fields) {
        Ok(index) => Look::Submit(encoded(index, keys)),
        Err(reason) => Look::retry(reason),
    })
}

fn not_current(view: &View<'_>, current: Option<Session>, set: ValidatorSet) -> Look {
    let Some(current) = current.filter(|current| *current > set.session) else {
        return Look::retry(format!("the chain has not come to {set} yet"));
    };
    // The old keys' entry may be gone already: only once the cursor is past this block is it sure
    // that there was none.
    let observed = view.database.read(tables::chain).ok().flatten().and_then(|c| c.cursor);
    if observed.is_some_and(|cursor| cursor.number >= view.block.number) {
        Look::failed(format!("the chain is at session {current}; {set} got no keys in time"))
    } else {
        Look::retry(format!("the chain is at session {current}; reading up to it"))
    }
}

fn encoded(index: [u8; 2], keys: SetKeys<'_>) -> Vec<u8> {
    let removed: Vec<[u8; 32]> = keys.removed.iter().map(|key| key.0).collect();
    let KeyPair { ristretto, external } = keys.key_pair;
    (index, keys.set.coin.network_id(), removed, ristretto, external, keys.signature.0).encode()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod tests {
    use serai_messages::{Coin, Session};

    use super::*;

    #[test]
    fn set_keys_is_encoded_as_serai_does() {
        let keys = SetKeys {
            set: ValidatorSet { coin: Coin::Eth, session: Session(7) },
            removed: &[ValidatorKey([3; 32])],
            key_pair: &KeyPair { ristretto: [5; 32], external: vec![2; 33] },
            signature: SignatureBytes([9; 64]),
        };
        // Real Serai: outer index 4 (the pallet's is 6), call 0, Ethereum 2.
        let expected = [
            "0400".to_owned(),
            "02".to_owned(),
            format!("04{}", "03".repeat(32)),
            format!("{}84{}", "05".repeat(32), "02".repeat(33)),
            "09".repeat(64),
        ];
        assert_eq!(hex::encode(encoded([4, 0], keys)), expected.concat());
    }
}
