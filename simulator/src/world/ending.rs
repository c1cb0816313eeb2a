//! Whether all is done, and what must hold then.

use std::collections::BTreeSet;

use serai_messages::observation::Event;
use serai_messages::{ValidatorKey, threshold};
use serai_processor::keystore;

use super::{SET, World};
use crate::node::{Broken, Node};

impl World {
    /// Everything is done: what must hold in the end.
    pub(super) fn end(&mut self) -> Result<(), Broken> {
        self.checks.accusations(&self.nodes)?.map_err(Broken::Violation)?;
        let keys = self.chain.keys.get(&SET);
        for (index, node) in self.nodes.iter().enumerate() {
            if self.adversaries.contains_key(&index) {
                continue;
            }
            let vault = node.processor_database.read(|c| keystore::confirmed(c, SET))?;
            if let Some(vault) = vault
                && Some(&vault.key_pair) != keys
            {
                let what = format!("{} holds shares of other keys than the vault's", node.name);
                return Err(Broken::Violation(what));
            }
        }
        for item in &self.things {
            if let Some(number) = item.batch()
                && !self.short_of_signers()
                && !self.chain.executed.contains_key(&(SET, number))
            {
                let what = format!("batch {number} is signed and was never submitted");
                return Err(Broken::Violation(what));
            }
        }
        Ok(())
    }

    pub(super) fn is_done(&self) -> Result<bool, Broken> {
        if self.now < self.heal_at || self.things.len() < self.options.things as usize {
            return Ok(false);
        }
        if self.short_of_signers() {
            return Ok(true);
        }
        for (index, node) in self.nodes.iter().enumerate() {
            if !self.adversaries.contains_key(&index) && signed(node)? < self.expected(node)? {
                return Ok(false);
            }
        }
        Ok(self.outcome.keys_at > 0)
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

    /// How many things a node should have: none where it holds no share of the vault.
    pub(super) fn expected(&self, node: &Node) -> Result<usize, Broken> {
        let held = node.processor_database.read(|c| keystore::confirmed(c, SET))?;
        let without = self.removed().contains(&node.key) && held.is_none();
        Ok(if without { 0 } else { self.things.len() })
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
