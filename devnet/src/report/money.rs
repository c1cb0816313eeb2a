//! Money: batches, payments, the signings of both, and whether all of it adds up.

use std::collections::BTreeMap;

use serai_messages::{BlockHash, Coin, ValidatorSet};

use super::batches;
use super::collect::{Confirmed, ReportError};
use super::draw::party;
use super::payments::{self, Paid};
use super::sources::Sources;
use super::topics::PublicEvent;
use super::types::{Balance, Batch, Moment, Payment, Said, Session};
use crate::address;
use crate::chain::{Chain, MoneyEvent};
use crate::cluster::Cluster;
use crate::external::History;

/// The sets whose keys were confirmed, and where their vaults hold money.
pub(super) struct Sets<'a> {
    sets: BTreeMap<ValidatorSet, &'a Confirmed>,
    addresses: BTreeMap<(Coin, String), ValidatorSet>,
}

impl<'a> Sets<'a> {
    pub(super) fn new(confirmed: &'a [Confirmed]) -> Result<Self, ReportError> {
        let mut addresses = BTreeMap::new();
        for one in confirmed {
            for address in address::all(one.set.coin, &one.keys.external)? {
                addresses.insert((one.set.coin, address), one.set);
            }
        }
        let sets = confirmed.iter().map(|one| (one.set, one)).collect();
        Ok(Self { sets, addresses })
    }

    pub(super) fn get(&self, set: ValidatorSet) -> Result<&'a Confirmed, ReportError> {
        self.sets.get(&set).copied().ok_or_else(|| {
            ReportError::Disagreement(format!("something was signed by {set}, which has no keys"))
        })
    }

    /// The addresses of all of a coin's vaults.
    pub(super) fn addresses(&self, coin: Coin) -> Vec<String> {
        let of_coin = self.addresses.keys().filter(|(of, _)| *of == coin);
        of_coin.map(|(_, address)| address.clone()).collect()
    }

    /// The set whose vault has all of these addresses.
    pub(super) fn owner<'b>(
        &self,
        coin: Coin,
        addresses: impl IntoIterator<Item = &'b str>,
    ) -> Option<ValidatorSet> {
        let owners = addresses.into_iter();
        let mut owners =
            owners.map(|address| self.addresses.get(&(coin, address.to_owned())).copied());
        let first = owners.next()??;
        owners.all(|other| other == Some(first)).then_some(first)
    }

    /// The first set of a coin.
    fn first(&self, coin: Coin) -> Option<&'a Confirmed> {
        self.sets.values().find(|one| one.set.coin == coin).copied()
    }
}

/// What the report says of money.
#[derive(Default)]
pub(super) struct All {
    pub(super) batches: Vec<Batch>,
    pub(super) payments: Vec<Payment>,
    pub(super) balances: Vec<Balance>,
    pub(super) sessions: Vec<Session>,
}

/// Everything about money.
pub(super) async fn collect(
    cluster: &Cluster,
    chain: &Chain,
    sources: &Sources,
    sets: &Sets<'_>,
) -> Result<All, ReportError> {
    let mut all = All::default();
    let (moved, read) = (&sources.money, &sources.topics);
    for (coin, history) in &sources.histories {
        let batches = batches::collect(*coin, sets, history, moved, read)?;
        let paid = payments::collect(cluster, *coin, sets, history, moved, read).await?;
        let signings = Signings { sources, coin: *coin, sets, batches: &batches };
        all.sessions.extend(signings.of_batches()?);
        all.sessions.extend(signings.of_payments(&paid)?);
        all.sessions.extend(signings.of_forwards(&paid)?);
        all.balances.extend(balance(cluster, chain, sources, *coin, sets, history, &paid).await?);
        all.batches.extend(batches);
        all.payments.extend(paid.payments);
    }
    Ok(all)
}

/// What the vaults hold beside what Serai owes; `None` where a coin's chain has no final block yet.
async fn balance(
    cluster: &Cluster,
    chain: &Chain,
    sources: &Sources,
    coin: Coin,
    sets: &Sets<'_>,
    history: &History,
    paid: &Paid<'_>,
) -> Result<Option<Balance>, ReportError> {
    let Some(height) = history.height() else { return Ok(None) };
    let ours = sets.addresses(coin);
    let holdings = match ours.is_empty() {
        true => 0,
        false => cluster.external(coin)?.holdings(&ours, height).await?,
    };
    let deposits = history.found().iter().filter(|found| found.transfer.deposit);
    let deposited = deposits
        .flat_map(|found| &found.transfer.outputs)
        .filter(|output| ours.contains(&output.address))
        .map(|output| output.amount)
        .sum::<u64>();
    let (mut minted, mut burned) = (0u64, 0u64);
    for money in &sources.money {
        match &money.event {
            MoneyEvent::Mint { coin: of, amount, .. } if *of == coin => minted += amount,
            MoneyEvent::Burn { coin: of, amount, .. } if *of == coin => burned += amount,
            _ => {}
        }
    }
    let supply = chain.supply(coin, Some(sources.finalized())).await?;
    if minted.checked_sub(burned) != Some(supply) {
        return Err(ReportError::Disagreement(format!(
            "{minted} of {coin} were minted and {burned} burned, and Serai has {supply}"
        )));
    }
    let open = paid.payments.iter().filter(|payment| payment.transaction.is_none());
    let in_flight = open.map(|payment| payment.amount).sum::<u64>();
    let fees = paid.own.iter().map(|found| i128::from(found.fee)).sum::<i128>();
    let made = paid.payments.iter().filter_map(|payment| payment.transaction.as_ref());
    let recovered = made.map(|made| i128::from(made.recovered)).sum::<i128>();
    let costs = u64::try_from(fees - recovered).map_err(|_| {
        ReportError::Disagreement(format!(
            "payments of {coin} recovered {recovered} of the {fees} that the vaults paid themselves"
        ))
    })?;
    let retained = deposited.checked_sub(minted).ok_or_else(|| {
        ReportError::Missing(format!(
            "deposits of {coin} up to height {height} for all that was minted: {deposited} of \
             {minted}"
        ))
    })?;
    if holdings + costs != supply + in_flight + retained {
        return Err(ReportError::Disagreement(format!(
            "the {coin} vaults hold {holdings} at height {height} and paid {costs} for themselves, \
             but Serai owes {supply}, {in_flight} are in flight and {retained} retained"
        )));
    }
    Ok(Some(Balance {
        coin,
        height,
        holdings,
        costs,
        supply,
        in_flight,
        retained,
        deposited,
        minted,
        burned,
    }))
}

/// The signings of one coin.
struct Signings<'a> {
    sources: &'a Sources,
    coin: Coin,
    sets: &'a Sets<'a>,
    batches: &'a [Batch],
}

impl Signings<'_> {
    fn of_batches(&self) -> Result<Vec<Session>, ReportError> {
        let Some(first) = self.sets.first(self.coin) else { return Ok(Vec::new()) };
        let mut sessions = Vec::new();
        let mut reference = first.end;
        for batch in self.batches {
            let set = self.set(batch.session);
            let id = format!("sign/{set}/batch/{}", batch.id);
            let end = Some(batch.serai_block);
            sessions.push(self.session("batch", id, set, reference, end)?);
            reference = batch.serai_block;
        }
        Ok(sessions)
    }

    fn of_payments(&self, paid: &Paid<'_>) -> Result<Vec<Session>, ReportError> {
        let mut sessions = Vec::new();
        for payment in &paid.payments {
            let Some(transaction) = &payment.transaction else { continue };
            let set = self.set(transaction.session);
            let id = format!("sign/{set}/payment/{}", payment.id);
            let end = self.acknowledged(transaction.height);
            sessions.push(self.session("payment", id, set, payment.serai_block, end)?);
        }
        Ok(sessions)
    }

    /// Which batch made a forwarding due is the coordinators' word; its party follows from that.
    fn of_forwards(&self, paid: &Paid<'_>) -> Result<Vec<Session>, ReportError> {
        let mut sessions = Vec::new();
        for found in &paid.own {
            let hash = hex::encode(found.transfer.hash);
            let events = self.sources.topics.values().flat_map(|read| &read.public);
            let event = events
                .filter(|event| event.kind == PublicEvent::FORWARDED)
                .find(|event| event.text("transaction") == Some(&hash));
            let number = |key: &str| event.and_then(|event| event.data.get(key)?.as_u64());
            let batch = number("batch").and_then(|batch| self.batches.get(batch as usize));
            let spent = found.spent.iter().map(|one| one.address.as_str());
            let (Some(batch), Some(set)) = (batch, self.sets.owner(self.coin, spent)) else {
                continue;
            };
            let id = format!("sign/{set}/forward/{}", batch.id);
            let end = self.acknowledged(found.height);
            sessions.push(self.session("forward", id, set, batch.serai_block, end)?);
        }
        Ok(sessions)
    }

    fn set(&self, session: u32) -> ValidatorSet {
        ValidatorSet { coin: self.coin, session: serai_messages::Session(session) }
    }

    /// When Serai executed the batch that acknowledges this external height.
    fn acknowledged(&self, height: u64) -> Option<Moment> {
        self.batches.iter().find(|batch| batch.height >= height).map(|batch| batch.serai_block)
    }

    fn session(
        &self,
        kind: &'static str,
        id: String,
        set: ValidatorSet,
        start: Moment,
        end: Option<Moment>,
    ) -> Result<Session, ReportError> {
        let confirmed = self.sets.get(set)?;
        let hash: BlockHash = self.sources.hash(start.block)?;
        let said = self.said(&id);
        let attempts = said.iter().map(|said| sessions_in(&said.data)).max().unwrap_or_default();
        Ok(Session {
            kind,
            id,
            attempts,
            party: party(hash, &confirmed.validators, &confirmed.removed),
            removed: confirmed.removed.clone(),
            start,
            end,
            said,
        })
    }

    /// What public topics say of a signing, equal words together.
    fn said(&self, id: &str) -> Vec<Said> {
        let mut all: Vec<Said> = Vec::new();
        for (name, read) in &self.sources.topics {
            let events = read.public.iter().filter(|event| event.kind == PublicEvent::SIGNED);
            for event in events.filter(|event| event.text("id") == Some(id)) {
                match all.iter_mut().find(|said| said.data == event.data) {
                    Some(said) if said.by.contains(name) => {}
                    Some(said) => said.by.push(name.clone()),
                    None => {
                        all.push(Said { by: vec![name.clone()], data: event.data.clone() });
                    }
                }
            }
        }
        all
    }
}

/// How many sessions a signing took: a number or a list.
fn sessions_in(data: &serde_json::Value) -> usize {
    match data.get("sessions") {
        Some(serde_json::Value::Array(sessions)) => sessions.len(),
        Some(count) => count.as_u64().and_then(|count| count.try_into().ok()).unwrap_or_default(),
        None => 0,
    }
}
