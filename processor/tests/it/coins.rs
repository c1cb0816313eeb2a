//! Coins in, coins out: whole processors, each with its own bus, on one simulated network. The test
//! plays Serai and the coordinators.

use std::collections::BTreeSet;

use jsonrpsee_core::rpc_params;
use serai_messages::observation::SeraiBlock;
use serai_messages::signing::{Content, PaymentId, ProcessorMessage as Signing, SigningId, Thing};
use serai_messages::vault::{CoordinatorMessage, KeptReason, ProcessorMessage as Vault};
use serai_messages::{
    BlockHash, BlockNumber, Coin, KeyPair, SignatureBytes, ValidatorKey, ValidatorSet, keygen,
    signing,
};
use serai_processor::chain::{
    ExternalChain, Purpose, TransactionStatus, VaultKey, connect, network,
};
use serai_processor::ledger::{QUIET_BLOCKS, scale::blake2_256};
use tokio::task::LocalSet;

use crate::driven::{Driven, Net, Said};
use crate::members::Members;

const ALICE: [u8; 32] = [0xa1; 32];
const DEPOSITED: u64 = 5_000_000_000;
const KEPT: u64 = 4_000_000_000;
const BURNED: u64 = 3_000_000_000;

fn block(number: u64) -> SeraiBlock {
    SeraiBlock { number: BlockNumber(number), hash: BlockHash([number as u8; 32]) }
}

/// Serai's numbers of the network and its own coin, what collecting costs, and somebody's address as
/// Serai writes it.
fn facts(coin: Coin) -> (u8, u8, u64, Vec<u8>) {
    match coin {
        Coin::Btc => (1, 4, 1_600, [&[2][..], &[5; 20]].concat()),
        Coin::Eth => (2, 5, 0, vec![5; 20]),
        Coin::Xmr => {
            let point = curve25519_dalek::constants::ED25519_BASEPOINT_COMPRESSED.to_bytes();
            (3, 7, 0, [&[0][..], &point, &point].concat())
        }
    }
}

async fn tell_all(all: &mut [Driven], event: &CoordinatorMessage) {
    for processor in all {
        processor.event(event).await;
    }
}

async fn all_say(all: &mut [Driven], message: &Vault) {
    for processor in all {
        processor.says(message).await;
    }
}

/// All of them want the same signed, in the same party. Returns it.
async fn same(all: &mut [Driven], id: SigningId) -> (SeraiBlock, Content) {
    let mut wanted: Option<(SeraiBlock, Content)> = None;
    for processor in all {
        let (reference, content, _) = processor.ready(id).await;
        let first = wanted.get_or_insert((reference, content.clone()));
        assert_eq!(*first, (reference, content));
    }
    wanted.unwrap()
}

/// `signers` sign, the first of them aggregates, the others verify.
async fn sign(all: &mut [Driven], signers: [usize; 3], id: SigningId) -> Vec<SignatureBytes> {
    let open = [7; 32];
    let mut preprocesses = Vec::new();
    for at in signers {
        preprocesses.push((all[at].validator, all[at].ready(id).await.2));
    }
    let mut shares = Vec::new();
    for at in signers {
        let preprocesses = preprocesses.clone();
        all[at].sign(&signing::CoordinatorMessage::Sign { id, open, preprocesses }).await;
        let share = all[at]
            .until("share", |said| match said {
                Said::Signing(Signing::Share { id: of, share, .. }) if *of == id => {
                    Some(share.clone())
                }
                _ => None,
            })
            .await;
        shares.push((all[at].validator, share));
    }
    let aggregate = signing::CoordinatorMessage::Aggregate { id, open, preprocesses, shares };
    let first = &mut all[signers[0]];
    first.sign(&aggregate).await;
    let signed = |said: &Said| match said {
        Said::Signing(Signing::Signed { id: of, signatures }) if *of == id => {
            Some(signatures.clone())
        }
        _ => None,
    };
    let made = first.until("signatures", signed).await;
    let sender = all[signers[0]].validator;
    for processor in all.iter_mut() {
        let signatures = made.clone();
        processor.sign(&signing::CoordinatorMessage::Signature { id, sender, signatures }).await;
        assert_eq!(processor.until("signatures", signed).await, made);
    }
    made
}

fn executed(coin: Coin, id: u32, at: SeraiBlock, batch: &[u8]) -> CoordinatorMessage {
    CoordinatorMessage::Executed {
        coin,
        id,
        block: at,
        external_block: batch[5..37].try_into().unwrap(),
        instructions_hash: blake2_256(&batch[37..]),
        failed: Vec::new(),
    }
}

/// Members of a vault, of which the last has not heard yet that Serai has its keys.
async fn members(coin: Coin) -> (Vec<Driven>, ValidatorSet, KeyPair) {
    let mut members = Members::new(coin, 4);
    let (key_pair, _) = members.run();
    let set = members.id.set;
    let confirmed = keygen::CoordinatorMessage::Confirmed { set, key_pair: key_pair.clone() };
    members.all[..3].iter_mut().for_each(|member| drop(member.handle(&confirmed)));
    let mut all = Vec::new();
    for member in members.all {
        let validator = ValidatorKey(member.signer.public());
        all.push(Driven::new(coin, validator, member.into_folder()).await);
    }
    (all, set, key_pair)
}

async fn coins_go_in_and_out(coin: Coin) {
    let (network_id, coin_id, cost, payee) = facts(coin);
    let (mut all, set, key_pair) = members(coin).await;
    let mut stranger = Driven::stranger(coin).await;
    let net = Net::new(coin).await;
    let rules = network(coin);
    let chain = connect(coin, &net.url).unwrap();
    for processor in all.iter_mut().chain([&mut stranger]) {
        processor.start(&net.url);
    }

    // Somebody deposits for Alice, somebody else without a word.
    let key = VaultKey { set, external: key_pair.external.clone() };
    let address = rules.address(&key, Purpose::External).unwrap();
    let data = hex::encode([&[0, 0, 0][..], &ALICE].concat());
    let _: String = net.ask("dev_deposit", rpc_params![&address, DEPOSITED, Some(data)]).await;
    let kept: String =
        net.ask("dev_deposit", rpc_params![&address, KEPT, Option::<String>::None]).await;
    let _: serde_json::Value = net.ask("dev_mine", rpc_params![1 + Net::CONFIRMATIONS]).await;
    let activated =
        CoordinatorMessage::Activated { set, key_pair: key_pair.clone(), block: block(1) };
    tell_all(&mut all, &activated).await;
    stranger.event(&activated).await;

    // The same batch at all of them, also where the vault is confirmed later than its batch is due.
    let id = SigningId { set, thing: Thing::Batch(0) };
    same(&mut all[..3], id).await;
    all[3]
        .confirm(&keygen::CoordinatorMessage::Confirmed { set, key_pair: key_pair.clone() })
        .await;
    let (reference, content) = same(&mut all, id).await;
    assert_eq!(reference, block(1));
    let Content::Batch { batch } = content else { panic!("{content:?}") };
    let credited = DEPOSITED - cost;
    let external = chain.block(1).await.unwrap().unwrap();
    let mut expected = [&[network_id][..], &[0; 4], &external.hash].concat();
    expected.extend([&[4, 0][..], &ALICE, &[coin_id], &credited.to_le_bytes()].concat());
    assert_eq!(batch, expected);
    let signature = sign(&mut all, [0, 1, 3], id).await[0];
    serai_sr25519::verify(
        &key_pair.ristretto,
        serai_sr25519::SUBSTRATE_CONTEXT,
        &[&b"InInstructions-batch"[..], &batch].concat(),
        &signature.0,
    )
    .unwrap();

    // Executed: who holds no share knows the same.
    let event = executed(coin, 0, block(2), &batch);
    tell_all(&mut all, &event).await;
    stranger.event(&event).await;
    let first = stranger.holdings(0).await;
    assert_eq!((first.height, first.hash), (1, external.hash));
    assert_eq!((first.holdings, first.in_flight, first.costs), (DEPOSITED + KEPT, 0, 0));
    assert_eq!(first.retained, KEPT + cost);
    let mut transaction = [0; 32];
    hex::decode_to_slice(&kept, &mut transaction).unwrap();
    let reason = KeptReason::NoInstruction;
    let index = 0;
    let said = Vault::Kept { coin, transaction, index, amount: KEPT, reason };
    all_say(&mut all, &said).await;
    all_say(&mut all, &Vault::Holdings(first)).await;

    // A burn, while one of them is down: it plans the same when it comes back.
    all[1].kill().await;
    let payment = PaymentId { block: BlockNumber(3), index: 5 };
    let burned = CoordinatorMessage::Burned {
        id: payment,
        block: block(3),
        coin,
        external_coin: coin_id,
        amount: BURNED,
        address: payee.clone(),
        data: None,
    };
    tell_all(&mut all, &burned).await;
    stranger.event(&burned).await;
    let id = SigningId { set, thing: Thing::Payment(payment) };
    for at in [0, 2, 3] {
        same(&mut all[at..=at], id).await;
    }
    all[1].start(&net.url);
    let (reference, content) = same(&mut all, id).await;
    assert_eq!(reference, block(3));
    let Content::Transaction { hash, amount, fee, .. } = content else { panic!("{content:?}") };
    assert_eq!(amount + fee, BURNED);
    sign(&mut all, [2, 1, 3], id).await;
    all_say(&mut all, &Vault::Published { id, transaction: hash }).await;
    assert_eq!(chain.transaction(hash).await.unwrap(), TransactionStatus::Pending);

    // The chain forgets it once; that is noticed by those who know it.
    let _: serde_json::Value = net.ask("dev_mine", rpc_params![1]).await;
    let before = chain.transaction(hash).await.unwrap();
    assert!(matches!(before, TransactionStatus::Included { finalized: false, .. }), "{before:?}");
    let _: u64 = net.ask("dev_reorg", rpc_params![1, true]).await;
    known_again(&*chain, hash).await;
    let _: serde_json::Value = net.ask("dev_mine", rpc_params![1 + Net::CONFIRMATIONS]).await;
    let TransactionStatus::Included { height, finalized: true, .. } =
        chain.transaction(hash).await.unwrap()
    else {
        panic!("not in a finalized block")
    };

    // Its change makes its block the next one to be acknowledged. An account has none, and who still
    // waits for Serai's burn does not know the transaction: there it is the 10th since the last one.
    let acknowledged = if coin == Coin::Eth { 1 + QUIET_BLOCKS as u64 } else { height };
    let _: serde_json::Value = net.ask("dev_mine", rpc_params![QUIET_BLOCKS]).await;
    let hash_of_block = chain.block(acknowledged).await.unwrap().unwrap().hash;
    // The batch credits nobody, and with it the payment is completed.
    let next = SigningId { set, thing: Thing::Batch(1) };
    let (reference, content) = same(&mut all, next).await;
    assert_eq!(reference, block(2));
    let Content::Batch { batch } = content else { panic!("{content:?}") };
    assert_eq!(batch, [&[network_id, 1, 0, 0, 0][..], &hash_of_block, &[0]].concat());
    sign(&mut all, [0, 2, 1], next).await;
    let event = executed(coin, 1, block(4), &batch);
    tell_all(&mut all, &event).await;
    stranger.event(&event).await;
    let last = stranger.holdings(1).await;
    assert_eq!(last.height, acknowledged);
    assert_eq!((last.in_flight, last.costs, last.retained), (0, 0, KEPT + cost));
    assert_eq!(last.holdings, credited - BURNED + last.retained);
    all_say(&mut all, &Vault::Completed { id, transaction: hash, height }).await;
    all_say(&mut all, &Vault::Holdings(last)).await;
    let payee = rules.payee(coin_id, &payee).unwrap();
    let paid: u64 = net.ask("dev_balance", rpc_params![payee.address()]).await;
    assert_eq!(paid, amount);

    let mut used = BTreeSet::new();
    for (at, processor) in all.iter_mut().enumerate() {
        processor.stop().await;
        assert_eq!(processor.dead_letters().await, 0);
        let report = serai_processor::signings(processor.path()).unwrap();
        let [plan] = report.plans.as_slice() else { panic!("{report:?}") };
        assert_eq!((plan.id.clone(), plan.state.as_str()), (id.to_string(), "completed"));
        assert_eq!(plan.transaction, hex::encode(hash));
        assert_eq!(report.used_preprocesses.len(), [2, 3, 2, 2][at]);
        for preprocess in report.used_preprocesses {
            assert!(used.insert(preprocess.preprocess), "a preprocess was used twice");
        }
    }
    stranger.stop().await;
    assert_eq!(stranger.dead_letters().await, 0);
    let silent = stranger.said.iter().all(|said| matches!(said, Said::Vault(_)));
    assert!(silent, "{:?}", stranger.said);
}

async fn known_again(chain: &dyn ExternalChain, hash: [u8; 32]) {
    let published = async {
        while chain.transaction(hash).await.unwrap() == TransactionStatus::Unknown {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    let deadline = std::time::Duration::from_secs(30);
    tokio::time::timeout(deadline, published).await.expect("not published again");
}

#[tokio::test]
async fn bitcoin_goes_in_and_out() {
    LocalSet::new().run_until(coins_go_in_and_out(Coin::Btc)).await;
}

#[tokio::test]
async fn ether_goes_in_and_out() {
    LocalSet::new().run_until(coins_go_in_and_out(Coin::Eth)).await;
}

#[tokio::test]
async fn monero_goes_in_and_out() {
    LocalSet::new().run_until(coins_go_in_and_out(Coin::Xmr)).await;
}

/// Says that this block is the newest finalized one.
async fn finalized(processor: &mut Driven, height: u64, hash: [u8; 32]) {
    processor.says(&Vault::Finalized { coin: Coin::Btc, height, hash }).await;
}

async fn nodes_come_and_go() {
    let coin = Coin::Btc;
    let mut net = Net::new(coin).await;
    let mut processor = Driven::stranger(coin).await;
    let _: serde_json::Value = net.ask("dev_mine", rpc_params![5]).await;
    let chain = connect(coin, &net.url).unwrap();
    let newest = chain.block(3).await.unwrap().unwrap();
    processor.start(&net.url);
    finalized(&mut processor, 3, newest.hash).await;

    // A node that is away is waited for, and nothing else waits.
    net.stop().await;
    processor.alive().await;
    net.start().await;
    let _: serde_json::Value = net.ask("dev_mine", rpc_params![4]).await;
    let newest = chain.block(7).await.unwrap().unwrap();
    finalized(&mut processor, 7, newest.hash).await;

    // Another chain is not looked at, also after a restart.
    processor.stop().await;
    let other = Net::new(coin).await;
    let _: serde_json::Value = other.ask("dev_mine", rpc_params![9]).await;
    processor.start(&other.url);
    let reason = processor
        .until("halt", |said| match said {
            Said::Vault(Vault::Halted { reason, .. }) => Some(reason.clone()),
            _ => None,
        })
        .await;
    let genesis = chain.info().await.unwrap().genesis;
    assert!(reason.contains(&hex::encode(genesis)), "{reason}");
    assert!(reason.contains("--chain-rpc"), "{reason}");
    processor.stop().await;
    processor.start(&net.url);
    let _: serde_json::Value = net.ask("dev_mine", rpc_params![1]).await;
    let newest = chain.block(8).await.unwrap().unwrap();
    finalized(&mut processor, 8, newest.hash).await;
    let seen = processor.said.iter().filter_map(|said| match said {
        Said::Vault(Vault::Finalized { hash, .. }) => Some(*hash),
        _ => None,
    });
    for hash in seen {
        let known = async {
            for height in 0..=8 {
                if chain.block(height).await.unwrap().unwrap().hash == hash {
                    return true;
                }
            }
            false
        };
        assert!(known.await, "a block of the other chain was reported");
    }
}

#[tokio::test]
async fn a_node_may_be_away_but_not_another_chains() {
    LocalSet::new().run_until(nodes_come_and_go()).await;
}
