//! Which message version is spoken: with peers, of each set, and with processors.
//!
//! # Promises
//! A set is spoken to in the newest version that all of its members are known to speak. A validator
//! speaks what its coordinator and all of its processors speak, for statements go on to processors; of
//! who has said nothing, and of a processor that was not heard yet, the oldest is assumed. So nobody is
//! told what it does not understand, and an upgrade counts once it has been heard of.
//!
//! # Limits
//! Who speaks none of the versions of this coordinator holds nobody back: it is left out.

use rusqlite::{Connection, Transaction};
use serai_bus::DatabaseError;
use serai_messages::{Coin, ValidatorKey, ValidatorSet, Versions};
use serde_json::{Value, json};

use super::tables;
use crate::processes::network;

/// What this program speaks, and the coins whose processors must understand it.
#[derive(Clone, Debug)]
pub struct Spoken {
    /// Versions of this program.
    pub program: Versions,
    /// Coins enabled here.
    pub coins: Vec<Coin>,
}

/// How a set is spoken to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// The version.
    pub version: u16,
    /// Members that keep it from being the newest of this program.
    pub held_back_by: Vec<ValidatorKey>,
    /// Members that do not speak it.
    pub left_out: Vec<ValidatorKey>,
}

impl Spoken {
    /// Whether there is nothing to choose.
    pub fn is_single(&self) -> bool {
        self.program.oldest == self.program.newest
    }

    /// What peers are told: versions of this program that its processors speak as well. A processor
    /// that speaks none of them is told nothing.
    ///
    /// # Errors
    /// SQLite's.
    pub fn announced(&self, connection: &Connection) -> rusqlite::Result<Versions> {
        let mut announced = self.program;
        if self.is_single() {
            return Ok(announced);
        }
        for coin in &self.coins {
            let speaks = tables::processor_versions(connection, *coin)?;
            let speaks = speaks.unwrap_or(Versions::only(self.program.oldest));
            announced = announced.common(speaks).unwrap_or(announced);
        }
        Ok(announced)
    }

    /// The version in which `own` speaks to a set.
    ///
    /// # Errors
    /// The database's.
    pub fn with(
        &self,
        connection: &Connection,
        own: ValidatorKey,
        set: ValidatorSet,
    ) -> Result<u16, DatabaseError> {
        if self.is_single() {
            return Ok(self.program.newest);
        }
        Ok(self.choose(connection, own, set)?.version)
    }

    fn choose(
        &self,
        connection: &Connection,
        own: ValidatorKey,
        set: ValidatorSet,
    ) -> Result<Chosen, DatabaseError> {
        let query = tables::malformed("message versions");
        let announced = self.announced(connection).map_err(&query)?;
        let known = network::tables::versions(connection).map_err(&query)?;
        let members = tables::set(connection, set)?.unwrap_or_default();
        let members: Vec<_> = members
            .into_iter()
            .map(|member| match known.get(&member) {
                _ if member == own => (member, announced),
                Some(speaks) => (member, *speaks),
                None => (member, Versions::only(self.program.oldest)),
            })
            .collect();
        let ranges: Vec<_> = members.iter().map(|(_, speaks)| *speaks).collect();
        let version = announced.choose(&ranges);
        let those = |is_one: &dyn Fn(Versions) -> bool| {
            members
                .iter()
                .filter(|(_, speaks)| is_one(*speaks))
                .map(|(member, _)| *member)
                .collect()
        };
        let newest = self.program.newest;
        Ok(Chosen {
            version,
            held_back_by: those(&|speaks| version != newest && speaks.newest < newest),
            left_out: those(&|speaks| !speaks.contains(version)),
        })
    }

    /// For `status`: what is spoken with peers, with each set of this validator that is not retired,
    /// and with each processor.
    ///
    /// # Errors
    /// The database's.
    pub fn show(&self, connection: &Connection, own: ValidatorKey) -> Result<Value, DatabaseError> {
        let query = tables::malformed("message versions");
        let mut sets = Vec::new();
        for known in tables::sets(connection)? {
            let retired = tables::vault_state(connection, known.set).map_err(&query)?;
            let is_member = known.members.iter().any(|member| member.validator == own);
            if !is_member || retired.as_deref() == Some("retired") {
                continue;
            }
            let Chosen { version, held_back_by, left_out } =
                self.choose(connection, own, known.set)?;
            sets.push(json!({
                "set": known.set.to_string(),
                "version": version,
                "held_back_by": held_back_by,
                "left_out": left_out,
            }));
        }
        let mut processors = Vec::new();
        for coin in &self.coins {
            let speaks = tables::processor_versions(connection, *coin).map_err(&query)?;
            processors.push(json!({"coin": coin, "speaks": speaks}));
        }
        Ok(json!({
            "speaks": self.program,
            "announces": self.announced(connection).map_err(&query)?,
            "sets": sets,
            "processors": processors,
        }))
    }
}

/// Remembers what a processor speaks; whether that is news.
///
/// # Errors
/// SQLite's.
pub fn hear(transaction: &Transaction<'_>, coin: Coin, speaks: Versions) -> rusqlite::Result<bool> {
    let changed = tables::processor_versions(transaction, coin)? != Some(speaks);
    if changed {
        tables::set_processor_versions(transaction, coin, speaks)?;
    }
    Ok(changed)
}
