//! Whether all is done, and what must hold then.

use std::collections::BTreeSet;

use serai_coordinator::processes::signature::driven as coordinator;
use serai_messages::keygen::KeyKind;
use serai_messages::observation::Event;
use serai_messages::signing::Content;
use serai_messages::{SignatureBytes, ValidatorKey, threshold};
use serai_processor::chain::ToSign;
use serai_processor::keystore;

use super::{SET, World};
use crate::chain::BLOCK_MS;
use crate::node::{Broken, Node};
use crate::things::Item;

/// Time that a vault without enough honest holders is watched, in milliseconds.
const SHORT_MS: u64 = 240_000;

impl World {
    /// Everything is done: what must hold in the end.
    pub(super) fn end(&mut self) -> Result<(), Broken> {
        self.checks.accusations(&self.nodes)?.map_err(Broken::Violation)?;
        let removed = self.removed();
        for (index, node) in self.nodes.iter().enumerate() {
            if self.adversaries.contains_key(&index) {
                continue;
            }
            let vault = node.processor_database.read(|c| keystore::confirmed(c, SET))?;
            let held = vault.map(|vault| vault.key_pair);
            let right = match &held {
                Some(_) => held.as_ref() == self.chain.keys.get(&SET),
                None => removed.contains(&node.key),
            };
            if !right {
                let what = format!("{} does not hold a share of the vault's keys", node.name);
                return Err(Broken::Violation(what));
            }
            self.verify_signatures(node)?;
        }
        for item in &self.things {
            if let Some(number) = item.batch()
                && !self.short_of_signers()
                && !self.chain.executed.contains(&(SET, number))
            {
                let what = format!("batch {number} is signed and was never submitted");
                return Err(Broken::Violation(what));
            }
        }
        Ok(())
    }

    /// What a node takes for signatures is signatures.
    fn verify_signatures(&self, node: &Node) -> Result<(), Broken> {
        for Item { due } in &self.things {
            let Some(signatures) = coordinator::signatures(&node.database, due.id)? else {
                continue;
            };
            let key = match due.content {
                Content::Transaction { .. } => KeyKind::External,
                Content::Batch { .. } | Content::Slashes { .. } => KeyKind::Ristretto,
            };
            let verifies = |(message, signature): (&ToSign, &SignatureBytes)| {
                self.chain.verifies(SET, key, &message.bytes, &signature.0)
            };
            let all = due.messages.len() == signatures.len();
            if !all || !due.messages.iter().zip(&signatures).all(verifies) {
                let what = format!("{} has signatures of {} that are none", node.name, due.id);
                return Err(Broken::Violation(what));
            }
        }
        Ok(())
    }

    /// Whether all is done that is to be: shares are held, and what is due is signed where it can be.
    pub(super) fn is_done(&self) -> Result<bool, Broken> {
        let waits = self.now < self.heal_at || self.restores;
        if waits || self.outcome.keys_at == 0 {
            return Ok(false);
        }
        let short = self.short_of_signers();
        // What comes of it shows after a while only.
        if short && self.now < self.outcome.keys_at * BLOCK_MS + SHORT_MS {
            return Ok(false);
        }
        let removed = self.removed();
        for (index, node) in self.nodes.iter().enumerate() {
            if self.adversaries.contains_key(&index) {
                continue;
            }
            let held = node.processor_database.read(|c| keystore::confirmed(c, SET))?;
            let expected = if short { 0 } else { self.things.len() };
            let done = match held {
                Some(_) => signed(node)? >= expected,
                None => removed.contains(&node.key),
            };
            if !done {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether honest holders of shares alone cannot sign: who was away when the keys were made holds
    /// none, and liars do. Nothing need be signed then; what is, must be right.
    pub(super) fn short_of_signers(&self) -> bool {
        let removed = self.removed();
        let holds = |index: usize| {
            let key = self.nodes.get(index).map(|node| node.key);
            !self.adversaries.contains_key(&index) && key.is_some_and(|key| !removed.contains(&key))
        };
        let honest = (0..self.nodes.len()).filter(|index| holds(*index)).count();
        honest < usize::from(threshold(self.nodes.len() as u16))
    }

    /// Validators without a share of the vault.
    pub(super) fn removed(&self) -> BTreeSet<ValidatorKey> {
        let events = self.chain.blocks.iter().flat_map(|(_, events)| events);
        let removed = events.filter_map(|event| match event {
            Event::ParticipantRemoved { removed, .. } => Some(*removed),
            _ => None,
        });
        removed.collect()
    }

    pub(super) fn missing(&self) -> Result<String, Broken> {
        let mut text = format!("after {} ms not all is done:", self.now);
        if self.outcome.keys_at == 0 {
            text.push_str(" there are no keys;");
        }
        for (index, node) in self.nodes.iter().enumerate() {
            let liar = if self.adversaries.contains_key(&index) { " (liar)" } else { "" };
            let signed = signed(node)?;
            text.push_str(&format!(
                " {}{liar} has signed {signed} of {},",
                node.name,
                self.things.len()
            ));
            if let Some(coordinator) = &node.coordinator
                && liar.is_empty()
            {
                for session in coordinator.sessions()?.as_array().into_iter().flatten() {
                    if session["done"] == false {
                        text.push_str(&format!("\n  {}: {session}", node.name));
                    }
                }
            }
        }
        Ok(text)
    }
}

/// Things that a coordinator has signed.
fn signed(node: &Node) -> Result<usize, Broken> {
    let count = node.database.read(|connection| {
        let sql = "SELECT count(*) FROM signings WHERE state = 'done'";
        connection.query_row(sql, (), |row| row.get::<_, i64>(0))
    })?;
    Ok(usize::try_from(count).unwrap_or_default())
}
