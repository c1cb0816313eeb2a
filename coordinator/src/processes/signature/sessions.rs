//! Sessions by id: feeds inputs to the pure machines and turns their effects into rows.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use rand_core::OsRng;
use rusqlite::Transaction;
use serai_bus::{Database, DatabaseError};
use serai_messages::keygen::{CoordinatorMessage, KeygenId, Party, PeerMessage};
use serai_messages::observation::{Event, SetMember};
use serai_messages::{
    BlockHash, BlockNumber, Body, Coin, Incarnation, STATEMENT_CONTEXT, SessionId, SignatureBytes,
    SignedStatement, Statement, VERSION, ValidatorKey, encode,
};
use serai_protocol::keygen::{Effect, Input, InvalidParameters, Keygen, Parameters};
use serai_sr25519::Signer;

use super::conversation::{Conversation, SendError};
use super::musig::Musigs;
use super::tables::{self, KnownSet, StoredSession};
use crate::processes::{network, observation};

/// Why a session could not go on. Each is a fault of this machine or program: nothing that a peer
/// or processor sends ends up here.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The database.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The database, within a transaction.
    #[error("state database: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// A message to a processor.
    #[error(transparent)]
    Send(#[from] SendError),
    /// A set that no keys can be generated for.
    #[error("session {id} cannot begin: {source}")]
    Parameters {
        /// The session.
        id: SessionId,
        /// What is wrong with it.
        source: InvalidParameters,
    },
    /// An intent id that this program made is none.
    #[error(transparent)]
    Id(#[from] serai_messages::InvalidId),
    /// A summary that does not encode.
    #[error("summary of a session: {0}")]
    Summary(#[from] serde_json::Error),
}

struct Session {
    id: SessionId,
    machine: Keygen,
    parameters: Parameters,
    /// Party of the newest attempt that the processor was told to start.
    party: Option<Party>,
    /// Inputs in the log.
    inputs: u64,
    /// Of each signer: statements in the log, and their bytes.
    heard: BTreeMap<ValidatorKey, (u32, usize)>,
}

/// Statements of one signer that a session's log takes. An honest one says some dozens in an attempt,
/// and may have to show what every other member said.
const MAX_STATEMENTS_PER_SIGNER: u32 = 10_000;

/// Bytes of them.
const MAX_BYTES_PER_SIGNER: usize = 32 * 1024 * 1024;

/// Counts a statement towards its signer's share of the log; whether it still fits.
fn within_quota(heard: &mut BTreeMap<ValidatorKey, (u32, usize)>, input: &Input) -> bool {
    let Input::Statement(statement) = input else { return true };
    let (count, bytes) = heard.entry(statement.signer).or_default();
    let size = encode(statement).len();
    if *count >= MAX_STATEMENTS_PER_SIGNER || *bytes + size > MAX_BYTES_PER_SIGNER {
        return false;
    }
    (*count, *bytes) = (*count + 1, *bytes + size);
    true
}

/// What the outside must do once the transaction is committed.
#[derive(Debug, Default)]
pub struct Wake {
    /// Coins whose conversation has something to publish.
    pub conversations: Vec<Coin>,
    /// The network's outbox has grown.
    pub network: bool,
    /// Validators to connect with.
    pub members: Vec<SetMember>,
    /// `{name}-serai` has something to publish.
    pub serai: bool,
    /// `{name}-public` has something to publish.
    pub public: bool,
    /// `{name}-dead-letter` has something to publish.
    pub dead_letter: bool,
}

/// All running sessions.
pub struct Sessions {
    genesis: BlockHash,
    signer: Arc<Signer>,
    incarnation: Incarnation,
    serai_topic: String,
    attempt_blocks: u64,
    running: BTreeMap<SessionId, Session>,
    ended: BTreeSet<SessionId>,
    musigs: Musigs,
    #[cfg(feature = "faults")]
    misbehaviour: super::faults::Misbehaviour,
}

impl Sessions {
    /// No sessions yet; see [`Sessions::resume`].
    pub fn new(
        genesis: BlockHash,
        signer: Arc<Signer>,
        incarnation: Incarnation,
        serai_topic: String,
        attempt_blocks: u64,
    ) -> Self {
        Self {
            genesis,
            signer,
            incarnation,
            serai_topic,
            attempt_blocks,
            running: BTreeMap::new(),
            ended: BTreeSet::new(),
            musigs: Musigs::default(),
            #[cfg(feature = "faults")]
            misbehaviour: super::faults::Misbehaviour::from_environment(),
        }
    }

    /// This validator's key.
    pub fn own(&self) -> ValidatorKey {
        ValidatorKey(self.signer.public())
    }

    /// Rebuilds the sessions that were not done from their logs. Returns the MuSig losses to feed:
    /// nonces live in memory, so a MuSig that was under way is given up by this validator.
    ///
    /// # Errors
    /// When the database fails or holds what this program did not write.
    pub fn resume(&mut self, database: &Database) -> Result<Vec<(SessionId, Input)>, SessionError> {
        let mut losses = Vec::new();
        let sessions = database.read(|c| Ok(tables::sessions(c)))??;
        for stored in sessions {
            let id = SessionId::Keygen(stored.set);
            if stored.done {
                self.ended.insert(id);
                continue;
            }
            let parameters: Parameters = serai_messages::decode(&stored.parameters)
                .map_err(|error| malformed("session parameters", error))?;
            let (mut machine, _) = Keygen::new(parameters.clone())
                .map_err(|source| SessionError::Parameters { id, source })?;
            let inputs = database.read(|c| Ok(tables::inputs(c, &stored.id)))??;
            let mut party = None;
            for input in &inputs {
                for effect in machine.handle(input) {
                    note_party(&mut party, &effect);
                }
            }
            let attempt = KeygenId { set: stored.set, attempt: machine.summary().attempt };
            losses.push((id, Input::MusigLost { id: attempt }));
            tracing::info!(session = %id, inputs = inputs.len(), "session resumed from its log");
            let mut heard = BTreeMap::new();
            for input in &inputs {
                within_quota(&mut heard, input);
            }
            let inputs = inputs.len() as u64;
            self.running.insert(id, Session { id, machine, parameters, party, inputs, heard });
        }
        Ok(losses)
    }

    /// Whether the session runs here.
    pub fn is_running(&self, id: SessionId) -> bool {
        self.running.contains_key(&id)
    }

    /// Whether the session has run here and is done.
    pub fn has_ended(&self, id: SessionId) -> bool {
        self.ended.contains(&id)
    }

    /// The party of an attempt that runs here.
    pub fn party(&self, id: KeygenId) -> Option<&Party> {
        let party = self.running.get(&SessionId::Keygen(id.set))?.party.as_ref()?;
        (party.id == id).then_some(party)
    }

    /// Ids of all running sessions.
    pub fn running(&self) -> Vec<SessionId> {
        self.running.keys().copied().collect()
    }

    /// Begins the key generation of a set.
    ///
    /// # Errors
    /// [`SessionError`].
    pub fn begin(
        &mut self,
        transaction: &Transaction<'_>,
        known: &KnownSet,
        height: BlockNumber,
        conversation: &Conversation,
        wake: &mut Wake,
    ) -> Result<(), SessionError> {
        let id = SessionId::Keygen(known.set);
        let own_processor =
            conversation.processor.ok_or(SendError::UnknownKey(conversation.coin))?;
        let parameters = Parameters {
            genesis: self.genesis,
            set: known.set,
            validators: known.members.iter().map(|member| member.validator).collect(),
            own: self.own(),
            own_processor,
            start: BlockNumber(known.block),
            attempt_blocks: self.attempt_blocks,
        };
        let (machine, effects) = Keygen::new(parameters.clone())
            .map_err(|source| SessionError::Parameters { id, source })?;
        tables::insert_session(
            transaction,
            &StoredSession {
                id: id.to_string(),
                set: known.set,
                parameters: encode(&parameters),
                summary: serde_json::to_string(&machine.summary())?,
                done: false,
                started_ms: now_ms(),
                ended_ms: None,
            },
        )?;
        let heard = BTreeMap::new();
        let mut session = Session { id, machine, parameters, party: None, inputs: 0, heard };
        // The machine counts its deadlines from the first height that it is told.
        let mut queue = VecDeque::from([Input::Height(height)]);
        let early = tables::take_early(transaction, known.set)?;
        for effect in effects {
            self.run(transaction, &mut session, conversation, effect, &mut queue, wake)?;
        }
        queue.extend(early.into_iter().map(Input::Statement));
        self.feed(transaction, &mut session, conversation, queue, wake)?;
        self.running.insert(id, session);
        Ok(())
    }

    /// Feeds one input to a running session; nothing happens when it does not run here.
    ///
    /// # Errors
    /// [`SessionError`]. The caller ends the process then: memory may be ahead of the database.
    pub fn apply(
        &mut self,
        transaction: &Transaction<'_>,
        id: SessionId,
        conversation: &Conversation,
        input: Input,
        wake: &mut Wake,
    ) -> Result<(), SessionError> {
        let Some(mut session) = self.running.remove(&id) else { return Ok(()) };
        self.feed(transaction, &mut session, conversation, VecDeque::from([input]), wake)?;
        let summary = session.machine.summary();
        let done = summary.confirmed.is_some();
        let text = serde_json::to_string(&summary)?;
        tables::update_session(transaction, &id.to_string(), &text, done, now_ms())?;
        if done {
            tables::delete_inputs(transaction, &id.to_string())?;
            self.ended.insert(id);
        } else {
            self.running.insert(id, session);
        }
        Ok(())
    }

    fn feed(
        &mut self,
        transaction: &Transaction<'_>,
        session: &mut Session,
        conversation: &Conversation,
        mut queue: VecDeque<Input>,
        wake: &mut Wake,
    ) -> Result<(), SessionError> {
        while let Some(input) = queue.pop_front() {
            if !within_quota(&mut session.heard, &input) {
                tracing::warn!(session = %session.id, "a signer's share of the log is used up");
                continue;
            }
            tables::append_input(transaction, &session.id.to_string(), session.inputs, &input)?;
            session.inputs += 1;
            for effect in session.machine.handle(&input) {
                self.run(transaction, session, conversation, effect, &mut queue, wake)?;
            }
        }
        Ok(())
    }

    fn run(
        &mut self,
        transaction: &Transaction<'_>,
        session: &mut Session,
        conversation: &Conversation,
        effect: Effect,
        queue: &mut VecDeque<Input>,
        wake: &mut Wake,
    ) -> Result<(), SessionError> {
        note_party(&mut session.party, &effect);
        match effect {
            Effect::Say(message) => {
                #[cfg(feature = "faults")]
                let message = self.misbehaviour.said(message, &session.parameters);
                let statement = self.sign(message);
                for validator in &session.parameters.validators {
                    #[cfg(feature = "faults")]
                    let statement = self.equivocate(*validator, &session.parameters, &statement);
                    self.post(transaction, *validator, &statement)?;
                }
                queue.push_back(Input::Statement(statement));
                wake.network = true;
            }
            Effect::Tell(to, message) => {
                let statement = self.sign(message);
                self.post(transaction, to, &statement)?;
                queue.push_back(Input::Statement(statement));
                wake.network = true;
            }
            Effect::ToProcessor(message) => {
                conversation.send(transaction, &message)?;
                wake.conversations.push(conversation.coin);
            }
            Effect::SignParty { digest } => {
                let signature = self.signer.sign(Party::SIGNATURE_CONTEXT, &digest, &mut OsRng);
                queue.push_back(Input::PartySignature {
                    digest,
                    signature: SignatureBytes(signature),
                });
            }
            Effect::Musig(request) => {
                queue.push_back(self.musigs.handle(request, &self.signer));
            }
            Effect::SetKeys { set, removed, key_pair, signature } => {
                let event = Event::SetKeys { set, removed, key_pair, signature };
                observation::enqueue(transaction, &self.serai_topic, self.incarnation, &event)?;
                wake.serai = true;
            }
            Effect::Fault(fault) => {
                tracing::warn!(
                    session = %session.id,
                    attempt = %fault.attempt,
                    accused = %fault.accused,
                    what = %fault.kind,
                    "a validator is at fault"
                );
            }
            Effect::Done(key_pair) => {
                tracing::info!(
                    session = %session.id,
                    ristretto = hex::encode(key_pair.ristretto),
                    external = hex::encode(&key_pair.external),
                    "key generation is done: the keys are finalized on Serai"
                );
                self.musigs.forget(session.parameters.set);
            }
        }
        Ok(())
    }

    /// What the validator is told in place of the statement, where this one equivocates.
    #[cfg(feature = "faults")]
    fn equivocate(
        &self,
        to: ValidatorKey,
        parameters: &Parameters,
        statement: &SignedStatement,
    ) -> SignedStatement {
        match self.misbehaviour.other_version(to, parameters, statement) {
            Some(message) => self.sign(message),
            None => statement.clone(),
        }
    }

    /// The one place where this validator's statements are signed.
    fn sign(&self, message: PeerMessage) -> SignedStatement {
        let statement =
            Statement { version: VERSION, genesis: self.genesis, body: Body::Keygen(message) };
        let signature = self.signer.sign(STATEMENT_CONTEXT, &statement.signing_bytes(), &mut OsRng);
        SignedStatement { signer: self.own(), statement, signature: SignatureBytes(signature) }
    }

    fn post(
        &self,
        transaction: &Transaction<'_>,
        to: ValidatorKey,
        statement: &SignedStatement,
    ) -> Result<(), SessionError> {
        if to == self.own() {
            return Ok(());
        }
        // A full queue drops the statement and counts it; attempts expire and are made again.
        let queued = network::tables::enqueue(transaction, self.incarnation, to, statement)?;
        if !matches!(queued, network::tables::Enqueued::Queued(_)) {
            tracing::warn!(peer = %to, ?queued, "statement for a peer was dropped");
        }
        Ok(())
    }
}

fn note_party(party: &mut Option<Party>, effect: &Effect) {
    if let Effect::ToProcessor(CoordinatorMessage::Start { party: started }) = effect {
        *party = Some(started.party.clone());
    }
}

/// Milliseconds since the Unix epoch; shown to people, never decided upon.
fn now_ms() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |elapsed| i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX))
}

fn malformed(what: &'static str, error: impl std::fmt::Display) -> DatabaseError {
    DatabaseError::Malformed { what, reason: error.to_string() }
}
