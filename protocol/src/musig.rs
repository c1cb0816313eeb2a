//! The MuSig signature of `set_keys` by Serai's rules.
//!
//! # Owns
//! The context of the aggregate key, the bytes that are signed, and the two rounds over
//! [`serai_sr25519::musig`] in this crate's types.
//!
//! # Promises
//! Each step consumes the machine, so that a nonce signs once. A bad preprocess or share names its
//! sender.
//!
//! # Limits
//! Nonces are in memory alone. After a restart the machine is gone: the signature is then completed
//! by the others, or made anew in another attempt.

use std::{collections::BTreeMap, fmt};

use rand_core::{CryptoRng, RngCore};
use serai_messages::{KeyPair, Participant, SignatureBytes, ValidatorKey, ValidatorSet};
use serai_sr25519::{
    MusigCompleting, MusigError as Error, MusigSigning, SUBSTRATE_CONTEXT, Signer, musig,
};

/// Why a signature did not come about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MusigError {
    /// This participant's preprocess or share is invalid.
    #[error("participant {0} sent an invalid preprocess or share")]
    Invalid(Participant),
    /// Nobody's message is to blame.
    #[error(transparent)]
    Other(Error),
}

impl From<Error> for MusigError {
    fn from(error: Error) -> Self {
        match error {
            Error::InvalidPreprocess(index) | Error::InvalidShare(index) => {
                MusigError::Invalid(Participant(index))
            }
            other => MusigError::Other(other),
        }
    }
}

/// The MuSig context of a set's aggregate key: ASCII `ValidatorSets-musig_key`, session (u32 LE),
/// network byte.
pub fn context(set: ValidatorSet) -> Vec<u8> {
    let mut context = b"ValidatorSets-musig_key".to_vec();
    append_set(&mut context, set);
    context
}

/// The key under which Serai checks `set_keys`: the aggregate of the validators that are not
/// removed, in the order of Serai's storage.
///
/// # Errors
/// [`MusigError::Other`] when there are no keys, or one is no key or there twice.
pub fn aggregate(set: ValidatorSet, members: &[ValidatorKey]) -> Result<ValidatorKey, MusigError> {
    Ok(ValidatorKey(musig::aggregate(&context(set), &keys(members))?))
}

/// What is signed for `set_keys`, unhashed, under [`SUBSTRATE_CONTEXT`]: ASCII
/// `ValidatorSets-set_keys`, the set, the removed validators, the key pair, in SCALE.
pub fn set_keys_message(
    set: ValidatorSet,
    removed: &[ValidatorKey],
    key_pair: &KeyPair,
) -> Vec<u8> {
    let mut message = b"ValidatorSets-set_keys".to_vec();
    append_set(&mut message, set);
    append_compact(&mut message, removed.len());
    for key in removed {
        message.extend(key.0);
    }
    message.extend(key_pair.ristretto);
    append_compact(&mut message, key_pair.external.len());
    message.extend(&key_pair.external);
    message
}

/// `ExternalValidatorSet` in SCALE.
fn append_set(bytes: &mut Vec<u8>, set: ValidatorSet) {
    bytes.extend(set.session.0.to_le_bytes());
    bytes.push(set.coin.network_id());
}

/// A length in SCALE's compact form. Lengths here are below 2^14: validators are at most
/// [`serai_messages::MAX_VALIDATORS`], external keys at most 96 bytes. The four-byte form is there
/// so that a longer one is never written wrong.
fn append_compact(bytes: &mut Vec<u8>, length: usize) {
    match length {
        0..64 => bytes.push((length as u8) << 2),
        64..0x4000 => bytes.extend(((length as u16) << 2 | 1).to_le_bytes()),
        _ => bytes.extend(((length as u32) << 2 | 2).to_le_bytes()),
    }
}

fn keys(members: &[ValidatorKey]) -> Vec<[u8; 32]> {
    members.iter().map(|key| key.0).collect()
}

fn raw(messages: &BTreeMap<Participant, Vec<u8>>) -> BTreeMap<u16, Vec<u8>> {
    messages.iter().map(|(participant, bytes)| (participant.0, bytes.clone())).collect()
}

/// Before the first round. FROST participant `i` is `members[i - 1]`.
#[must_use]
pub struct MusigMachine(serai_sr25519::MusigMachine);

impl fmt::Debug for MusigMachine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MusigMachine(redacted)")
    }
}

impl MusigMachine {
    /// For `set_keys` of `set` by `members`: the validators not removed, in the order of storage.
    ///
    /// # Errors
    /// [`MusigError::Other`] when a key is no key or there twice, or the signer's is missing.
    pub fn new(
        signer: &Signer,
        set: ValidatorSet,
        members: &[ValidatorKey],
    ) -> Result<Self, MusigError> {
        let (context, keys) = (context(set), keys(members));
        let machine = serai_sr25519::MusigMachine::new(signer, &context, SUBSTRATE_CONTEXT, &keys)?;
        Ok(Self(machine))
    }

    /// First round: makes the nonce. The bytes go to all other members.
    pub fn preprocess<R: RngCore + CryptoRng>(self, rng: &mut R) -> (MusigSign, Vec<u8>) {
        let (machine, preprocess) = self.0.preprocess(rng);
        (MusigSign(machine), preprocess)
    }
}

/// Between the rounds: holds the nonce.
#[must_use]
pub struct MusigSign(MusigSigning);

impl fmt::Debug for MusigSign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MusigSign(redacted)")
    }
}

impl MusigSign {
    /// Second round: makes the share from all members' preprocesses, own included. `message` is
    /// [`set_keys_message`].
    ///
    /// # Errors
    /// [`MusigError::Invalid`] names whose preprocess is wrong; [`MusigError::Other`] when some are
    /// missing, or the own one is not this machine's. The nonce is gone in every case.
    pub fn sign(
        self,
        preprocesses: &BTreeMap<Participant, Vec<u8>>,
        message: &[u8],
    ) -> Result<(MusigComplete, Vec<u8>), MusigError> {
        let (machine, share) = self.0.sign(&raw(preprocesses), message)?;
        Ok((MusigComplete(machine), share))
    }
}

/// After the second round: waits for the others' shares.
#[must_use]
pub struct MusigComplete(MusigCompleting);

impl fmt::Debug for MusigComplete {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MusigComplete(redacted)")
    }
}

impl MusigComplete {
    /// The signature for `set_keys`, from all members' shares, own included.
    ///
    /// # Errors
    /// [`MusigError::Invalid`] names whose share is wrong; [`MusigError::Other`] when some are
    /// missing.
    pub fn complete(
        self,
        shares: &BTreeMap<Participant, Vec<u8>>,
    ) -> Result<SignatureBytes, MusigError> {
        Ok(SignatureBytes(self.0.complete(&raw(shares))?))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;
    use serai_messages::{Coin, Session};

    use super::*;

    const BITCOIN_0: ValidatorSet = ValidatorSet { coin: Coin::Btc, session: Session(0) };
    const ALICE: &str = "d43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d";
    const BOB: &str = "8eaf04151687736326c9fea17e25fc5287613693c912909cb226aa4794f26a48";
    const CHARLIE: &str = "90b5ab205c6974c9ea841be688864633dc9ca8a357843eeacf2314649965fe22";
    const DAVE: &str = "306721211d5404bd9da88e0204360a1a9ab8b87c66c1bc2fcdd37f3c2222cc20";

    fn dev(names: &[&str]) -> Vec<ValidatorKey> {
        names.iter().map(|key| key.parse().unwrap()).collect()
    }

    #[test]
    fn context_vector() {
        assert_eq!(
            hex::encode(context(BITCOIN_0)),
            "56616c696461746f72536574732d6d757369675f6b65790000000001"
        );
    }

    #[test]
    fn aggregate_vectors() {
        let all = dev(&[ALICE, BOB, CHARLIE, DAVE]);
        assert_eq!(
            aggregate(BITCOIN_0, &all).unwrap().to_string(),
            "d6c7ff328d1ac399b3ae98d56c64f5d77cfa6ea6473a4341307f8fe54fed6766"
        );
        assert_eq!(
            aggregate(BITCOIN_0, &all[1..]).unwrap().to_string(),
            "f226a400acaa9e11217d1eee4fd91b7f709707435de21517382961fb5dd0f54a"
        );
    }

    #[test]
    fn message_vector() {
        let alice: ValidatorKey = ALICE.parse().unwrap();
        let key_pair = KeyPair { ristretto: alice.0, external: vec![2; 33] };
        assert_eq!(
            hex::encode(set_keys_message(BITCOIN_0, &[], &key_pair)),
            format!(
                "56616c696461746f72536574732d7365745f6b6579730000000001\
                 00{ALICE}84{}",
                "02".repeat(33)
            )
        );
        let removed = vec![alice; 70];
        let message = set_keys_message(BITCOIN_0, &removed, &key_pair);
        // 70 in the two-byte compact form.
        assert_eq!(message[27..29], [0x19, 0x01]);
        assert_eq!(message.len(), 22 + 5 + 2 + 70 * 32 + 32 + 1 + 33);
    }

    #[test]
    fn members_sign_together() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let signers: Vec<Signer> =
            (1..=3).map(|seed| Signer::from_seed(&[seed; 32]).unwrap()).collect();
        let members: Vec<_> = signers.iter().map(|signer| ValidatorKey(signer.public())).collect();
        let (machines, preprocesses): (Vec<_>, Vec<_>) = signers
            .iter()
            .map(|signer| MusigMachine::new(signer, BITCOIN_0, &members).unwrap())
            .map(|machine| machine.preprocess(&mut rng))
            .unzip();
        let numbered = |values: Vec<Vec<u8>>| (1..).map(Participant).zip(values).collect();
        let preprocesses: BTreeMap<_, _> = numbered(preprocesses);
        let (machines, shares): (Vec<_>, Vec<_>) = machines
            .into_iter()
            .map(|machine| machine.sign(&preprocesses, b"message").unwrap())
            .unzip();
        let shares: BTreeMap<_, _> = numbered(shares);
        let mut wrong = shares.clone();
        wrong.get_mut(&Participant(2)).unwrap()[3] ^= 1;
        let public = aggregate(BITCOIN_0, &members).unwrap();
        for (index, machine) in (1..).zip(machines) {
            // The last one sees another share than the second sent.
            if index == 3 {
                let error = machine.complete(&wrong).unwrap_err();
                assert_eq!(error, MusigError::Invalid(Participant(2)));
                continue;
            }
            let signature = machine.complete(&shares).unwrap();
            serai_sr25519::verify(&public.0, SUBSTRATE_CONTEXT, b"message", &signature.0).unwrap();
        }
    }
}
