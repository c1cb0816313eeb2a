//! Judging an accusation by another member.

use rusqlite::Transaction;
use serai_messages::keygen::{
    CoordinatorMessage, KeyKind, KeygenId, PeerMessage, ProcessorMessage,
};
use serai_messages::{Participant, SignedStatement, encode};

use super::handler::{Keygen, Stop, digest_of, internal};
use super::rounds::commitments_of;
use super::statements::open;
use crate::crypto::{Accusation, Messages};

/// An accusation as the coordinator hands it over.
#[derive(Clone, Copy, Debug)]
pub(super) struct Case<'a> {
    pub(super) accuser: Participant,
    /// What the accused is said to have signed.
    pub(super) share: &'a SignedStatement,
    pub(super) key: KeyKind,
    pub(super) blame: Option<&'a [u8]>,
}

impl Keygen {
    pub(super) fn judge(
        &mut self,
        transaction: &Transaction<'_>,
        message: &CoordinatorMessage,
        id: KeygenId,
        case: Case<'_>,
    ) -> Result<Vec<ProcessorMessage>, Stop> {
        let Case { accuser, share, key, blame } = case;
        let frame = self.frame(transaction, id)?;
        let stranger =
            || Stop::Ignored(format!("{id}: an accusation by or of somebody outside the party"));
        frame.party.member(accuser).ok_or_else(stranger)?;
        let accused = frame.party.participant(&share.signer).ok_or_else(stranger)?;
        let statements = self.verified_commitments(transaction, id)?;
        let name = format!("judge/{accuser}/{accused}/{key:?}");
        // The accuser's proof is part of what is judged; a second one is not heard.
        let digest = digest_of([share.digest(), blake2_of(&encode(&blame.map(<[u8]>::to_vec)))]);
        self.once(transaction, id, &name, (message, digest), |keygen| {
            let verdict = |guilty| vec![ProcessorMessage::Verdict { id, accuser, accused, guilty }];
            // Evidence that the accused did not sign, or not for the accuser, is the accuser's own.
            let share = match open(&frame.party, share) {
                Ok((_, PeerMessage::Share { to, share, .. })) if *to == accuser => share.get(key),
                _ => return Ok(verdict(accuser)),
            };
            let commitments: Messages = commitments_of(&frame, &statements)?
                .into_iter()
                .map(|(participant, commitments)| (participant, commitments.get(key).to_vec()))
                .collect();
            let accusation = Accusation { accuser, accused, share, blame };
            keygen
                .engine(key)
                .judge(&frame.ceremony(key), &commitments, accusation)
                .map(verdict)
                .map_err(|fault| internal(&fault))
        })
    }
}

fn blake2_of(bytes: &[u8]) -> [u8; 32] {
    use blake2::{Blake2b, Digest, digest::consts::U32};
    Blake2b::<U32>::digest(bytes).into()
}
