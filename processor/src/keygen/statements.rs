//! Members' signed statements, checked before their content is looked at.

use std::collections::BTreeMap;

use serai_messages::keygen::{Party, PeerMessage};
use serai_messages::{
    Body, Participant, STATEMENT_CONTEXT, SignedStatement, UnknownVersion, ValidatorKey,
};

/// Why statements are refused. They come from this validator's own coordinator, which should have
/// checked them: the sentence is for the operator and blames no member.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidStatement {
    /// Not one of each member, in their order.
    #[error("expected a statement of validator {expected}, found one of {found}")]
    Order {
        /// Whose was due.
        expected: ValidatorKey,
        /// Whose it is.
        found: ValidatorKey,
    },
    /// Too few or too many.
    #[error("expected {expected} statements, found {found}")]
    Count {
        /// How many are due.
        expected: usize,
        /// How many there are.
        found: usize,
    },
    /// By a validator outside the party.
    #[error("validator {0} is not in the party")]
    Stranger(ValidatorKey),
    /// Of another chain, attempt or encoding.
    #[error("the statement of validator {0} is of another chain, attempt or version")]
    Foreign(ValidatorKey),
    /// Of another kind.
    #[error("the statement of validator {signer} is a {found}")]
    Kind {
        /// Whose.
        signer: ValidatorKey,
        /// What it is.
        found: &'static str,
    },
    /// The signature does not verify.
    #[error("the statement of validator {0} has no valid signature")]
    Signature(ValidatorKey),
}

/// Checks that a member of `party` signed the statement for this attempt; returns who, and what.
pub(super) fn open<'a>(
    party: &Party,
    signed: &'a SignedStatement,
) -> Result<(Participant, &'a PeerMessage), InvalidStatement> {
    let signer = signed.signer;
    let participant = party.participant(&signer).ok_or(InvalidStatement::Stranger(signer))?;
    let Body::Keygen(message) = &signed.statement.body else {
        return Err(InvalidStatement::Foreign(signer));
    };
    if UnknownVersion::check(signed.statement.version).is_err()
        || signed.statement.genesis != party.genesis
        || message.id() != party.id
    {
        return Err(InvalidStatement::Foreign(signer));
    }
    serai_sr25519::verify(
        &signer.0,
        STATEMENT_CONTEXT,
        &signed.statement.signing_bytes(),
        &signed.signature.0,
    )
    .map_err(|_| InvalidStatement::Signature(signer))?;
    Ok((participant, message))
}

/// Opens one statement of each member, in their order; `without` is left out. `take` picks what is
/// wanted of a message of the right kind.
pub(super) fn open_all<'a, T>(
    party: &Party,
    statements: &'a [SignedStatement],
    without: Option<Participant>,
    take: impl Fn(&'a PeerMessage) -> Option<T>,
) -> Result<BTreeMap<Participant, T>, InvalidStatement> {
    let due: Vec<_> = party
        .members
        .iter()
        .map(|member| member.validator)
        .filter(|validator| without.is_none() || party.participant(validator) != without)
        .collect();
    if due.len() != statements.len() {
        return Err(InvalidStatement::Count { expected: due.len(), found: statements.len() });
    }
    let mut values = BTreeMap::new();
    for (expected, signed) in due.into_iter().zip(statements) {
        if expected != signed.signer {
            return Err(InvalidStatement::Order { expected, found: signed.signer });
        }
        let (participant, message) = open(party, signed)?;
        let value = take(message)
            .ok_or(InvalidStatement::Kind { signer: signed.signer, found: message.kind() })?;
        values.insert(participant, value);
    }
    Ok(values)
}
