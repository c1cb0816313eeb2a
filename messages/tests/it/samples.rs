//! One value of every message.

use borsh::BorshSerialize;
use serai_messages::control::{Heartbeat, KeyAnnouncement};
use serai_messages::keygen::{
    Awaited, CoordinatorMessage, KeyKind, KeygenId, Member, Party, PeerMessage, PerKey,
    ProcessorMessage, Round, SignedParty,
};
use serai_messages::observation::{Event, SeraiBlock, SetMember};
use serai_messages::signing::{PaymentId, SigningId, Thing};
use serai_messages::vault::KeptReason;
use serai_messages::{
    Attempt, BlockHash, BlockNumber, Body, Coin, Enclosed, Incarnation, KeyPair, Participant,
    ProcessorKey, Session, SignatureBytes, SignedStatement, Statement, VERSION, ValidatorKey,
    ValidatorSet, Versions, encode,
};

use crate::signing_samples;

fn set() -> ValidatorSet {
    ValidatorSet { coin: Coin::Btc, session: Session(7) }
}

fn id() -> KeygenId {
    KeygenId { set: set(), attempt: Attempt(2) }
}

fn pair() -> KeyPair {
    KeyPair { ristretto: [0x11; 32], external: vec![0x22; 33] }
}

fn per_key() -> PerKey {
    PerKey { ristretto: vec![1, 2, 3], external: vec![4, 5] }
}

fn block() -> SeraiBlock {
    SeraiBlock { number: BlockNumber(5), hash: BlockHash([0x33; 32]) }
}

fn party() -> SignedParty {
    SignedParty {
        party: Party {
            genesis: BlockHash([0x44; 32]),
            id: id(),
            threshold: 3,
            members: vec![Member {
                validator: ValidatorKey([0x55; 32]),
                processor: ProcessorKey([0x66; 32]),
            }],
            removed: vec![ValidatorKey([0x77; 32])],
        },
        signatures: vec![SignatureBytes([0x88; 64])],
    }
}

pub fn signed(message: PeerMessage) -> SignedStatement {
    SignedStatement {
        signer: ValidatorKey([0x99; 32]),
        statement: Statement {
            version: VERSION,
            genesis: BlockHash([0x44; 32]),
            body: Body::Keygen(message),
        },
        signature: SignatureBytes([0xaa; 64]),
    }
}

pub fn peer_messages() -> Vec<PeerMessage> {
    let id = id();
    let announcement = PeerMessage::Announcement { id, processor: ProcessorKey([0xbb; 32]) };
    let enclosed = Enclosed::new(&signed(announcement.clone()));
    vec![
        announcement,
        PeerMessage::PartySignature {
            id,
            digest: [0xcc; 32],
            signature: SignatureBytes([0xdd; 64]),
        },
        PeerMessage::Commitments { id, commitments: per_key() },
        PeerMessage::Agreement { id, round: Round::Commitments, digests: vec![[0xee; 32]] },
        PeerMessage::Disclosure { id, statement: enclosed.clone() },
        PeerMessage::Evidence { id, statements: vec![enclosed.clone()] },
        PeerMessage::Waiting { id, awaited: Awaited::Share, from: vec![Participant(3)] },
        PeerMessage::Share { id, to: Participant(2), share: per_key() },
        PeerMessage::Accusation {
            id,
            share: enclosed,
            key: KeyKind::External,
            blame: Some(vec![9]),
        },
        PeerMessage::ProofPreprocess { id, key_pair: pair(), preprocess: per_key() },
        PeerMessage::ProofShare { id, digests: vec![[0xee; 32]], share: per_key() },
        PeerMessage::Proof { id, signatures: per_key() },
        PeerMessage::MusigPreprocess { id, preprocess: vec![6] },
        PeerMessage::MusigShare { id, digests: vec![[0xee; 32]], share: vec![7] },
        PeerMessage::AttemptVote {
            id,
            removed: vec![ValidatorKey([0x77; 32])],
            height: BlockNumber(20),
        },
    ]
}

fn processor_messages() -> Vec<ProcessorMessage> {
    let id = id();
    let (accused, accuser) = (Participant(2), Participant(1));
    vec![
        ProcessorMessage::Commitments { id, commitments: per_key() },
        ProcessorMessage::Shares { id, shares: vec![(Participant(2), per_key())] },
        ProcessorMessage::InvalidCommitments {
            id,
            accused,
            key: KeyKind::Ristretto,
            reason: "proof".to_owned(),
        },
        ProcessorMessage::InvalidShare { id, accused, key: KeyKind::External, blame: None },
        ProcessorMessage::Verdict { id, accuser, accused, guilty: accused },
        ProcessorMessage::KeyPair { id, key_pair: pair(), preprocess: per_key() },
        ProcessorMessage::ProofShare { id, share: per_key() },
        ProcessorMessage::InvalidProofShare { id, accused, key: KeyKind::External },
        ProcessorMessage::Proven { id, key_pair: pair(), signatures: per_key() },
        ProcessorMessage::Refused { id, reason: "no".to_owned() },
    ]
}

fn coordinator_messages() -> Vec<CoordinatorMessage> {
    let id = id();
    let statements = vec![signed(peer_messages().remove(2))];
    vec![
        CoordinatorMessage::Start { party: party(), own: ValidatorKey([0x55; 32]) },
        CoordinatorMessage::Commitments { id, statements: statements.clone() },
        CoordinatorMessage::Shares { id, statements: statements.clone() },
        CoordinatorMessage::Judge {
            id,
            accuser: Participant(1),
            share: signed(peer_messages().remove(7)),
            key: KeyKind::External,
            blame: Some(vec![9]),
        },
        CoordinatorMessage::ProofPreprocesses { id, statements: statements.clone() },
        CoordinatorMessage::ProofShares { id, statements },
        CoordinatorMessage::Proof { id, signatures: per_key() },
        CoordinatorMessage::Confirmed { set: set(), key_pair: pair() },
    ]
}

fn events() -> Vec<Event> {
    let (block, set) = (block(), set());
    let signing = SigningId { set, thing: Thing::Forward(3) };
    vec![
        Event::SeraiFinalized { block },
        Event::NewSet {
            block,
            set,
            members: vec![SetMember {
                validator: ValidatorKey([0x55; 32]),
                shares: 1,
                addresses: vec!["/ip4/127.0.0.1/tcp/1".to_owned()],
            }],
        },
        Event::ParticipantRemoved { block, set, removed: ValidatorKey([0x77; 32]) },
        Event::KeyGen { block, set, key_pair: pair() },
        Event::AcceptedHandover { block, set },
        Event::SetRetired { block, set },
        Event::SetKeys {
            set,
            removed: vec![ValidatorKey([0x77; 32])],
            key_pair: pair(),
            signature: SignatureBytes([0x88; 64]),
        },
        Event::BatchExecuted {
            block,
            coin: Coin::Xmr,
            id: 3,
            external_block: [1; 32],
            instructions_hash: [2; 32],
            failed: vec![2],
        },
        Event::Burn {
            block,
            index: 4,
            from: ValidatorKey([0x55; 32]),
            external_coin: 4,
            amount: 70_000,
            address: vec![5; 20],
            data: Some(vec![1]),
        },
        Event::ExternalFinalized { coin: Coin::Eth, height: 8, hash: [3; 32] },
        Event::Batch { set, id: 3, batch: vec![1], signature: SignatureBytes([0x88; 64]) },
        Event::SlashReport { set, report: vec![0], signature: SignatureBytes([0x88; 64]) },
        Event::Published { id: signing, transaction: [6; 32] },
        Event::Completed { id: signing, transaction: [6; 32], height: 9 },
        Event::Kept {
            coin: Coin::Eth,
            transaction: [6; 32],
            index: 1,
            amount: 2,
            reason: KeptReason::TooSmall,
        },
        Event::Unpayable {
            coin: Coin::Eth,
            payment: PaymentId { block: BlockNumber(12), index: 4 },
            amount: 2,
            reason: "too small".to_owned(),
        },
        Event::Holdings(signing_samples::holdings()),
    ]
}

/// A name and the encoding of one value of each message.
pub fn all() -> Vec<(String, Vec<u8>)> {
    fn named<T: BorshSerialize>(
        group: &str,
        values: &[T],
        name: impl Fn(&T) -> String,
    ) -> Vec<(String, Vec<u8>)> {
        values.iter().map(|value| (format!("{group} {}", name(value)), encode(value))).collect()
    }
    let announcement = KeyAnnouncement {
        coin: Coin::Eth,
        key: ProcessorKey([0xbb; 32]),
        incarnation: Incarnation(1),
        speaks: Versions::FIRST,
    };
    let heartbeat = Heartbeat { at_ms: 1, pid: 2, program: "0.1.0".to_owned() };
    let statements: Vec<_> = peer_messages().into_iter().map(signed).collect();
    let mut all = named("control", &[announcement], |_| "key".to_owned());
    all.extend(named("control", &[heartbeat], |_| "heartbeat".to_owned()));
    all.extend(named("statement", &statements, |statement| {
        statement.statement.body.kind().to_owned()
    }));
    all.extend(named("processor", &processor_messages(), ProcessorMessage::kind));
    all.extend(named("coordinator", &coordinator_messages(), |m| m.kind().to_owned()));
    let signing = signing_samples::processor_messages();
    all.extend(named("signing statement", &signing_samples::statements(), |statement| {
        statement.statement.body.kind().to_owned()
    }));
    all.extend(named("processor", &signing, |m| m.kind().to_owned()));
    all.extend(named("coordinator", &signing_samples::coordinator_messages(), |m| {
        m.kind().to_owned()
    }));
    all.extend(named("processor", &signing_samples::vault_processor_messages(), |m| {
        m.kind().to_owned()
    }));
    all.extend(named("coordinator", &signing_samples::vault_coordinator_messages(), |m| {
        m.kind().to_owned()
    }));
    all.extend(named("event", &events(), |event| event.kind().to_owned()));
    all
}
