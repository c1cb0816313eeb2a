//! From a Serai event, by pallet and event *name*, to what is published.

use serai_messages::observation::{Event, SeraiBlock};
use serai_messages::{Coin, KeyPair, Session, ValidatorKey, ValidatorSet};
use subxt::SubstrateConfig;
use subxt::ext::scale_decode::DecodeAsType;
use subxt::ext::scale_encode::EncodeAsType;

use super::arrange::Failure;
use super::client::causes;

/// A network of Serai, decoded by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, DecodeAsType, EncodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
#[encode_as_type(crate_path = "subxt::ext::scale_encode")]
pub(super) enum Network {
    Serai,
    Bitcoin,
    Ethereum,
    Monero,
}

impl Network {
    /// The external network's coin; `None` for Serai itself.
    pub(super) fn coin(self) -> Option<Coin> {
        match self {
            Self::Serai => None,
            Self::Bitcoin => Some(Coin::Btc),
            Self::Ethereum => Some(Coin::Eth),
            Self::Monero => Some(Coin::Xmr),
        }
    }
}

impl From<Coin> for Network {
    fn from(coin: Coin) -> Self {
        match coin {
            Coin::Btc => Self::Bitcoin,
            Coin::Eth => Self::Ethereum,
            Coin::Xmr => Self::Monero,
        }
    }
}

/// `ValidatorSet` and `ExternalValidatorSet`.
#[derive(Clone, Copy, Debug, DecodeAsType, EncodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
#[encode_as_type(crate_path = "subxt::ext::scale_encode")]
pub(super) struct Set {
    session: u32,
    network: Network,
}

impl From<ValidatorSet> for Set {
    fn from(set: ValidatorSet) -> Self {
        Self { session: set.session.0, network: set.coin.into() }
    }
}

impl Set {
    fn external(self) -> Option<ValidatorSet> {
        Some(ValidatorSet { coin: self.network.coin()?, session: Session(self.session) })
    }
}

/// `KeyPair`.
#[derive(Clone, Debug, DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
pub(super) struct Keys([u8; 32], Vec<u8>);

impl From<Keys> for KeyPair {
    fn from(keys: Keys) -> Self {
        KeyPair { ristretto: keys.0, external: keys.1 }
    }
}

#[derive(DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
struct AboutSet {
    set: Set,
}

#[derive(DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
struct ParticipantRemoved {
    set: Set,
    removed: [u8; 32],
}

#[derive(DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
struct KeyGen {
    set: Set,
    key_pair: Keys,
}

#[derive(DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
struct Batch {
    network: Network,
    id: u32,
    block: [u8; 32],
    instructions_hash: [u8; 32],
}

#[derive(DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
struct InstructionFailure {
    network: Network,
    id: u32,
    index: u32,
}

/// A network's own coin, among Serai's coins.
#[derive(Clone, Copy, Debug, DecodeAsType, EncodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
#[encode_as_type(crate_path = "subxt::ext::scale_encode")]
pub(super) enum OwnCoin {
    Bitcoin,
    Ether,
    Monero,
}

impl From<Coin> for OwnCoin {
    fn from(coin: Coin) -> Self {
        match coin {
            Coin::Btc => Self::Bitcoin,
            Coin::Eth => Self::Ether,
            Coin::Xmr => Self::Monero,
        }
    }
}

#[derive(Clone, Copy, DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
enum ExternalCoin {
    Bitcoin,
    Ether,
    Dai,
    Monero,
}

impl ExternalCoin {
    fn coin(self) -> Coin {
        match self {
            Self::Bitcoin => Coin::Btc,
            Self::Ether | Self::Dai => Coin::Eth,
            Self::Monero => Coin::Xmr,
        }
    }

    fn wire_number(self) -> u8 {
        match self {
            Self::Bitcoin => 4,
            Self::Ether => 5,
            Self::Dai => 6,
            Self::Monero => 7,
        }
    }
}

#[derive(DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
struct Burn {
    from: [u8; 32],
    instruction: OutInstructionWithBalance,
}

#[derive(DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
struct OutInstructionWithBalance {
    instruction: OutInstruction,
    balance: ExternalBalance,
}

#[derive(DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
struct OutInstruction {
    address: Vec<u8>,
    data: Option<Vec<u8>>,
}

#[derive(DecodeAsType)]
#[decode_as_type(crate_path = "subxt::ext::scale_decode")]
struct ExternalBalance {
    coin: ExternalCoin,
    amount: u64,
}

/// What an event means to the coordinator.
#[derive(Debug)]
pub(super) enum Seen {
    /// To be published as it is.
    Event(Event),
    /// To be published with the set's members, which the event does not carry.
    NewSet(ValidatorSet),
    /// To be published with its batch.
    Failure(Failure),
    /// Nothing but a count: another network's, or of no concern.
    Other,
}

/// Decodes one event of `block`.
///
/// # Errors
/// When an event of a known name has not the fields it should have.
pub(super) fn decode(
    event: &subxt::events::Event<'_, SubstrateConfig>,
    block: SeraiBlock,
    enabled: &[Coin],
) -> Result<Seen, String> {
    let external = |set: Set| set.external().filter(|set| enabled.contains(&set.coin));
    let seen = match (event.pallet_name(), event.event_name()) {
        ("ValidatorSets", "NewSet") => external(fields::<AboutSet>(event)?.set).map(Seen::NewSet),
        ("ValidatorSets", "ParticipantRemoved") => {
            let fields: ParticipantRemoved = fields(event)?;
            external(fields.set).map(|set| {
                let removed = ValidatorKey(fields.removed);
                Seen::Event(Event::ParticipantRemoved { block, set, removed })
            })
        }
        ("ValidatorSets", "KeyGen") => {
            let fields: KeyGen = fields(event)?;
            external(fields.set).map(|set| {
                Seen::Event(Event::KeyGen { block, set, key_pair: fields.key_pair.into() })
            })
        }
        ("ValidatorSets", "AcceptedHandover") => external(fields::<AboutSet>(event)?.set)
            .map(|set| Seen::Event(Event::AcceptedHandover { block, set })),
        ("ValidatorSets", "SetRetired") => external(fields::<AboutSet>(event)?.set)
            .map(|set| Seen::Event(Event::SetRetired { block, set })),
        ("InInstructions", "Batch") => {
            let fields: Batch = fields(event)?;
            fields.network.coin().filter(|coin| enabled.contains(coin)).map(|coin| {
                Seen::Event(Event::BatchExecuted {
                    block,
                    coin,
                    id: fields.id,
                    external_block: fields.block,
                    instructions_hash: fields.instructions_hash,
                    failed: Vec::new(),
                })
            })
        }
        ("InInstructions", "InstructionFailure") => {
            let InstructionFailure { network, id, index } = fields(event)?;
            network
                .coin()
                .filter(|coin| enabled.contains(coin))
                .map(|coin| Seen::Failure(Failure { coin, batch: id, index }))
        }
        ("Coins", "BurnWithInstruction") => {
            let Burn { from, instruction: OutInstructionWithBalance { instruction, balance } } =
                fields(event)?;
            enabled.contains(&balance.coin.coin()).then(|| {
                Seen::Event(Event::Burn {
                    block,
                    index: event.index(),
                    from: ValidatorKey(from),
                    external_coin: balance.coin.wire_number(),
                    amount: balance.amount,
                    address: instruction.address,
                    data: instruction.data,
                })
            })
        }
        _ => None,
    };
    Ok(seen.unwrap_or(Seen::Other))
}

fn fields<T: subxt::ext::scale_decode::DecodeAsFields>(
    event: &subxt::events::Event<'_, SubstrateConfig>,
) -> Result<T, String> {
    event.decode_fields_unchecked_as::<T>().map_err(|error| causes(&error))
}
