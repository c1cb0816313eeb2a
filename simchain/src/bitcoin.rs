//! Bitcoin: real transactions, spent by taproot's key path.
//!
//! # Owns
//! Verification under BIP-341 by `rust-bitcoin` and `libsecp256k1`, and the deposits from outside.
//!
//! # Promises
//! Every input's signature is verified over all outputs that the transaction spends.
//!
//! # Limits
//! Key path and the default hash type only; lock times, sequences and replacement mean nothing.

use std::str::FromStr as _;

use bitcoin::{
    Address, Network, OutPoint, ScriptBuf, Sequence, TapSighashType, Transaction, TxIn, TxOut,
    Txid, Witness, absolute, consensus,
    hashes::Hash as _,
    script::{Instruction, PushBytesBuf},
    sighash::{Prevouts, SighashCache},
    transaction::Version,
};
use secp256k1::{Message, SECP256K1, XOnlyPublicKey, schnorr};

use crate::{
    network::{
        Account, Credit, Effects, OutputId, Refusal, Rules, check_data, check_distinct, sum,
    },
    state::State,
};

/// The least an output may hold.
pub const DUST: u64 = 330;

/// The position that the input of a deposit from outside names, in a transaction that never was.
pub const OUTSIDE: u32 = u32::MAX - 1;

/// The hash of a transaction as it is displayed.
#[must_use]
pub fn hash(transaction: &Transaction) -> [u8; 32] {
    displayed(transaction.compute_txid())
}

pub(crate) struct Bitcoin;

impl Rules for Bitcoin {
    fn library(&self) -> &'static str {
        "rust-bitcoin and libsecp256k1"
    }

    fn account(&self, address: &str) -> Result<Account, Refusal> {
        let refuse = |error: bitcoin::address::ParseError| Refusal::Address {
            address: address.to_owned(),
            reason: error.to_string(),
        };
        let parsed = Address::from_str(address).map_err(refuse)?;
        let parsed = parsed.require_network(Network::Bitcoin).map_err(refuse)?;
        Ok(parsed.script_pubkey().into_bytes())
    }

    fn deposit(
        &self,
        address: &str,
        amount: u64,
        data: Option<Vec<u8>>,
        salt: [u8; 32],
    ) -> Result<Vec<u8>, Refusal> {
        let script_pubkey = ScriptBuf::from_bytes(self.account(address)?);
        let mut output = vec![TxOut { value: bitcoin::Amount::from_sat(amount), script_pubkey }];
        if let Some(data) = data {
            let push = PushBytesBuf::try_from(data).map_err(Refusal::malformed)?;
            let script_pubkey = ScriptBuf::new_op_return(push);
            output.push(TxOut { value: bitcoin::Amount::ZERO, script_pubkey });
        }
        let outside = OutPoint { txid: Txid::hash(&salt), vout: OUTSIDE };
        let transaction = Transaction {
            version: Version::TWO,
            lock_time: absolute::LockTime::ZERO,
            input: vec![TxIn {
                previous_output: outside,
                script_sig: ScriptBuf::new(),
                sequence: Sequence::MAX,
                witness: Witness::new(),
            }],
            output,
        };
        check_outputs(&transaction)?;
        Ok(consensus::serialize(&transaction))
    }

    fn effects(&self, raw: &[u8]) -> Result<Effects, Refusal> {
        let transaction = parse(raw)?;
        let deposit = transaction.input.iter().any(|input| input.previous_output.vout == OUTSIDE);
        let credit = |(index, output): (usize, &TxOut)| Credit {
            index: u32::try_from(index).ok(),
            account: output.script_pubkey.to_bytes(),
            amount: output.value.to_sat(),
        };
        let outputs = transaction.output.iter().enumerate();
        Ok(Effects {
            hash: hash(&transaction),
            inputs: if deposit { Vec::new() } else { inputs(&transaction) },
            debit: None,
            credits: outputs.filter(|(_, o)| !o.script_pubkey.is_op_return()).map(credit).collect(),
            deposit,
        })
    }

    fn verify(&self, raw: &[u8], state: &State, fee: u64) -> Result<u32, Refusal> {
        let transaction = parse(raw)?;
        if transaction.input.is_empty() {
            return Err(Refusal::NoInputs);
        }
        check_outputs(&transaction)?;
        let ids = inputs(&transaction);
        check_distinct(&ids)?;
        let mut prevouts = Vec::new();
        for id in &ids {
            let held = state.unspent(*id)?;
            let script_pubkey = ScriptBuf::from_bytes(held.account.clone());
            if !script_pubkey.is_p2tr() {
                return Err(Refusal::NotTaproot(*id));
            }
            prevouts.push(TxOut { value: bitcoin::Amount::from_sat(held.amount), script_pubkey });
        }
        check_fee(&transaction, &prevouts, fee)?;
        let mut cache = SighashCache::new(&transaction);
        for (input, prevout) in prevouts.iter().enumerate() {
            let refuse = |reason: String| Refusal::Signature { input, reason };
            let sighash = cache
                .taproot_key_spend_signature_hash(
                    input,
                    &Prevouts::All(&prevouts),
                    TapSighashType::Default,
                )
                .map_err(|error| refuse(error.to_string()))?;
            let signed = transaction.input.get(input);
            verify_input(signed, prevout, sighash.to_byte_array()).map_err(refuse)?;
        }
        u32::try_from(prevouts.len()).map_err(Refusal::malformed)
    }
}

fn parse(raw: &[u8]) -> Result<Transaction, Refusal> {
    let transaction: Transaction = consensus::deserialize(raw).map_err(Refusal::malformed)?;
    if transaction.version != Version::TWO {
        return Err(Refusal::malformed("its version is not 2"));
    }
    Ok(transaction)
}

fn displayed(txid: Txid) -> [u8; 32] {
    let mut bytes = txid.to_byte_array();
    bytes.reverse();
    bytes
}

fn inputs(transaction: &Transaction) -> Vec<OutputId> {
    let id = |input: &TxIn| OutputId {
        transaction: displayed(input.previous_output.txid),
        index: input.previous_output.vout,
    };
    transaction.input.iter().map(id).collect()
}

fn check_outputs(transaction: &Transaction) -> Result<(), Refusal> {
    if transaction.output.is_empty() {
        return Err(Refusal::NoOutputs);
    }
    for (index, output) in transaction.output.iter().enumerate() {
        let amount = output.value.to_sat();
        if !output.script_pubkey.is_op_return() {
            if amount < DUST {
                return Err(Refusal::Dust { index, amount, least: DUST });
            }
            continue;
        }
        let mut after = output.script_pubkey.instructions().skip(1);
        match after.next() {
            None => {}
            Some(Ok(Instruction::PushBytes(data))) => check_data(Some(data.as_bytes()))?,
            Some(_) => return Err(Refusal::malformed("what follows OP_RETURN is no push")),
        }
        if after.next().is_some() {
            return Err(Refusal::ManyPushes);
        }
    }
    Ok(())
}

fn check_fee(transaction: &Transaction, prevouts: &[TxOut], rate: u64) -> Result<(), Refusal> {
    let spent = sum(prevouts.iter().map(|output| output.value.to_sat()));
    let inputs = u64::try_from(spent).unwrap_or(u64::MAX);
    let outputs = sum(transaction.output.iter().map(|output| output.value.to_sat()));
    let fee = spent.checked_sub(outputs).ok_or(Refusal::NotConserving { inputs, outputs })?;
    let size = u64::try_from(transaction.vsize()).unwrap_or(u64::MAX);
    let (fee, least) = (u64::try_from(fee).unwrap_or(u64::MAX), rate.saturating_mul(size));
    if fee < least { Err(Refusal::FeeTooLow { fee, least }) } else { Ok(()) }
}

fn verify_input(input: Option<&TxIn>, prevout: &TxOut, sighash: [u8; 32]) -> Result<(), String> {
    let input = input.ok_or("there is no such input")?;
    if !input.script_sig.is_empty() {
        return Err("the script of a taproot input must be empty".to_owned());
    }
    let witness = match input.witness.nth(0) {
        Some(witness) if input.witness.len() == 1 => witness,
        _ => return Err("the witness is not one signature".to_owned()),
    };
    let signature = schnorr::Signature::from_slice(witness).map_err(|error| error.to_string())?;
    let script = prevout.script_pubkey.as_bytes();
    let key = script.get(2..).ok_or("the output has no key")?;
    let key = XOnlyPublicKey::from_slice(key).map_err(|error| error.to_string())?;
    SECP256K1
        .verify_schnorr(&signature, &Message::from_digest(sighash), &key)
        .map_err(|error| error.to_string())
}
