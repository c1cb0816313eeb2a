//! Signed batches and slash reports reach the chain, and nothing else does.

use parity_scale_codec::Encode;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use serai_coordinator::processes::observation::SubmissionStatus;
use serai_devchain::runtime::types::{
    InInstruction, InInstructionWithBalance, NetworkId, SignedBatch,
};
use serai_devchain::runtime::validator_sets::Rotation;
use serai_messages::SignatureBytes;
use serai_messages::observation::Event;
use serai_sr25519::{SUBSTRATE_CONTEXT, Signer};

use super::instructions::{extrinsic, signed_batch, transfer};
use super::rotation::{btc, execute, give_keys};
use super::world::{Running, World};

const BATCH_EVENTS: [&str; 2] = ["serai.batch.submitted", "serai.batch.executed"];

fn vault(seed: u8) -> Signer {
    Signer::from_seed(&[seed; 32]).unwrap()
}

/// The record of a signed batch, as the signature process writes it.
fn record(session: u32, signed: &SignedBatch) -> Event {
    Event::Batch {
        set: btc(session),
        id: signed.batch.id,
        batch: signed.batch.encode(),
        signature: SignatureBytes(signed.signature.0),
    }
}

async fn until_submission(
    process: &Running,
    what: &str,
    condition: impl Fn(&SubmissionStatus) -> bool,
) -> SubmissionStatus {
    let status = process.until(what, |status| status.submissions.iter().any(&condition)).await;
    status.submissions.into_iter().find(condition).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_are_submitted_in_order_and_none_is_skipped() {
    let mut world = World::new().await;
    world.chains = vec![btc(0).coin];
    let server = world.serve().await;
    let process = world.observe(&[server.url()]);
    let vault = vault(70);
    give_keys(&world, &process, btc(0), &vault).await;
    let batches: Vec<_> =
        (0..3).map(|id| signed_batch(&vault, id, vec![transfer([3; 32], 5)])).collect();
    for id in [2, 1] {
        world.publish(&process, &record(0, &batches[id]));
    }
    for id in [1, 2] {
        until_submission(&process, "waiting for batch 0", |s| {
            s.batch == Some(id) && s.detail.contains("waits until batch 0")
        })
        .await;
    }
    assert_eq!(world.pending(), 0, "none is skipped");
    process.stop().await;

    // Also after a stop.
    let process = world.observe(&[server.url()]);
    world.publish(&process, &record(0, &batches[0]));
    for id in 0..3 {
        process.until(&format!("batch {id} submitted"), |_| world.pending() == 1).await;
        world.author(1);
        process.until_block(world.chain.progress().finalized).await;
    }
    process.until("settled", |status| status.submissions.is_empty()).await;
    let executed = |event: &Event| matches!(event, Event::BatchExecuted { id: 2, .. });
    let events = world.until("batch 2", |events| events.iter().any(executed)).await;
    let mut blocks = Vec::new();
    for event in &events {
        if let Event::BatchExecuted { id, block, .. } = event {
            assert_eq!(*id as usize, blocks.len());
            blocks.push(block.number.0);
        }
    }
    assert!(blocks.is_sorted_by(|a, b| a < b), "one in a block: {blocks:?}");
    let mut expected: Vec<_> = (0..3)
        .flat_map(|id| {
            [format!("public/batch/btc-0/{id}/submitted"), format!("public/txin/btc/{id}")]
        })
        .collect();
    let status =
        process.until("told", |_| world.told_ids(&BATCH_EVENTS).len() == expected.len()).await;
    assert_eq!(status.batches[0].gap, None);
    let mut ids = world.told_ids(&BATCH_EVENTS);
    ids.sort();
    expected.sort();
    assert_eq!(ids, expected);
    assert_eq!(world.board.causes(), Vec::<String>::new());
    process.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_is_there_already_has_to_be_the_own_one() {
    let mut world = World::new().await;
    world.chains = vec![btc(0).coin];
    let server = world.serve().await;
    let process = world.observe(&[server.url()]);
    let vault = vault(70);
    give_keys(&world, &process, btc(0), &vault).await;
    // Another validator's coordinator was first. Of the second batch one instruction fails.
    let unsupported = InInstructionWithBalance {
        instruction: InInstruction::GenesisLiquidity([4; 32].into()),
        ..transfer([3; 32], 7)
    };
    let instructions = [vec![transfer([3; 32], 5)], vec![transfer([3; 32], 5), unsupported]];
    let signed: Vec<_> =
        (0..2).zip(instructions).map(|(id, list)| signed_batch(&vault, id, list)).collect();
    for batch in &signed {
        let authored = world.chain.author(vec![extrinsic(batch.clone())]).unwrap();
        authored.results.into_iter().for_each(|result| result.unwrap().unwrap());
    }
    let executed = |event: &Event| matches!(event, Event::BatchExecuted { id: 1, .. });
    let events = world.until("batch 1", |events| events.iter().any(executed)).await;
    let Some(Event::BatchExecuted { failed, .. }) = events.iter().find(|e| executed(e)) else {
        panic!("a batch")
    };
    assert_eq!(failed, &[1]);

    world.publish(&process, &record(0, &signed[1]));
    let own = record(0, &signed[1]).intent();
    process.until("settled", |_| world.done().contains(&own)).await;
    // What this validator's processor has worked out is something else.
    let other = signed_batch(&vault, 0, vec![transfer([3; 32], 6)]);
    world.publish(&process, &record(0, &other));
    let failed = until_submission(&process, "failed", |s| s.state == "failed").await;
    assert_eq!((failed.kind, failed.batch), ("batch", Some(0)));
    assert!(failed.detail.contains("with other instructions"), "{failed:?}");
    let causes = world.board.causes();
    assert!(causes.iter().any(|cause| cause.contains("btc batch 0 was executed")), "{causes:?}");
    assert_eq!(world.pending(), 0);
    assert_eq!(world.told_ids(&BATCH_EVENTS[..1]), Vec::<String>::new());
    process.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_vault_did_not_sign_is_never_submitted() {
    let mut world = World::new().await;
    world.chains = vec![btc(0).coin];
    let server = world.serve().await;
    let process = world.observe(&[server.url()]);
    let vaults = [vault(70), vault(71)];
    give_keys(&world, &process, btc(0), &vaults[0]).await;
    let right = signed_batch(&vaults[0], 0, vec![transfer([3; 32], 5)]);
    let forged = signed_batch(&vaults[1], 0, vec![transfer([3; 32], 5)]);
    world.publish(&process, &record(0, &forged));
    let failed = until_submission(&process, "failed", |s| s.state == "failed").await;
    assert!(failed.detail.contains("is not of btc-0's key"), "{failed:?}");

    // A right one of another number, under this number.
    let Event::Batch { set, batch, signature, .. } = record(0, &right) else { panic!("a batch") };
    let mislabelled = Event::Batch { set, id: 1, batch, signature };
    world.publish(&process, &mislabelled);
    let failed =
        until_submission(&process, "failed", |s| (s.batch, s.state) == (Some(1), "failed")).await;
    assert!(failed.detail.contains("btc batch 1 holds btc batch 0"), "{failed:?}");
    assert_eq!(world.pending(), 0);
    assert_eq!(world.board.causes().len(), 2);

    // One that the vault did sign takes the place of what failed.
    world.publish(&process, &record(0, &right));
    process.until("submitted", |_| world.pending() == 1).await;
    world.author(1);
    let own = record(0, &right).intent();
    process.until("settled", |_| world.done().contains(&own)).await;
    assert_eq!(world.board.causes().len(), 1);
    process.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slash_report_retires_its_set_once_it_has_handed_over() {
    let mut world = World::new().await;
    world.chains = vec![btc(0).coin];
    let server = world.serve().await;
    let process = world.observe(&[server.url()]);
    let vaults = [vault(70), vault(71)];
    give_keys(&world, &process, btc(0), &vaults[0]).await;
    execute(&world, &vaults[0], 0);
    let report = |vault: &Signer| {
        let report = vec![0];
        let mut message = b"ValidatorSets-report_slashes".to_vec();
        (0u32, 1u8).encode_to(&mut message);
        message.extend(&report);
        let mut rng = ChaCha20Rng::seed_from_u64(9);
        let signature = vault.sign(SUBSTRATE_CONTEXT, &message, &mut rng);
        Event::SlashReport { set: btc(0), report, signature: SignatureBytes(signature) }
    };
    world.publish(&process, &report(&vaults[1]));
    let waiting =
        until_submission(&process, "waiting", |s| s.detail.contains("not handed over")).await;
    assert_eq!((waiting.kind, waiting.state), ("slash-report", "open"));
    world.chain.rotate(Rotation { network: NetworkId::Bitcoin, participants: None }).unwrap();
    world.author(1);
    process.until_block(world.chain.progress().finalized).await;
    // `give_keys` waits for all submissions: here the slash report stays open.
    let members = super::submission::members(&process, btc(1)).await;
    let pair = super::submission::key_pair(vaults[1].public());
    world.publish(&process, &super::submission::signed(&world, btc(1), pair, &members));
    process.until("submitted", |_| world.pending() == 1).await;
    world.author(1);
    process.until_block(world.chain.progress().finalized).await;
    execute(&world, &vaults[1], 1);

    let failed = until_submission(&process, "failed", |s| s.state == "failed").await;
    assert!(failed.detail.contains("slash report is not of its key"), "{failed:?}");
    assert_eq!(world.pending(), 0);
    world.publish(&process, &report(&vaults[0]));
    process.until("submitted", |_| world.pending() == 1).await;
    world.author(1);
    let retired = |event: &Event| matches!(event, Event::SetRetired { set, .. } if *set == btc(0));
    world.until("retirement", |events| events.iter().any(retired)).await;
    let own = report(&vaults[0]).intent();
    process.until("settled", |_| world.done().contains(&own)).await;
    assert_eq!(world.board.causes(), Vec::<String>::new());
    process.stop().await;
}
