//! A coin in memory: outputs, fees, a dust limit, few inputs per transaction.

use std::collections::BTreeMap;

use borsh::{BorshDeserialize, BorshSerialize};
use serai_messages::{Coin, SignatureBytes, ValidatorSet, decode, encode};

use crate::chain::{
    Block, InvalidKey, Network, NoPlan, NotAssembled, Output, OutputId, Payee, Plan, Purpose, Scan,
    Target, ToSign, VaultKey,
};
use crate::ledger::scale::blake2_256;

pub const COST: u64 = 5;
pub const DUST: u64 = 10;
const MOST_INPUTS: usize = 3;

pub struct Double;

pub static DOUBLE: Double = Double;

#[derive(Clone, Debug, BorshSerialize, BorshDeserialize)]
pub struct Tx {
    pub inputs: Vec<OutputId>,
    pub outputs: Vec<(String, u64)>,
    pub data: Option<Vec<u8>>,
    pub salt: u64,
}

impl Tx {
    pub fn hash(&self) -> [u8; 32] {
        blake2_256(&encode(self))
    }
}

pub fn address(set: ValidatorSet, purpose: Purpose) -> String {
    format!("{set}/{purpose}")
}

fn plan(
    key: &VaultKey,
    nonce: u64,
    spent: &[&Output],
    outputs: Vec<(String, u64)>,
    figures: (u64, u64, u64, u64),
) -> Plan {
    let inputs: Vec<OutputId> = spent.iter().map(|output| output.id).collect();
    let tx = Tx { inputs, outputs, data: None, salt: nonce };
    let hash = tx.hash();
    let (amount, fee, recovered, cost) = figures;
    let created = (0_u32..)
        .zip(&tx.outputs)
        .filter_map(|(index, (to, amount))| {
            let (set, purpose) = owner(to, &[key.set, successor(key.set)])?;
            // A payee may be a vault; that is a deposit.
            (purpose != Purpose::External).then_some(Output {
                id: OutputId { transaction: hash, index },
                set,
                purpose,
                amount: *amount,
                data: None,
            })
        })
        .collect();
    let mut spent = tx.inputs.clone();
    spent.sort();
    let messages = spent.iter().map(|_| ToSign { offset: None, bytes: hash.to_vec() }).collect();
    Plan { hash, unsigned: encode(&tx), messages, spent, created, amount, fee, recovered, cost }
}

fn successor(set: ValidatorSet) -> ValidatorSet {
    ValidatorSet { session: set.session.next(), ..set }
}

fn owner(address_text: &str, sets: &[ValidatorSet]) -> Option<(ValidatorSet, Purpose)> {
    sets.iter()
        .flat_map(|set| Purpose::ALL.map(|purpose| (*set, purpose)))
        .find(|(set, purpose)| address(*set, *purpose) == address_text)
}

impl Network for Double {
    fn coin(&self) -> Coin {
        Coin::Btc
    }

    fn address(&self, key: &VaultKey, purpose: Purpose) -> Result<String, InvalidKey> {
        Ok(address(key.set, purpose))
    }

    fn hash(&self, raw: &[u8]) -> Option<[u8; 32]> {
        decode::<Tx>(raw).ok().map(|tx| tx.hash())
    }

    fn scan(&self, block: &Block, vaults: &[VaultKey]) -> Scan {
        let sets: Vec<ValidatorSet> = vaults.iter().map(|vault| vault.set).collect();
        let mut scan = Scan::default();
        for transaction in &block.transactions {
            let tx: Tx = decode(&transaction.raw).unwrap();
            scan.transactions.push(transaction.hash);
            scan.spent.extend(&tx.inputs);
            for (index, (to, amount)) in (0_u32..).zip(&tx.outputs) {
                if let Some((set, purpose)) = owner(to, &sets) {
                    let id = OutputId { transaction: transaction.hash, index };
                    let data = tx.data.clone();
                    scan.outputs.push(Output { id, set, purpose, amount: *amount, data });
                }
            }
        }
        scan
    }

    fn collecting_cost(&self) -> u64 {
        COST
    }

    fn payee(&self, external_coin: u8, address: &[u8]) -> Result<Payee, String> {
        if external_coin != 4 || address.is_empty() {
            return Err("nobody".to_owned());
        }
        Ok(Payee::new(hex::encode(address)))
    }

    fn plan(
        &self,
        key: &VaultKey,
        nonce: u64,
        available: &[Output],
        target: Target<'_>,
        fee: u64,
    ) -> Result<Plan, NoPlan> {
        let mut own: Vec<&Output> = available.iter().filter(|o| o.set == key.set).collect();
        own.sort_by_key(|output| (std::cmp::Reverse(output.amount), output.id));
        let total: u64 = own.iter().map(|output| output.amount).sum();
        match target {
            Target::Pay { payee, gross, recover } => {
                if gross < fee + DUST {
                    return Err(NoPlan::Unpayable("too small".to_owned()));
                }
                if total < gross {
                    return Err(NoPlan::NotEnough { available: total, needed: gross });
                }
                let mut sum = 0;
                let needed = own.iter().take_while(|output| {
                    let more = sum < gross;
                    sum += output.amount;
                    more
                });
                let needed = needed.count();
                if needed > MOST_INPUTS {
                    return Err(NoPlan::Scattered { available: total, most: MOST_INPUTS });
                }
                let spent = &own[..needed];
                let rest = spent.iter().map(|output| output.amount).sum::<u64>() - gross;
                let recovered = recover.min(fee).min(gross - fee - DUST);
                let recovered = if rest + recovered < DUST { 0 } else { recovered };
                let amount = gross - fee - recovered;
                let mut outputs = vec![(payee.address().to_owned(), amount)];
                let change = rest + recovered;
                let cost = if change >= DUST {
                    outputs.push((address(key.set, Purpose::Change), change));
                    0
                } else {
                    change
                };
                Ok(plan(key, nonce, spent, outputs, (amount, fee + cost, recovered, cost)))
            }
            Target::Forward { to } => {
                let spent = &own[..own.len().min(MOST_INPUTS)];
                let sum: u64 = spent.iter().map(|output| output.amount).sum();
                if sum < fee + DUST {
                    return Err(NoPlan::Unpayable("not worth its fee".to_owned()));
                }
                let purpose = if to.set == key.set { Purpose::Change } else { Purpose::Forward };
                let outputs = vec![(address(to.set, purpose), sum - fee)];
                let mut plan = plan(key, nonce, spent, outputs.clone(), (sum - fee, fee, 0, fee));
                // Also where sessions were skipped.
                plan.created = vec![Output {
                    id: OutputId { transaction: plan.hash, index: 0 },
                    set: to.set,
                    purpose,
                    amount: sum - fee,
                    data: None,
                }];
                Ok(plan)
            }
        }
    }

    fn assemble(&self, unsigned: &[u8], _: &[SignatureBytes]) -> Result<Vec<u8>, NotAssembled> {
        Ok(unsigned.to_vec())
    }
}

/// The chain itself.
#[derive(Default)]
pub struct Chain {
    pub blocks: Vec<Block>,
    unspent: BTreeMap<OutputId, (String, u64)>,
    /// By height.
    balances: Vec<BTreeMap<String, u64>>,
}

impl Chain {
    /// Those of the transactions whose inputs are there make the next block; gives the others.
    pub fn mine(&mut self, fee: u64, transactions: Vec<Tx>) -> Vec<Tx> {
        let (mut taken, mut left) = (Vec::new(), Vec::new());
        for tx in transactions {
            if !tx.inputs.iter().all(|input| self.unspent.contains_key(input)) {
                left.push(tx);
                continue;
            }
            for input in &tx.inputs {
                self.unspent.remove(input);
            }
            let hash = tx.hash();
            for (index, (to, amount)) in (0_u32..).zip(&tx.outputs) {
                let id = OutputId { transaction: hash, index };
                self.unspent.insert(id, (to.clone(), *amount));
            }
            taken.push(crate::chain::Transaction { hash, raw: encode(&tx) });
        }
        let height = self.blocks.len() as u64;
        let parent = self.blocks.last().map_or([0; 32], |block| block.hash);
        let hashes: Vec<[u8; 32]> = taken.iter().map(|transaction| transaction.hash).collect();
        let hash = blake2_256(&encode(&(height, parent, hashes)));
        self.blocks.push(Block { height, hash, parent, fee, transactions: taken });
        let mut balances = BTreeMap::new();
        for (to, amount) in self.unspent.values() {
            *balances.entry(to.clone()).or_default() += amount;
        }
        self.balances.push(balances);
        left
    }

    pub fn holdings(&self, addresses: &[String], height: u64) -> u64 {
        let balances = &self.balances[usize::try_from(height).unwrap()];
        addresses.iter().filter_map(|address| balances.get(address)).sum()
    }
}
