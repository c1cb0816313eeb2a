//! Misbehaviour on demand, for tests of other validators' defences; and other message versions, for
//! tests of upgrades. Compiled with the feature
//! `faults` alone, which no program that is shipped turns on.

use serai_messages::keygen::{PeerMessage, Round};
use serai_messages::signing::{self, CoordinatorMessage};
use serai_messages::{Body, InvalidVersions, SignedStatement, ValidatorKey, Versions};
use serai_protocol::keygen::Parameters;

/// Environment variable that names the misbehaviour.
pub const VARIABLE: &str = "SERAI_COORDINATOR_FAULT";

/// Environment variable that says which message versions this program speaks, for example `1..2`.
pub const SPEAKS: &str = "SERAI_MESSAGES_SPEAKS";

/// The message versions that the environment asks for; what is none is nothing, and said.
pub fn versions_from_environment() -> Option<Versions> {
    let asked = std::env::var(SPEAKS).ok()?;
    let parsed = asked.parse();
    if let Err(error) = &parsed {
        let reason: &InvalidVersions = error;
        tracing::error!(%reason, "{SPEAKS} is not understood");
    }
    parsed.ok()
}

/// What this coordinator does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misbehaviour {
    /// Nothing.
    None,
    /// `equivocate`: the last other validator of the set is sent other commitments than the rest.
    Equivocate,
    /// `lie`: reports other commitments of the first other member than it received.
    Lie,
    /// `no-aggregate`: opens signing sessions and makes no signature of their shares.
    NoAggregate,
    /// `other-content`: speaks to others of signing other content than it does.
    OtherContent,
}

impl Misbehaviour {
    /// What the environment asks for; anything unknown is nothing, and said.
    pub fn from_environment() -> Self {
        match std::env::var(VARIABLE).as_deref() {
            Ok("equivocate") => Self::Equivocate,
            Ok("lie") => Self::Lie,
            Ok("no-aggregate") => Self::NoAggregate,
            Ok("other-content") => Self::OtherContent,
            Ok(other) => {
                tracing::error!(
                    other,
                    "{VARIABLE} knows equivocate, lie, no-aggregate and other-content"
                );
                Self::None
            }
            Err(_) => Self::None,
        }
    }

    /// What is said in place of `message`. Only the first attempt is tampered with.
    pub fn said(self, mut message: PeerMessage, parameters: &Parameters) -> PeerMessage {
        if let PeerMessage::Agreement { id, round: Round::Commitments, digests } = &mut message
            && self == Self::Lie
            && id.attempt.0 == 0
        {
            let first =
                parameters.validators.iter().position(|validator| *validator != parameters.own);
            if let Some(digest) = first.and_then(|first| digests.get_mut(first)) {
                digest.reverse();
            }
        }
        message
    }

    /// What `to` is told instead of the statement, if anything else.
    pub fn other_version(
        self,
        to: ValidatorKey,
        parameters: &Parameters,
        statement: &SignedStatement,
    ) -> Option<PeerMessage> {
        let mut others = parameters.validators.iter().filter(|key| **key != parameters.own);
        let Body::Keygen(message) = &statement.statement.body else { return None };
        let mut message = message.clone();
        if let PeerMessage::Commitments { id, commitments } = &mut message
            && self == Self::Equivocate
            && id.attempt.0 == 0
            && others.next_back() == Some(&to)
        {
            commitments.external.reverse();
            return Some(message);
        }
        None
    }

    /// Whether the processor is not asked this.
    pub fn withholds(self, message: &CoordinatorMessage) -> bool {
        self == Self::NoAggregate && matches!(message, CoordinatorMessage::Aggregate { .. })
    }

    /// What is said of a signing instead of the statement, if anything else.
    pub fn other_content(self, statement: &SignedStatement) -> Option<signing::PeerMessage> {
        if self != Self::OtherContent {
            return None;
        }
        let Body::Signing(message) = &statement.statement.body else { return None };
        let mut message = message.clone();
        match &mut message {
            signing::PeerMessage::Request { digest, .. }
            | signing::PeerMessage::Preprocess { digest, .. }
            | signing::PeerMessage::Open { digest, .. }
            | signing::PeerMessage::Signed { digest, .. }
            | signing::PeerMessage::Differs { digest, .. } => digest.reverse(),
            signing::PeerMessage::Share { .. }
            | signing::PeerMessage::Accusation { .. }
            | signing::PeerMessage::Decline { .. } => {}
        }
        Some(message)
    }
}
