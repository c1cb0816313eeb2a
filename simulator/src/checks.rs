//! What must hold at every moment, whoever lies and whatever is lost.

use std::collections::{BTreeMap, BTreeSet};

use serai_bus::DatabaseError;
use serai_coordinator::processes::network::driven as network;
use serai_messages::keygen::digest;
use serai_messages::signing::PeerMessage as Signing;
use serai_messages::{Body, Incarnation, Sequence, SignedStatement, ValidatorKey, decode};

use crate::node::Node;

/// Faults that say no more than that somebody was not there in time.
const ABSENCE: [&str; 3] = ["silent", "left-out", "undisclosed"];

/// What was said so far.
#[derive(Default)]
pub struct Checks {
    honest: BTreeSet<ValidatorKey>,
    /// Bodies that were looked at.
    looked_at: BTreeSet<[u8; 32]>,
    /// By signer and slot.
    said: BTreeMap<(ValidatorKey, String), [u8; 32]>,
    /// Sessions, with the preprocess of each member.
    opens: BTreeMap<[u8; 32], BTreeMap<ValidatorKey, [u8; 32]>>,
    /// In which session an honest member has signed with a preprocess.
    signed: BTreeMap<(ValidatorKey, [u8; 32]), [u8; 32]>,
    /// Shares whose session was not seen yet.
    early: Vec<(ValidatorKey, [u8; 32])>,
    /// What a receiver has told a sender that it holds.
    acknowledged: BTreeMap<(usize, usize), (Incarnation, Sequence)>,
}

impl Checks {
    /// These are honest.
    pub fn new(honest: BTreeSet<ValidatorKey>) -> Self {
        Self { honest, ..Self::default() }
    }

    /// A statement has reached somebody.
    ///
    /// # Errors
    /// The rule that its signer has broken, if it is honest.
    pub fn hear(&mut self, body: &[u8]) -> Result<(), String> {
        if !self.looked_at.insert(digest(b"simulator-body", &body)) {
            return Ok(());
        }
        let Ok(statement) = decode::<SignedStatement>(body) else { return Ok(()) };
        let signer = statement.signer;
        if self.honest.contains(&signer)
            && let Some(slot) = statement.statement.body.slot()
        {
            let said = statement.digest();
            let before = *self.said.entry((signer, slot.clone())).or_insert(said);
            if before != said {
                return Err(format!("honest {signer} said two things in {slot}"));
            }
        }
        let Body::Signing(message) = &statement.statement.body else { return Ok(()) };
        match message {
            Signing::Open { members, .. } => {
                let open = statement.digest();
                let mut preprocesses = BTreeMap::new();
                for member in members.iter().filter_map(|member| member.open().ok()) {
                    if let Body::Signing(Signing::Preprocess { preprocess, .. }) =
                        &member.statement.body
                    {
                        preprocesses.insert(member.signer, digest(b"preprocess", preprocess));
                    }
                }
                self.opens.insert(open, preprocesses);
                // Who opens a session signs in it.
                self.sign(signer, open)?;
                for (signer, of) in std::mem::take(&mut self.early) {
                    if of == open { self.sign(signer, of)? } else { self.early.push((signer, of)) }
                }
                Ok(())
            }
            Signing::Share { open, .. } => {
                if self.opens.contains_key(open) {
                    return self.sign(signer, *open);
                }
                self.early.push((signer, *open));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn sign(&mut self, signer: ValidatorKey, open: [u8; 32]) -> Result<(), String> {
        let preprocess = self.opens.get(&open).and_then(|members| members.get(&signer)).copied();
        let Some(preprocess) = preprocess.filter(|_| self.honest.contains(&signer)) else {
            return Ok(());
        };
        let first = *self.signed.entry((signer, preprocess)).or_insert(open);
        if first == open {
            return Ok(());
        }
        Err(format!(
            "honest {signer} signed with one preprocess in two sessions, {} and {}",
            hex::encode(&first[..8]),
            hex::encode(&open[..8])
        ))
    }

    /// `receiver` has told `sender` how far it holds its statements.
    pub fn acknowledge(
        &mut self,
        receiver: usize,
        sender: usize,
        through: (Incarnation, Sequence),
    ) {
        let known = self.acknowledged.entry((receiver, sender)).or_insert(through);
        *known = (*known).max(through);
    }

    /// A receiver's state was replaced by an older one: what it has acknowledged it need not hold.
    pub fn forget(&mut self, receiver: usize) {
        self.acknowledged.retain(|(of, _), _| *of != receiver);
    }

    /// A receiver has started again: it holds what it has acknowledged.
    ///
    /// # Errors
    /// The database's; the inner one is the rule that was broken.
    pub fn holds(
        &self,
        receiver: usize,
        nodes: &[Node],
    ) -> Result<Result<(), String>, DatabaseError> {
        let Some(node) = nodes.get(receiver) else { return Ok(Ok(())) };
        for ((of, sender), told) in &self.acknowledged {
            let Some(peer) = nodes.get(*sender).filter(|_| *of == receiver) else { continue };
            let held = network::accepted(&node.database, peer.key)?;
            if held.is_none_or(|held| held < *told) {
                return Ok(Err(format!(
                    "{} has acknowledged statements of {} up to {} and does not hold them",
                    node.name, peer.name, told.1
                )));
            }
        }
        Ok(Ok(()))
    }

    /// Nobody honest is accused of more than absence by somebody honest.
    ///
    /// # Errors
    /// The database's; the inner one is the rule that was broken.
    pub fn accusations(&self, nodes: &[Node]) -> Result<Result<(), String>, DatabaseError> {
        for node in nodes.iter().filter(|node| self.honest.contains(&node.key)) {
            let Some(coordinator) = &node.coordinator else { continue };
            let sessions = coordinator.sessions()?;
            for session in sessions.as_array().into_iter().flatten() {
                for fault in session["faults"].as_array().into_iter().flatten() {
                    let kind = fault["kind"].as_str().unwrap_or_default();
                    let accused = fault["accused"].as_str().and_then(|key| key.parse().ok());
                    if !ABSENCE.contains(&kind)
                        && accused.is_none_or(|key: ValidatorKey| self.honest.contains(&key))
                    {
                        let (who, id) = (&node.name, &session["id"]);
                        return Ok(Err(format!("{who} accuses somebody honest in {id}: {fault}")));
                    }
                }
            }
        }
        Ok(Ok(()))
    }
}
