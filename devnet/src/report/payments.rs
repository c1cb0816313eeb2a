//! Payments: what was burned on Serai, and what the vaults' transactions paid.

use std::collections::{BTreeMap, BTreeSet};

use serai_messages::{Coin, Name};

use super::collect::ReportError;
use super::money::Sets;
use super::sources::Read;
use super::topics::PublicEvent;
use super::types::{Moment, Payment, Transaction};
use crate::chain::{Money, MoneyEvent};
use crate::cluster::Cluster;
use crate::external::{Found, History};
use crate::payee;

/// The payments of a coin, and the vaults' transactions that only move their own money.
pub(super) struct Paid<'a> {
    pub(super) payments: Vec<Payment>,
    pub(super) own: Vec<&'a Found>,
}

/// Finds the transaction of each burn of a coin. No transaction belongs to two payments, each pays
/// what was burned less its fee and what it recovers, and none of the vaults' pays anybody else.
pub(super) async fn collect<'a>(
    cluster: &Cluster,
    coin: Coin,
    sets: &Sets<'_>,
    history: &'a History,
    moved: &[Money],
    read: &BTreeMap<Name, Read>,
) -> Result<Paid<'a>, ReportError> {
    let ours = sets.addresses(coin);
    let mut left: BTreeMap<[u8; 32], &Found> = history
        .found()
        .iter()
        .filter(|found| found.spends_of(&ours))
        .map(|found| (found.transfer.hash, found))
        .collect();
    let mut payments = Vec::new();
    for money in moved {
        let MoneyEvent::Burn { from, coin: of, amount, address } = &money.event else { continue };
        if *of != coin {
            continue;
        }
        let id = format!("{}-{}", money.block, money.index);
        let address = payee::text(coin, address)
            .unwrap_or_else(|| format!("none of {coin}: {}", hex::encode(address)));
        let said: BTreeSet<&str> = read
            .values()
            .flat_map(|read| &read.public)
            .filter(|event| event.kind == PublicEvent::PAID)
            .filter(|event| event.text("coin") == Some(coin.name()))
            .filter(|event| event.text("payment") == Some(id.as_str()))
            .filter_map(|event| event.text("transaction"))
            .collect();
        if said.len() > 1 {
            return Err(ReportError::Disagreement(format!(
                "payment {id} of {coin} was paid by {said:?}, say the public topics"
            )));
        }
        let pays = |found: &Found| {
            let hash = hex::encode(found.transfer.hash);
            found.pays(&address) > 0
                && said.first().is_none_or(|said| *said == hash)
                && recovered(*amount, found, &address).is_some()
        };
        let found = left.values().copied().find(|found| pays(found));
        let transaction = match found {
            Some(found) => {
                left.remove(&found.transfer.hash);
                Some(transaction(cluster, coin, sets, found, (&address, *amount)).await?)
            }
            None => None,
        };
        payments.push(Payment {
            id,
            coin,
            amount: *amount,
            from: from.to_string(),
            address,
            serai_block: Moment { block: money.block, at_ms: money.at_ms },
            transaction,
        });
    }
    let own: Vec<&Found> = left.into_values().collect();
    if let Some(found) = own.iter().find(|found| !found.stays_with(&ours)) {
        return Err(ReportError::Disagreement(format!(
            "transaction {} of the {coin} vaults pays {:?}, which no burn asks for",
            hex::encode(found.transfer.hash),
            found.transfer.outputs
        )));
    }
    Ok(Paid { payments, own })
}

async fn transaction(
    cluster: &Cluster,
    coin: Coin,
    sets: &Sets<'_>,
    found: &Found,
    (address, burned): (&str, u64),
) -> Result<Transaction, ReportError> {
    let hash = hex::encode(found.transfer.hash);
    let wrong = |reason: &dyn std::fmt::Display| {
        ReportError::Disagreement(format!("transaction {hash} of {coin}: {reason}"))
    };
    let signatures = found.transfer.verify(&found.spent).map_err(|error| wrong(&error))?;
    let first = signatures.first().ok_or_else(|| wrong(&"it has no signature"))?.clone();
    let session = sets
        .owner(coin, found.spent.iter().map(|one| one.address.as_str()))
        .ok_or_else(|| wrong(&"it spends what is not one vault's alone"))?;
    let mut verified_by: Vec<String> =
        signatures.iter().map(|proof| proof.verified_by.to_owned()).collect();
    verified_by.dedup();
    let taken = cluster.external(coin)?.taken(found.transfer.hash).await?;
    let taken = taken.ok_or_else(|| wrong(&"the external chain does not know it"))?;
    verified_by.push(format!("the external chain, with {}", taken.verified_by));
    Ok(Transaction {
        height: found.height,
        session: session.session.0,
        paid: found.pays(address),
        fee: found.fee,
        recovered: recovered(burned, found, address).unwrap_or_default(),
        signature: first.signature,
        key: first.key,
        message: first.message,
        verified_by,
        signatures,
        hash,
    })
}

/// Least that an output holds on any of the chains: less than that the vault may leave to the network.
const DUST: i64 = 330;

/// What of a burn the payee got neither nor paid as fee: at most the fee again, for what forwardings
/// have cost. Negative: what the vault added to the fee. None where the transaction is no payment of
/// this burn.
fn recovered(burned: u64, found: &Found, address: &str) -> Option<i64> {
    let spent = found.pays(address).checked_add(found.fee)?;
    let recovered = i64::try_from(i128::from(burned) - i128::from(spent)).ok()?;
    let most = i64::try_from(found.fee).ok()?;
    (recovered > -DUST && recovered <= most).then_some(recovered)
}
