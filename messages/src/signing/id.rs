//! What is signed.

use std::fmt;

use borsh::{BorshDeserialize, BorshSerialize};

use crate::keygen::digest;
use crate::observation::SeraiBlock;
use crate::{BlockNumber, InvalidId, ValidatorSet};

/// Most messages that one signing signs: a Bitcoin transaction has one for each of its inputs.
pub const MAX_MESSAGES: usize = 16;

/// A payment: the `Coins.BurnWithInstruction` that asks for it.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize,
)]
pub struct PaymentId {
    /// Number of the finalized Serai block.
    pub block: BlockNumber,
    /// Position among the block's events.
    pub index: u32,
}

impl fmt::Display for PaymentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.block, self.index)
    }
}

/// A thing that is signed, and has one effect on its chain.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize,
)]
pub enum Thing {
    /// Batch of instructions for Serai, by the Ristretto key.
    Batch(u32),
    /// Payment on the external chain, by the external key.
    Payment(PaymentId),
    /// Transaction that moves a replaced vault's funds to its successor, by the external key; known by
    /// the batch whose execution made it due.
    Forward(u32),
    /// Slash report of a replaced set, by the Ristretto key.
    Slashes,
}

/// A thing and the set whose vault signs it. Displayed `sign/btc-0/batch/3`,
/// `sign/btc-0/payment/12-4`, `sign/btc-0/forward/9`, `sign/btc-0/slashes`.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize,
)]
pub struct SigningId {
    /// The set.
    pub set: ValidatorSet,
    /// The thing.
    pub thing: Thing,
}

impl fmt::Display for SigningId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let set = self.set;
        match self.thing {
            Thing::Batch(id) => write!(f, "sign/{set}/batch/{id}"),
            Thing::Payment(id) => write!(f, "sign/{set}/payment/{id}"),
            Thing::Forward(batch) => write!(f, "sign/{set}/forward/{batch}"),
            Thing::Slashes => write!(f, "sign/{set}/slashes"),
        }
    }
}

impl std::str::FromStr for SigningId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let parse = || {
            let mut parts = text.strip_prefix("sign/")?.split('/');
            let (coin, session) = parts.next()?.split_once('-')?;
            let set = ValidatorSet {
                coin: coin.parse().ok()?,
                session: crate::Session(session.parse().ok()?),
            };
            let thing = match (parts.next()?, parts.next()) {
                ("batch", Some(id)) => Thing::Batch(id.parse().ok()?),
                ("payment", Some(id)) => {
                    let (block, index) = id.split_once('-')?;
                    Thing::Payment(PaymentId {
                        block: BlockNumber(block.parse().ok()?),
                        index: index.parse().ok()?,
                    })
                }
                ("forward", Some(batch)) => Thing::Forward(batch.parse().ok()?),
                ("slashes", None) => Thing::Slashes,
                _ => return None,
            };
            parts.next().is_none().then_some(SigningId { set, thing })
        };
        parse().ok_or_else(|| InvalidId {
            what: "signing id",
            value: text.to_owned(),
            rule: "sign/{coin}-{session}/ and batch/N, payment/BLOCK-EVENT, forward/N or slashes",
        })
    }
}

/// What is to be signed, as each processor works it out by itself.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Content {
    /// SCALE bytes of Serai's `Batch`, at most 25,000.
    Batch {
        /// The bytes.
        batch: Vec<u8>,
    },
    /// A transaction of the external chain.
    Transaction {
        /// Its hash, which the signatures are not part of, as its chain gives it.
        hash: [u8; 32],
        /// The transaction without signatures, as the coin's adapter in the processor encodes it.
        unsigned: Vec<u8>,
        /// What is paid out, in the coin's base units on Serai, without the fee.
        amount: u64,
        /// The network's fee.
        fee: u64,
    },
    /// SCALE bytes of the list of (validator, points) of a slash report.
    Slashes {
        /// The bytes.
        report: Vec<u8>,
    },
}

impl Content {
    /// What signers compare: covers the thing, the block from which its party is drawn, and the
    /// content.
    pub fn digest(&self, id: &SigningId, reference: &SeraiBlock) -> [u8; 32] {
        digest(b"serai-coordinator-signing-content", &(id, reference, self))
    }
}

/// One value (preprocess, share) for each message of a signing, in the messages' order; 1 to
/// [`MAX_MESSAGES`].
pub type Shares = Vec<Vec<u8>>;
