//! Tables of the signature process: [sets](insert_set), sessions ([key generations](insert_session),
//! [signings](insert_signing)) with their [logs](append_input), [vaults](insert_vault), and what waits
//! for a processor's key ([`keep_relayed`]) or for a set ([`keep_ready`]).
//!
//! # Limits
//! Of peers' statements for sessions that have not begun here each signer's are bounded
//! ([`keep_early`], [`park`]). A signing that has ended keeps a row of
//! about a kilobyte, with its signatures.

mod keygens;
mod log;
mod parked;
mod processors;
mod ready;
mod relayed;
mod sets;
mod signings;
mod vaults;

use serai_bus::{DatabaseError, Migration};
use serai_messages::{Coin, Session, ValidatorSet};

pub use keygens::{
    StoredSession, insert_session, keep_early, sessions, sets_without_session, take_early,
    update_session,
};
pub use log::{append_input, delete_inputs, inputs};
pub use parked::{forget_parked, park, parked, take_parked};
pub use processors::{processor_versions, set_processor_versions};
pub use ready::{keep_ready, take_ready};
pub use relayed::{forget_relayed, keep_relayed, take_relayed};
pub use sets::{KnownSet, insert_removed, insert_set, is_member, removed, set, sets};
pub use signings::{
    Ended, SigningState, StoredSigning, counts, end_signing, ended_signing, ended_signings,
    faulty_signings, insert_signing, open_signings, overtake_signing, set_running, signing,
    signing_state, update_signing,
};
pub use vaults::{
    halt, hand_over, insert_vault, retire, set_halt, vault_keys, vault_state, vaults,
};

/// The tables.
pub const MIGRATION: Migration = Migration {
    component: "signature",
    steps: &[
        "CREATE TABLE sets (
            coin INTEGER NOT NULL, session INTEGER NOT NULL, block INTEGER NOT NULL,
            members BLOB NOT NULL, PRIMARY KEY (coin, session)) STRICT;
        CREATE TABLE sessions (
            id TEXT PRIMARY KEY, coin INTEGER NOT NULL, session INTEGER NOT NULL,
            parameters BLOB NOT NULL, summary TEXT NOT NULL, done INTEGER NOT NULL,
            started_ms INTEGER NOT NULL, ended_ms INTEGER) STRICT;
        CREATE TABLE inputs (
            id TEXT NOT NULL, number INTEGER NOT NULL, input BLOB NOT NULL,
            PRIMARY KEY (id, number)) STRICT, WITHOUT ROWID;
        CREATE TABLE early_statements (
            row INTEGER PRIMARY KEY AUTOINCREMENT, coin INTEGER NOT NULL,
            session INTEGER NOT NULL, signer BLOB NOT NULL, statement BLOB NOT NULL) STRICT;
        CREATE TABLE vaults (
            coin INTEGER NOT NULL, session INTEGER NOT NULL, key_pair BLOB NOT NULL,
            state TEXT NOT NULL, block INTEGER NOT NULL,
            PRIMARY KEY (coin, session)) STRICT;",
        "CREATE TABLE removed (
            coin INTEGER NOT NULL, session INTEGER NOT NULL, validator BLOB NOT NULL,
            PRIMARY KEY (coin, session, validator)) STRICT, WITHOUT ROWID;
        CREATE TABLE relayed (
            row INTEGER PRIMARY KEY AUTOINCREMENT, coin INTEGER NOT NULL,
            message BLOB NOT NULL) STRICT;
        CREATE TABLE halts (coin INTEGER PRIMARY KEY, reason TEXT NOT NULL) STRICT;
        CREATE TABLE signings (
            row INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
            coin INTEGER NOT NULL, session INTEGER NOT NULL, state TEXT NOT NULL,
            parameters BLOB NOT NULL, digest BLOB NOT NULL, signatures BLOB,
            summary TEXT NOT NULL, faults INTEGER NOT NULL,
            started_ms INTEGER NOT NULL, ended_ms INTEGER) STRICT;
        CREATE INDEX signings_by_state ON signings (state, row);
        CREATE INDEX signings_with_faults ON signings (row) WHERE faults > 0;
        CREATE TABLE parked_statements (
            row INTEGER PRIMARY KEY AUTOINCREMENT, coin INTEGER NOT NULL, signer BLOB NOT NULL,
            id TEXT NOT NULL, size INTEGER NOT NULL, statement BLOB NOT NULL) STRICT;
        CREATE INDEX parked_by_signer ON parked_statements (coin, signer, row, size);
        CREATE INDEX parked_by_id ON parked_statements (id, row);",
        "CREATE TABLE early_ready (
            row INTEGER PRIMARY KEY AUTOINCREMENT, coin INTEGER NOT NULL,
            session INTEGER NOT NULL, message BLOB NOT NULL) STRICT;",
        "CREATE TABLE processor_versions (
            coin INTEGER PRIMARY KEY, oldest INTEGER NOT NULL,
            newest INTEGER NOT NULL) STRICT;",
    ],
};

fn set_of(coin: u8, session: u32) -> Result<ValidatorSet, DatabaseError> {
    let coin = Coin::from_network_id(coin).ok_or_else(|| DatabaseError::Malformed {
        what: "network id",
        reason: format!("{coin} is no external network"),
    })?;
    Ok(ValidatorSet { coin, session: Session(session) })
}

pub(super) fn malformed<E: std::fmt::Display>(what: &'static str) -> impl Fn(E) -> DatabaseError {
    move |error| DatabaseError::Malformed { what, reason: error.to_string() }
}

fn malformed_row(what: &'static str) -> impl Fn(rusqlite::Error) -> DatabaseError {
    malformed(what)
}
