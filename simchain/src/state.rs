//! Who holds what.
//!
//! # Owns
//! Unspent outputs, accounts and their history of balances.
//!
//! # Promises
//! [`State::apply`] changes all or nothing. All money together fits in 64 bits, so that no sum of
//! balances overflows.
//!
//! # Limits
//! In memory; rebuilt from the blocks when the program starts and when blocks are replaced.

use std::collections::{HashMap, HashSet};

use crate::network::{Account, Effects, OutputId, Refusal, check_distinct, sum};

/// An output that is not spent.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    /// Whose.
    pub(crate) account: Account,
    /// How much.
    pub(crate) amount: u64,
}

#[derive(Default)]
struct History {
    /// Transactions so far.
    sent: u64,
    /// Heights at which the balance changed, rising, and the balance after.
    balances: Vec<(u64, u64)>,
}

impl History {
    fn balance(&self) -> u64 {
        self.balances.last().map_or(0, |(_, balance)| *balance)
    }

    fn set(&mut self, height: u64, balance: u64) {
        match self.balances.last_mut() {
            Some((at, last)) if *at == height => *last = balance,
            _ => self.balances.push((height, balance)),
        }
    }
}

/// The ledger after the newest block and the pool.
#[derive(Default)]
pub(crate) struct State {
    unspent: HashMap<OutputId, Held>,
    spent: HashSet<OutputId>,
    accounts: HashMap<Account, History>,
    supply: u64,
}

impl State {
    /// An output that can be spent.
    pub(crate) fn unspent(&self, id: OutputId) -> Result<&Held, Refusal> {
        match self.unspent.get(&id) {
            Some(held) => Ok(held),
            None if self.spent.contains(&id) => Err(Refusal::Spent(id)),
            None => Err(Refusal::UnknownInput(id)),
        }
    }

    /// The nonce of an account's next transaction.
    pub(crate) fn next_nonce(&self, account: &[u8]) -> u64 {
        self.accounts.get(account).map_or(0, |history| history.sent).saturating_add(1)
    }

    /// What an account has after the pool.
    pub(crate) fn balance(&self, account: &[u8]) -> u64 {
        self.accounts.get(account).map_or(0, History::balance)
    }

    /// What an account had after the block at this height.
    pub(crate) fn balance_at(&self, account: &[u8], height: u64) -> u64 {
        let Some(history) = self.accounts.get(account) else { return 0 };
        let after = history.balances.partition_point(|(at, _)| *at <= height);
        after.checked_sub(1).and_then(|i| history.balances.get(i)).map_or(0, |(_, held)| *held)
    }

    /// Whether a transaction can be applied.
    pub(crate) fn check(&self, effects: &Effects) -> Result<(), Refusal> {
        check_distinct(&effects.inputs)?;
        for input in &effects.inputs {
            self.unspent(*input)?;
        }
        if let Some(debit) = &effects.debit {
            let (nonce, next) = (debit.nonce, self.next_nonce(&debit.account));
            if nonce < next {
                return Err(Refusal::NonceUsed { nonce, next });
            }
            if nonce > next {
                return Err(Refusal::NonceAhead { nonce, next });
            }
            let (balance, amount) = (self.balance(&debit.account), u128::from(debit.amount));
            if u128::from(balance) < amount {
                return Err(Refusal::Balance { balance, amount });
            }
        }
        if effects.deposit {
            let more = sum(effects.credits.iter().map(|credit| credit.amount));
            if u128::from(self.supply) + more > u128::from(u64::MAX) {
                return Err(Refusal::Supply(u64::try_from(more).unwrap_or(u64::MAX)));
            }
        }
        Ok(())
    }

    /// Applies a transaction in the block at this height. That its value is conserved is for the
    /// coin's rules to see to.
    pub(crate) fn apply(&mut self, effects: &Effects, height: u64) -> Result<(), Refusal> {
        self.check(effects)?;
        for input in &effects.inputs {
            if let Some(held) = self.unspent.remove(input) {
                self.spent.insert(*input);
                let history = self.accounts.entry(held.account).or_default();
                history.set(height, history.balance().saturating_sub(held.amount));
            }
        }
        if let Some(debit) = &effects.debit {
            let history = self.accounts.entry(debit.account.clone()).or_default();
            history.sent = history.sent.saturating_add(1);
            history.set(height, history.balance().saturating_sub(debit.amount));
        }
        for credit in &effects.credits {
            if let Some(index) = credit.index {
                let id = OutputId { transaction: effects.hash, index };
                let held = Held { account: credit.account.clone(), amount: credit.amount };
                self.unspent.insert(id, held);
            }
            let history = self.accounts.entry(credit.account.clone()).or_default();
            history.set(height, history.balance().saturating_add(credit.amount));
            if effects.deposit {
                self.supply = self.supply.saturating_add(credit.amount);
            }
        }
        Ok(())
    }
}
