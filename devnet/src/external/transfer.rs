//! One transaction of a simulated network.

use bitcoin::hashes::Hash as _;
use bitcoin::sighash::{Prevouts, SighashCache, TapSighashType};
use borsh::{BorshDeserialize, BorshSerialize};
use serai_messages::Coin;
use serde::Serialize;
use sha3::{Digest as _, Keccak256};

use crate::address::{self, checksummed};
use crate::verify;

/// Bytes that are no transaction, or one whose signatures do not verify.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Undecodable(String);

/// Money at an address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Spent {
    /// The address; empty where nobody can spend it (data carriers).
    pub address: String,
    /// Amount, in the coin's base units on Serai.
    pub amount: u64,
}

/// A signature in a transaction that was verified here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Proof {
    /// The key, hex.
    pub key: String,
    /// What was signed, hex.
    pub message: String,
    /// The signature, hex.
    pub signature: String,
    /// The library that verified it.
    pub verified_by: &'static str,
}

/// A transaction.
#[derive(Clone, Debug)]
pub struct Transfer {
    /// Its hash as the network shows it, worked out from its bytes.
    pub hash: [u8; 32],
    /// Money from outside: a faucet's, which nobody signed.
    pub deposit: bool,
    /// Outputs of earlier transactions that it spends; accounts have none.
    pub inputs: Vec<([u8; 32], u32)>,
    /// What it pays, by position.
    pub outputs: Vec<Spent>,
    /// The fee, where the transaction says it.
    fee: Option<u64>,
    body: Body,
}

#[derive(Clone, Debug)]
enum Body {
    Btc(bitcoin::Transaction),
    Eth(Eth),
    Xmr(Xmr),
}

#[derive(Clone, Debug, BorshSerialize, BorshDeserialize)]
enum Eth {
    Deposit {
        to: [u8; 20],
        amount: u64,
        data: Vec<u8>,
        salt: [u8; 32],
    },
    Execute {
        key_x: [u8; 32],
        nonce: u64,
        outs: Vec<([u8; 20], u64)>,
        fee: u64,
        signature: [u8; 64],
    },
}

#[derive(Clone, Debug, BorshSerialize, BorshDeserialize)]
struct Xmr {
    inputs: Vec<([u8; 32], u32)>,
    outputs: Vec<(String, u64)>,
    fee: u64,
    data: Option<Vec<u8>>,
    salt: [u8; 32],
    signatures: Vec<[u8; 64]>,
}

/// Index of the input of a faucet's Bitcoin transaction.
const FAUCET_INDEX: u32 = u32::MAX - 1;
/// The simulated Ethereum's chain id.
const CHAIN_ID: u64 = 1337;
/// What signatures of simulated Monero begin with.
const MONERO_DOMAIN: &[u8] = b"serai-simulated-monero";

fn wrong(error: impl std::fmt::Display) -> Undecodable {
    Undecodable(error.to_string())
}

impl Transfer {
    /// Decodes a transaction as its network encodes it.
    ///
    /// # Errors
    /// When the bytes are none.
    pub fn decode(coin: Coin, raw: &[u8]) -> Result<Self, Undecodable> {
        match coin {
            Coin::Btc => Self::bitcoin(bitcoin::consensus::deserialize(raw).map_err(wrong)?),
            Coin::Eth => Self::ethereum(borsh::from_slice(raw).map_err(wrong)?),
            Coin::Xmr => Self::monero(borsh::from_slice(raw).map_err(wrong)?),
        }
    }

    fn bitcoin(body: bitcoin::Transaction) -> Result<Self, Undecodable> {
        let mut hash = body.compute_txid().to_byte_array();
        hash.reverse();
        let inputs: Vec<_> = body
            .input
            .iter()
            .map(|input| {
                let mut hash = input.previous_output.txid.to_byte_array();
                hash.reverse();
                (hash, input.previous_output.vout)
            })
            .collect();
        let deposit = inputs.iter().any(|(_, index)| *index == FAUCET_INDEX);
        let outputs = body
            .output
            .iter()
            .map(|output| Spent {
                address: bitcoin::Address::from_script(
                    &output.script_pubkey,
                    bitcoin::Network::Bitcoin,
                )
                .map_or_else(|_| String::new(), |address| address.to_string()),
                amount: output.value.to_sat(),
            })
            .collect();
        let inputs = if deposit { Vec::new() } else { inputs };
        Ok(Self { hash, deposit, inputs, outputs, fee: None, body: Body::Btc(body) })
    }

    fn ethereum(body: Eth) -> Result<Self, Undecodable> {
        let to = |to: &[u8; 20], amount: &u64| Spent { address: checksummed(to), amount: *amount };
        let mut unsigned = body.clone();
        let (deposit, outputs, fee) = match (&body, &mut unsigned) {
            (Eth::Execute { outs, fee, .. }, Eth::Execute { signature, .. }) => {
                *signature = [0; 64];
                (false, outs.iter().map(|(account, amount)| to(account, amount)).collect(), *fee)
            }
            (Eth::Deposit { to: account, amount, .. }, _) => (true, vec![to(account, amount)], 0),
            (Eth::Execute { .. }, Eth::Deposit { .. }) => return Err(wrong("cannot be")),
        };
        let hash = Keccak256::digest(borsh::to_vec(&unsigned).map_err(wrong)?).into();
        let (inputs, fee, body) = (Vec::new(), Some(fee), Body::Eth(body));
        Ok(Self { hash, deposit, inputs, outputs, fee, body })
    }

    fn monero(body: Xmr) -> Result<Self, Undecodable> {
        let unsigned = Xmr { signatures: Vec::new(), ..body.clone() };
        Ok(Self {
            hash: Keccak256::digest(borsh::to_vec(&unsigned).map_err(wrong)?).into(),
            deposit: body.inputs.is_empty(),
            inputs: body.inputs.clone(),
            outputs: body
                .outputs
                .iter()
                .map(|(address, amount)| Spent { address: address.clone(), amount: *amount })
                .collect(),
            fee: Some(body.fee),
            body: Body::Xmr(body),
        })
    }

    /// What was spent, the outputs of `inputs` being given in their order, and the fee.
    pub(super) fn spends(&self, inputs: Vec<Spent>) -> (Vec<Spent>, u64) {
        let sum = |parts: &[Spent]| parts.iter().map(|part| part.amount).sum::<u64>();
        if self.deposit {
            return (Vec::new(), 0);
        }
        let paid = sum(&self.outputs);
        if let Body::Eth(Eth::Execute { key_x, fee, .. }) = &self.body {
            let address = even_key(key_x).map(|key| checksummed(&address::account(&key)));
            let amount = paid.saturating_add(*fee);
            return (vec![Spent { address: address.unwrap_or_default(), amount }], *fee);
        }
        let fee = self.fee.unwrap_or_else(|| sum(&inputs).saturating_sub(paid));
        (inputs, fee)
    }

    /// Verifies the transaction's signatures against what it spends; one for each input.
    ///
    /// # Errors
    /// When one does not verify, or something is missing.
    pub fn verify(&self, spent: &[Spent]) -> Result<Vec<Proof>, Undecodable> {
        match &self.body {
            _ if self.deposit => Ok(Vec::new()),
            Body::Btc(transaction) => {
                let prevouts = spent
                    .iter()
                    .map(|one| {
                        let address = one.address.parse::<bitcoin::Address<_>>().map_err(wrong)?;
                        Ok(bitcoin::TxOut {
                            value: bitcoin::Amount::from_sat(one.amount),
                            script_pubkey: address.assume_checked().script_pubkey(),
                        })
                    })
                    .collect::<Result<Vec<_>, Undecodable>>()?;
                let mut cache = SighashCache::new(transaction);
                let mut proofs = Vec::new();
                for (index, (input, prevout)) in transaction.input.iter().zip(&prevouts).enumerate()
                {
                    let message = cache
                        .taproot_key_spend_signature_hash(
                            index,
                            &Prevouts::All(&prevouts),
                            TapSighashType::Default,
                        )
                        .map_err(wrong)?
                        .to_byte_array();
                    let signature = input.witness.iter().next().unwrap_or_default();
                    // A pay-to-taproot output: version 1, a push of 32 bytes.
                    let x = prevout.script_pubkey.as_bytes().get(2..).unwrap_or_default();
                    let key = [&[2], x].concat();
                    proofs.push(proof(Coin::Btc, &key, &message, signature)?);
                }
                Ok(proofs)
            }
            Body::Eth(Eth::Execute { key_x, nonce, outs, fee, signature }) => {
                let key = even_key(key_x).ok_or_else(|| wrong("the account's key is none"))?;
                let message = execute_message(*nonce, outs, *fee);
                Ok(vec![proof(Coin::Eth, &key.serialize(), &message, signature)?])
            }
            Body::Eth(Eth::Deposit { .. }) => Ok(Vec::new()),
            Body::Xmr(transaction) => {
                let message = [MONERO_DOMAIN, &self.hash].concat();
                if transaction.signatures.len() != spent.len() {
                    return Err(wrong("it has not one signature for each input"));
                }
                let signed = spent.iter().zip(&transaction.signatures);
                signed
                    .map(|(one, signature)| {
                        let key = address::monero_spend_key(&one.address)
                            .ok_or_else(|| wrong("what it spends has no Monero address"))?;
                        proof(Coin::Xmr, &key, &message, signature)
                    })
                    .collect()
            }
        }
    }
}

fn proof(coin: Coin, key: &[u8], message: &[u8], signature: &[u8]) -> Result<Proof, Undecodable> {
    let verified_by = verify::external(coin, key, message, signature).map_err(wrong)?;
    Ok(Proof {
        key: hex::encode(key),
        message: hex::encode(message),
        signature: hex::encode(signature),
        verified_by,
    })
}

/// The key with this x coordinate and even y.
fn even_key(x: &[u8; 32]) -> Option<secp256k1::PublicKey> {
    let x = secp256k1::XOnlyPublicKey::from_slice(x).ok()?;
    Some(x.public_key(secp256k1::Parity::Even))
}

/// What the key of Serai's Ethereum contract signs: Solidity's encoding of `("execute", chain id,
/// nonce, [(to, calls, value)])`, without calls; the fee is a last entry to nobody.
fn execute_message(nonce: u64, outs: &[([u8; 20], u64)], fee: u64) -> Vec<u8> {
    const WORD: u64 = 32;
    let mut bytes = Vec::new();
    let number = |bytes: &mut Vec<u8>, number: u64| {
        bytes.extend_from_slice(&[0; 24]);
        bytes.extend_from_slice(&number.to_be_bytes());
    };
    // Four words of which the first and the last say where their contents are.
    number(&mut bytes, 4 * WORD);
    number(&mut bytes, CHAIN_ID);
    number(&mut bytes, nonce);
    number(&mut bytes, 6 * WORD);
    let name = b"execute";
    number(&mut bytes, 7);
    bytes.extend_from_slice(name);
    bytes.resize(bytes.len() + 32 - name.len(), 0);
    let entries: Vec<_> = outs.iter().copied().chain([([0; 20], fee)]).collect();
    let count = entries.len() as u64;
    number(&mut bytes, count);
    // An entry is four words: address, where its calls are, value, number of calls.
    for entry in 0..count {
        number(&mut bytes, (count + 4 * entry) * WORD);
    }
    for (to, value) in entries {
        bytes.extend_from_slice(&[0; 12]);
        bytes.extend_from_slice(&to);
        number(&mut bytes, 3 * WORD);
        number(&mut bytes, value);
        number(&mut bytes, 0);
    }
    bytes
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod tests {
    use super::*;

    #[test]
    fn a_monero_spend_is_verified_with_an_unrelated_library() {
        use ed25519_dalek::Signer as _;
        let signer = ed25519_dalek::SigningKey::from_bytes(&[5; 32]);
        let key = signer.verifying_key().to_bytes();
        let from = Spent { address: address::monero_text(18, &[key, key], None), amount: 100 };
        let mut body = Xmr {
            inputs: vec![([7; 32], 0)],
            outputs: vec![("somebody".to_owned(), 90)],
            fee: 10,
            data: None,
            salt: [0; 32],
            signatures: Vec::new(),
        };
        let hash = Transfer::monero(body.clone()).unwrap().hash;
        let message = [MONERO_DOMAIN, &hash].concat();
        body.signatures.push(signer.sign(&message).to_bytes());
        let transfer = Transfer::decode(Coin::Xmr, &borsh::to_vec(&body).unwrap()).unwrap();
        assert_eq!((transfer.hash, transfer.deposit), (hash, false));
        let (spent, fee) = transfer.spends(vec![from]);
        assert_eq!(fee, 10);
        assert_eq!(transfer.verify(&spent).unwrap()[0].verified_by, "ed25519-dalek");
        body.outputs[0].1 = 91;
        let forged = Transfer::decode(Coin::Xmr, &borsh::to_vec(&body).unwrap()).unwrap();
        assert!(forged.verify(&spent).is_err());
    }

    #[test]
    fn the_contracts_message_has_its_parts_where_solidity_puts_them() {
        let message = execute_message(5, &[([0xaa; 20], 70)], 3);
        let word = |index: usize| &message[32 * index..32 * index + 32];
        let last = |index: usize| word(index)[31];
        assert_eq!((last(0), last(2), last(3), last(4)), (128, 5, 192, 7));
        assert_eq!(&word(5)[..7], b"execute");
        assert_eq!((last(6), last(7), last(8)), (2, 64, 192));
        assert_eq!((&word(9)[12..], last(11)), ([0xaa; 20].as_slice(), 70));
        assert_eq!((&word(13)[12..], last(15), message.len()), ([0; 20].as_slice(), 3, 17 * 32));
    }
}
