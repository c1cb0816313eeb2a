//! Misbehaviour on demand, for tests of others' defences; and other message versions, for tests of
//! upgrades. Compiled with the feature `faults` alone, which no program that is shipped turns on.

use serai_messages::{InvalidVersions, Participant, Versions};

/// What the processor does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misbehaviour {
    /// `bad-share:N`: sends member N a share that decrypts and does not verify.
    BadShare(Participant),
    /// `bad-proof-share`: sends a share of the proving signature that does not verify, and completes
    /// no signature itself.
    BadProofShare,
    /// `bad-signature-share`: signs every batch and payment with a share that does not verify.
    BadSignatureShare,
    /// `other-content`: works out another content of everything that is signed, says so, and signs it.
    OtherContent,
}

/// Environment variable that names the misbehaviour.
pub const VARIABLE: &str = "SERAI_PROCESSOR_FAULT";

impl std::str::FromStr for Misbehaviour {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            None if text == "bad-proof-share" => Ok(Misbehaviour::BadProofShare),
            None if text == "bad-signature-share" => Ok(Misbehaviour::BadSignatureShare),
            None if text == "other-content" => Ok(Misbehaviour::OtherContent),
            Some(("bad-share", participant)) => participant
                .parse()
                .map(|number| Misbehaviour::BadShare(Participant(number)))
                .map_err(|error| format!("{VARIABLE}={text}: {error}")),
            _ => Err(format!(
                "{VARIABLE}={text}: expected bad-share:N, bad-proof-share, bad-signature-share or \
                 other-content"
            )),
        }
    }
}

/// Environment variable that says which message versions this program speaks, for example `1..2`.
pub const SPEAKS: &str = "SERAI_MESSAGES_SPEAKS";

/// The message versions that the environment asks for.
///
/// # Errors
/// A sentence when they are none.
pub fn versions_from_environment() -> Result<Option<Versions>, String> {
    let Ok(asked) = std::env::var(SPEAKS) else { return Ok(None) };
    let parsed = asked.parse().map(Some);
    parsed.map_err(|error: InvalidVersions| format!("{SPEAKS}: {error}"))
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

/// The share that is given in place of a signature's, one off in each of its scalars.
pub(crate) fn spoil(
    fault: Option<Misbehaviour>,
    mut share: serai_messages::signing::Shares,
) -> serai_messages::signing::Shares {
    if fault == Some(Misbehaviour::BadSignatureShare) {
        for scalar in &mut share {
            // Not the last byte of either encoding's most significant end: it stays a scalar.
            if let Some(byte) = scalar.get_mut(8) {
                *byte ^= 1;
            }
        }
    }
    share
}

/// What is signed in place of what the ledger worked out: another content, and messages of it.
pub(crate) fn spoil_content(
    fault: Option<Misbehaviour>,
    mut due: crate::signing::Due,
) -> crate::signing::Due {
    use serai_messages::signing::Content;
    if fault != Some(Misbehaviour::OtherContent) {
        return due;
    }
    match &mut due.content {
        Content::Transaction { hash, .. } => {
            hash[0] ^= 1;
            for message in &mut due.messages {
                flip(&mut message.bytes, 0);
            }
        }
        Content::Batch { batch: bytes } | Content::Slashes { report: bytes } => {
            let before = bytes.clone();
            // A batch's external block hash begins there: it still decodes.
            flip(bytes, 5);
            for message in &mut due.messages {
                if let Some(start) = message.bytes.strip_suffix(before.as_slice()) {
                    message.bytes = [start, bytes.as_slice()].concat();
                }
            }
        }
    }
    due
}

/// Changes one bit of the byte at `at`, or of the last one.
fn flip(bytes: &mut [u8], at: usize) {
    if let Some(byte) = bytes.len().checked_sub(1).and_then(|last| bytes.get_mut(at.min(last))) {
        *byte ^= 1;
    }
}
