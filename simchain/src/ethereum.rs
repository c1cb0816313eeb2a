//! Ethereum: accounts that a key's Schnorr signature spends from, as Serai's contract has it.
//!
//! # Owns
//! The form of transactions, the message that is signed, and its verification by `ecrecover`.
//!
//! # Promises
//! What is verified is what Serai's contract computes, by `libsecp256k1` and `sha3`.
//!
//! # Limits
//! There is no virtual machine, no gas and no contract: an account plays Serai's router. Amounts are
//! in 1e-8 ether.

use borsh::{BorshDeserialize, BorshSerialize};
use secp256k1::{
    Message, Parity, PublicKey, SECP256K1, SecretKey, XOnlyPublicKey,
    ecdsa::{RecoverableSignature, RecoveryId},
};
use sha3::{Digest as _, Keccak256};

use crate::{
    network::{Account, Credit, Debit, Effects, Refusal, Rules, check_data, sum},
    state::State,
};

/// The chain id in signed messages.
pub const CHAIN_ID: u64 = 1337;

/// The most payments of a transaction: with the fee 256 instructions.
pub const MAX_OUTS: usize = 255;

/// A transaction. Its bytes are its borsh encoding.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Transaction {
    /// Money from outside.
    Deposit {
        /// To whom.
        to: [u8; 20],
        /// How much.
        amount: u64,
        /// Data that comes with it; empty where there is none.
        data: Vec<u8>,
        /// Makes its hash its own.
        salt: [u8; 32],
    },
    /// Payments that the account's key signed.
    Execute {
        /// The x coordinate of the account's key, whose y is even.
        key_x: [u8; 32],
        /// The account's number of this transaction, from 1.
        nonce: u64,
        /// To whom, and how much.
        outs: Vec<([u8; 20], u64)>,
        /// The fee.
        fee: u64,
        /// The challenge c and the response s.
        signature: [u8; 64],
    },
}

impl Transaction {
    /// Its bytes.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        // Writing to memory does not fail.
        borsh::to_vec(self).unwrap_or_default()
    }

    /// Its hash, which the signature is no part of.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        let mut unsigned = self.clone();
        if let Transaction::Execute { signature, .. } = &mut unsigned {
            *signature = [0; 64];
        }
        Keccak256::digest(unsigned.bytes()).into()
    }
}

/// What is signed: Solidity's encoding of "execute", chain id, nonce and the list of payments, with
/// the fee as the last, to nobody.
#[must_use]
pub fn message(nonce: u64, outs: &[([u8; 20], u64)], fee: u64) -> Vec<u8> {
    const NAME: &[u8; 7] = b"execute";
    let count = u64::try_from(outs.len()).unwrap_or(u64::MAX).saturating_add(1);
    let mut message = Vec::new();
    // Four heads, of which the first and the last are offsets; then the name, then the list.
    for value in [4 * 32, CHAIN_ID, nonce, 6 * 32, 7] {
        message.extend_from_slice(&word(value));
    }
    message.extend_from_slice(NAME);
    message.extend_from_slice(&[0; 32 - NAME.len()]);
    message.extend_from_slice(&word(count));
    for entry in 0..count {
        let offset = count.saturating_mul(32).saturating_add(entry.saturating_mul(4 * 32));
        message.extend_from_slice(&word(offset));
    }
    for (to, value) in outs.iter().copied().chain([([0; 20], fee)]) {
        message.extend_from_slice(&[0; 12]);
        message.extend_from_slice(&to);
        // The calls come after three heads, and there are none.
        for value in [3 * 32, value, 0] {
            message.extend_from_slice(&word(value));
        }
    }
    message
}

/// The account of a key with this x coordinate and even y; none when there is no such key.
#[must_use]
pub fn account(key_x: &[u8; 32]) -> Option<[u8; 20]> {
    let key = XOnlyPublicKey::from_slice(key_x).ok()?;
    Some(account_of(&PublicKey::from_x_only_public_key(key, Parity::Even)))
}

pub(crate) struct Ethereum;

impl Rules for Ethereum {
    fn library(&self) -> &'static str {
        "libsecp256k1's ecrecover and sha3"
    }

    fn account(&self, address: &str) -> Result<Account, Refusal> {
        let refuse = |reason: &str| Refusal::Address {
            address: address.to_owned(),
            reason: reason.to_owned(),
        };
        let digits = address.strip_prefix("0x").ok_or_else(|| refuse("it lacks 0x"))?;
        let bytes = hex::decode(digits).map_err(|_| refuse("it is not hex"))?;
        let account: [u8; 20] = bytes.try_into().map_err(|_| refuse("it has not 20 bytes"))?;
        let has = |test: fn(&char) -> bool| digits.chars().any(|digit| test(&digit));
        let mixed = has(char::is_ascii_uppercase) && has(char::is_ascii_lowercase);
        if mixed && checksummed(&account) != address {
            return Err(refuse("its checksum is wrong"));
        }
        Ok(account.to_vec())
    }

    fn deposit(
        &self,
        address: &str,
        amount: u64,
        data: Option<Vec<u8>>,
        salt: [u8; 32],
    ) -> Result<Vec<u8>, Refusal> {
        let to = self.account(address)?.try_into().unwrap_or_default();
        Ok(Transaction::Deposit { to, amount, data: data.unwrap_or_default(), salt }.bytes())
    }

    fn effects(&self, raw: &[u8]) -> Result<Effects, Refusal> {
        let transaction = Transaction::try_from_slice(raw).map_err(Refusal::malformed)?;
        let hash = transaction.hash();
        let credit = |to: [u8; 20], amount| Credit { index: None, account: to.to_vec(), amount };
        match transaction {
            Transaction::Deposit { to, amount, data, .. } => {
                check_data(Some(&data))?;
                let credits = vec![credit(to, amount)];
                Ok(Effects { hash, inputs: Vec::new(), debit: None, credits, deposit: true })
            }
            Transaction::Execute { key_x, nonce, outs, fee, .. } => {
                if outs.len() > MAX_OUTS {
                    return Err(Refusal::malformed(format!("over {MAX_OUTS} payments")));
                }
                let account =
                    account(&key_x).ok_or_else(|| Refusal::malformed("the key is none"))?.to_vec();
                let amount = sum(outs.iter().map(|(_, value)| *value).chain([fee]));
                let amount =
                    u64::try_from(amount).map_err(|_| Refusal::Balance { balance: 0, amount })?;
                Ok(Effects {
                    hash,
                    inputs: Vec::new(),
                    debit: Some(Debit { account, nonce, amount }),
                    credits: outs.into_iter().map(|(to, value)| credit(to, value)).collect(),
                    deposit: false,
                })
            }
        }
    }

    fn verify(&self, raw: &[u8], state: &State, least: u64) -> Result<u32, Refusal> {
        state.check(&self.effects(raw)?)?;
        let transaction = Transaction::try_from_slice(raw).map_err(Refusal::malformed)?;
        let Transaction::Execute { key_x, nonce, outs, fee, signature } = transaction else {
            return Err(Refusal::FromOutside);
        };
        if outs.is_empty() {
            return Err(Refusal::NoOutputs);
        }
        if fee < least {
            return Err(Refusal::FeeTooLow { fee, least });
        }
        verify_schnorr(&key_x, &message(nonce, &outs, fee), &signature)
            .map_err(|reason| Refusal::Signature { input: 0, reason })?;
        Ok(1)
    }
}

fn word(value: u64) -> [u8; 32] {
    let mut word = [0; 32];
    word[24..].copy_from_slice(&value.to_be_bytes());
    word
}

fn account_of(key: &PublicKey) -> [u8; 20] {
    let mut account = [0; 20];
    let hash = Keccak256::digest(key.serialize_uncompressed().split_at(1).1);
    account.copy_from_slice(hash.split_at(12).1);
    account
}

/// EIP-55: a letter is upper case where the hash of the lower-case text has a nibble of 8 or more.
fn checksummed(account: &[u8; 20]) -> String {
    let lower = hex::encode(account);
    let hash = hex::encode(Keccak256::digest(lower.as_bytes()));
    let cased = lower
        .chars()
        .zip(hash.chars())
        .map(|(letter, nibble)| if nibble >= '8' { letter.to_ascii_uppercase() } else { letter });
    "0x".chars().chain(cased).collect()
}

/// What the contract computes: `ecrecover(-s*x, 27, x, -c*x)` is the address of the nonce R, and the
/// hash of that address, x and the message is c.
fn verify_schnorr(x: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> Result<(), String> {
    fn text(error: impl std::fmt::Display) -> String {
        error.to_string()
    }
    let (c, s) = signature.split_at(32);
    let tweak = secp256k1::Scalar::from_be_bytes(*x)
        .map_err(|_| "the key's x is not below the group order".to_owned())?;
    let negated_product = |scalar: &[u8]| {
        let scalar = SecretKey::from_slice(scalar).map_err(text)?;
        scalar.mul_tweak(&tweak).map(|product| product.negate().secret_bytes()).map_err(text)
    };
    let digest = Message::from_digest(negated_product(s)?);
    let mut compact = [0; 64];
    compact[..32].copy_from_slice(x);
    compact[32..].copy_from_slice(&negated_product(c)?);
    let even = RecoveryId::from_i32(0).map_err(text)?;
    let recoverable = RecoverableSignature::from_compact(&compact, even).map_err(text)?;
    let nonce = SECP256K1.recover_ecdsa(&digest, &recoverable).map_err(text)?;
    let challenge = Keccak256::new()
        .chain_update(account_of(&nonce))
        .chain_update(x)
        .chain_update(message)
        .finalize();
    if challenge.as_slice() == c { Ok(()) } else { Err("the challenge is another".to_owned()) }
}
