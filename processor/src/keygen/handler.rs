//! The one door for a coordinator's messages.

use std::path::PathBuf;

use blake2::{Blake2b, Digest, digest::consts::U32};
use rusqlite::Transaction;
use serai_bus::DatabaseError;
use serai_messages::keygen::{CoordinatorMessage, KeyKind, KeygenId, Party, ProcessorMessage};
use serai_messages::{Coin, KeyPair, Participant, ProcessorKey, ValidatorSet};

use super::judge::Case;
use super::machines::Machines;
use super::party::own_participant;
use super::tables::{self, Step};
use super::{InvalidParty, InvalidStatement};
use crate::crypto::{Ceremony, Engine, Engines, Fault, Seed, engine};
use crate::keystore::{self, Backup, BackupError, Cipher, DamagedSecret};

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
    /// The backup of a vault cannot be written.
    #[error(transparent)]
    Backup(#[from] BackupError),
}

/// What a message led to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// To be sent to the coordinator, in this order.
    pub answers: Vec<ProcessorMessage>,
    /// Why the message was not obeyed, for the dead letters.
    pub rejected: Option<String>,
}

/// Why a step was not taken.
#[derive(Debug)]
pub(super) enum Stop {
    /// The coordinator is told why.
    Refused(String),
    /// Out of place, or of no consequence: noted only.
    Ignored(String),
    /// The processor cannot go on.
    Failed(Error),
}

impl<E: Into<Error>> From<E> for Stop {
    fn from(error: E) -> Self {
        Stop::Failed(error.into())
    }
}

impl From<InvalidParty> for Stop {
    fn from(error: InvalidParty) -> Self {
        Stop::Refused(error.to_string())
    }
}

impl From<InvalidStatement> for Stop {
    fn from(error: InvalidStatement) -> Self {
        Stop::Refused(error.to_string())
    }
}

/// One processor's part in key generation. Its state is in the database that each call is given a
/// transaction of; what it holds itself can be made again (see the module's limits).
#[derive(Debug)]
pub struct Keygen {
    pub(super) coin: Coin,
    pub(super) engines: Engines,
    pub(super) own: ProcessorKey,
    pub(super) cipher: Cipher,
    pub(super) backups: PathBuf,
    pub(super) machines: Machines,
    #[cfg(feature = "faults")]
    pub(super) fault: Option<crate::faults::Misbehaviour>,
}

/// What a running attempt's steps need.
pub(super) struct Frame {
    pub(super) party: Party,
    pub(super) own: Participant,
    pub(super) seed: Seed,
}

impl Frame {
    pub(super) fn ceremony(&self, key: KeyKind) -> Ceremony {
        Ceremony {
            context: self.party.context(key),
            key,
            threshold: self.party.threshold,
            // A checked party has at most MAX_VALIDATORS members.
            members: u16::try_from(self.party.members.len()).unwrap_or(u16::MAX),
            own: self.own,
        }
    }
}

impl Keygen {
    /// For the processor of `coin` whose sealing key is `own`. Backups go to the folder `backups`.
    pub fn new(coin: Coin, own: ProcessorKey, cipher: Cipher, backups: PathBuf) -> Self {
        Self {
            coin,
            engines: engine,
            own,
            cipher,
            backups,
            machines: Machines::default(),
            #[cfg(feature = "faults")]
            fault: None,
        }
    }

    /// Makes keys with other engines.
    pub fn set_engines(&mut self, engines: Engines) {
        self.engines = engines;
    }

    /// Makes this processor misbehave.
    #[cfg(feature = "faults")]
    pub fn misbehave(&mut self, fault: crate::faults::Misbehaviour) {
        self.fault = Some(fault);
    }

    /// Handles one authenticated message within the caller's transaction.
    ///
    /// # Errors
    /// [`Error`] when the processor's own storage fails; the caller rolls back and stops.
    pub fn handle(
        &mut self,
        transaction: &Transaction<'_>,
        message: &CoordinatorMessage,
    ) -> Result<Outcome, Error> {
        let result = match message {
            CoordinatorMessage::Start { party, own } => {
                self.start(transaction, message, party, own)
            }
            CoordinatorMessage::Commitments { id, statements } => {
                self.commitments(transaction, message, *id, statements)
            }
            CoordinatorMessage::Shares { id, statements } => {
                self.shares(transaction, message, *id, statements)
            }
            CoordinatorMessage::Judge { id, accuser, share, key, blame } => {
                let case = Case { accuser: *accuser, share, key: *key, blame: blame.as_deref() };
                self.judge(transaction, message, *id, case)
            }
            CoordinatorMessage::ProofPreprocesses { id, statements } => {
                self.proof_preprocesses(transaction, message, *id, statements)
            }
            CoordinatorMessage::ProofShares { id, statements } => {
                self.proof_shares(transaction, message, *id, statements)
            }
            CoordinatorMessage::Proof { id, signatures } => {
                self.proof(transaction, message, *id, signatures)
            }
            CoordinatorMessage::Confirmed { set, key_pair } => {
                self.confirmed(transaction, *set, key_pair)
            }
        };
        match result {
            Ok(answers) => Ok(Outcome { answers, rejected: None }),
            Err(Stop::Refused(reason)) => {
                let answers = id_of(message)
                    .map(|id| ProcessorMessage::Refused { id, reason: reason.clone() });
                Ok(Outcome { answers: answers.into_iter().collect(), rejected: Some(reason) })
            }
            Err(Stop::Ignored(reason)) => {
                Ok(Outcome { answers: Vec::new(), rejected: Some(reason) })
            }
            Err(Stop::Failed(error)) => Err(error),
        }
    }

    /// Takes the step `name`, or gives the stored answer if it was taken with the same `digest`.
    pub(super) fn once(
        &mut self,
        transaction: &Transaction<'_>,
        id: KeygenId,
        name: &str,
        input: (&CoordinatorMessage, [u8; 32]),
        take: impl FnOnce(&mut Self) -> Result<Vec<ProcessorMessage>, Stop>,
    ) -> Result<Vec<ProcessorMessage>, Stop> {
        let (input, digest) = input;
        if let Some(step) = tables::step(transaction, id, name)? {
            if step.digest == digest {
                return Ok(step.answers);
            }
            return Err(Stop::Refused(format!(
                "{id}: {name} was answered before for other content; that answer stands"
            )));
        }
        let answers = take(self)?;
        let step = Step { digest, input: input.clone(), answers: answers.clone() };
        tables::insert_step(transaction, id, name, &step)?;
        Ok(answers)
    }

    /// What the steps of a running attempt need.
    pub(super) fn frame(&self, transaction: &Transaction<'_>, id: KeygenId) -> Result<Frame, Stop> {
        let attempt = tables::attempt(transaction, id)?
            .ok_or_else(|| Stop::Ignored(format!("{id} was not begun here, or is over")))?;
        let party = attempt.party.party;
        let own = match tables::step(transaction, id, "start")?.map(|step| step.input) {
            Some(CoordinatorMessage::Start { own, .. }) => {
                own_participant(&party, &own, &self.own)?
            }
            _ => return Err(Stop::Ignored(format!("{id} was not begun here"))),
        };
        let seed = self.cipher.open_seed(&seed_label(id), &attempt.seed)?;
        Ok(Frame { party, own, seed: Seed::from_bytes(seed) })
    }

    pub(super) fn engine(&self, key: KeyKind) -> &'static dyn Engine {
        (self.engines)(self.coin, key)
    }

    fn confirmed(
        &mut self,
        transaction: &Transaction<'_>,
        set: ValidatorSet,
        key_pair: &KeyPair,
    ) -> Result<Vec<ProcessorMessage>, Stop> {
        let vaults = keystore::list(transaction, self.coin)?;
        let vault = vaults
            .iter()
            .find(|vault| vault.id.set == set && vault.key_pair == *key_pair)
            .ok_or_else(|| {
                Stop::Ignored(format!(
                    "serai has keys for {set} of which this processor holds no share; its \
                     attempts are kept: restore the vault's backup if there is one"
                ))
            })?;
        let dropped = keystore::confirm(transaction, vault.id)?;
        tables::delete_set(transaction, set)?;
        for attempt in dropped {
            Backup::delete(&self.backups, KeygenId { set, attempt })?;
        }
        Ok(Vec::new())
    }
}

/// The attempt that a refusal is about; none of a message that answers none.
fn id_of(message: &CoordinatorMessage) -> Option<KeygenId> {
    match message {
        CoordinatorMessage::Start { party, .. } => Some(party.party.id),
        CoordinatorMessage::Commitments { id, .. }
        | CoordinatorMessage::Shares { id, .. }
        | CoordinatorMessage::Judge { id, .. }
        | CoordinatorMessage::ProofPreprocesses { id, .. }
        | CoordinatorMessage::ProofShares { id, .. }
        | CoordinatorMessage::Proof { id, .. } => Some(*id),
        CoordinatorMessage::Confirmed { .. } => None,
    }
}

/// What an attempt's seed is sealed under.
pub(super) fn seed_label(id: KeygenId) -> String {
    format!("seed/{id}")
}

/// What the nonces of an attempt's proving signatures are sealed under.
pub(super) fn nonces_label(id: KeygenId) -> String {
    format!("nonces/{id}")
}

/// A digest over digests.
pub(super) fn digest_of(parts: impl IntoIterator<Item = [u8; 32]>) -> [u8; 32] {
    let mut hasher = Blake2b::<U32>::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().into()
}

/// A fault that no member caused.
pub(super) fn internal(fault: &Fault) -> Stop {
    Stop::Refused(fault.to_string())
}
