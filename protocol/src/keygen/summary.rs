//! What a person or a program is shown of the machine.

use serai_messages::{Attempt, BlockNumber, KeyPair, ValidatorKey, ValidatorSet};
use serde::Serialize;

use super::Fault;

/// Whom the machine waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum WaitingFor {
    /// Another member of the attempt.
    Validator(ValidatorKey),
    /// The own processor.
    OwnProcessor,
    /// The own key: a signature or MuSig step that was asked for.
    OwnSigner,
    /// The finalization of `set_keys`.
    Chain,
    /// The others: this validator has no part in the running attempt, or waits for the next one.
    OtherMembers,
}

/// A fault as text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FaultSummary {
    /// When.
    pub attempt: Attempt,
    /// Who.
    pub accused: ValidatorKey,
    /// Short name of the kind.
    pub kind: &'static str,
    /// The kind in a sentence without its subject.
    pub what: String,
    /// Kind and digest (hex) of each signed statement that proves it.
    pub evidence: Vec<String>,
}

impl From<&Fault> for FaultSummary {
    fn from(fault: &Fault) -> Self {
        let evidence = fault.evidence.iter().map(|statement| {
            format!("{} {}", statement.statement.body.kind(), hex::encode(statement.digest()))
        });
        Self {
            attempt: fault.attempt,
            accused: fault.accused,
            kind: fault.kind.name(),
            what: fault.kind.to_string(),
            evidence: evidence.collect(),
        }
    }
}

/// State of a key generation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// The set.
    pub set: ValidatorSet,
    /// Running attempt.
    pub attempt: Attempt,
    /// Stage of it; kebab-case.
    pub stage: &'static str,
    /// Members of the attempt, in participants' order.
    pub members: Vec<ValidatorKey>,
    /// Validators left out of it.
    pub removed: Vec<ValidatorKey>,
    /// Whom it waits for.
    pub waiting_for: Vec<WaitingFor>,
    /// Faults of all attempts, oldest first.
    pub faults: Vec<FaultSummary>,
    /// Block of `NewSet`.
    pub start: BlockNumber,
    /// Last known finalized height; none before the first.
    pub height: Option<BlockNumber>,
    /// Height at which the running attempt began here.
    pub began: Option<BlockNumber>,
    /// Height at which the running attempt is given up if it is unfinished.
    pub deadline: BlockNumber,
    /// Key pair of the running attempt, once the own processor has it.
    pub key_pair: Option<KeyPair>,
    /// Key pair on the chain, once finalized.
    pub confirmed: Option<KeyPair>,
    /// Why the own processor takes no part in the running attempt, if so.
    pub refused: Option<String>,
    /// Statements that did not count: strangers, wrong chain or set, bad signatures.
    pub rejected: u64,
}
