//! What is said of others' preprocesses and shares. Needs no secret.

use rusqlite::Transaction;
use serai_messages::signing::{ProcessorMessage, Shares};
use serai_messages::{SignatureBytes, ValidatorKey};

use super::handler::{Outcome, Signing, Stop, name_of};
use super::request::{SigningSet, by_message, participant};
use super::tables::Stored;
use crate::crypto::Fault;

impl Signing {
    pub(super) fn aggregate(
        &mut self,
        transaction: &Transaction<'_>,
        stored: &Stored,
        open: [u8; 32],
        preprocesses: &[(ValidatorKey, Shares)],
        shares: &[(ValidatorKey, Shares)],
    ) -> Result<Outcome, Stop> {
        let vault = self.held(transaction, stored)?;
        let set = SigningSet::read(stored, &*vault.keys, &vault.members, preprocesses)
            .map_err(Stop::Refused)?;
        let shares = by_message(stored, &vault.members, shares).map_err(Stop::Refused)?;
        // Who has not been heard is not at fault.
        for (shares, preprocesses) in shares.iter().zip(&set.preprocesses) {
            if let Some(absent) = preprocesses.keys().find(|signer| !shares.contains_key(signer)) {
                return Err(Stop::Refused(format!(
                    "the share of participant {absent} is not there"
                )));
            }
        }
        let signatures: Result<Vec<_>, Fault> = stored
            .messages
            .iter()
            .zip(&set.preprocesses)
            .zip(&shares)
            .map(|((message, preprocesses), shares)| {
                let offset = &message.offset;
                let signature =
                    vault.keys.aggregate(offset, preprocesses, shares, &message.bytes)?;
                Ok(SignatureBytes(signature))
            })
            .collect();
        match signatures {
            Ok(signatures) => self.signed(transaction, stored, signatures),
            Err(Fault::InvalidSignatureShare { accused }) => {
                let (id, accused) = (stored.id, name_of(&vault.members, accused)?);
                let answer = ProcessorMessage::InvalidShare { id, open, accused };
                Ok(Outcome { answers: vec![answer], ..Outcome::default() })
            }
            Err(fault) => Err(Stop::Refused(fault.to_string())),
        }
    }

    pub(super) fn judge(
        &mut self,
        transaction: &Transaction<'_>,
        stored: &Stored,
        preprocesses: &[(ValidatorKey, Shares)],
        accused: ValidatorKey,
        share: &Shares,
    ) -> Result<bool, Stop> {
        let vault = self.held(transaction, stored)?;
        let set = SigningSet::read(stored, &*vault.keys, &vault.members, preprocesses)
            .map_err(Stop::Refused)?;
        let accused = participant(&vault.members, &accused).map_err(Stop::Refused)?;
        if share.len() != stored.messages.len() {
            return Ok(false);
        }
        for ((message, preprocesses), share) in
            stored.messages.iter().zip(&set.preprocesses).zip(share)
        {
            let offset = &message.offset;
            match vault.keys.judge(offset, preprocesses, accused, share, &message.bytes) {
                Ok(true) => {}
                Ok(false) => return Ok(false),
                Err(fault) => return Err(Stop::Refused(fault.to_string())),
            }
        }
        Ok(true)
    }
}
