//! Sealing of records between a coordinator and its processors (DESIGN D3).
//!
//! # Owns
//! The X25519 [`SecretKey`] and the one way to seal and open a [`Record`]'s body: single-shot HPKE
//! (RFC 9180) in its authenticated mode with DHKEM(X25519, HKDF-SHA256), HKDF-SHA256 and
//! ChaCha20-Poly1305.
//!
//! # Promises
//! A body opens only with the receiver's secret key, only when the expected sender sealed it, and
//! only under the headers that it was sealed with: all of them are its associated data.
//!
//! # Limits
//! No replay protection (that is [`crate::exchange::accept`]) and no forward secrecy towards the
//! receiver's key. Sealing is randomised: seal once, store the record, and resend the stored bytes.

use std::fmt;

use curve25519_dalek::MontgomeryPoint;
use hpke::aead::{AeadTag, ChaCha20Poly1305};
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable};
use rand_core::{CryptoRng, RngCore};
use serai_messages::{MAX_BODY_BYTES, ProcessorKey, Record};
use zeroize::Zeroizing;

/// HPKE's `info`: keeps these keys' other uses, and other versions of this format, apart.
const INFO: &[u8] = b"serai-coordinator/sealed-record/1";

/// Length of the encapsulated key in front of a sealed body (RFC 9180 section 7.1).
const ENCAPSULATED_BYTES: usize = 32;

/// Length of the tag at the end of a sealed body (RFC 9180 section 7.3).
const TAG_BYTES: usize = 16;

/// Bytes by which sealing lengthens a body.
pub const OVERHEAD_BYTES: usize = ENCAPSULATED_BYTES + TAG_BYTES;

type PrivateKey = <X25519HkdfSha256 as Kem>::PrivateKey;
type PublicKey = <X25519HkdfSha256 as Kem>::PublicKey;
type EncapsulatedKey = <X25519HkdfSha256 as Kem>::EncappedKey;

/// Why a record cannot be sealed or opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// The record to seal is sealed.
    #[error("record {id} is sealed already")]
    AlreadySealed {
        /// The record's id.
        id: String,
    },
    /// The record to open is in the clear.
    #[error("record {id} is not sealed, but its type {kind:?} must be")]
    NotSealed {
        /// The record's id.
        id: String,
        /// Its type.
        kind: String,
    },
    /// The body is over the cap of all bodies.
    #[error("record {id} has a body of {actual} bytes to seal; the cap is {cap} bytes")]
    TooLarge {
        /// The record's id.
        id: String,
        /// Its size.
        actual: usize,
        /// The size allowed.
        cap: usize,
    },
    /// The sealed body is shorter than an empty one would be.
    #[error("record {id} has a sealed body of {actual} bytes, fewer than {OVERHEAD_BYTES}")]
    TooShort {
        /// The record's id.
        id: String,
        /// Its size.
        actual: usize,
    },
    /// The peer's public key is of low order: anyone could compute the shared secret.
    #[error("public key {key} is not usable for sealing")]
    WeakKey {
        /// The peer's key.
        key: ProcessorKey,
    },
    /// Another sender, another receiver, a changed header or a changed body.
    #[error("record {id} does not open: it was not sealed by {sender} for this key as it stands")]
    Refused {
        /// The record's id.
        id: String,
        /// The key that was expected to have sealed it.
        sender: ProcessorKey,
    },
}

/// An X25519 secret key. Wiped on drop; prints as its public key only.
#[derive(Clone)]
pub struct SecretKey {
    bytes: Zeroizing<[u8; 32]>,
    public: ProcessorKey,
}

impl SecretKey {
    /// A fresh key.
    pub fn generate<R: RngCore + CryptoRng>(rng: &mut R) -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        rng.fill_bytes(bytes.as_mut());
        Self::from_bytes(&bytes)
    }

    /// The key with these 32 bytes (clamped when used, RFC 7748 section 5). Every value is a key.
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        let public = ProcessorKey(MontgomeryPoint::mul_base_clamped(*bytes).to_bytes());
        Self { bytes: Zeroizing::new(*bytes), public }
    }

    /// The 32 bytes, for storing.
    pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        self.bytes.clone()
    }

    /// The public key.
    pub fn public(&self) -> ProcessorKey {
        self.public
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretKey").field("public", &self.public).finish_non_exhaustive()
    }
}

/// Seals `record`'s body from `own` for `peer` and sets its `sealed` header. Set every other
/// header first: none can change afterwards.
///
/// # Errors
/// [`SealError::AlreadySealed`], [`SealError::TooLarge`] or [`SealError::WeakKey`]; the record is
/// unchanged then.
pub fn seal<R: RngCore + CryptoRng>(
    record: &mut Record,
    own: &SecretKey,
    peer: &ProcessorKey,
    rng: &mut R,
) -> Result<(), SealError> {
    if record.sealed {
        return Err(SealError::AlreadySealed { id: record.id.to_string() });
    }
    if record.body.len() > MAX_BODY_BYTES {
        return Err(SealError::TooLarge {
            id: record.id.to_string(),
            actual: record.body.len(),
            cap: MAX_BODY_BYTES,
        });
    }
    let weak = |_| SealError::WeakKey { key: *peer };
    let receiver = PublicKey::from_bytes(&peer.0).map_err(weak)?;
    let sender = PublicKey::from_bytes(&own.public.0).map_err(weak)?;
    let private = PrivateKey::from_bytes(own.bytes.as_slice()).map_err(weak)?;
    let (encapsulated, mut context) =
        hpke::setup_sender::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256, _>(
            &OpModeS::Auth((private, sender)),
            &receiver,
            INFO,
            &mut Adapter(rng),
        )
        .map_err(weak)?;
    #[cfg(feature = "memo")]
    let plain = Zeroizing::new(record.body.clone());
    record.sealed = true;
    let associated = record.associated_data();
    // In place, so that no copy of the plaintext stays behind in freed memory.
    let tag = match context.seal_in_place_detached(&mut record.body, &associated) {
        Ok(tag) => tag,
        Err(_) => {
            record.sealed = false;
            return Err(SealError::WeakKey { key: *peer });
        }
    };
    let mut body = Vec::with_capacity(record.body.len() + OVERHEAD_BYTES);
    body.extend_from_slice(&encapsulated.to_bytes());
    body.extend_from_slice(&record.body);
    body.extend_from_slice(&tag.to_bytes());
    record.body = body;
    #[cfg(feature = "memo")]
    crate::sealed_here::remember(record, &own.public, peer, plain);
    Ok(())
}

/// Opens a sealed record that `peer` sent to `own`, and returns the body that was sealed.
///
/// # Errors
/// [`SealError`]; the record is no fault of the bus then and belongs to the dead letters.
pub fn open(
    record: &Record,
    own: &SecretKey,
    peer: &ProcessorKey,
) -> Result<Zeroizing<Vec<u8>>, SealError> {
    if !record.sealed {
        return Err(SealError::NotSealed { id: record.id.to_string(), kind: record.kind.clone() });
    }
    #[cfg(feature = "memo")]
    if let Some(body) = crate::sealed_here::recall(record, peer, &own.public) {
        return Ok(body);
    }
    let short = || SealError::TooShort { id: record.id.to_string(), actual: record.body.len() };
    let refused = |_| SealError::Refused { id: record.id.to_string(), sender: *peer };
    let (encapsulated, rest) =
        record.body.split_at_checked(ENCAPSULATED_BYTES).ok_or_else(short)?;
    let split = rest.len().checked_sub(TAG_BYTES).ok_or_else(short)?;
    let (body, tag) = rest.split_at_checked(split).ok_or_else(short)?;

    let private = PrivateKey::from_bytes(own.bytes.as_slice()).map_err(refused)?;
    let sender = PublicKey::from_bytes(&peer.0).map_err(refused)?;
    let encapsulated = EncapsulatedKey::from_bytes(encapsulated).map_err(refused)?;
    let tag = AeadTag::<ChaCha20Poly1305>::from_bytes(tag).map_err(refused)?;
    let mut context = hpke::setup_receiver::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
        &OpModeR::Auth(sender),
        &private,
        &encapsulated,
        INFO,
    )
    .map_err(refused)?;
    let mut body = Zeroizing::new(body.to_vec());
    context.open_in_place_detached(&mut body, &record.associated_data(), &tag).map_err(refused)?;
    Ok(body)
}

/// A generator of the `rand_core` that this workspace uses, as the one that `hpke` asks for.
struct Adapter<'a, R>(&'a mut R);

impl<R: RngCore> hpke::rand_core::RngCore for Adapter<'_, R> {
    fn next_u32(&mut self) -> u32 {
        self.0.next_u32()
    }

    fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        self.0.fill_bytes(bytes);
    }
}

impl<R: RngCore + CryptoRng> hpke::rand_core::CryptoRng for Adapter<'_, R> {}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod tests {
    use proptest::prelude::*;
    use rand_core::OsRng;
    use serai_messages::{Coin, Endpoint, Incarnation, IntentId, Sequence};

    use super::*;

    fn record(body: &[u8]) -> Record {
        Record {
            id: IntentId::new("keygen/btc-0/1/commitments").unwrap(),
            kind: "keygen.commitments".to_owned(),
            from: Endpoint::Processor(Coin::Btc),
            to: Endpoint::Coordinator,
            session: "keygen/btc-0/1".to_owned(),
            incarnation: Incarnation(1),
            sequence: Sequence(7),
            version: 1,
            sealed: false,
            body: body.to_vec(),
        }
    }

    fn sealed(body: &[u8]) -> (SecretKey, SecretKey, Record) {
        let (own, peer) = (SecretKey::generate(&mut OsRng), SecretKey::generate(&mut OsRng));
        let mut record = record(body);
        seal(&mut record, &own, &peer.public(), &mut OsRng).unwrap();
        (own, peer, record)
    }

    #[test]
    fn opens_for_its_receiver() {
        let (own, peer, record) = sealed(b"shares");
        assert!(record.sealed);
        assert_eq!(record.body.len(), 6 + OVERHEAD_BYTES);
        assert_eq!(open(&record, &peer, &own.public()).unwrap().as_slice(), b"shares");
    }

    #[test]
    fn the_largest_body_fits_a_record() {
        let (own, peer, record) = sealed(&vec![3; MAX_BODY_BYTES]);
        assert!(record.body.len() <= Record::MAX_BODY_BYTES);
        assert_eq!(open(&record, &peer, &own.public()).unwrap().len(), MAX_BODY_BYTES);
    }

    #[test]
    fn refuses_another_sender_and_another_receiver() {
        let (own, peer, record) = sealed(b"shares");
        let other = SecretKey::generate(&mut OsRng);
        let refused = |result: Result<_, _>| matches!(result, Err(SealError::Refused { .. }));
        assert!(refused(open(&record, &peer, &other.public())));
        assert!(refused(open(&record, &other, &own.public())));
        // Reflected to its sender.
        assert!(refused(open(&record, &own, &peer.public())));
        assert!(refused(open(&record, &own, &own.public())));
    }

    #[test]
    fn refuses_each_changed_header() {
        let (own, peer, record) = sealed(b"shares");
        type Change = fn(&mut Record);
        let changes: [(&str, Change); 8] = [
            ("id", |r| r.id = IntentId::new("keygen/btc-0/2/commitments").unwrap()),
            ("type", |r| r.kind = "keygen.shares".to_owned()),
            ("from", |r| r.from = Endpoint::Processor(Coin::Eth)),
            ("to", |r| r.to = Endpoint::Anyone),
            ("session", |r| r.session.push('0')),
            ("incarnation", |r| r.incarnation = Incarnation(2)),
            ("sequence", |r| r.sequence = Sequence(8)),
            ("version", |r| r.version = 2),
        ];
        for (name, change) in changes {
            let mut changed = record.clone();
            change(&mut changed);
            assert!(
                matches!(open(&changed, &peer, &own.public()), Err(SealError::Refused { .. })),
                "opened with another {name}"
            );
        }
        let mut clear = record;
        clear.sealed = false;
        assert!(matches!(open(&clear, &peer, &own.public()), Err(SealError::NotSealed { .. })));
    }

    #[test]
    fn refuses_to_seal_twice_too_much_or_for_a_weak_key() {
        let (own, peer, mut twice) = sealed(b"shares");
        let before = twice.clone();
        assert!(matches!(
            seal(&mut twice, &own, &peer.public(), &mut OsRng),
            Err(SealError::AlreadySealed { .. })
        ));
        assert_eq!(twice, before);

        let mut large = record(&vec![0; MAX_BODY_BYTES + 1]);
        let message = seal(&mut large, &own, &peer.public(), &mut OsRng).unwrap_err().to_string();
        assert!(message.contains("1048577") && message.contains("1048576"), "{message}");

        let mut weak = record(b"shares");
        let zero = ProcessorKey([0; 32]);
        assert_eq!(seal(&mut weak, &own, &zero, &mut OsRng), Err(SealError::WeakKey { key: zero }));
        assert_eq!(weak, record(b"shares"));
    }

    #[test]
    fn debug_shows_the_public_key_alone() {
        let key = SecretKey::generate(&mut OsRng);
        let text = format!("{key:?}");
        assert!(text.contains(&key.public().to_string()));
        assert!(!text.contains(&hex::encode(key.to_bytes().as_slice())));
        assert_eq!(SecretKey::from_bytes(&key.to_bytes()).public(), key.public());
    }

    /// RFC 9180 appendix A.2.3: the sender's key pair.
    #[test]
    fn public_key_is_that_of_rfc_9180() {
        let mut bytes = [0; 32];
        hex::decode_to_slice(
            "2def0cb58ffcf83d1062dd085c8aceca7f4c0c3fd05912d847b61f3e54121f05",
            &mut bytes,
        )
        .unwrap();
        assert_eq!(
            SecretKey::from_bytes(&bytes).public().to_string(),
            "f0f4f9e96c54aeed3f323de8534fffd7e0577e4ce269896716bcb95643c8712b"
        );
    }

    proptest! {
        #[test]
        fn refuses_each_changed_byte(at in 0usize..(32 + 16 + 16), mask in 1u8..=255) {
            let (own, peer, mut record) = sealed(&[9; 16]);
            record.body[at] ^= mask;
            // X25519 ignores the top bit of the encapsulated key's last byte in the key exchange,
            // but HPKE hashes the key as sent, so even that change does not open.
            prop_assert!(open(&record, &peer, &own.public()).is_err());
        }

        #[test]
        fn garbage_is_an_error(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let key = SecretKey::generate(&mut OsRng);
            let mut record = record(&body);
            record.sealed = true;
            prop_assert!(open(&record, &key, &key.public()).is_err());
        }
    }
}
