//! One value of every message of threshold signing, and of what is said about vaults.

use serai_messages::observation::SeraiBlock;
use serai_messages::signing::{
    Content, CoordinatorMessage, PaymentId, PeerMessage, ProcessorMessage, SigningId, Thing,
};
use serai_messages::{
    BlockHash, BlockNumber, Body, Coin, Enclosed, KeyPair, Session, SignatureBytes,
    SignedStatement, Statement, VERSION, ValidatorKey, ValidatorSet, vault,
};

fn set() -> ValidatorSet {
    ValidatorSet { coin: Coin::Eth, session: Session(1) }
}

fn payment() -> PaymentId {
    PaymentId { block: BlockNumber(12), index: 4 }
}

fn id() -> SigningId {
    SigningId { set: set(), thing: Thing::Payment(payment()) }
}

fn block() -> SeraiBlock {
    SeraiBlock { number: BlockNumber(5), hash: BlockHash([0x33; 32]) }
}

/// One id of each thing.
pub fn ids() -> Vec<SigningId> {
    let things = [Thing::Batch(3), Thing::Payment(payment()), Thing::Forward(9), Thing::Slashes];
    things.into_iter().map(|thing| SigningId { set: set(), thing }).collect()
}

pub fn contents() -> Vec<Content> {
    vec![
        Content::Batch { batch: vec![1, 2] },
        Content::Transaction { hash: [3; 32], unsigned: vec![4, 5], amount: 6, fee: 7 },
        Content::Slashes { report: vec![8] },
    ]
}

fn signed(message: PeerMessage) -> SignedStatement {
    SignedStatement {
        signer: ValidatorKey([0x99; 32]),
        statement: Statement {
            version: VERSION,
            genesis: BlockHash([0x44; 32]),
            body: Body::Signing(message),
        },
        signature: SignatureBytes([0xaa; 64]),
    }
}

fn peer_messages() -> Vec<PeerMessage> {
    let (id, digest, opener) = (id(), [0xcc; 32], ValidatorKey([0x77; 32]));
    let preprocess = PeerMessage::Preprocess { id, digest, opener, preprocess: vec![vec![1, 2]] };
    let enclosed = Enclosed::new(&signed(preprocess.clone()));
    vec![
        PeerMessage::Request { id, digest },
        preprocess,
        PeerMessage::Open { id, digest, session: 2, members: vec![enclosed.clone()] },
        PeerMessage::Share { id, open: [0xee; 32], share: vec![vec![3]] },
        PeerMessage::Signed { id, digest, signatures: vec![SignatureBytes([0xdd; 64])] },
        PeerMessage::Accusation { id, open: enclosed.clone(), share: enclosed.clone() },
        PeerMessage::Differs { id, digest, statement: enclosed },
        PeerMessage::Decline { id, open: [0xee; 32] },
    ]
}

pub fn statements() -> Vec<SignedStatement> {
    peer_messages().into_iter().map(signed).collect()
}

pub fn processor_messages() -> Vec<ProcessorMessage> {
    let (id, open, accused) = (id(), [0xee; 32], ValidatorKey([0x77; 32]));
    let mut messages: Vec<_> = contents()
        .into_iter()
        .map(|content| ProcessorMessage::Ready {
            id,
            reference: block(),
            content,
            preprocess: vec![vec![1, 2]],
        })
        .collect();
    messages.extend([
        ProcessorMessage::Preprocess { id, opener: accused, preprocess: vec![vec![1, 2]] },
        ProcessorMessage::Share { id, open, share: vec![vec![3]] },
        ProcessorMessage::InvalidShare { id, open, accused },
        ProcessorMessage::Signed { id, signatures: vec![SignatureBytes([0xdd; 64])] },
        ProcessorMessage::Judged { id, open, accused, valid: false },
    ]);
    let refused = |request| ProcessorMessage::Refused { id, request, reason: "no".to_owned() };
    messages.extend(coordinator_messages().iter().map(|asked| refused(asked.request())));
    messages
}

pub fn coordinator_messages() -> Vec<CoordinatorMessage> {
    let (id, open, accused) = (id(), [0xee; 32], ValidatorKey([0x77; 32]));
    let preprocesses = vec![(accused, vec![vec![1, 2]])];
    vec![
        CoordinatorMessage::Preprocess { id, opener: accused },
        CoordinatorMessage::Sign { id, open, preprocesses: preprocesses.clone() },
        CoordinatorMessage::Aggregate {
            id,
            open,
            preprocesses: preprocesses.clone(),
            shares: vec![(accused, vec![vec![3]])],
        },
        CoordinatorMessage::Judge { id, open, preprocesses, accused, share: vec![vec![3]] },
        CoordinatorMessage::Signature {
            id,
            sender: accused,
            signatures: vec![SignatureBytes([0xdd; 64])],
        },
    ]
}

pub fn vault_coordinator_messages() -> Vec<vault::CoordinatorMessage> {
    let (set, block, coin) = (set(), block(), Coin::Eth);
    vec![
        vault::CoordinatorMessage::Activated {
            set,
            key_pair: KeyPair { ristretto: [0x11; 32], external: vec![0x22; 33] },
            block,
        },
        vault::CoordinatorMessage::Executed {
            coin,
            id: 3,
            block,
            external_block: [1; 32],
            instructions_hash: [2; 32],
            failed: vec![2],
        },
        vault::CoordinatorMessage::Burned {
            id: payment(),
            block,
            coin,
            external_coin: 5,
            amount: 70_000,
            address: vec![5; 20],
            data: Some(vec![1]),
        },
        vault::CoordinatorMessage::HandedOver { set, block },
        vault::CoordinatorMessage::Retired { set, block },
    ]
}

pub fn holdings() -> vault::Holdings {
    vault::Holdings {
        coin: Coin::Eth,
        batch: 3,
        height: 8,
        hash: [3; 32],
        holdings: 100,
        in_flight: 10,
        retained: 20,
        costs: 5,
    }
}

pub fn vault_processor_messages() -> Vec<vault::ProcessorMessage> {
    use vault::ProcessorMessage;
    let (id, coin, transaction) = (id(), Coin::Eth, [6; 32]);
    vec![
        ProcessorMessage::Finalized { coin, height: 8, hash: [3; 32] },
        ProcessorMessage::Published { id, transaction },
        ProcessorMessage::Completed { id, transaction, height: 9 },
        ProcessorMessage::Kept {
            coin,
            transaction,
            index: 1,
            amount: 2,
            reason: vault::KeptReason::NoInstruction,
        },
        ProcessorMessage::Unpayable {
            coin,
            payment: payment(),
            amount: 2,
            reason: "too small".to_owned(),
        },
        ProcessorMessage::Holdings(holdings()),
        ProcessorMessage::Halted { coin, reason: "look".to_owned() },
    ]
}
