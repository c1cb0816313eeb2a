//! Monero: outputs at real addresses, spent by an Ed25519 signature of the address's spend key.
//!
//! # Owns
//! The form of transactions and their verification by `ed25519-dalek`.
//!
//! # Promises
//! Every input has a strictly verified signature of its own under the spend key of its address, and
//! value is conserved exactly.
//!
//! # Limits
//! Nothing is hidden: no ring signatures, no stealth addresses, no hidden amounts. What a spender
//! signs is the transaction's hash.

pub mod address;

use borsh::{BorshDeserialize, BorshSerialize};
use ed25519_dalek::{Signature, VerifyingKey};
use sha3::{Digest as _, Keccak256};

use crate::{
    network::{
        Account, Credit, Effects, OutputId, Refusal, Rules, check_data, check_distinct, sum,
    },
    state::State,
};

/// What signed messages begin with.
pub const DOMAIN: &[u8] = b"serai-simulated-monero";

/// A transaction. Its bytes are its borsh encoding.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Transaction {
    /// Outputs that it spends: the transaction that created them, and the position in it. None in
    /// a deposit from outside.
    pub inputs: Vec<([u8; 32], u32)>,
    /// To which addresses, and how much.
    pub outputs: Vec<(String, u64)>,
    /// The fee.
    pub fee: u64,
    /// Data that comes with it.
    pub data: Option<Vec<u8>>,
    /// Makes a deposit's hash its own; zeros otherwise.
    pub salt: [u8; 32],
    /// One for each input.
    pub signatures: Vec<[u8; 64]>,
}

impl Transaction {
    /// Its bytes.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        // Writing to memory does not fail.
        borsh::to_vec(self).unwrap_or_default()
    }

    /// Its hash, which the signatures are no part of.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        let unsigned = Self { signatures: Vec::new(), ..self.clone() };
        Keccak256::digest(unsigned.bytes()).into()
    }

    /// What every input's key signs.
    #[must_use]
    pub fn message(&self) -> Vec<u8> {
        [DOMAIN, &self.hash()].concat()
    }

    fn ids(&self) -> Vec<OutputId> {
        let id = |(transaction, index): &([u8; 32], u32)| OutputId {
            transaction: *transaction,
            index: *index,
        };
        self.inputs.iter().map(id).collect()
    }
}

pub(crate) struct Monero;

impl Rules for Monero {
    fn library(&self) -> &'static str {
        "ed25519-dalek"
    }

    fn account(&self, address: &str) -> Result<Account, Refusal> {
        spend_key(address)?;
        Ok(address.as_bytes().to_vec())
    }

    fn deposit(
        &self,
        address: &str,
        amount: u64,
        data: Option<Vec<u8>>,
        salt: [u8; 32],
    ) -> Result<Vec<u8>, Refusal> {
        self.account(address)?;
        let transaction = Transaction {
            inputs: Vec::new(),
            outputs: vec![(address.to_owned(), amount)],
            fee: 0,
            data,
            salt,
            signatures: Vec::new(),
        };
        Ok(transaction.bytes())
    }

    fn effects(&self, raw: &[u8]) -> Result<Effects, Refusal> {
        let transaction = Transaction::try_from_slice(raw).map_err(Refusal::malformed)?;
        let credit = |(index, (address, amount)): (usize, &(String, u64))| Credit {
            index: u32::try_from(index).ok(),
            account: address.as_bytes().to_vec(),
            amount: *amount,
        };
        Ok(Effects {
            hash: transaction.hash(),
            inputs: transaction.ids(),
            debit: None,
            credits: transaction.outputs.iter().enumerate().map(credit).collect(),
            deposit: transaction.inputs.is_empty(),
        })
    }

    fn verify(&self, raw: &[u8], state: &State, least: u64) -> Result<u32, Refusal> {
        let transaction = Transaction::try_from_slice(raw).map_err(Refusal::malformed)?;
        if transaction.inputs.is_empty() {
            return Err(Refusal::FromOutside);
        }
        if transaction.salt != [0; 32] {
            return Err(Refusal::malformed("the salt of a spend must be zeros"));
        }
        check_data(transaction.data.as_deref())?;
        check_outputs(&transaction)?;
        let ids = transaction.ids();
        check_distinct(&ids)?;
        let held = ids.iter().map(|id| state.unspent(*id)).collect::<Result<Vec<_>, _>>()?;
        let spent = sum(held.iter().map(|held| held.amount));
        let fee = transaction.fee;
        let outputs = sum(transaction.outputs.iter().map(|(_, amount)| *amount).chain([fee]));
        if spent != outputs {
            let inputs = u64::try_from(spent).unwrap_or(u64::MAX);
            return Err(Refusal::NotConserving { inputs, outputs });
        }
        if fee < least {
            return Err(Refusal::FeeTooLow { fee, least });
        }
        if transaction.signatures.len() != held.len() {
            let (signatures, inputs) = (transaction.signatures.len(), held.len());
            let reason = format!("{signatures} signatures of {inputs} inputs");
            return Err(Refusal::Malformed(reason));
        }
        let message = transaction.message();
        for (input, (held, signature)) in held.iter().zip(&transaction.signatures).enumerate() {
            let refuse = |reason: String| Refusal::Signature { input, reason };
            let address = std::str::from_utf8(&held.account).map_err(Refusal::malformed)?;
            let key = VerifyingKey::from_bytes(&spend_key(address)?)
                .map_err(|error| refuse(error.to_string()))?;
            key.verify_strict(&message, &Signature::from_bytes(signature))
                .map_err(|error| refuse(error.to_string()))?;
        }
        u32::try_from(held.len()).map_err(Refusal::malformed)
    }
}

fn check_outputs(transaction: &Transaction) -> Result<(), Refusal> {
    if transaction.outputs.is_empty() {
        return Err(Refusal::NoOutputs);
    }
    for (index, (address, amount)) in transaction.outputs.iter().enumerate() {
        spend_key(address)?;
        if *amount == 0 {
            return Err(Refusal::Dust { index, amount: 0, least: 1 });
        }
    }
    Ok(())
}

fn spend_key(text: &str) -> Result<[u8; 32], Refusal> {
    let refuse =
        |reason: &str| Refusal::Address { address: text.to_owned(), reason: reason.to_owned() };
    address::spend_key(text).map_err(refuse)
}
