//! How outputs and amounts are chosen, for every coin alike.

use serai_messages::ValidatorSet;

use super::{NoPlan, Output, OutputId, Plan, Purpose, ToSign};

/// What a coin sets for its transactions.
pub(super) struct Terms<'a> {
    /// Most outputs that one transaction spends.
    pub most: usize,
    /// Least that an output may hold.
    pub least: u64,
    /// Fee of a transaction that spends so many outputs, with a change output or without.
    pub fee: &'a dyn Fn(usize, bool) -> u64,
}

/// What a payment spends and makes.
#[derive(Debug)]
pub(super) struct Payment {
    pub chosen: Vec<Output>,
    pub amount: u64,
    pub fee: u64,
    /// 0: no change output.
    pub change: u64,
    pub recovered: u64,
    pub cost: u64,
}

/// What a forwarding spends and makes.
#[derive(Debug)]
pub(super) struct Forwarding {
    pub chosen: Vec<Output>,
    pub amount: u64,
    pub fee: u64,
}

/// A transaction that is not signed yet, as its coin writes it.
pub(super) struct Draft {
    pub hash: [u8; 32],
    pub unsigned: Vec<u8>,
    pub messages: Vec<ToSign>,
}

impl Draft {
    /// The plan of a payment by `set`, whose change is output `index`.
    pub(super) fn pays(self, set: ValidatorSet, payment: Payment, index: u32) -> Plan {
        let Payment { chosen, amount, fee, change, recovered, cost } = payment;
        let change = (change > 0).then_some((set, Purpose::Change, index, change));
        self.plan(&chosen, change, Amounts { amount, fee, recovered, cost })
    }

    /// The plan of a forwarding to `to`, whose output is `index`.
    pub(super) fn forwards(
        self,
        to: ValidatorSet,
        purpose: Purpose,
        forwarding: Forwarding,
        index: u32,
    ) -> Plan {
        let Forwarding { chosen, amount, fee } = forwarding;
        let amounts = Amounts { amount, fee, recovered: 0, cost: fee };
        self.plan(&chosen, Some((to, purpose, index, amount)), amounts)
    }

    fn plan(
        self,
        chosen: &[Output],
        created: Option<(ValidatorSet, Purpose, u32, u64)>,
        amounts: Amounts,
    ) -> Plan {
        let Draft { hash, unsigned, messages } = self;
        let Amounts { amount, fee, recovered, cost } = amounts;
        let mut spent: Vec<_> = chosen.iter().map(|output| output.id).collect();
        spent.sort_unstable();
        let created = created.map(|(set, purpose, index, amount)| Output {
            id: OutputId { transaction: hash, index },
            set,
            purpose,
            amount,
            data: None,
        });
        let created = created.into_iter().collect();
        Plan { hash, unsigned, messages, spent, created, amount, fee, recovered, cost }
    }
}

struct Amounts {
    amount: u64,
    fee: u64,
    recovered: u64,
    cost: u64,
}

/// Largest first; equal ones by id.
fn ordered(available: impl Iterator<Item = Output>) -> Vec<Output> {
    let mut outputs: Vec<_> = available.collect();
    outputs.sort_by(|a, b| b.amount.cmp(&a.amount).then(a.id.cmp(&b.id)));
    outputs.dedup_by(|a, b| a.id == b.id);
    outputs
}

fn sum(outputs: &[Output]) -> u64 {
    outputs.iter().fold(0, |sum: u64, output| sum.saturating_add(output.amount))
}

/// A payment out of the vault's own outputs.
pub(super) fn pay(
    own: impl Iterator<Item = Output>,
    gross: u64,
    recover: u64,
    terms: &Terms<'_>,
) -> Result<Payment, NoPlan> {
    let mut chosen = ordered(own);
    let available = sum(&chosen);
    if available < gross {
        return Err(NoPlan::NotEnough { available, needed: gross });
    }
    let mut held = 0_u64;
    let needed = chosen.iter().take_while(|output| {
        let more = held < gross;
        held = held.saturating_add(output.amount);
        more
    });
    let count = needed.count().max(1);
    if count > terms.most {
        return Err(NoPlan::Scattered { available, most: terms.most });
    }
    chosen.truncate(count);
    let rest = sum(&chosen).saturating_sub(gross);

    let fee = (terms.fee)(count, true);
    if let Some(most) = gross.checked_sub(fee).and_then(|paid| paid.checked_sub(terms.least)) {
        let recovered = recover.min(fee).min(most);
        let change = rest.saturating_add(recovered);
        if change >= terms.least {
            let amount = gross - fee - recovered;
            return Ok(Payment { chosen, amount, fee, change, recovered, cost: 0 });
        }
    }
    let fee = (terms.fee)(count, false);
    match gross.checked_sub(fee) {
        // A rest that is worth an output is none to give away, also where it leaves the payee too
        // little for its own.
        Some(amount) if amount >= terms.least && rest < terms.least => Ok(Payment {
            chosen,
            amount,
            fee: fee.saturating_add(rest),
            change: 0,
            recovered: 0,
            cost: rest,
        }),
        _ => Err(NoPlan::Unpayable(format!(
            "{gross} is too little to be paid: the network's fee is {fee}, and an output holds at \
             least {}",
            terms.least
        ))),
    }
}

/// A transaction of as many of the vault's outputs as one spends.
pub(super) fn forward(
    own: impl Iterator<Item = Output>,
    terms: &Terms<'_>,
) -> Result<Forwarding, NoPlan> {
    let mut chosen = ordered(own);
    chosen.truncate(terms.most);
    let held = sum(&chosen);
    let fee = (terms.fee)(chosen.len(), false);
    match held.checked_sub(fee) {
        Some(amount) if amount >= terms.least => Ok(Forwarding { chosen, amount, fee }),
        _ => Err(NoPlan::Unpayable(format!("{held} is not worth the network's fee of {fee}"))),
    }
}
