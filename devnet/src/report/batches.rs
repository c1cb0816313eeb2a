//! Batches: the chain's events, and the content that coordinators gave to it.

use std::collections::BTreeMap;

use blake2::digest::consts::U32;
use blake2::{Blake2b, Digest as _};
use parity_scale_codec::Decode;
use serai_messages::observation::Event;
use serai_messages::{Coin, Name, Record, ValidatorSet};

use super::collect::ReportError;
use super::money::Sets;
use super::sources::Read;
use super::types::{Batch, Instruction, Moment};
use crate::chain::{Money, MoneyEvent};
use crate::external::History;
use crate::verify;

/// What Serai's batch signatures sign before the batch.
const DOMAIN: &[u8] = b"InInstructions-batch";

/// A batch as a coordinator gave it to Serai.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Submitted {
    set: ValidatorSet,
    id: u32,
    batch: Vec<u8>,
    signature: [u8; 64],
}

impl Submitted {
    /// The batch in a record of `{name}-serai`; `None` where it is of another type.
    pub(super) fn of(record: &Record) -> Option<Self> {
        (record.kind == "submit.batch").then_some(())?;
        match serai_messages::decode(&record.body).ok()? {
            Event::Batch { set, id, batch, signature } => {
                Some(Self { set, id, batch, signature: signature.0 })
            }
            _ => None,
        }
    }
}

#[derive(Decode)]
struct Decoded {
    network: u8,
    id: u32,
    block: [u8; 32],
    instructions: Vec<(InInstruction, (u8, u64))>,
}

#[derive(Decode)]
#[allow(dead_code, reason = "decoded for what follows")]
enum InInstruction {
    Transfer([u8; 32]),
    Dex(DexCall),
    GenesisLiquidity([u8; 32]),
    SwapToStakedSri([u8; 32], u8),
}

#[derive(Decode)]
#[allow(dead_code, reason = "decoded for what follows")]
enum DexCall {
    SwapAndAddLiquidity([u8; 32]),
    Swap((u8, u64), OutAddress),
}

#[derive(Decode)]
#[allow(dead_code, reason = "decoded for what follows")]
enum OutAddress {
    Serai([u8; 32]),
    External(Vec<u8>),
}

/// All batches of a coin that Serai executed, in order. Each was executed once, none is left out.
pub(super) fn collect(
    coin: Coin,
    sets: &Sets<'_>,
    history: &History,
    moved: &[Money],
    read: &BTreeMap<Name, Read>,
) -> Result<Vec<Batch>, ReportError> {
    let mut batches = Vec::new();
    for money in moved {
        let MoneyEvent::Batch { coin: of, id, external_block, instructions_hash } = &money.event
        else {
            continue;
        };
        if *of != coin {
            continue;
        }
        if *id as usize != batches.len() {
            return Err(ReportError::Disagreement(format!(
                "block {} executes batch {id} of {coin} after {} batches",
                money.block,
                batches.len()
            )));
        }
        let height = history.height_of(*external_block).ok_or_else(|| {
            ReportError::Missing(format!(
                "the external block of batch {id} of {coin}, {}, among those that were read",
                hex::encode(external_block)
            ))
        })?;
        let failed = |index: usize| {
            moved.iter().any(|other| {
                matches!(&other.event, MoneyEvent::Failed { coin: of, batch, index: failed }
                    if *of == coin && batch == id && *failed as usize == index)
            })
        };
        let submitted = read.values().flat_map(|read| &read.batches).find(|submitted| {
            (submitted.set.coin, submitted.id) == (coin, *id)
                && hash_of_instructions(&submitted.batch) == Some(*instructions_hash)
        });
        let submitted = submitted.ok_or_else(|| {
            ReportError::Missing(format!(
                "the content of batch {id} of {coin}, with the hash that the chain's event names, \
                 on a validator's topic"
            ))
        })?;
        let decoded = Decoded::decode(&mut submitted.batch.as_slice())
            .ok()
            .filter(|decoded| {
                (decoded.network, decoded.id, &decoded.block)
                    == (coin.network_id(), *id, external_block)
            })
            .ok_or_else(|| {
                ReportError::Disagreement(format!(
                    "batch {id} of {coin} on a validator's topic is not what Serai executed"
                ))
            })?;
        let confirmed = sets.get(submitted.set)?;
        let message = [DOMAIN, &submitted.batch].concat();
        let key = &confirmed.keys.ristretto;
        let verified_by = verify::ristretto(key, &message, &submitted.signature)
            .map_err(|error| ReportError::Disagreement(format!("batch {id} of {coin}: {error}")))?;
        batches.push(Batch {
            coin,
            id: *id,
            block: hex::encode(external_block),
            height,
            instructions: instructions(decoded, failed),
            instructions_hash: hex::encode(instructions_hash),
            serai_block: Moment { block: money.block, at_ms: money.at_ms },
            session: submitted.set.session.0,
            key: hex::encode(key),
            signature: hex::encode(submitted.signature),
            verified_by,
        });
    }
    Ok(batches)
}

fn instructions(decoded: Decoded, failed: impl Fn(usize) -> bool) -> Vec<Instruction> {
    let instructions = decoded.instructions.into_iter().enumerate();
    instructions
        .map(|(index, (instruction, (_, amount)))| {
            let (kind, to) = match instruction {
                InInstruction::Transfer(to) => ("transfer", Some(to)),
                InInstruction::Dex(_) => ("exchange", None),
                InInstruction::GenesisLiquidity(to) => ("genesis liquidity", Some(to)),
                InInstruction::SwapToStakedSri(to, _) => ("stake", Some(to)),
            };
            Instruction { kind, to: to.map(hex::encode), amount, failed: failed(index) }
        })
        .collect()
}

/// Blake2b-256 of a batch's instructions, which stand after network, number and block.
fn hash_of_instructions(batch: &[u8]) -> Option<[u8; 32]> {
    const BEFORE: usize = 1 + 4 + 32;
    Some(Blake2b::<U32>::digest(batch.get(BEFORE..)?).into())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod tests {
    use super::*;

    /// Serai's vector: batch 3 of Bitcoin with one transfer to Alice.
    #[test]
    fn a_batch_of_serai() {
        let alice = "d43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d";
        let text = format!("0103000000{}0400{alice}047011010000000000", hex::encode([0xaa; 32]));
        let bytes = hex::decode(text).unwrap();
        assert_eq!(
            hash_of_instructions(&bytes).map(hex::encode).unwrap(),
            "2e28b46cac24194be29baa3e5a7288fc93bc039769a1dccd835ca4ce8f0defa8"
        );
        let decoded = Decoded::decode(&mut bytes.as_slice()).unwrap();
        assert_eq!((decoded.network, decoded.id), (1, 3));
        let expected =
            Instruction { kind: "transfer", to: Some(alice.into()), amount: 70_000, failed: true };
        assert_eq!(instructions(decoded, |index| index == 0), [expected]);
    }
}
