//! What is submitted, as Serai encodes it: read only to check it before it is submitted.

use parity_scale_codec::{Decode, Encode, Error, Input};
use serai_messages::{Coin, ValidatorSet};
use subxt::config::Hasher;
use subxt::config::substrate::BlakeTwo256;

/// Longest encoded batch, without its signature.
pub(super) const MAX_BATCH_BYTES: usize = 25_000;

/// Most validators that a slash report names.
const MAX_SLASHES: usize = 50;

/// What a batch says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Batch {
    pub(super) coin: Coin,
    pub(super) id: u32,
    pub(super) external_block: [u8; 32],
    /// How many instructions.
    pub(super) instructions: usize,
    /// The hash by which Serai's event names them.
    pub(super) instructions_hash: [u8; 32],
}

/// Reads SCALE bytes of Serai's `Batch`, all of them.
///
/// # Errors
/// Why they are none that Serai would execute.
pub(super) fn batch(bytes: &[u8]) -> Result<Batch, String> {
    if bytes.len() > MAX_BATCH_BYTES {
        return Err(format!("{} bytes long, at most {MAX_BATCH_BYTES} are taken", bytes.len()));
    }
    let malformed = |error: Error| format!("it is no batch of Serai: {error}");
    let mut rest = bytes;
    let (network, id, external_block) =
        <(u8, u32, [u8; 32])>::decode(&mut rest).map_err(malformed)?;
    let coin =
        Coin::from_network_id(network).ok_or_else(|| format!("network {network} is unknown"))?;
    let list = rest;
    let instructions = Vec::<InInstructionWithBalance>::decode(&mut rest).map_err(malformed)?;
    if !rest.is_empty() {
        return Err(format!("{} bytes follow the batch", rest.len()));
    }
    if instructions.iter().any(|instruction| instruction.balance.coin.network() != coin) {
        return Err("an instruction is about another network's coin".to_owned());
    }
    let instructions_hash = BlakeTwo256.hash(list).0;
    Ok(Batch { coin, id, external_block, instructions: instructions.len(), instructions_hash })
}

/// What a vault signs for a batch.
pub(super) fn batch_message(batch: &[u8]) -> Vec<u8> {
    [b"InInstructions-batch".as_slice(), batch].concat()
}

/// Checks SCALE bytes of a list of (validator, points).
///
/// # Errors
/// Why they are no list that Serai would take.
pub(super) fn slashes(mut bytes: &[u8]) -> Result<(), String> {
    let slashes = Vec::<([u8; 32], u32)>::decode(&mut bytes)
        .map_err(|error| format!("it is no list of slashes: {error}"))?;
    match slashes.len() {
        _ if !bytes.is_empty() => Err(format!("{} bytes follow the slashes", bytes.len())),
        count if count > MAX_SLASHES => {
            Err(format!("{count} validators are slashed, at most {MAX_SLASHES} are taken"))
        }
        _ => Ok(()),
    }
}

/// What a replaced set's vault signs for its slash report.
pub(super) fn slashes_message(set: ValidatorSet, slashes: &[u8]) -> Vec<u8> {
    let mut message = b"ValidatorSets-report_slashes".to_vec();
    (set.session.0, set.coin.network_id()).encode_to(&mut message);
    message.extend(slashes);
    message
}

#[derive(Decode)]
enum ExternalCoin {
    #[codec(index = 4)]
    Bitcoin,
    #[codec(index = 5)]
    Ether,
    #[codec(index = 6)]
    Dai,
    #[codec(index = 7)]
    Monero,
}

impl ExternalCoin {
    fn network(&self) -> Coin {
        match self {
            Self::Bitcoin => Coin::Btc,
            Self::Ether | Self::Dai => Coin::Eth,
            Self::Monero => Coin::Xmr,
        }
    }
}

#[derive(Decode)]
struct InInstructionWithBalance {
    _instruction: InInstruction,
    balance: ExternalBalance,
}

#[derive(Decode)]
struct ExternalBalance {
    coin: ExternalCoin,
    _amount: u64,
}

#[derive(Decode)]
#[allow(dead_code, reason = "only whether it decodes matters")]
enum InInstruction {
    #[codec(index = 0)]
    Transfer([u8; 32]),
    #[codec(index = 1)]
    Dex(DexCall),
    #[codec(index = 2)]
    GenesisLiquidity([u8; 32]),
    #[codec(index = 3)]
    SwapToStakedSri([u8; 32], Number<3>),
}

#[derive(Decode)]
#[allow(dead_code, reason = "only whether it decodes matters")]
enum DexCall {
    #[codec(index = 0)]
    SwapAndAddLiquidity([u8; 32]),
    #[codec(index = 1)]
    Swap(SeraiCoin, u64, OutAddress),
}

#[derive(Decode)]
#[allow(dead_code, reason = "only whether it decodes matters")]
enum OutAddress {
    #[codec(index = 0)]
    Serai([u8; 32]),
    #[codec(index = 1)]
    External(ExternalAddress),
}

/// `NetworkId`: one byte up to a largest.
struct Number<const LARGEST: u8>;

impl<const LARGEST: u8> Decode for Number<LARGEST> {
    fn decode<I: Input>(input: &mut I) -> Result<Self, Error> {
        match input.read_byte()? {
            byte if byte <= LARGEST => Ok(Self),
            _ => Err("unknown network".into()),
        }
    }
}

/// `Coin`: Serai 0, else an external one.
struct SeraiCoin;

impl Decode for SeraiCoin {
    fn decode<I: Input>(input: &mut I) -> Result<Self, Error> {
        match input.read_byte()? {
            0 | 4..=7 => Ok(Self),
            _ => Err("unknown coin".into()),
        }
    }
}

/// `ExternalAddress`: at most 196 bytes.
struct ExternalAddress;

impl Decode for ExternalAddress {
    fn decode<I: Input>(input: &mut I) -> Result<Self, Error> {
        match Vec::<u8>::decode(input)?.len() {
            0..=196 => Ok(Self),
            _ => Err("address too long".into()),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod tests {
    use serai_messages::Session;

    use super::*;

    const ALICE: &str = "d43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d";

    /// The vector of Serai's own crates: Bitcoin, id 3, block 32 x aa, Transfer(Alice) 70000.
    fn vector() -> Vec<u8> {
        let text = format!("0103000000{}0400{ALICE}047011010000000000", "aa".repeat(32));
        hex::decode(text).unwrap()
    }

    #[test]
    fn a_batch_is_read_as_serai_writes_it() {
        let read = batch(&vector()).unwrap();
        assert_eq!((read.coin, read.id, read.instructions), (Coin::Btc, 3, 1));
        assert_eq!(read.external_block, [0xaa; 32]);
        assert_eq!(
            hex::encode(read.instructions_hash),
            "2e28b46cac24194be29baa3e5a7288fc93bc039769a1dccd835ca4ce8f0defa8"
        );
        let empty = [&vector()[..37], &[0]].concat();
        assert_eq!(
            hex::encode(batch(&empty).unwrap().instructions_hash),
            "03170a2e7597b7b7e3d84c05391d139a62b157e78786d8c082f29dcf4c111314"
        );
    }

    #[test]
    fn what_serai_would_not_execute_is_no_batch() {
        let changed = |at: usize, byte: u8| {
            let mut bytes = vector();
            bytes[at] = byte;
            batch(&bytes).unwrap_err()
        };
        assert!(changed(0, 0).contains("network 0"));
        assert!(changed(37, 8).contains("no batch"), "two instructions, one is there");
        assert!(changed(38, 9).contains("no batch"), "an unknown instruction");
        assert!(changed(71, 7).contains("another network's coin"));
        assert!(batch(&[vector(), vec![0]].concat()).unwrap_err().contains("1 bytes follow"));
        assert!(batch(&vector()[..79]).is_err());
        assert!(batch(&[0; MAX_BATCH_BYTES + 1]).unwrap_err().contains("at most"));
    }

    #[test]
    fn all_instructions_of_serai_are_known() {
        let head = vector()[..37].to_vec();
        let one = |instruction: &str| {
            let tail = hex::decode(format!("04{instruction}040100000000000000")).unwrap();
            batch(&[head.clone(), tail].concat())
        };
        for known in [
            format!("0100{ALICE}"),
            format!("010104050000000000000000{ALICE}"),
            "0101000500000000000000010c010203".to_owned(),
            format!("02{ALICE}"),
            format!("03{ALICE}03"),
        ] {
            assert_eq!(one(&known).map(|batch| batch.instructions), Ok(1), "{known}");
        }
        assert!(one(&format!("03{ALICE}04")).is_err());
        let long = format!("010100050000000000000001{}{}", "1503", "07".repeat(197));
        assert!(one(&long).is_err());
    }

    #[test]
    fn a_slash_report_is_signed_as_serai_checks_it() {
        let bob = "8eaf04151687736326c9fea17e25fc5287613693c912909cb226aa4794f26a48";
        let report = hex::decode(format!("04{bob}03000000")).unwrap();
        let set = ValidatorSet { coin: Coin::Btc, session: Session(0) };
        assert_eq!(slashes(&report), Ok(()));
        assert_eq!(
            hex::encode(slashes_message(set, &report)),
            format!(
                "56616c696461746f72536574732d7265706f72745f736c6173686573000000000104{bob}03000000"
            )
        );
        assert!(slashes(&report[..36]).is_err());
        assert!(slashes(&[0, 0]).is_err());
        let many = [vec![51 << 2], vec![0; 51 * 36]].concat();
        assert!(slashes(&many).unwrap_err().contains("51 validators"));
    }
}
