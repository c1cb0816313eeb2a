//! Each signer's share of a session's log.

use std::collections::BTreeMap;

use serai_messages::{SignedStatement, ValidatorKey, encode};

/// How much of a session's log the statements of one signer may take.
#[derive(Clone, Copy, Debug)]
pub struct Share {
    /// Statements.
    pub statements: u32,
    /// Their bytes.
    pub bytes: usize,
}

/// Counts what each signer said in a session.
#[derive(Debug)]
pub struct Quota {
    share: Share,
    heard: BTreeMap<ValidatorKey, (u32, usize)>,
}

impl Quota {
    /// Nothing was said yet.
    pub fn new(share: Share) -> Self {
        Self { share, heard: BTreeMap::new() }
    }

    /// Counts a statement towards its signer's share; whether it still fits.
    pub fn admits(&mut self, statement: &SignedStatement) -> bool {
        let (count, bytes) = self.heard.entry(statement.signer).or_default();
        let size = encode(statement).len();
        if *count >= self.share.statements || bytes.saturating_add(size) > self.share.bytes {
            return false;
        }
        (*count, *bytes) = (*count + 1, *bytes + size);
        true
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod tests {
    use serai_messages::keygen::{KeygenId, PeerMessage};
    use serai_messages::{
        Attempt, BlockHash, Body, Coin, ProcessorKey, Session, SignatureBytes, Statement, VERSION,
        ValidatorSet,
    };

    use super::*;

    fn statement(signer: u8) -> SignedStatement {
        let set = ValidatorSet { coin: Coin::Btc, session: Session(0) };
        let id = KeygenId { set, attempt: Attempt(0) };
        let body = Body::Keygen(PeerMessage::Announcement { id, processor: ProcessorKey([1; 32]) });
        SignedStatement {
            signer: ValidatorKey([signer; 32]),
            statement: Statement { version: VERSION, genesis: BlockHash([2; 32]), body },
            signature: SignatureBytes([3; 64]),
        }
    }

    #[test]
    fn one_signer_takes_nothing_from_another() {
        let size = encode(&statement(1)).len();
        for (statements, bytes) in [(2, usize::MAX), (u32::MAX, 2 * size)] {
            let mut quota = Quota::new(Share { statements, bytes });
            assert!(quota.admits(&statement(1)) && quota.admits(&statement(1)));
            assert!(!quota.admits(&statement(1)));
            assert!(quota.admits(&statement(2)));
        }
    }
}
