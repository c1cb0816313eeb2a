//! All signings of this validator: which run, which wait, which have ended.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::Transaction;
use serai_bus::{Database, DatabaseError};
use serai_messages::observation::SeraiBlock;
use serai_messages::signing::{Content, CoordinatorMessage, ProcessorMessage, Shares, SigningId};
use serai_messages::{BlockNumber, Body, Coin, SignedStatement, ValidatorKey, decode, encode};
use serai_protocol::signing::{Input, Parameters, Timer};

use super::super::clock::now_ms;
use super::super::conversation::Outgoing;
use super::super::error::{SessionError, malformed};
use super::super::outlet::Outlet;
use super::super::public::Feed;
use super::super::speaker::Speaker;
use super::super::tables::{self, SigningState, StoredSigning};
use super::ended::{self, Lingering};
use super::session::{Session, Shared};

/// What a processor says when a thing is due.
#[derive(Clone, Debug)]
pub struct Ready {
    /// The thing.
    pub id: SigningId,
    /// Block from which its party is drawn.
    pub reference: SeraiBlock,
    /// What it would sign.
    pub content: Content,
    /// Its first preprocess.
    pub preprocess: Shares,
}

impl Ready {
    fn parameters(&self, speaker: &Speaker, set: Set) -> Parameters {
        Parameters {
            genesis: speaker.genesis(),
            id: self.id,
            reference: self.reference,
            content: self.content.clone(),
            validators: set.validators,
            removed: set.removed,
            own: speaker.own(),
        }
    }
}

impl From<Ready> for Input {
    fn from(ready: Ready) -> Self {
        let Ready { id, reference, content, preprocess } = ready;
        Input::Processor(ProcessorMessage::Ready { id, reference, content, preprocess })
    }
}

struct Set {
    validators: Vec<ValidatorKey>,
    removed: Vec<ValidatorKey>,
}

/// A signing that takes too long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Late {
    /// The thing that is late for longest.
    pub id: SigningId,
    /// For how long.
    pub since: Duration,
    /// How many of the coin are late.
    pub count: usize,
    /// Whom it waits for.
    pub waiting_for: Vec<ValidatorKey>,
    /// What its processor refused last.
    pub refused: Option<String>,
}

/// All signings.
pub struct Signings {
    shared: Shared,
    /// Newest block at a restored state's first look.
    restored: Option<BlockNumber>,
    running: BTreeMap<SigningId, Session>,
    lingering: Lingering,
    /// In the order in which they became due.
    held: Vec<SigningId>,
    /// Those whose stored summary is older than their machine.
    changed: BTreeSet<SigningId>,
}

impl Signings {
    /// None yet; see [`Signings::resume`].
    pub fn new(speaker: Arc<Speaker>, feed: Feed, restored: Option<BlockNumber>) -> Self {
        let shared = Shared {
            speaker,
            feed,
            #[cfg(feature = "faults")]
            misbehaviour: super::super::faults::Misbehaviour::from_environment(),
        };
        Self {
            shared,
            restored,
            running: BTreeMap::new(),
            lingering: Lingering::default(),
            held: Vec::new(),
            changed: BTreeSet::new(),
        }
    }

    /// Rebuilds the machines that have not ended from their logs. Returns the clocks that they wait
    /// for.
    ///
    /// # Errors
    /// When the database fails or holds what this program did not write.
    pub fn resume(
        &mut self,
        database: &Database,
    ) -> Result<Vec<(SigningId, u64, Timer)>, SessionError> {
        let mut alarms = Vec::new();
        for stored in database.read(|c| Ok(tables::open_signings(c)))?? {
            let id = stored.id;
            if stored.state == SigningState::Held {
                self.held.push(id);
                continue;
            }
            let inputs: Vec<Input> =
                database.read(|c| Ok(tables::inputs(c, &id.to_string())))??;
            let parameters = parameters(&stored)?;
            let mut session = Session::new(parameters, self.restored)
                .map_err(|source| SessionError::Signing { id, source })?;
            session.replay(self.shared.speaker.own(), &inputs);
            tracing::info!(session = %id, inputs = inputs.len(), "session resumed from its log");
            alarms.extend(session.timers());
            self.running.insert(id, session);
        }
        Ok(alarms)
    }

    /// A thing is due. Payments of a coin that is paused are kept. Returns the reason where nothing
    /// can be begun.
    ///
    /// # Errors
    /// [`SessionError`].
    pub fn ready(
        &mut self,
        out: &mut Outlet<'_>,
        ready: Ready,
        paused: bool,
    ) -> Result<Option<String>, SessionError> {
        let id = ready.id;
        if let Some(state) = tables::signing_state(out.transaction, id)? {
            return self.ready_again(out, ready, state);
        }
        let Some(validators) = tables::set(out.transaction, id.set)? else {
            return Ok(Some(format!("{} was not read from Serai, {id} cannot begin", id.set)));
        };
        let removed = tables::removed(out.transaction, id.set)?;
        let set = Set { validators, removed };
        let parameters = ready.parameters(&self.shared.speaker, set);
        let session = match Session::new(parameters.clone(), self.restored) {
            Ok(session) => session,
            Err(error) => return Ok(Some(format!("{id} cannot begin: {error}"))),
        };
        let state = if paused { SigningState::Held } else { SigningState::Running };
        tables::insert_signing(
            out.transaction,
            &StoredSigning {
                id,
                state,
                parameters: encode(&parameters),
                digest: session.machine.digest(),
                summary: serde_json::to_string(&session.machine.summary())?,
                started_ms: now_ms(),
                ended_ms: None,
            },
        )?;
        if paused {
            tracing::warn!(session = session.text, "held: the coin's vaults are short");
            tables::append_input(out.transaction, &session.text, 0, &Input::from(ready))?;
            self.held.push(id);
            return Ok(None);
        }
        self.begin(out, session, ready.into())?;
        Ok(None)
    }

    /// A processor that has lost what it knew is ready again. It is given signatures that exist; a
    /// machine that runs goes on.
    fn ready_again(
        &mut self,
        out: &mut Outlet<'_>,
        ready: Ready,
        state: SigningState,
    ) -> Result<Option<String>, SessionError> {
        let id = ready.id;
        if let Some(ended) = tables::ended_signing(out.transaction, id)? {
            let signatures = ended.signatures;
            let sender = self.shared.speaker.own();
            let message = CoordinatorMessage::Signature { id, sender, signatures };
            out.send(Outgoing::Signing(&message))?;
        } else if state == SigningState::Running {
            let digest = ready.content.digest(&id, &ready.reference);
            let running = self.running.get(&id).map(|session| session.machine.digest());
            if running.is_some_and(|before| before != digest) {
                return Ok(Some(format!("{id} is being signed with another content")));
            }
            self.apply(out, id, ready.into())?;
        }
        Ok(None)
    }

    fn begin(
        &mut self,
        out: &mut Outlet<'_>,
        mut session: Session,
        ready: Input,
    ) -> Result<(), SessionError> {
        let id = session.id;
        out.wake.alarms.extend(session.timers());
        let parked = tables::take_parked(out.transaction, id)?;
        let inputs = std::iter::once(ready).chain(parked.into_iter().map(Input::Statement));
        session.feed(out, &self.shared, inputs)?;
        self.running.insert(id, session);
        self.settle(out, id)
    }

    /// Coins with payments that are held.
    pub fn held(&self) -> BTreeSet<Coin> {
        self.held.iter().map(|id| id.set.coin).collect()
    }

    /// Begins the held payments of a coin, in the order in which they became due.
    ///
    /// # Errors
    /// [`SessionError`].
    pub fn release(&mut self, out: &mut Outlet<'_>) -> Result<(), SessionError> {
        let coin = out.conversation.coin;
        let (released, held) =
            std::mem::take(&mut self.held).into_iter().partition(|id| id.set.coin == coin);
        self.held = held;
        let released: Vec<SigningId> = released;
        for id in released {
            let Some(stored) = tables::signing(out.transaction, id)? else { continue };
            let session = Session::new(parameters(&stored)?, self.restored)
                .map_err(|source| SessionError::Signing { id, source })?;
            let inputs: Vec<Input> = tables::inputs(out.transaction, &session.text)?;
            let Some(ready) = inputs.into_iter().next() else { continue };
            tables::delete_inputs(out.transaction, &session.text)?;
            tables::set_running(out.transaction, &session.text)?;
            self.begin(out, session, ready)?;
        }
        Ok(())
    }

    /// Feeds one input; nothing happens when the thing has no machine here.
    ///
    /// # Errors
    /// [`SessionError`]. The caller ends the process then: memory may be ahead of the database.
    pub fn apply(
        &mut self,
        out: &mut Outlet<'_>,
        id: SigningId,
        input: Input,
    ) -> Result<(), SessionError> {
        let running = self.running.get_mut(&id);
        let Some(session) = running.or_else(|| self.lingering.get_mut(id)) else { return Ok(()) };
        // Nobody is asked any more for what is on its chain.
        if session.overtaken && matches!(input, Input::Elapsed(_)) {
            return Ok(());
        }
        session.feed(out, &self.shared, [input])?;
        self.settle(out, id)
    }

    /// A peer's statement about a thing.
    ///
    /// # Errors
    /// [`SessionError`].
    pub fn hear(
        &mut self,
        out: &mut Outlet<'_>,
        statement: SignedStatement,
    ) -> Result<(), SessionError> {
        let Body::Signing(message) = &statement.statement.body else { return Ok(()) };
        let id = message.id();
        if self.running.contains_key(&id) {
            return self.apply(out, id, Input::Statement(statement));
        }
        if let Some(ended) = tables::ended_signing(out.transaction, id)? {
            if !ended::answer(out, &self.shared.speaker, &ended, &statement)? {
                self.apply(out, id, Input::Statement(statement))?;
            }
            return Ok(());
        }
        if tables::signing_state(out.transaction, id)? == Some(SigningState::Done) {
            return self.apply(out, id, Input::Statement(statement));
        }
        // A set that was not read from Serai yet may be one.
        for validator in [self.shared.speaker.own(), statement.signer] {
            if tables::is_member(out.transaction, id.set, &validator)? == Some(false) {
                return Ok(());
            }
        }
        tables::park(out.transaction, id, &statement)?;
        Ok(())
    }

    /// What became of a thing is on its chain: nobody's signature is waited for any more. The own
    /// processor, if it was late, does not sign it either.
    ///
    /// # Errors
    /// [`SessionError`].
    pub fn overtake(
        &mut self,
        transaction: &Transaction<'_>,
        is_over: impl Fn(SigningId) -> bool,
    ) -> Result<(), SessionError> {
        for id in self.held.extract_if(.., |id| is_over(*id)) {
            let text = id.to_string();
            tables::overtake_signing(transaction, &text, now_ms())?;
            tables::delete_inputs(transaction, &text)?;
            tables::forget_parked(transaction, id)?;
        }
        let over: Vec<_> = self.running.keys().copied().filter(|id| is_over(*id)).collect();
        for id in over {
            let Some(mut session) = self.running.remove(&id) else { continue };
            session.overtaken = true;
            store(transaction, &session)?;
            tables::overtake_signing(transaction, &session.text, now_ms())?;
            tables::delete_inputs(transaction, &session.text)?;
            tables::forget_parked(transaction, id)?;
            tracing::info!(session = session.text, "over: its outcome is on its chain");
            self.lingering.keep(session);
        }
        Ok(())
    }

    /// After inputs: a machine that is done gives up its place.
    fn settle(&mut self, out: &mut Outlet<'_>, id: SigningId) -> Result<(), SessionError> {
        if self.running.get(&id).is_some_and(|session| session.machine.is_done())
            && let Some(session) = self.running.remove(&id)
        {
            store(out.transaction, &session)?;
            self.lingering.keep(session);
        } else {
            self.changed.insert(id);
        }
        Ok(())
    }

    /// Stores the summaries of all that have changed: once, at the end of a transaction.
    ///
    /// # Errors
    /// [`SessionError`].
    pub fn store(&mut self, transaction: &Transaction<'_>) -> Result<(), SessionError> {
        for id in std::mem::take(&mut self.changed) {
            if let Some(session) = self.running.get(&id).or_else(|| self.lingering.get(id)) {
                store(transaction, session)?;
            }
        }
        Ok(())
    }

    /// Of each coin the signing that has run for longest, where that is longer than `patience`.
    pub fn late(&self, patience: Duration) -> Vec<Late> {
        let now = Instant::now();
        let mut oldest: BTreeMap<Coin, (&Session, usize)> = BTreeMap::new();
        for session in self.running.values() {
            if now.saturating_duration_since(session.since) < patience {
                continue;
            }
            let entry = oldest.entry(session.id.set.coin).or_insert((session, 0));
            entry.1 += 1;
            if session.since < entry.0.since {
                entry.0 = session;
            }
        }
        let late = oldest.into_values().map(|(session, count)| {
            let summary = session.machine.summary();
            Late {
                id: session.id,
                since: now.saturating_duration_since(session.since),
                count,
                waiting_for: summary.waiting_for,
                refused: summary.refused,
            }
        });
        late.collect()
    }
}

fn store(transaction: &Transaction<'_>, session: &Session) -> Result<(), SessionError> {
    let summary = session.machine.summary();
    let text = serde_json::to_string(&summary)?;
    tables::update_signing(transaction, &session.text, &text, summary.faults.len())?;
    Ok(())
}

fn parameters(stored: &StoredSigning) -> Result<Parameters, DatabaseError> {
    decode(&stored.parameters).map_err(|error| malformed("parameters of a signing", error))
}
