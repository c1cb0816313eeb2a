//! What a person or a program is shown of the machine.

use serai_messages::{BlockHash, BlockNumber, SignatureBytes, ValidatorKey};
use serde::Serialize;

use super::Fault;

/// A fault as text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FaultSummary {
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
            accused: fault.accused,
            kind: fault.kind.name(),
            what: fault.kind.to_string(),
            evidence: evidence.collect(),
        }
    }
}

/// State of a signing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// The thing, as its id displays.
    pub id: String,
    /// Digest of the content (hex).
    pub digest: String,
    /// Number of the block from which the party is drawn.
    pub reference: BlockNumber,
    /// Its hash.
    pub reference_hash: BlockHash,
    /// `preprocesses`, `shares`, `aggregate` or `done`.
    pub stage: &'static str,
    /// Shares that a signature needs.
    pub threshold: usize,
    /// Validators that hold a share, in the order of the draw.
    pub order: Vec<ValidatorKey>,
    /// Members of the session that made the signatures here; elsewhere the first party.
    pub party: Vec<ValidatorKey>,
    /// Sessions that this validator opened.
    pub opened: usize,
    /// Sessions in which it was asked to sign, its own included.
    pub seen: usize,
    /// Whose message is waited for: the own key stands for the own processor or signer.
    pub waiting_for: Vec<ValidatorKey>,
    /// Oldest first.
    pub faults: Vec<FaultSummary>,
    /// The signatures, once the own processor has verified them.
    pub signatures: Option<Vec<SignatureBytes>>,
    /// The last reason why the own processor did not do what it was asked, if there was one.
    pub refused: Option<String>,
    /// Statements that did not count: strangers, wrong chain or thing, bad signatures.
    pub rejected: u64,
}
