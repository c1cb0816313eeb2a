//! The door for a coordinator's requests, and for what the ledger finds due.

use std::collections::BTreeMap;

use rand_core::OsRng;
use rusqlite::Transaction;
use serai_bus::DatabaseError;
use serai_messages::observation::SeraiBlock;
use serai_messages::planted::{Bug, is_planted};
use serai_messages::signing::{
    Content, CoordinatorMessage, MAX_MESSAGES, ProcessorMessage, Shares, SigningId, Thing,
};
use serai_messages::{Coin, Participant, Session, SignatureBytes, ValidatorKey, ValidatorSet};
use zeroize::Zeroizing;

use super::request::{SigningSet, message_digest, preprocess_digest, seeds_label};
use super::tables::{self, Preprocess, Stored, Used};
use super::vaults::Vault;
use crate::chain::ToSign;
use crate::crypto::{Engines, Fault, Seed, engine};
use crate::keystore::{Cipher, DamagedSecret};

/// Preprocesses of one thing that wait to be signed with: one for each opener, and one ahead.
const MAX_UNUSED: u32 = 320;

/// Payments of one set that are being signed at the same time: those that are due wait for their turn in the order
/// of the ledger, which is the same in all processors. More at once are signed no faster, and each takes
/// so long that all openers work at each (ADR 0013). Batches, forwardings and slash reports, of which
/// there are few, do not wait.
pub const MAX_PAYMENTS_AT_ONCE: u32 = 8;

/// Bytes of one seed.
const SEED_BYTES: usize = 32;

/// What stops the processor: its own storage, never a message.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The processor's database.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// A query in the processor's database.
    #[error("processor's database: {0}")]
    Query(#[from] rusqlite::Error),
    /// A stored secret does not open.
    #[error(transparent)]
    Secret(#[from] DamagedSecret),
    /// A stored key share cannot be used.
    #[error("key share of {set}: {fault}")]
    Keys {
        /// Whose vault.
        set: ValidatorSet,
        /// What is wrong.
        fault: Fault,
    },
}

/// Something that the ledger wants signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// The thing.
    pub id: SigningId,
    /// Block from which the party is drawn.
    pub reference: SeraiBlock,
    /// What the coordinators compare.
    pub content: Content,
    /// What is signed, 1 to [`MAX_MESSAGES`]: by the external key where the content is a transaction,
    /// otherwise by the Ristretto key, which knows no offset.
    pub messages: Vec<ToSign>,
}

/// What a request led to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// To be sent to the coordinator, in this order.
    pub answers: Vec<ProcessorMessage>,
    /// Why the request was not obeyed, for the dead letters.
    pub rejected: Option<String>,
    /// The signatures, once they are known here.
    pub signed: Option<(SigningId, Vec<SignatureBytes>)>,
}

/// Why a step was not taken.
pub(super) enum Stop {
    Refused(String),
    Failed(Error),
}

impl<E: Into<Error>> From<E> for Stop {
    fn from(error: E) -> Self {
        Stop::Failed(error.into())
    }
}

/// One processor's part in signing. Its state is in the database that each call is given a
/// transaction of; the vaults' keys are kept once they are read.
pub struct Signing {
    pub(super) coin: Coin,
    pub(super) engines: Engines,
    pub(super) cipher: Cipher,
    pub(super) vaults: BTreeMap<(Session, u8), Vault>,
    #[cfg(feature = "faults")]
    fault: Option<crate::faults::Misbehaviour>,
}

impl std::fmt::Debug for Signing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Signing({}, {} keys)", self.coin, self.vaults.len())
    }
}

impl Signing {
    /// For the processor of `coin`.
    pub fn new(coin: Coin, cipher: Cipher) -> Self {
        Self {
            coin,
            engines: engine,
            cipher,
            vaults: BTreeMap::new(),
            #[cfg(feature = "faults")]
            fault: None,
        }
    }

    /// Signs with other engines.
    pub fn set_engines(&mut self, engines: Engines) {
        self.engines = engines;
    }

    /// Makes this processor misbehave.
    #[cfg(feature = "faults")]
    pub fn misbehave(&mut self, fault: crate::faults::Misbehaviour) {
        self.fault = Some(fault);
    }

    /// Something may be signed from now on: `Ready`, with the first preprocess. None where no share of
    /// the vault is held here, of what is known already, and of a payment that waits for its turn
    /// ([`Signing::next`]).
    ///
    /// # Errors
    /// [`Error`] when the processor's own storage fails.
    pub fn due(
        &mut self,
        transaction: &Transaction<'_>,
        due: Due,
    ) -> Result<Option<ProcessorMessage>, Error> {
        #[cfg(feature = "faults")]
        let due = crate::faults::spoil_content(self.fault, due);
        let Due { id, reference, content, messages } = due;
        if !(1..=MAX_MESSAGES).contains(&messages.len()) || id.set.coin != self.coin {
            return Ok(None);
        }
        let stored = Stored { id, reference, content, messages };
        if self.vault(transaction, &stored)?.is_none() {
            return Ok(None);
        }
        if matches!(id.thing, Thing::Payment(_))
            && (tables::is_anything_waiting(transaction, id.set)?
                || !has_room(transaction, id.set)?)
        {
            tables::wait(transaction, &stored)?;
            return Ok(None);
        }
        self.begin(transaction, stored)
    }

    /// The next payment of a set that has waited, where there is room for it; to be called until there is
    /// none, after anything that may have made room.
    ///
    /// # Errors
    /// [`Error`] when the processor's own storage fails.
    pub fn next(
        &mut self,
        transaction: &Transaction<'_>,
        set: ValidatorSet,
    ) -> Result<Option<ProcessorMessage>, Error> {
        while has_room(transaction, set)? {
            let Some(stored) = tables::take_waiting(transaction, set)? else { break };
            if let Some(ready) = self.begin(transaction, stored)? {
                return Ok(Some(ready));
            }
        }
        Ok(None)
    }

    fn begin(
        &mut self,
        transaction: &Transaction<'_>,
        stored: Stored,
    ) -> Result<Option<ProcessorMessage>, Error> {
        if !tables::insert_thing(transaction, &stored)? {
            return Ok(None);
        }
        let preprocess = self.draw(transaction, &stored, None)?;
        let Stored { id, reference, content, .. } = stored;
        Ok(preprocess.map(|preprocess| ProcessorMessage::Ready {
            id,
            reference,
            content,
            preprocess,
        }))
    }

    /// Handles one authenticated request within the caller's transaction.
    ///
    /// # Errors
    /// [`Error`] when the processor's own storage fails; the caller rolls back and stops.
    pub fn handle(
        &mut self,
        transaction: &Transaction<'_>,
        message: &CoordinatorMessage,
    ) -> Result<Outcome, Error> {
        let id = message.id();
        match self.take(transaction, message) {
            Ok(outcome) => Ok(outcome),
            Err(Stop::Refused(reason)) => {
                let reason = format!("{id}: {reason}");
                let answer = ProcessorMessage::Refused {
                    id,
                    request: message.request(),
                    reason: reason.clone(),
                };
                Ok(Outcome { answers: vec![answer], rejected: Some(reason), signed: None })
            }
            Err(Stop::Failed(error)) => Err(error),
        }
    }

    /// Drops a thing whose outcome is final. What preprocesses were used for stays.
    ///
    /// # Errors
    /// [`Error::Query`].
    pub fn forget(&mut self, transaction: &Transaction<'_>, id: SigningId) -> Result<(), Error> {
        Ok(tables::delete(transaction, id)?)
    }

    fn take(
        &mut self,
        transaction: &Transaction<'_>,
        message: &CoordinatorMessage,
    ) -> Result<Outcome, Stop> {
        // Over here, and not yet for whoever asks: no answer, for a refusal would look like a judgement
        // of what was asked.
        let Some(stored) = tables::thing(transaction, message.id())? else {
            tracing::info!(id = %message.id(), kind = message.kind(), "asked of what is not due");
            return Ok(Outcome::default());
        };
        let answered = |answer| Outcome { answers: vec![answer], ..Outcome::default() };
        match message {
            CoordinatorMessage::Preprocess { id, opener } => {
                if let Some(signatures) = tables::signatures(transaction, *id)? {
                    return self.signed(transaction, &stored, signatures);
                }
                let preprocess = match tables::preprocess_for(transaction, *id, *opener)? {
                    Some(given) => given.preprocess,
                    None if tables::unused(transaction, *id)? >= MAX_UNUSED => {
                        return Err(Stop::Refused("too many preprocesses are unused".to_owned()));
                    }
                    None => self
                        .draw(transaction, &stored, Some(*opener))?
                        .ok_or_else(|| Stop::Refused("no share of it is held here".to_owned()))?,
                };
                Ok(answered(ProcessorMessage::Preprocess { id: *id, opener: *opener, preprocess }))
            }
            CoordinatorMessage::Sign { open, preprocesses, .. } => {
                Ok(answered(self.sign(transaction, &stored, *open, preprocesses)?))
            }
            CoordinatorMessage::Aggregate { open, preprocesses, shares, .. } => {
                self.aggregate(transaction, &stored, *open, preprocesses, shares)
            }
            CoordinatorMessage::Judge { id, open, preprocesses, accused, share } => {
                let valid = self.judge(transaction, &stored, preprocesses, *accused, share)?;
                Ok(answered(ProcessorMessage::Judged {
                    id: *id,
                    open: *open,
                    accused: *accused,
                    valid,
                }))
            }
            CoordinatorMessage::Signature { signatures, .. } => {
                // A refusal would accuse who sent them.
                let Some(vault) = self.vault(transaction, &stored)? else {
                    return Ok(Outcome::default());
                };
                let fits = signatures.len() == stored.messages.len()
                    && stored.messages.iter().zip(signatures).all(|(message, signature)| {
                        vault.keys.verify(&message.offset, &message.bytes, &signature.0)
                    });
                if !fits {
                    return Err(Stop::Refused("signatures do not verify".to_owned()));
                }
                self.signed(transaction, &stored, signatures.clone())
            }
        }
    }

    /// A fresh preprocess, stored before it leaves. None where no share of the vault is held here.
    fn draw(
        &mut self,
        transaction: &Transaction<'_>,
        stored: &Stored,
        opener: Option<ValidatorKey>,
    ) -> Result<Option<Shares>, Error> {
        let Some(vault) = self.vault(transaction, stored)? else { return Ok(None) };
        let mut seeds = Zeroizing::new(Vec::with_capacity(stored.messages.len() * SEED_BYTES));
        let mut preprocess = Shares::new();
        for _ in &stored.messages {
            let seed = Seed::generate(&mut OsRng);
            preprocess.push(vault.keys.preprocess(&seed));
            seeds.extend_from_slice(seed.as_bytes());
        }
        let digest = preprocess_digest(&preprocess);
        let seeds = self.cipher.seal(&seeds_label(stored.id, digest), &seeds)?;
        let row = Preprocess { digest, preprocess, seeds };
        tables::insert_preprocess(transaction, stored.id, opener, &row)?;
        Ok(Some(row.preprocess))
    }

    /// The one place where a vault's key share signs anything but its proof.
    fn sign(
        &mut self,
        transaction: &Transaction<'_>,
        stored: &Stored,
        open: [u8; 32],
        preprocesses: &[(ValidatorKey, Shares)],
    ) -> Result<ProcessorMessage, Stop> {
        #[cfg(feature = "faults")]
        let fault = self.fault;
        let vault = self.held(transaction, stored)?;
        let set = SigningSet::read(stored, &*vault.keys, &vault.members, preprocesses)
            .map_err(Stop::Refused)?;
        let own =
            set.own.ok_or_else(|| Stop::Refused("this processor is no signer of it".to_owned()))?;
        let (thing, message) = (stored.id.to_string(), message_digest(stored));
        let reuses = is_planted(Bug::PreprocessReused);
        if let Some(used) = tables::used_of(transaction, own)?.filter(|_| !reuses) {
            let of_this = used.thing == thing && used.message == message;
            if of_this && used.open == open && used.signing_set == set.digest {
                return Ok(used.answer);
            }
            return Err(Stop::Refused(
                "the preprocess was used otherwise before; it signs once".to_owned(),
            ));
        }
        let Some(given) = tables::preprocess_of(transaction, stored.id, own)? else {
            // Deleted with the others once the thing was signed, as far as anybody can tell.
            if let Some(signatures) = tables::signatures(transaction, stored.id)? {
                return Ok(ProcessorMessage::Signed { id: stored.id, signatures });
            }
            return Err(Stop::Refused(
                "the preprocess under this processor's name is not its own".to_owned(),
            ));
        };
        let members = vault.members.clone();
        let label = seeds_label(stored.id, own);
        let seeds = self.cipher.open(&label, &given.seeds)?;
        let seeds: Vec<Seed> = seeds
            .chunks_exact(SEED_BYTES)
            .filter_map(|bytes| Some(Seed::from_bytes(Zeroizing::new(bytes.try_into().ok()?))))
            .collect();
        if seeds.len() != stored.messages.len() {
            return Err(DamagedSecret { label }.into());
        }
        let vault = self.held(transaction, stored)?;
        let shares: Result<Shares, Fault> = stored
            .messages
            .iter()
            .zip(&set.preprocesses)
            .zip(seeds)
            .map(|((message, preprocesses), seed)| {
                vault.keys.sign(&message.offset, seed, preprocesses, &message.bytes)
            })
            .collect();
        let id = stored.id;
        let answer = match shares {
            Ok(share) => {
                #[cfg(feature = "faults")]
                let share = crate::faults::spoil(fault, share);
                ProcessorMessage::Share { id, open, share }
            }
            Err(Fault::InvalidSignatureShare { accused }) => {
                let accused = name_of(&members, accused)?;
                ProcessorMessage::InvalidShare { id, open, accused }
            }
            Err(fault) => return Err(Stop::Refused(fault.to_string())),
        };
        // Whatever came of it: this preprocess meets no second signing set.
        let used = Used { thing, message, signing_set: set.digest, open, answer };
        if !reuses {
            tables::bind(transaction, own, &used)?;
        }
        Ok(used.answer)
    }

    /// Keeps signatures that verify, and deletes the nonces that wait for a session. The first
    /// signatures known stay.
    pub(super) fn signed(
        &mut self,
        transaction: &Transaction<'_>,
        stored: &Stored,
        signatures: Vec<SignatureBytes>,
    ) -> Result<Outcome, Stop> {
        let id = stored.id;
        let signatures = match tables::signatures(transaction, id)? {
            Some(known) => known,
            None => {
                tables::set_signatures(transaction, id, &signatures)?;
                signatures
            }
        };
        Ok(Outcome {
            answers: vec![ProcessorMessage::Signed { id, signatures: signatures.clone() }],
            rejected: None,
            signed: Some((id, signatures)),
        })
    }
}

fn has_room(transaction: &Transaction<'_>, set: ValidatorSet) -> Result<bool, Error> {
    Ok(tables::unsigned_payments(transaction, set)? < MAX_PAYMENTS_AT_ONCE)
}

pub(super) fn name_of(members: &[ValidatorKey], number: Participant) -> Result<ValidatorKey, Stop> {
    usize::from(number.0)
        .checked_sub(1)
        .and_then(|place| members.get(place))
        .copied()
        .ok_or_else(|| Stop::Refused(format!("participant {number} is no member of the vault")))
}
