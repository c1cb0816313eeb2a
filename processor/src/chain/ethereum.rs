//! Ethereum: accounts that the vault's key signs for as it does for Serai's router.

use std::collections::BTreeMap;

use bitcoin::secp256k1::{PublicKey, XOnlyPublicKey};
use borsh::{BorshDeserialize, BorshSerialize};
use serai_messages::{Coin, SignatureBytes, ValidatorSet};
use sha3::{Digest, Keccak256};

use super::planning::{self, Draft, Terms};
use super::{
    Block, InvalidKey, MAX_DATA_BYTES, Network, NoPlan, NotAssembled, Output, OutputId, Payee,
    Plan, Purpose, Scan, Target, ToSign, VaultKey,
};

/// The simulated network's chain id.
const CHAIN_ID: u64 = 1337;

/// Ether's `ExternalCoin` on Serai.
const ETHER: u8 = 5;

/// Position of what a transaction leaves in its own account.
const REMAINDER: u32 = u32::MAX;

type Account = [u8; 20];

/// A transaction of the simulated network.
#[derive(BorshSerialize, BorshDeserialize)]
enum Transaction {
    Deposit {
        to: Account,
        amount: u64,
        data: Vec<u8>,
        salt: [u8; 32],
    },
    Execute {
        key_x: [u8; 32],
        nonce: u64,
        outs: Vec<(Account, u64)>,
        fee: u64,
        signature: [u8; 64],
    },
}

pub(super) struct Ethereum;

fn account_of(key: &PublicKey) -> Account {
    let hash: [u8; 32] = Keccak256::digest(key.serialize_uncompressed().split_at(1).1).into();
    let mut account = [0; 20];
    account.copy_from_slice(hash.split_at(12).1);
    account
}

/// The account that a vault's key controls, and the key's x.
fn account(key: &VaultKey) -> Result<(Account, [u8; 32]), InvalidKey> {
    let public = PublicKey::from_slice(&key.external).map_err(|_| InvalidKey::of(key))?;
    Ok((account_of(&public), public.x_only_public_key().0.serialize()))
}

/// EIP-55: a letter is upper case where the hash of the lower-case text has a nibble of 8 or more.
fn text(account: &Account) -> String {
    let lower = hex::encode(account);
    let hash = hex::encode(Keccak256::digest(lower.as_bytes()));
    let cased = lower
        .chars()
        .zip(hash.chars())
        .map(|(letter, nibble)| if nibble >= '8' { letter.to_ascii_uppercase() } else { letter });
    "0x".chars().chain(cased).collect()
}

fn hash_of(transaction: &Transaction) -> [u8; 32] {
    Keccak256::digest(serai_messages::encode(transaction)).into()
}

/// Solidity's encoding of ("execute", chain id, nonce, list of (to, calls, value)), the last of which
/// is the fee, to nobody.
fn message(nonce: u64, outs: &[(Account, u64)], fee: u64) -> Vec<u8> {
    const NAME: &[u8; 7] = b"execute";
    let word = |value: u64| {
        let mut word = [0; 32];
        word[24..].copy_from_slice(&value.to_be_bytes());
        word
    };
    let count = u64::try_from(outs.len()).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    for value in [4 * 32, CHAIN_ID, nonce, 6 * 32, 7] {
        bytes.extend_from_slice(&word(value));
    }
    bytes.extend_from_slice(NAME);
    bytes.extend_from_slice(&[0; 32 - NAME.len()]);
    bytes.extend_from_slice(&word(count));
    for entry in 0..count {
        let offset = count.saturating_mul(32).saturating_add(entry.saturating_mul(4 * 32));
        bytes.extend_from_slice(&word(offset));
    }
    for (to, value) in outs.iter().copied().chain([([0; 20], fee)]) {
        bytes.extend_from_slice(&[0; 12]);
        bytes.extend_from_slice(&to);
        for value in [3 * 32, value, 0] {
            bytes.extend_from_slice(&word(value));
        }
    }
    bytes
}

impl Ethereum {
    /// A transaction of one payment.
    fn execute(key_x: [u8; 32], nonce: u64, out: (Account, u64), fee: u64) -> Draft {
        let outs = vec![out];
        let bytes = message(nonce, &outs, fee);
        let transaction = Transaction::Execute { key_x, nonce, outs, fee, signature: [0; 64] };
        let messages = vec![ToSign { offset: None, bytes }];
        Draft {
            hash: hash_of(&transaction),
            unsigned: serai_messages::encode(&transaction),
            messages,
        }
    }
}

impl Network for Ethereum {
    fn coin(&self) -> Coin {
        Coin::Eth
    }

    fn address(&self, key: &VaultKey, _: Purpose) -> Result<String, InvalidKey> {
        Ok(text(&account(key)?.0))
    }

    fn hash(&self, raw: &[u8]) -> Option<[u8; 32]> {
        let mut transaction = Transaction::try_from_slice(raw).ok()?;
        if let Transaction::Execute { signature, .. } = &mut transaction {
            *signature = [0; 64];
        }
        Some(hash_of(&transaction))
    }

    fn scan(&self, block: &Block, vaults: &[VaultKey]) -> Scan {
        let accounts: BTreeMap<Account, ValidatorSet> =
            vaults.iter().filter_map(|vault| Some((account(vault).ok()?.0, vault.set))).collect();
        let mut scan = Scan::default();
        for found in &block.transactions {
            scan.transactions.push(found.hash);
            match Transaction::try_from_slice(&found.raw) {
                Ok(Transaction::Deposit { to, amount, data, .. }) => {
                    if let Some(set) = accounts.get(&to)
                        && amount > 0
                    {
                        let data = data.get(..MAX_DATA_BYTES).map_or(data.clone(), <[u8]>::to_vec);
                        scan.outputs.push(Output {
                            id: OutputId { transaction: found.hash, index: 0 },
                            set: *set,
                            purpose: Purpose::External,
                            amount,
                            data: (!data.is_empty()).then_some(data),
                        });
                    }
                }
                Ok(Transaction::Execute { key_x, outs, .. }) => {
                    let sender = sender(&key_x);
                    let own = sender.and_then(|sender| accounts.get(&sender));
                    for (index, (to, amount)) in (0..).zip(outs) {
                        let Some(set) = accounts.get(&to).filter(|set| Some(*set) != own) else {
                            continue;
                        };
                        if amount == 0 {
                            continue;
                        }
                        scan.outputs.push(Output {
                            id: OutputId { transaction: found.hash, index },
                            set: *set,
                            purpose: match own {
                                Some(_) => Purpose::Forward,
                                None => Purpose::External,
                            },
                            amount,
                            data: None,
                        });
                    }
                }
                Err(_) => {}
            }
        }
        scan
    }

    fn collecting_cost(&self) -> u64 {
        0
    }

    fn payee(&self, external_coin: u8, address: &[u8]) -> Result<Payee, String> {
        if external_coin != ETHER {
            return Err(format!("coin {external_coin} is not ether, the only one held here"));
        }
        let account: Account = address
            .try_into()
            .map_err(|_| format!("{} has not an account's 20 bytes", hex::encode(address)))?;
        Ok(Payee::new(text(&account)))
    }

    fn plan(
        &self,
        key: &VaultKey,
        nonce: u64,
        available: &[Output],
        target: Target<'_>,
        fee: u64,
    ) -> Result<Plan, NoPlan> {
        let (own_account, key_x) = account(key)?;
        let own = available.iter().filter(|output| output.set == key.set).cloned();
        let same = |_, _| fee;
        // An account spends whatever it holds.
        let terms = Terms { most: usize::MAX, least: 1, fee: &same };
        match target {
            Target::Pay { payee, gross, recover } => {
                let to = payee
                    .address()
                    .strip_prefix("0x")
                    .and_then(|digits| hex::decode(digits).ok())
                    .and_then(|bytes| Account::try_from(bytes).ok())
                    .ok_or_else(|| {
                        NoPlan::Unpayable(format!("{} is no account", payee.address()))
                    })?;
                let payment = planning::pay(own, gross, recover, &terms)?;
                let out = (to, payment.amount);
                let draft = Self::execute(key_x, nonce, out, payment.fee);
                Ok(draft.pays(key.set, payment, REMAINDER))
            }
            Target::Forward { to } => {
                let to_account = account(to)?.0;
                let forwarding = planning::forward(own, &terms)?;
                let out = (to_account, forwarding.amount);
                let draft = Self::execute(key_x, nonce, out, forwarding.fee);
                let (index, purpose) = match to_account == own_account {
                    true => (REMAINDER, Purpose::Change),
                    false => (0, Purpose::Forward),
                };
                Ok(draft.forwards(to.set, purpose, forwarding, index))
            }
        }
    }

    fn assemble(
        &self,
        unsigned: &[u8],
        signatures: &[SignatureBytes],
    ) -> Result<Vec<u8>, NotAssembled> {
        let mut transaction = Transaction::try_from_slice(unsigned)
            .map_err(|error| NotAssembled::Damaged(error.to_string()))?;
        let [given] = signatures else {
            return Err(NotAssembled::Signatures { given: signatures.len(), needed: 1 });
        };
        match &mut transaction {
            Transaction::Execute { signature, .. } => *signature = given.0,
            Transaction::Deposit { .. } => {
                return Err(NotAssembled::Damaged("it is a deposit".to_owned()));
            }
        }
        Ok(serai_messages::encode(&transaction))
    }
}

/// The account of a key with even y.
fn sender(key_x: &[u8; 32]) -> Option<Account> {
    let key = XOnlyPublicKey::from_slice(key_x).ok()?;
    Some(account_of(&key.public_key(bitcoin::secp256k1::Parity::Even)))
}
