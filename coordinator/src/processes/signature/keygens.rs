//! Key generations by set: feeds inputs to the pure machines and turns their effects into rows.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use rand_core::OsRng;
use rusqlite::Transaction;
use serai_bus::{Database, DatabaseError};
use serai_messages::keygen::{CoordinatorMessage, KeygenId, Party, PeerMessage};
use serai_messages::observation::Event;
use serai_messages::{
    BlockNumber, Body, SessionId, SignatureBytes, SignedStatement, ValidatorSet, encode,
};
use serai_protocol::keygen::{Effect, Input, Keygen, Parameters};

use super::clock::now_ms;
use super::conversation::{Outgoing, SendError};
use super::error::{SessionError, malformed};
use super::musig::Musigs;
use super::outlet::Outlet;
use super::quota::{Quota, Share};
use super::speaker::Speaker;
use super::tables::{self, KnownSet, StoredSession};

struct Session {
    id: String,
    machine: Keygen,
    parameters: Parameters,
    /// Party of the newest attempt that the processor was told to start.
    party: Option<Party>,
    /// Inputs in the log.
    inputs: u64,
    quota: Quota,
    /// An earlier life that this one does not know of may have spoken in it: this one only waits for
    /// the keys on the chain.
    muted: bool,
}

/// What a session's log takes of one signer. In a set of 150 an honest one says up to some three hundred statements
/// to another in an attempt that is held up, and the 49 that may lie can hold up as many attempts, one after the
/// other: twice that.
const SHARE: Share = Share { statements: 30_000, bytes: 32 * 1024 * 1024 };

/// All running key generations.
pub struct Keygens {
    speaker: Arc<Speaker>,
    attempt_blocks: u64,
    /// Newest block at a restored state's first look: in sets of before an earlier life may have spoken.
    restored: Option<BlockNumber>,
    running: BTreeMap<ValidatorSet, Session>,
    ended: BTreeSet<ValidatorSet>,
    musigs: Musigs,
    #[cfg(feature = "faults")]
    misbehaviour: super::faults::Misbehaviour,
}

impl Keygens {
    /// None yet; see [`Keygens::resume`].
    pub fn new(speaker: Arc<Speaker>, attempt_blocks: u64, restored: Option<BlockNumber>) -> Self {
        Self {
            speaker,
            attempt_blocks,
            restored,
            running: BTreeMap::new(),
            ended: BTreeSet::new(),
            musigs: Musigs::default(),
            #[cfg(feature = "faults")]
            misbehaviour: super::faults::Misbehaviour::from_environment(),
        }
    }

    /// Rebuilds the sessions that were not done from their logs. Returns the MuSig losses to feed:
    /// nonces live in memory, so a MuSig that was under way is given up by this validator.
    ///
    /// # Errors
    /// When the database fails or holds what this program did not write.
    pub fn resume(
        &mut self,
        database: &Database,
    ) -> Result<Vec<(ValidatorSet, Input)>, SessionError> {
        let mut losses = Vec::new();
        let sessions = database.read(|c| Ok(tables::sessions(c)))??;
        for stored in sessions {
            if stored.done {
                self.ended.insert(stored.set);
                continue;
            }
            let parameters: Parameters = serai_messages::decode(&stored.parameters)
                .map_err(|error| malformed("session parameters", error))?;
            let id = SessionId::Keygen(stored.set);
            let (mut machine, _) = Keygen::new(parameters.clone())
                .map_err(|source| SessionError::Parameters { id, source })?;
            let inputs: Vec<Input> = database.read(|c| Ok(tables::inputs(c, &stored.id)))??;
            let (mut party, mut quota) = (None, Quota::new(SHARE));
            for input in &inputs {
                for effect in machine.handle(input) {
                    note_party(&mut party, &effect);
                }
                within(&mut quota, input);
            }
            let attempt = KeygenId { set: stored.set, attempt: machine.summary().attempt };
            losses.push((stored.set, Input::MusigLost { id: attempt }));
            tracing::info!(session = %id, inputs = inputs.len(), "session resumed from its log");
            let muted = self.is_muted(&parameters);
            let (id, inputs) = (stored.id, inputs.len() as u64);
            let session = Session { id, machine, parameters, party, inputs, quota, muted };
            self.running.insert(stored.set, session);
        }
        Ok(losses)
    }

    fn is_muted(&self, parameters: &Parameters) -> bool {
        let muted = self.restored.is_some_and(|restored| parameters.start <= restored);
        if muted {
            let set = parameters.set;
            tracing::warn!(%set, "this state was restored: it takes no part in key generations of before");
        }
        muted
    }

    /// Whether the set's key generation runs here.
    pub fn is_running(&self, set: ValidatorSet) -> bool {
        self.running.contains_key(&set)
    }

    /// Whether it has run here and is done.
    pub fn has_ended(&self, set: ValidatorSet) -> bool {
        self.ended.contains(&set)
    }

    /// The party of an attempt that runs here.
    pub fn party(&self, id: KeygenId) -> Option<&Party> {
        let party = self.running.get(&id.set)?.party.as_ref()?;
        (party.id == id).then_some(party)
    }

    /// Sets of all that run.
    pub fn running(&self) -> Vec<ValidatorSet> {
        self.running.keys().copied().collect()
    }

    /// Begins the key generation of a set.
    ///
    /// # Errors
    /// [`SessionError`].
    pub fn begin(
        &mut self,
        out: &mut Outlet<'_>,
        known: &KnownSet,
        height: BlockNumber,
    ) -> Result<(), SessionError> {
        let id = SessionId::Keygen(known.set);
        let unknown = SendError::UnknownKey(out.conversation.coin);
        let parameters = Parameters {
            genesis: self.speaker.genesis(),
            set: known.set,
            validators: known.members.iter().map(|member| member.validator).collect(),
            own: self.speaker.own(),
            own_processor: out.conversation.processor.ok_or(unknown)?,
            start: BlockNumber(known.block),
            attempt_blocks: self.attempt_blocks,
        };
        let (machine, effects) = Keygen::new(parameters.clone())
            .map_err(|source| SessionError::Parameters { id, source })?;
        tables::insert_session(
            out.transaction,
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
        let (id, quota, muted) = (id.to_string(), Quota::new(SHARE), self.is_muted(&parameters));
        let mut session = Session { id, machine, parameters, party: None, inputs: 0, quota, muted };
        if muted {
            self.running.insert(known.set, session);
            return Ok(());
        }
        // The machine counts its deadlines from the first height that it is told.
        let mut queue = VecDeque::from([Input::Height(height)]);
        let early = tables::take_early(out.transaction, known.set)?;
        for effect in effects {
            self.run(out, &mut session, effect, &mut queue)?;
        }
        queue.extend(early.into_iter().map(Input::Statement));
        self.feed(out, &mut session, queue)?;
        self.running.insert(known.set, session);
        Ok(())
    }

    /// Feeds one input to a running session; nothing happens when it does not run here.
    ///
    /// # Errors
    /// [`SessionError`]. The caller ends the process then: memory may be ahead of the database.
    pub fn apply(
        &mut self,
        out: &mut Outlet<'_>,
        set: ValidatorSet,
        input: Input,
    ) -> Result<(), SessionError> {
        let Some(mut session) = self.running.remove(&set) else { return Ok(()) };
        self.feed(out, &mut session, VecDeque::from([input]))?;
        let summary = session.machine.summary();
        let done = summary.confirmed.is_some();
        let text = serde_json::to_string(&summary)?;
        tables::update_session(out.transaction, &session.id, &text, done, now_ms())?;
        if done {
            tables::delete_inputs(out.transaction, &session.id)?;
            self.ended.insert(set);
        } else {
            self.running.insert(set, session);
        }
        Ok(())
    }

    fn feed(
        &mut self,
        out: &mut Outlet<'_>,
        session: &mut Session,
        mut queue: VecDeque<Input>,
    ) -> Result<(), SessionError> {
        while let Some(input) = queue.pop_front() {
            if session.muted && !matches!(input, Input::KeyGen { .. }) {
                continue;
            }
            if !within(&mut session.quota, &input) {
                tracing::warn!(session = session.id, "a signer's share of the log is used up");
                continue;
            }
            tables::append_input(out.transaction, &session.id, session.inputs, &input)?;
            session.inputs += 1;
            for effect in session.machine.handle(&input) {
                self.run(out, session, effect, &mut queue)?;
            }
        }
        Ok(())
    }

    fn run(
        &mut self,
        out: &mut Outlet<'_>,
        session: &mut Session,
        effect: Effect,
        queue: &mut VecDeque<Input>,
    ) -> Result<(), SessionError> {
        note_party(&mut session.party, &effect);
        match effect {
            Effect::Say(message) => {
                #[cfg(feature = "faults")]
                let message = self.misbehaviour.said(message, &session.parameters);
                let statement = self.sign(out.transaction, message)?;
                for validator in &session.parameters.validators {
                    #[cfg(feature = "faults")]
                    let statement = self.equivocate(
                        out.transaction,
                        *validator,
                        &session.parameters,
                        &statement,
                    )?;
                    self.speaker.post(out.transaction, *validator, &statement)?;
                }
                queue.extend(own_input(statement));
                out.wake.network = true;
            }
            Effect::Tell(to, message) => {
                let statement = self.sign(out.transaction, message)?;
                self.speaker.post(out.transaction, to, &statement)?;
                queue.extend(own_input(statement));
                out.wake.network = true;
            }
            Effect::ToProcessor(message) => out.send(Outgoing::Keygen(&message))?,
            Effect::SignParty { digest } => {
                let signer = self.speaker.signer();
                let signature = signer.sign(Party::SIGNATURE_CONTEXT, &digest, &mut OsRng);
                let signature = SignatureBytes(signature);
                queue.push_back(Input::PartySignature { digest, signature });
            }
            Effect::Musig(request) => {
                queue.push_back(self.musigs.handle(request, self.speaker.signer()));
            }
            Effect::SetKeys { set, removed, key_pair, signature } => {
                let event = Event::SetKeys { set, removed, key_pair, signature };
                self.speaker.record(out.transaction, &event)?;
                out.wake.serai = true;
            }
            Effect::Fault(fault) => {
                tracing::warn!(
                    session = session.id,
                    attempt = %fault.attempt,
                    accused = %fault.accused,
                    what = %fault.kind,
                    "a validator is at fault"
                );
            }
            Effect::Done(key_pair) => {
                tracing::info!(
                    session = session.id,
                    ristretto = hex::encode(key_pair.ristretto),
                    external = hex::encode(&key_pair.external),
                    "key generation is done: the keys are finalized on Serai"
                );
                self.musigs.forget(session.parameters.set);
            }
        }
        Ok(())
    }

    fn sign(
        &self,
        transaction: &Transaction<'_>,
        message: PeerMessage,
    ) -> Result<SignedStatement, DatabaseError> {
        self.speaker.sign(transaction, Body::Keygen(message))
    }

    /// What the validator is told in place of the statement, where this one equivocates.
    #[cfg(feature = "faults")]
    fn equivocate(
        &self,
        transaction: &Transaction<'_>,
        to: serai_messages::ValidatorKey,
        parameters: &Parameters,
        statement: &SignedStatement,
    ) -> Result<SignedStatement, DatabaseError> {
        match self.misbehaviour.other_version(to, parameters, statement) {
            Some(message) => self.sign(transaction, message),
            None => Ok(statement.clone()),
        }
    }
}

/// What the own machine hears of an own statement: nothing of a disclosure, which shows what it holds already.
/// Others can have a member show much, which must not take its share of the log.
fn own_input(statement: SignedStatement) -> Option<Input> {
    let shows = matches!(statement.statement.body, Body::Keygen(PeerMessage::Disclosure { .. }));
    (!shows).then_some(Input::Statement(statement))
}

/// Counts a statement towards its signer's share of the log; whether the input still fits.
fn within(quota: &mut Quota, input: &Input) -> bool {
    match input {
        Input::Statement(statement) => quota.admits(statement),
        _ => true,
    }
}

fn note_party(party: &mut Option<Party>, effect: &Effect) {
    if let Effect::ToProcessor(CoordinatorMessage::Start { party: started, .. }) = effect {
        *party = Some(started.party.clone());
    }
}
