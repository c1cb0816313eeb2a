//! Misbehaviour on demand, for tests of others' defences. Compiled with the feature `faults` alone,
//! which no program that is shipped turns on.

use serai_messages::Participant;

/// What the processor does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misbehaviour {
    /// `bad-share:N`: sends member N a share that decrypts and does not verify.
    BadShare(Participant),
    /// `bad-proof-share`: sends a share of the proving signature that does not verify, and completes
    /// no signature itself.
    BadProofShare,
}

/// Environment variable that names the misbehaviour.
pub const VARIABLE: &str = "SERAI_PROCESSOR_FAULT";

impl std::str::FromStr for Misbehaviour {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            None if text == "bad-proof-share" => Ok(Misbehaviour::BadProofShare),
            Some(("bad-share", participant)) => participant
                .parse()
                .map(|number| Misbehaviour::BadShare(Participant(number)))
                .map_err(|error| format!("{VARIABLE}={text}: {error}")),
            _ => Err(format!("{VARIABLE}={text}: expected bad-share:N or bad-proof-share")),
        }
    }
}

/// What the environment asks for.
///
/// # Errors
/// A sentence when it asks for something unknown.
pub fn from_environment() -> Result<Option<Misbehaviour>, String> {
    match std::env::var(VARIABLE) {
        Ok(text) => text.parse().map(Some),
        Err(_) => Ok(None),
    }
}
