//! Monero, simplified: real addresses, outputs in the clear, Ed25519 signatures of spend keys.

use std::collections::BTreeMap;

use borsh::{BorshDeserialize, BorshSerialize};
use curve25519_dalek::edwards::CompressedEdwardsY;
use curve25519_dalek::{EdwardsPoint, Scalar};
use serai_messages::signing::MAX_MESSAGES;
use serai_messages::{Coin, SignatureBytes};
use sha2::Sha512;
use sha3::{Digest, Keccak256};

use super::planning::{self, Draft, Terms};
use super::{
    Block, InvalidKey, MAX_DATA_BYTES, Network, NoPlan, NotAssembled, Output, OutputId, Payee,
    Plan, Purpose, Scan, Target, ToSign, VaultKey,
};

/// What signed messages begin with.
const DOMAIN: &[u8] = b"serai-simulated-monero";

/// Its `ExternalCoin` on Serai.
const EXTERNAL_COIN: u8 = 7;

/// First bytes of the main network's addresses.
const STANDARD: u8 = 18;
const SUBADDRESS: u8 = 42;
const FEATURED: u8 = 70;

/// Features of an address.
const IS_SUBADDRESS: u8 = 1;
const IS_INTEGRATED: u8 = 2;
const IS_GUARANTEED: u8 = 4;

/// A transaction of the simulated network.
#[derive(Clone, BorshSerialize, BorshDeserialize)]
struct Transaction {
    inputs: Vec<([u8; 32], u32)>,
    outputs: Vec<(String, u64)>,
    fee: u64,
    data: Option<Vec<u8>>,
    salt: [u8; 32],
    signatures: Vec<[u8; 64]>,
}

impl Transaction {
    fn hash(&self) -> [u8; 32] {
        let unsigned = Self { signatures: Vec::new(), ..self.clone() };
        Keccak256::digest(serai_messages::encode(&unsigned)).into()
    }
}

pub(super) struct Monero;

/// The scalar behind the view key of every Monero vault of Serai.
fn view_scalar() -> Scalar {
    let hash = Sha512::new()
        .chain_update(b"Serai DEX Additional Key")
        .chain_update(b"Monero")
        .chain_update(0_u64.to_le_bytes());
    Scalar::from_bytes_mod_order_wide(&hash.finalize().into())
}

/// What Monero adds to the spend key for account `account`, index 0.
fn subaddress_offset(account: u32) -> Scalar {
    let hash = Keccak256::new()
        .chain_update(b"SubAddr\0")
        .chain_update(view_scalar().to_bytes())
        .chain_update(account.to_le_bytes())
        .chain_update(0_u32.to_le_bytes());
    Scalar::from_bytes_mod_order(hash.finalize().into())
}

/// A vault's address for a purpose, and what is added to its key to spend from there.
fn address(key: &VaultKey, purpose: Purpose) -> Result<(String, Option<[u8; 32]>), InvalidKey> {
    let invalid = || InvalidKey::of(key);
    let bytes: [u8; 32] = key.external.as_slice().try_into().map_err(|_| invalid())?;
    let spend = CompressedEdwardsY(bytes)
        .decompress()
        .filter(EdwardsPoint::is_torsion_free)
        .ok_or_else(invalid)?;
    let account = match purpose {
        Purpose::External => None,
        Purpose::Change => Some(2),
        Purpose::Forward => Some(3),
    };
    Ok(match account {
        None => {
            let view = EdwardsPoint::mul_base(&view_scalar());
            (text(FEATURED, Some(IS_GUARANTEED), &spend, &view), None)
        }
        Some(account) => {
            let offset = subaddress_offset(account);
            let spend = spend + EdwardsPoint::mul_base(&offset);
            let view = view_scalar() * spend;
            let features = Some(IS_SUBADDRESS | IS_GUARANTEED);
            (text(FEATURED, features, &spend, &view), Some(offset.to_bytes()))
        }
    })
}

fn text(network: u8, features: Option<u8>, spend: &EdwardsPoint, view: &EdwardsPoint) -> String {
    encode(network, features, spend.compress().as_bytes(), view.compress().as_bytes())
}

/// Network, keys, features where it is a featured one, checksum; in Monero's base58.
fn encode(network: u8, features: Option<u8>, spend: &[u8; 32], view: &[u8; 32]) -> String {
    let mut bytes = vec![network];
    bytes.extend_from_slice(spend);
    bytes.extend_from_slice(view);
    bytes.extend(features);
    let hash = Keccak256::digest(&bytes);
    bytes.extend(hash.iter().take(4));
    bytes.chunks(8).map(encode_block).collect()
}

fn encode_block(block: &[u8]) -> String {
    const ALPHABET: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    const LETTERS: [usize; 9] = [0, 2, 3, 5, 6, 7, 9, 10, 11];
    let mut number = block.iter().fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
    let mut letters = Vec::new();
    for _ in 0..LETTERS.get(block.len()).copied().unwrap_or_default() {
        let digit = usize::try_from(number % 58).unwrap_or_default();
        letters.extend(ALPHABET.get(digit).map(|letter| char::from(*letter)));
        number /= 58;
    }
    letters.iter().rev().collect()
}

impl Monero {
    /// A transaction that spends `chosen`.
    fn spend(
        key: &VaultKey,
        chosen: &[Output],
        outputs: Vec<(String, u64)>,
        fee: u64,
    ) -> Result<Draft, InvalidKey> {
        let transaction = Transaction {
            inputs: chosen.iter().map(|output| (output.id.transaction, output.id.index)).collect(),
            outputs,
            fee,
            data: None,
            salt: [0; 32],
            signatures: Vec::new(),
        };
        let hash = transaction.hash();
        let bytes = [DOMAIN, &hash].concat();
        let messages = chosen
            .iter()
            .map(|output| {
                let (_, offset) = address(key, output.purpose)?;
                Ok(ToSign { offset, bytes: bytes.clone() })
            })
            .collect::<Result<_, InvalidKey>>()?;
        Ok(Draft { hash, unsigned: serai_messages::encode(&transaction), messages })
    }
}

impl Network for Monero {
    fn coin(&self) -> Coin {
        Coin::Xmr
    }

    fn address(&self, key: &VaultKey, purpose: Purpose) -> Result<String, InvalidKey> {
        Ok(address(key, purpose)?.0)
    }

    fn hash(&self, raw: &[u8]) -> Option<[u8; 32]> {
        Some(Transaction::try_from_slice(raw).ok()?.hash())
    }

    fn scan(&self, block: &Block, vaults: &[VaultKey]) -> Scan {
        let mut owners = BTreeMap::new();
        for vault in vaults {
            for purpose in Purpose::ALL {
                if let Ok((text, _)) = address(vault, purpose) {
                    owners.insert(text, (vault.set, purpose));
                }
            }
        }
        let mut scan = Scan::default();
        for found in &block.transactions {
            scan.transactions.push(found.hash);
            let Ok(transaction) = Transaction::try_from_slice(&found.raw) else { continue };
            scan.spent.extend(
                transaction.inputs.iter().map(|(transaction, index)| OutputId {
                    transaction: *transaction,
                    index: *index,
                }),
            );
            let data = transaction
                .data
                .map(|data| data.get(..MAX_DATA_BYTES).map_or(data.clone(), <[u8]>::to_vec));
            for (index, (to, amount)) in (0..).zip(&transaction.outputs) {
                if let Some((set, purpose)) = owners.get(to)
                    && *amount > 0
                {
                    scan.outputs.push(Output {
                        id: OutputId { transaction: found.hash, index },
                        set: *set,
                        purpose: *purpose,
                        amount: *amount,
                        data: data.clone(),
                    });
                }
            }
        }
        scan
    }

    fn collecting_cost(&self) -> u64 {
        0
    }

    fn payee(&self, external_coin: u8, bytes: &[u8]) -> Result<Payee, String> {
        if external_coin != EXTERNAL_COIN {
            return Err(format!("coin {external_coin} is none of monero's"));
        }
        let wrong = || format!("{} is no monero address that is paid", hex::encode(bytes));
        let (kind, rest) = bytes.split_first().ok_or_else(wrong)?;
        let (network, features, keys) = match kind {
            0 => (STANDARD, None, rest),
            1 => (SUBADDRESS, None, rest),
            2 => {
                let (features, keys) = rest.split_first().ok_or_else(wrong)?;
                (FEATURED, Some(*features), keys)
            }
            _ => return Err(wrong()),
        };
        if features.is_some_and(|features| features >= 8 || features & IS_INTEGRATED != 0) {
            return Err(wrong());
        }
        let (spend, view) = keys.split_first_chunk::<32>().ok_or_else(wrong)?;
        let view: &[u8; 32] = view.try_into().map_err(|_| wrong())?;
        let point = |key: &[u8; 32]| {
            CompressedEdwardsY(*key)
                .decompress()
                .filter(EdwardsPoint::is_torsion_free)
                .filter(|point| point.compress().as_bytes() == key)
                .ok_or_else(wrong)
        };
        point(spend)?;
        point(view)?;
        Ok(Payee::new(encode(network, features, spend, view)))
    }

    fn plan(
        &self,
        key: &VaultKey,
        _: u64,
        available: &[Output],
        target: Target<'_>,
        fee: u64,
    ) -> Result<Plan, NoPlan> {
        let own = available.iter().filter(|output| output.set == key.set).cloned();
        let same = |_, _| fee;
        let terms = Terms { most: MAX_MESSAGES, least: 1, fee: &same };
        match target {
            Target::Pay { payee, gross, recover } => {
                let payment = planning::pay(own, gross, recover, &terms)?;
                let mut outputs = vec![(payee.address().to_owned(), payment.amount)];
                if payment.change > 0 {
                    outputs.push((address(key, Purpose::Change)?.0, payment.change));
                }
                let draft = Self::spend(key, &payment.chosen, outputs, payment.fee)?;
                Ok(draft.pays(key.set, payment, 1))
            }
            Target::Forward { to } => {
                let purpose = if to.set == key.set { Purpose::Change } else { Purpose::Forward };
                let forwarding = planning::forward(own, &terms)?;
                let outputs = vec![(address(to, purpose)?.0, forwarding.amount)];
                let draft = Self::spend(key, &forwarding.chosen, outputs, forwarding.fee)?;
                Ok(draft.forwards(to.set, purpose, forwarding, 0))
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
        let (given, needed) = (signatures.len(), transaction.inputs.len());
        if given != needed {
            return Err(NotAssembled::Signatures { given, needed });
        }
        transaction.signatures = signatures.iter().map(|signature| signature.0).collect();
        Ok(serai_messages::encode(&transaction))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod tests {
    use serai_messages::{Session, ValidatorSet};

    use super::*;

    #[test]
    fn keys_and_addresses_are_serais() {
        assert_eq!(
            hex::encode(view_scalar().to_bytes()),
            "3027d4ae0678b46c38bc5e371b88fd45476a290b795d8ca895f5a26554f74504"
        );
        let spend = EdwardsPoint::mul_base(&Scalar::from(5_u8));
        let set = ValidatorSet { coin: Coin::Xmr, session: Session(0) };
        let key = VaultKey { set, external: spend.compress().to_bytes().to_vec() };
        assert_eq!(
            Monero.address(&key, Purpose::External).unwrap(),
            "Cs6igeQZUKb3jkGXBaUCK19GEkqd6h4AfeYK9bfu4JT9eKKSuHdkErPJZCnLTnFVzS9hQNjVXdJi3hUxMwmPrPDk2s51r41mo"
        );
    }
}
