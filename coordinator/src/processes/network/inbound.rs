//! What a proven peer sends, judged before it goes further.
//!
//! # Promises
//! A statement is passed on when its bytes decode, its version, and that of each statement that it shows,
//! is one that this program reads, its genesis is ours, its signer is the peer itself (a peer sends its own statements only; those of others travel inside its
//! disclosures), and its signature verifies. Any other is put aside with the reason, and the rest
//! of the batch goes on: a bad statement blocks nothing.

use serai_messages::{
    BlockHash, Incarnation, STATEMENT_CONTEXT, Sequence, SignedStatement, ValidatorKey, Versions,
    decode,
};
use tokio::sync::oneshot;

use super::tables::{Cursor, RefusedStatement};
use super::wire::Batch;

/// Statements of one peer for the signature process, in order.
///
/// The receiver commits them (with [`super::tables::accept`] for each) and then answers; the peer
/// is told of nothing before. Dropping [`Inbound::accepted`] unanswered closes the connection: the
/// peer sends again.
#[derive(Debug)]
pub struct Inbound {
    /// Who says it; the signer of each statement.
    pub from: ValidatorKey,
    /// The sender's life.
    pub incarnation: Incarnation,
    /// At least one, of rising sequence. Sequences may be missing between them: those of statements
    /// that were put aside.
    pub statements: Vec<(Sequence, SignedStatement)>,
    /// For the last committed sequence.
    pub accepted: oneshot::Sender<Sequence>,
}

/// Why a statement is put aside.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    #[error("does not decode: {0}")]
    Encoding(#[from] serai_messages::DecodeError),
    #[error("message version {found}, this coordinator reads {reads}")]
    Version { found: u16, reads: Versions },
    #[error("it shows a statement in a message version that this coordinator does not know")]
    Shows,
    #[error("genesis {0} is another chain's")]
    Genesis(BlockHash),
    #[error("signer {0} is not the sender")]
    Signer(ValidatorKey),
    #[error("its signature does not verify")]
    Signature,
}

/// A batch, judged.
#[derive(Debug, Default)]
pub(super) struct Judged {
    /// To be passed on.
    pub(super) fresh: Vec<(Sequence, SignedStatement)>,
    /// To be put aside.
    pub(super) refused: Vec<RefusedStatement>,
    /// How many were accepted before.
    pub(super) repeats: u64,
    /// How many sequences before the first are unknown here and will not come: the sender has
    /// forgotten them as acknowledged, so this instance's database is older than its word.
    pub(super) missing: u64,
}

/// What a statement must be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rule {
    /// The chain on which its signer is a validator.
    pub(super) genesis: BlockHash,
    /// Versions of which it is one.
    pub(super) reads: Versions,
}

/// Judges `batch` of `from`, whose statements are accepted up to `cursor`.
pub(super) fn judge(
    batch: Batch,
    from: ValidatorKey,
    cursor: Option<&Cursor>,
    rule: Rule,
) -> Judged {
    let accepted = cursor
        .filter(|cursor| cursor.incarnation == batch.incarnation)
        .map_or(Sequence(0), |cursor| cursor.sequence);
    let mut judged = Judged {
        missing: batch.first.0.saturating_sub(accepted.0.saturating_add(1)),
        ..Judged::default()
    };
    for (position, body) in batch.bodies.into_iter().enumerate() {
        let sequence = Sequence(batch.first.0.saturating_add(position as u64));
        if sequence <= accepted {
            judged.repeats += 1;
            continue;
        }
        match examine(&body, from, rule) {
            Ok(statement) => judged.fresh.push((sequence, statement)),
            Err(fault) => judged.refused.push(RefusedStatement {
                from,
                incarnation: batch.incarnation,
                sequence,
                reason: fault.to_string(),
                body,
            }),
        }
    }
    judged
}

fn examine(body: &[u8], from: ValidatorKey, rule: Rule) -> Result<SignedStatement, Fault> {
    let signed: SignedStatement = decode(body)?;
    let statement = &signed.statement;
    if !rule.reads.contains(statement.version) {
        return Err(Fault::Version { found: statement.version, reads: rule.reads });
    }
    // In a session's log it would count after an upgrade, though it did not before.
    if !statement.body.is_readable() {
        return Err(Fault::Shows);
    }
    if statement.genesis != rule.genesis {
        return Err(Fault::Genesis(statement.genesis));
    }
    if signed.signer != from {
        return Err(Fault::Signer(signed.signer));
    }
    serai_sr25519::verify(
        &from.0,
        STATEMENT_CONTEXT,
        &statement.signing_bytes(),
        &signed.signature.0,
    )
    .map_err(|_| Fault::Signature)?;
    Ok(signed)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod tests {
    use super::*;
    use serai_messages::{
        Attempt, Body, Coin, ProcessorKey, Session, SignatureBytes, Statement, VERSION,
        ValidatorSet, encode, keygen::KeygenId, keygen::PeerMessage,
    };

    const GENESIS: BlockHash = BlockHash([1; 32]);
    const RULE: Rule = Rule { genesis: GENESIS, reads: Versions::SPOKEN };

    fn signer() -> serai_sr25519::Signer {
        serai_sr25519::Signer::from_seed(&[7; 32]).unwrap()
    }

    fn signed(change: impl FnOnce(&mut Statement)) -> SignedStatement {
        let mut statement = Statement {
            version: VERSION,
            genesis: GENESIS,
            body: Body::Keygen(PeerMessage::Announcement {
                id: KeygenId {
                    set: ValidatorSet { coin: Coin::Btc, session: Session(0) },
                    attempt: Attempt(1),
                },
                processor: ProcessorKey([4; 32]),
            }),
        };
        change(&mut statement);
        let signature =
            signer().sign(STATEMENT_CONTEXT, &statement.signing_bytes(), &mut rand_core::OsRng);
        SignedStatement {
            signer: ValidatorKey(signer().public()),
            statement,
            signature: SignatureBytes(signature),
        }
    }

    #[test]
    fn each_fault_is_named_and_the_rest_goes_on() {
        let mut forged = signed(|_| {});
        forged.signature.0[0] ^= 1;
        let mut of_another = signed(|_| {});
        of_another.signer = ValidatorKey([9; 32]);
        let bodies = vec![
            encode(&signed(|_| {})),
            vec![0xff; 10],
            encode(&signed(|statement| statement.version = 99)),
            encode(&signed(|statement| statement.genesis = BlockHash([8; 32]))),
            encode(&of_another),
            encode(&forged),
            encode(&signed(|_| {})),
        ];
        let batch = Batch { incarnation: Incarnation(1), first: Sequence(1), bodies };
        let judged = judge(batch, ValidatorKey(signer().public()), None, RULE);
        let fresh: Vec<_> = judged.fresh.iter().map(|(sequence, _)| sequence.0).collect();
        assert_eq!(fresh, [1, 7]);
        let reasons: Vec<_> =
            judged.refused.iter().map(|refused| refused.reason.as_str()).collect();
        for (reason, expected) in
            reasons.iter().zip(["decode", "version 99", "genesis", "signer", "signature"])
        {
            assert!(reason.contains(expected), "{reason} should speak of {expected}");
        }
        assert_eq!(reasons.len(), 5);
    }

    #[test]
    fn repeats_are_dropped_and_gaps_are_counted() {
        let cursor = Cursor { incarnation: Incarnation(1), sequence: Sequence(4), proof: None };
        let batch = |incarnation, first| Batch {
            incarnation: Incarnation(incarnation),
            first: Sequence(first),
            bodies: vec![encode(&signed(|_| {})); 3],
        };
        let from = ValidatorKey(signer().public());
        let judged = judge(batch(1, 3), from, Some(&cursor), RULE);
        assert_eq!((judged.repeats, judged.fresh.len(), judged.missing), (2, 1, 0));
        let judged = judge(batch(1, 7), from, Some(&cursor), RULE);
        assert_eq!((judged.repeats, judged.fresh.len(), judged.missing), (0, 3, 2));
        let judged = judge(batch(2, 1), from, Some(&cursor), RULE);
        assert_eq!((judged.repeats, judged.fresh.len(), judged.missing), (0, 3, 0));
    }
}
