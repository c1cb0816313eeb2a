//! What a party must be before this processor takes part in it.

use std::collections::BTreeSet;

use serai_messages::keygen::{Member, Party, SignedParty};
use serai_messages::{Coin, MAX_VALIDATORS, Participant, ProcessorKey, ValidatorKey, threshold};

/// Why a party is refused. Sentences for the operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidParty {
    /// Of another coin.
    #[error("the party is for {found}, this processor is for {expected}")]
    Coin {
        /// This processor's coin.
        expected: Coin,
        /// The party's.
        found: Coin,
    },
    /// No members, or more than Serai allows in a set.
    #[error(
        "a party of {members} members and {removed} removed is none: a set has 1 to {MAX_VALIDATORS}"
    )]
    Size {
        /// How many members.
        members: usize,
        /// How many removed.
        removed: usize,
    },
    /// Too many are removed.
    #[error("with {removed} removed, at least {least} members must remain; {members} do")]
    TooManyRemoved {
        /// How many members.
        members: usize,
        /// How many removed.
        removed: usize,
        /// How many must remain.
        least: usize,
    },
    /// Not the threshold of the whole set.
    #[error("the party's threshold is {found}; that of its set is {expected}")]
    Threshold {
        /// The set's.
        expected: u16,
        /// The party's.
        found: u16,
    },
    /// A validator is there twice.
    #[error("validator {0} is in the party twice")]
    Duplicate(ValidatorKey),
    /// The own validator is no member, or has announced another processor's key.
    #[error(
        "validator {validator} is no member with this processor's key {processor}; its coordinator \
         announces another one"
    )]
    NotMember {
        /// The own validator.
        validator: ValidatorKey,
        /// This processor.
        processor: ProcessorKey,
    },
    /// Not one signature per member.
    #[error("the party has {found} signatures for {members} members")]
    SignatureCount {
        /// How many members.
        members: usize,
        /// How many signatures.
        found: usize,
    },
    /// A member's signature does not verify.
    #[error("the signature of validator {0} under the party does not verify")]
    Signature(ValidatorKey),
}

/// Checks everything about a signed party that can be checked without the chain, and returns this
/// processor's index in it. Other members than its `validator` may have announced its key: nobody can tell
/// who is right, and nothing hangs on it.
///
/// # Errors
/// [`InvalidParty`], the first rule that is broken.
pub fn check_party(
    signed: &SignedParty,
    coin: Coin,
    validator: &ValidatorKey,
    processor: &ProcessorKey,
) -> Result<Participant, InvalidParty> {
    let party = &signed.party;
    if party.id.set.coin != coin {
        return Err(InvalidParty::Coin { expected: coin, found: party.id.set.coin });
    }
    check_size(party)?;
    let mut seen = BTreeSet::new();
    let all = party.members.iter().map(|member| &member.validator).chain(&party.removed);
    for one in all {
        if !seen.insert(one) {
            return Err(InvalidParty::Duplicate(*one));
        }
    }
    let participant = own_participant(party, validator, processor)?;
    if signed.signatures.len() != party.members.len() {
        return Err(InvalidParty::SignatureCount {
            members: party.members.len(),
            found: signed.signatures.len(),
        });
    }
    let digest = party.digest();
    for (member, signature) in party.members.iter().zip(&signed.signatures) {
        serai_sr25519::verify(&member.validator.0, Party::SIGNATURE_CONTEXT, &digest, &signature.0)
            .map_err(|_| InvalidParty::Signature(member.validator))?;
    }
    Ok(participant)
}

fn check_size(party: &Party) -> Result<(), InvalidParty> {
    let (members, removed) = (party.members.len(), party.removed.len());
    let size = InvalidParty::Size { members, removed };
    let set = members.saturating_add(removed);
    if members == 0 || set > MAX_VALIDATORS {
        return Err(size);
    }
    let expected = threshold(u16::try_from(set).map_err(|_| size)?);
    // Serai's rule for set_keys, and without `threshold` members nobody could sign.
    let least = (2 * removed + 1).max(usize::from(expected));
    if members < least {
        return Err(InvalidParty::TooManyRemoved { members, removed, least });
    }
    if party.threshold != expected {
        return Err(InvalidParty::Threshold { expected, found: party.threshold });
    }
    Ok(())
}

/// The member whose processor this is.
pub(super) fn own_participant(
    party: &Party,
    validator: &ValidatorKey,
    processor: &ProcessorKey,
) -> Result<Participant, InvalidParty> {
    let announced = |member: &&Member| member.validator == *validator;
    let own = party.members.iter().find(announced).filter(|own| own.processor == *processor);
    own.and_then(|own| party.participant(&own.validator))
        .ok_or(InvalidParty::NotMember { validator: *validator, processor: *processor })
}
