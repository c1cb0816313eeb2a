//! Bitcoin: real transactions, spent by taproot's key path.

use std::collections::BTreeMap;

use bitcoin::hashes::Hash as _;
use bitcoin::key::TweakedPublicKey;
use bitcoin::opcodes::all::OP_RETURN;
use bitcoin::script::Instruction;
use bitcoin::secp256k1::{PublicKey, Scalar, Secp256k1, SecretKey};
use bitcoin::sighash::{Prevouts, SighashCache, TapSighashType};
use bitcoin::transaction::Version;
use bitcoin::{
    Address, Amount, OutPoint, PubkeyHash, ScriptBuf, ScriptHash, Sequence, Transaction, TxIn,
    TxOut, Txid, WPubkeyHash, WScriptHash, Witness, absolute, consensus,
};
use borsh::{BorshDeserialize, BorshSerialize};
use serai_messages::signing::MAX_MESSAGES;
use serai_messages::{Coin, SignatureBytes};

use super::planning::{self, Draft, Terms};
use super::{
    Block, InvalidKey, MAX_DATA_BYTES, Network, NoPlan, NotAssembled, Output, OutputId, Payee,
    Plan, Purpose, Scan, Target, ToSign, VaultKey,
};

/// Least that an output may hold, in satoshis.
const DUST: u64 = 330;

/// What Serai withholds of a deposit: twice its cost of aggregation.
const COLLECTING_COST: u64 = 2 * 800;

/// Base offsets of Serai's addresses: its hash to a scalar, of "change" and of "forward".
const CHANGE: &str = "b7a361289af929235cce198d1578f5d640b18db5aee4451413e1774f6ab4a63a";
const FORWARD: &str = "50d711223c998860abe8199aec98a0064a8df53e084a0d84462739ff35a38583";

/// Its `ExternalCoin` on Serai.
const EXTERNAL_COIN: u8 = 4;

pub(super) struct Bitcoin;

/// A transaction without signatures, and the outputs that it spends.
#[derive(BorshSerialize, BorshDeserialize)]
struct Unsigned {
    transaction: Vec<u8>,
    /// Script and value.
    prevouts: Vec<(Vec<u8>, u64)>,
}

/// One of a vault's output keys.
struct OutputKey {
    script: ScriptBuf,
    /// Added to the vault's key.
    offset: Option<[u8; 32]>,
}

/// The key for a purpose: the offset is raised by one until the key's y is even.
fn output_key(key: &VaultKey, purpose: Purpose) -> Result<OutputKey, InvalidKey> {
    let invalid = || InvalidKey::of(key);
    let secp = Secp256k1::verification_only();
    let vault = PublicKey::from_slice(&key.external).map_err(|_| invalid())?;
    let base = match purpose {
        Purpose::External => None,
        Purpose::Change => Some(CHANGE),
        Purpose::Forward => Some(FORWARD),
    };
    let (point, offset) = match base {
        None => (vault, None),
        Some(base) => {
            let mut offset: SecretKey = base.parse().map_err(|_| invalid())?;
            loop {
                let scalar = Scalar::from(offset);
                let point = vault.add_exp_tweak(&secp, &scalar).map_err(|_| invalid())?;
                if is_even(&point) {
                    break (point, Some(offset.secret_bytes()));
                }
                offset = offset.add_tweak(&Scalar::ONE).map_err(|_| invalid())?;
            }
        }
    };
    if !is_even(&point) {
        return Err(invalid());
    }
    let x_only = TweakedPublicKey::dangerous_assume_tweaked(point.x_only_public_key().0);
    Ok(OutputKey { script: ScriptBuf::new_p2tr_tweaked(x_only), offset })
}

fn is_even(point: &PublicKey) -> bool {
    point.serialize().first() == Some(&2)
}

fn displayed(txid: Txid) -> [u8; 32] {
    let mut bytes = txid.to_byte_array();
    bytes.reverse();
    bytes
}

fn outpoint(id: &OutputId) -> OutPoint {
    let mut bytes = id.transaction;
    bytes.reverse();
    OutPoint { txid: Txid::from_byte_array(bytes), vout: id.index }
}

/// The first push after the first `OP_RETURN`.
fn data(transaction: &Transaction) -> Option<Vec<u8>> {
    let mut carriers = transaction.output.iter().map(|output| &output.script_pubkey);
    let script = carriers.find(|script| script.is_op_return())?;
    let mut instructions = script.instructions();
    match (instructions.next(), instructions.next()) {
        (Some(Ok(Instruction::Op(OP_RETURN))), Some(Ok(Instruction::PushBytes(push)))) => {
            let bytes = push.as_bytes();
            Some(bytes.get(..MAX_DATA_BYTES).unwrap_or(bytes).to_vec())
        }
        _ => None,
    }
}

fn transaction(inputs: &[Output], outputs: Vec<TxOut>) -> Transaction {
    Transaction {
        version: Version::TWO,
        lock_time: absolute::LockTime::ZERO,
        input: inputs
            .iter()
            .map(|output| TxIn {
                previous_output: outpoint(&output.id),
                script_sig: ScriptBuf::new(),
                sequence: Sequence::MAX,
                witness: Witness::new(),
            })
            .collect(),
        output: outputs,
    }
}

fn output(script: &ScriptBuf, amount: u64) -> TxOut {
    TxOut { value: Amount::from_sat(amount), script_pubkey: script.clone() }
}

/// Fee of a transaction of so many key-path inputs and these outputs, at `rate` satoshis per virtual
/// byte.
fn fee(rate: u64, inputs: usize, scripts: &[&ScriptBuf]) -> u64 {
    let input = TxIn {
        previous_output: OutPoint::null(),
        script_sig: ScriptBuf::new(),
        sequence: Sequence::MAX,
        witness: Witness::from_slice(&[[0; 64]]),
    };
    let outputs = scripts.iter().map(|script| output(script, 0)).collect();
    let mut signed = transaction(&[], outputs);
    signed.input = vec![input; inputs];
    rate.saturating_mul(u64::try_from(signed.vsize()).unwrap_or(u64::MAX))
}

impl Bitcoin {
    /// A transaction that spends `inputs`.
    fn draft(key: &VaultKey, inputs: &[Output], outputs: Vec<TxOut>) -> Result<Draft, NoPlan> {
        let keys = Purpose::ALL
            .into_iter()
            .map(|purpose| Ok((purpose, output_key(key, purpose)?)))
            .collect::<Result<BTreeMap<_, _>, InvalidKey>>()?;
        let spent: Vec<(TxOut, Option<[u8; 32]>)> = inputs
            .iter()
            .filter_map(|input| {
                let key = keys.get(&input.purpose)?;
                Some((output(&key.script, input.amount), key.offset))
            })
            .collect();
        let prevouts: Vec<TxOut> = spent.iter().map(|(prevout, _)| prevout.clone()).collect();
        let transaction = transaction(inputs, outputs);
        let mut cache = SighashCache::new(&transaction);
        let messages = spent
            .iter()
            .enumerate()
            .map(|(input, (_, offset))| {
                let (prevouts, kind) = (Prevouts::All(&prevouts), TapSighashType::Default);
                let hash = cache.taproot_key_spend_signature_hash(input, &prevouts, kind);
                let hash = hash.map_err(|error| NoPlan::Unpayable(error.to_string()))?;
                Ok(ToSign { offset: *offset, bytes: hash.to_byte_array().to_vec() })
            })
            .collect::<Result<Vec<_>, NoPlan>>()?;
        let unsigned = Unsigned {
            transaction: consensus::serialize(&transaction),
            prevouts: prevouts
                .iter()
                .map(|prevout| (prevout.script_pubkey.to_bytes(), prevout.value.to_sat()))
                .collect(),
        };
        Ok(Draft {
            hash: displayed(transaction.compute_txid()),
            unsigned: serai_messages::encode(&unsigned),
            messages,
        })
    }
}

impl Network for Bitcoin {
    fn coin(&self) -> Coin {
        Coin::Btc
    }

    fn address(&self, key: &VaultKey, purpose: Purpose) -> Result<String, InvalidKey> {
        let script = output_key(key, purpose)?.script;
        Address::from_script(&script, bitcoin::Network::Bitcoin)
            .map(|address| address.to_string())
            .map_err(|_| InvalidKey::of(key))
    }

    fn hash(&self, raw: &[u8]) -> Option<[u8; 32]> {
        let transaction = match consensus::deserialize::<Transaction>(raw) {
            Ok(transaction) => transaction,
            Err(_) => {
                let unsigned = Unsigned::try_from_slice(raw).ok()?;
                consensus::deserialize(&unsigned.transaction).ok()?
            }
        };
        Some(displayed(transaction.compute_txid()))
    }

    fn scan(&self, block: &Block, vaults: &[VaultKey]) -> Scan {
        let mut owners = BTreeMap::new();
        for vault in vaults {
            for purpose in Purpose::ALL {
                if let Ok(key) = output_key(vault, purpose) {
                    owners.insert(key.script, (vault.set, purpose));
                }
            }
        }
        let mut scan = Scan::default();
        for found in &block.transactions {
            scan.transactions.push(found.hash);
            let Ok(transaction) = consensus::deserialize::<Transaction>(&found.raw) else {
                continue;
            };
            scan.spent.extend(transaction.input.iter().map(|input| OutputId {
                transaction: displayed(input.previous_output.txid),
                index: input.previous_output.vout,
            }));
            let data = data(&transaction);
            for (index, output) in (0..).zip(&transaction.output) {
                let amount = output.value.to_sat();
                if let Some((set, purpose)) = owners.get(&output.script_pubkey)
                    && amount > 0
                {
                    scan.outputs.push(Output {
                        id: OutputId { transaction: found.hash, index },
                        set: *set,
                        purpose: *purpose,
                        amount,
                        data: data.clone(),
                    });
                }
            }
        }
        scan
    }

    fn collecting_cost(&self) -> u64 {
        COLLECTING_COST
    }

    fn payee(&self, external_coin: u8, address: &[u8]) -> Result<Payee, String> {
        if external_coin != EXTERNAL_COIN {
            return Err(format!("coin {external_coin} is none of bitcoin's"));
        }
        let script = script_of(address)
            .ok_or_else(|| format!("{} is no bitcoin address", hex::encode(address)))?;
        Address::from_script(&script, bitcoin::Network::Bitcoin)
            .map(|address| Payee::new(address.to_string()))
            .map_err(|error| error.to_string())
    }

    fn plan(
        &self,
        key: &VaultKey,
        _: u64,
        available: &[Output],
        target: Target<'_>,
        rate: u64,
    ) -> Result<Plan, NoPlan> {
        let own = available.iter().filter(|output| output.set == key.set).cloned();
        match target {
            Target::Pay { payee, gross, recover } => {
                let script = payee
                    .address()
                    .parse::<Address<_>>()
                    .ok()
                    .and_then(|address| address.require_network(bitcoin::Network::Bitcoin).ok())
                    .map(|address| address.script_pubkey())
                    .ok_or_else(|| {
                        NoPlan::Unpayable(format!("{} is no bitcoin address", payee.address()))
                    })?;
                let change = output_key(key, Purpose::Change)?.script;
                let fee = |inputs, with_change| match with_change {
                    true => fee(rate, inputs, &[&script, &change]),
                    false => fee(rate, inputs, &[&script]),
                };
                let terms = Terms { most: MAX_MESSAGES, least: DUST, fee: &fee };
                let payment = planning::pay(own, gross, recover, &terms)?;
                let mut outputs = vec![output(&script, payment.amount)];
                if payment.change > 0 {
                    outputs.push(output(&change, payment.change));
                }
                let draft = Self::draft(key, &payment.chosen, outputs)?;
                Ok(draft.pays(key.set, payment, 1))
            }
            Target::Forward { to } => {
                let purpose = if to.set == key.set { Purpose::Change } else { Purpose::Forward };
                let script = output_key(to, purpose)?.script;
                let fee = |inputs, _| fee(rate, inputs, &[&script]);
                let terms = Terms { most: MAX_MESSAGES, least: DUST, fee: &fee };
                let forwarding = planning::forward(own, &terms)?;
                let outputs = vec![output(&script, forwarding.amount)];
                let draft = Self::draft(key, &forwarding.chosen, outputs)?;
                Ok(draft.forwards(to.set, purpose, forwarding, 0))
            }
        }
    }

    fn assemble(
        &self,
        unsigned: &[u8],
        signatures: &[SignatureBytes],
    ) -> Result<Vec<u8>, NotAssembled> {
        let damaged = |error: String| NotAssembled::Damaged(error);
        let unsigned =
            Unsigned::try_from_slice(unsigned).map_err(|error| damaged(error.to_string()))?;
        let mut transaction: Transaction = consensus::deserialize(&unsigned.transaction)
            .map_err(|error| damaged(error.to_string()))?;
        let (given, needed) = (signatures.len(), transaction.input.len());
        if given != needed {
            return Err(NotAssembled::Signatures { given, needed });
        }
        for (input, signature) in transaction.input.iter_mut().zip(signatures) {
            input.witness = Witness::from_slice(&[signature.0]);
        }
        Ok(consensus::serialize(&transaction))
    }
}

/// The script of an address as Serai writes it: a kind, then a hash or a key.
fn script_of(address: &[u8]) -> Option<ScriptBuf> {
    let (kind, body) = address.split_first()?;
    Some(match kind {
        0 => ScriptBuf::new_p2pkh(&PubkeyHash::from_byte_array(body.try_into().ok()?)),
        1 => ScriptBuf::new_p2sh(&ScriptHash::from_byte_array(body.try_into().ok()?)),
        2 => ScriptBuf::new_p2wpkh(&WPubkeyHash::from_byte_array(body.try_into().ok()?)),
        3 => ScriptBuf::new_p2wsh(&WScriptHash::from_byte_array(body.try_into().ok()?)),
        4 => {
            let key = bitcoin::secp256k1::XOnlyPublicKey::from_slice(body).ok()?;
            ScriptBuf::new_p2tr_tweaked(TweakedPublicKey::dangerous_assume_tweaked(key))
        }
        _ => return None,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod tests {
    use bitcoin::script::PushBytesBuf;
    use serai_messages::{Session, ValidatorSet};

    use super::*;

    #[test]
    fn addresses_are_serais() {
        let external =
            hex::decode("02b4e39040c6a7cee8d024b849276d53ea5a33120aaf9a90993dabf1fbe02d3ac5")
                .unwrap();
        let set = ValidatorSet { coin: Coin::Btc, session: Session(0) };
        let key = VaultKey { set, external };
        let x = |purpose| hex::encode(&output_key(&key, purpose).unwrap().script.as_bytes()[2..]);
        assert_eq!(
            x(Purpose::Change),
            "b0b540f81a960a2e8198557a72e85de84f693670e71eefb428ebc49eac841575"
        );
        assert_eq!(
            x(Purpose::Forward),
            "08e5eda745bdeba8caff29db8ccadbd68bcc3aa30b7383fe0639203e2a615547"
        );
    }

    #[test]
    fn data_is_the_first_push_of_the_first_carrier() {
        let push = PushBytesBuf::try_from(vec![7; 600]).unwrap();
        let carrier = TxOut { value: Amount::ZERO, script_pubkey: ScriptBuf::new_op_return(push) };
        assert_eq!(data(&transaction(&[], vec![carrier])), Some(vec![7; MAX_DATA_BYTES]));
        assert_eq!(data(&transaction(&[], Vec::new())), None);
    }
}
