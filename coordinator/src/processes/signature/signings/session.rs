//! One signing: its machine, its log, and what becomes of its effects.

use std::collections::VecDeque;
use std::time::Instant;

use serai_messages::observation::Event;
use serai_messages::signing::{Content, CoordinatorMessage, PeerMessage, SigningId, Thing};
use serai_messages::{BlockNumber, Body, SignatureBytes, SignedStatement, ValidatorKey};
use serai_protocol::signing::{Effect, Fault, Input, Parameters, Signing, Timer};

use super::super::clock::now_ms;
use super::super::conversation::Outgoing;
use super::super::error::SessionError;
use super::super::outlet::Outlet;
use super::super::public::{Feed, Signed};
use super::super::quota::{Quota, Share};
use super::super::speaker::Speaker;
use super::super::tables;

/// What a signing's log takes of one signer beside the own validator, which speaks when it is spoken
/// to. An honest one says some statements in each session, of which there are fewer than validators, and
/// asks again ever more seldom.
const SHARE: Share = Share { statements: 2_000, bytes: 16 * 1024 * 1024 };

/// What all signings share.
pub struct Shared {
    /// Signs and sends.
    pub speaker: std::sync::Arc<Speaker>,
    /// The public feed.
    pub feed: Feed,
    /// What this coordinator does wrong.
    #[cfg(feature = "faults")]
    pub misbehaviour: super::super::faults::Misbehaviour,
}

/// A signing with its machine.
pub struct Session {
    /// The thing.
    pub id: SigningId,
    /// The id as stored and shown.
    pub text: String,
    /// The pure machine.
    pub machine: Signing,
    /// When this program began or resumed it.
    pub since: Instant,
    reference: serai_messages::observation::SeraiBlock,
    content: Content,
    /// Validators that hold a share.
    holders: Vec<ValidatorKey>,
    /// The own processor was given signatures that another opener made.
    given: bool,
    /// Its outcome is on its chain, whether or not the signatures are known here.
    pub overtaken: bool,
    /// Inputs in the log.
    inputs: u64,
    quota: Quota,
}

impl Session {
    /// A machine that has learned nothing yet. In a state that was restored when Serai had come to
    /// `restored`, it opens no session of a thing of before.
    ///
    /// # Errors
    /// When nothing can be signed with these parameters.
    pub fn new(
        parameters: Parameters,
        restored: Option<BlockNumber>,
    ) -> Result<Self, serai_protocol::signing::InvalidParameters> {
        // Its clocks are those that it tells of.
        let (mut machine, _) = Signing::new(parameters.clone())?;
        if restored.is_some_and(|restored| parameters.reference.number <= restored) {
            machine.abstain();
        }
        let removed = parameters.removed;
        Ok(Self {
            id: parameters.id,
            text: parameters.id.to_string(),
            machine,
            since: Instant::now(),
            reference: parameters.reference,
            content: parameters.content,
            holders: parameters.validators.into_iter().filter(|v| !removed.contains(v)).collect(),
            given: false,
            overtaken: false,
            inputs: 0,
            quota: Quota::new(SHARE),
        })
    }

    /// Learns again what is in its log. The effects were stored when it learned it first.
    pub fn replay(&mut self, own: ValidatorKey, inputs: &[Input]) {
        for input in inputs {
            self.within(own, input);
            for effect in self.machine.handle(input) {
                self.given |= gives(&effect);
            }
            self.inputs += 1;
        }
    }

    /// The clocks that it waits for: thing, delay in milliseconds, which.
    pub fn timers(&self) -> impl Iterator<Item = (SigningId, u64, Timer)> {
        let id = self.id;
        self.machine.timers().into_iter().map(move |(delay_ms, timer)| (id, delay_ms, timer))
    }

    /// Feeds inputs, in order, and what follows from them.
    ///
    /// # Errors
    /// [`SessionError`].
    pub fn feed(
        &mut self,
        out: &mut Outlet<'_>,
        shared: &Shared,
        inputs: impl IntoIterator<Item = Input>,
    ) -> Result<(), SessionError> {
        let own = shared.speaker.own();
        let mut queue: VecDeque<Input> = inputs.into_iter().collect();
        while let Some(input) = queue.pop_front() {
            if !self.within(own, &input) {
                tracing::warn!(session = self.text, "a signer's share of the log is used up");
                continue;
            }
            // What has ended is not made again from its log.
            if !self.machine.is_done() && !self.overtaken {
                tables::append_input(out.transaction, &self.text, self.inputs, &input)?;
                self.inputs += 1;
            }
            let effects = self.machine.handle(&input);
            self.carry_out(out, shared, effects, &mut queue)?;
        }
        Ok(())
    }

    /// Counts a statement towards its signer's share of the log; whether the input still fits. Who holds
    /// no share of the vault has none of the log.
    fn within(&mut self, own: ValidatorKey, input: &Input) -> bool {
        match input {
            Input::Statement(statement) if statement.signer != own => {
                self.holders.contains(&statement.signer) && self.quota.admits(statement)
            }
            _ => true,
        }
    }

    fn carry_out(
        &mut self,
        out: &mut Outlet<'_>,
        shared: &Shared,
        effects: Vec<Effect>,
        queue: &mut VecDeque<Input>,
    ) -> Result<(), SessionError> {
        // The same said to several is signed once, and comes back once.
        let mut said: Option<(PeerMessage, SignedStatement)> = None;
        let transaction = out.transaction;
        let mut sign = |message: PeerMessage, queue: &mut VecDeque<Input>| match &said {
            Some((before, statement)) if *before == message => Ok(statement.clone()),
            _ => {
                let body = Body::Signing(message.clone());
                let statement = shared.speaker.sign(transaction, body)?;
                queue.push_back(Input::Statement(statement.clone()));
                said = Some((message, statement.clone()));
                Ok::<_, SessionError>(statement)
            }
        };
        for effect in effects {
            self.given |= gives(&effect);
            match effect {
                Effect::Say(message) => {
                    let statement = sign(message, queue)?;
                    for validator in &self.holders {
                        post(out, shared, *validator, &statement)?;
                    }
                }
                Effect::Tell(to, message) => {
                    let statement = sign(message, queue)?;
                    post(out, shared, to, &statement)?;
                }
                Effect::ToProcessor(message) => {
                    #[cfg(feature = "faults")]
                    if shared.misbehaviour.withholds(&message) {
                        continue;
                    }
                    out.send(Outgoing::Signing(&message))?;
                }
                Effect::After { delay_ms, timer } => {
                    out.wake.alarms.push((self.id, delay_ms, timer));
                }
                Effect::Fault(fault) => self.note_fault(&fault),
                Effect::Done { signatures } => self.end(out, shared, signatures)?,
            }
        }
        Ok(())
    }

    fn note_fault(&self, fault: &Fault) {
        tracing::warn!(
            session = self.text,
            accused = %fault.accused,
            what = %fault.kind,
            "a validator is at fault"
        );
    }

    /// The signatures are there. Those of a batch or slash report go to Serai, by observation; a
    /// transaction's processor publishes it by itself.
    fn end(
        &self,
        out: &mut Outlet<'_>,
        shared: &Shared,
        signatures: Vec<SignatureBytes>,
    ) -> Result<(), SessionError> {
        tables::end_signing(out.transaction, &self.text, &signatures, now_ms())?;
        tables::delete_inputs(out.transaction, &self.text)?;
        tables::forget_parked(out.transaction, self.id)?;
        match (self.to_submit(&signatures), &self.content) {
            (Some(event), _) => {
                shared.speaker.record(out.transaction, &event)?;
                out.wake.serai = true;
            }
            (None, Content::Transaction { .. }) => {}
            (None, _) => tracing::error!(
                session = self.text,
                signatures = signatures.len(),
                "what was signed is not what the thing's name says; nothing is submitted"
            ),
        }
        let summary = self.machine.summary();
        let party = self.machine.signed_by().filter(|_| !self.given);
        shared.feed.signed(
            out.transaction,
            &Signed {
                id: self.id,
                reference: self.reference,
                party: party.as_deref(),
                sessions: summary.seen,
                signatures: &signatures,
            },
        )?;
        out.wake.public = true;
        tracing::info!(session = self.text, sessions = summary.seen, "signed");
        Ok(())
    }

    fn to_submit(&self, signatures: &[SignatureBytes]) -> Option<Event> {
        let set = self.id.set;
        let [signature] = *signatures else { return None };
        match (self.id.thing, &self.content) {
            (Thing::Batch(id), Content::Batch { batch }) => {
                Some(Event::Batch { set, id, batch: batch.clone(), signature })
            }
            (Thing::Slashes, Content::Slashes { report }) => {
                Some(Event::SlashReport { set, report: report.clone(), signature })
            }
            _ => None,
        }
    }
}

/// Whether signatures of another opener are given to the own processor.
fn gives(effect: &Effect) -> bool {
    matches!(effect, Effect::ToProcessor(CoordinatorMessage::Signature { .. }))
}

fn post(
    out: &mut Outlet<'_>,
    shared: &Shared,
    to: ValidatorKey,
    statement: &SignedStatement,
) -> Result<(), SessionError> {
    #[cfg(feature = "faults")]
    if let Some(message) = shared.misbehaviour.other_content(statement) {
        let other = shared.speaker.sign(out.transaction, Body::Signing(message))?;
        shared.speaker.post(out.transaction, to, &other)?;
        out.wake.network = true;
        return Ok(());
    }
    shared.speaker.post(out.transaction, to, statement)?;
    out.wake.network = true;
    Ok(())
}
