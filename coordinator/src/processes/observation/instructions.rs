//! The seed's txin and txout: instructions in, as Serai executed them, and instructions out, as
//! Serai asks for them.

use rusqlite::Transaction;
use serai_messages::Coin;
use serai_messages::observation::Event;

use super::tables::{self, Batches, Burns};

/// Records an executed batch. Batches of a network are numbered from 0 without gaps; a number that
/// does not follow is kept as a gap, in words, for it means that a block was missed.
pub(super) fn txin(transaction: &Transaction<'_>, event: &Event) -> rusqlite::Result<()> {
    let Event::BatchExecuted { block, coin, id, .. } = event else { return Ok(()) };
    let before = tables::batches(transaction, *coin)?;
    // Told again by a later life of this coordinator.
    if before.as_ref().is_some_and(|before| *id <= before.last) {
        return Ok(());
    }
    let expected = before.as_ref().map_or(0, |before| before.last.saturating_add(1));
    let executed = before.as_ref().map_or(0, |before| before.executed).saturating_add(1);
    let mut gap = before.and_then(|before| before.gap);
    if *id != expected {
        let number = block.number;
        tracing::error!(%coin, id, expected, block = number.0, "batch does not follow the last one");
        gap.get_or_insert_with(|| format!("batch {id} in block {number}, expected {expected}"));
    }
    let batches = Batches { executed, last: *id, block: block.number, gap };
    tables::set_batches(transaction, *coin, &batches)
}

/// Records a burn.
pub(super) fn txout(transaction: &Transaction<'_>, event: &Event) -> rusqlite::Result<()> {
    let Event::Burn { block, index, external_coin, .. } = event else { return Ok(()) };
    let Some(coin) = network_of(*external_coin) else {
        tracing::warn!(external_coin, block = block.number.0, "burn of an unknown coin");
        return Ok(());
    };
    let before = tables::burns(transaction, coin)?;
    if before.as_ref().is_some_and(|it| (block.number, *index) <= (it.block, it.index)) {
        return Ok(());
    }
    let seen = before.map_or(0, |before| before.seen);
    let burns = Burns { seen: seen.saturating_add(1), block: block.number, index: *index };
    tables::set_burns(transaction, coin, burns)
}

/// The network of an `ExternalCoin`: Bitcoin 4, Ether 5, Dai 6, Monero 7.
pub fn network_of(external_coin: u8) -> Option<Coin> {
    match external_coin {
        4 => Some(Coin::Btc),
        5 | 6 => Some(Coin::Eth),
        7 => Some(Coin::Xmr),
        _ => None,
    }
}
