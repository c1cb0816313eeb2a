//! A signing set as a coordinator names it, checked against the vault's members.

use serai_messages::keygen::digest;
use serai_messages::signing::{Shares, SigningId};
use serai_messages::{Participant, ValidatorKey};

use super::tables::Stored;
use crate::crypto::{Messages, VaultKeys};

/// Preprocesses of exactly as many distinct members as must sign, one for each message.
pub(super) struct SigningSet {
    /// By message.
    pub preprocesses: Vec<Messages>,
    /// Of the own one.
    pub own: Option<[u8; 32]>,
    /// Of who signs with what.
    pub digest: [u8; 32],
}

impl SigningSet {
    /// # Errors
    /// What is wrong, in a sentence.
    pub fn read(
        stored: &Stored,
        keys: &dyn VaultKeys,
        members: &[ValidatorKey],
        preprocesses: &[(ValidatorKey, Shares)],
    ) -> Result<Self, String> {
        if preprocesses.len() != usize::from(keys.threshold()) {
            return Err(format!(
                "{} signers are named, {} sign",
                preprocesses.len(),
                keys.threshold()
            ));
        }
        let preprocesses = by_message(stored, members, preprocesses)?;
        let signers = preprocesses.first().map_or(0, Messages::len);
        if signers != usize::from(keys.threshold()) {
            return Err("a signer is named twice".to_owned());
        }
        let own: Option<Shares> =
            preprocesses.iter().map(|by| by.get(&keys.own()).cloned()).collect();
        // Whatever the order in which they are named.
        let ordered: Vec<Vec<(Participant, Vec<u8>)>> = preprocesses
            .iter()
            .map(|by| by.iter().map(|(signer, bytes)| (*signer, bytes.clone())).collect())
            .collect();
        Ok(Self {
            own: own.map(|own| preprocess_digest(&own)),
            digest: digest(b"serai-processor-signing-set", &ordered),
            preprocesses,
        })
    }
}

/// Values of signers, by message.
///
/// # Errors
/// What is wrong, in a sentence.
pub(super) fn by_message(
    stored: &Stored,
    members: &[ValidatorKey],
    values: &[(ValidatorKey, Shares)],
) -> Result<Vec<Messages>, String> {
    let mut by_message = vec![Messages::new(); stored.messages.len()];
    for (signer, values) in values {
        let number = participant(members, signer)?;
        if values.len() != by_message.len() {
            return Err(format!("{signer} gives {} values", values.len()));
        }
        for (by, value) in by_message.iter_mut().zip(values) {
            by.insert(number, value.clone());
        }
    }
    Ok(by_message)
}

/// A member's number.
///
/// # Errors
/// When it is none, in a sentence.
pub(super) fn participant(
    members: &[ValidatorKey],
    signer: &ValidatorKey,
) -> Result<Participant, String> {
    let place = members.iter().position(|member| member == signer);
    place
        .and_then(|place| u16::try_from(place + 1).ok())
        .map(Participant)
        .ok_or_else(|| format!("{signer} holds no share of this vault"))
}

pub(super) fn preprocess_digest(preprocess: &Shares) -> [u8; 32] {
    digest(b"serai-processor-preprocess", preprocess)
}

/// Of all that is signed.
pub(super) fn message_digest(stored: &Stored) -> [u8; 32] {
    digest(b"serai-processor-messages", &stored.messages)
}

/// What the seeds of a preprocess are sealed under.
pub(super) fn seeds_label(id: SigningId, preprocess: [u8; 32]) -> String {
    format!("signing/{id}/{}", hex::encode(preprocess))
}
