//! Instructions in and out are recorded by their consumers.

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use serai_devchain::runtime::types::{
    Amount, Batch, BlockHash, ExternalBalance, ExternalCoin, ExternalNetworkId, InInstruction,
    InInstructionWithBalance, SignedBatch,
};
use serai_devchain::runtime::{RuntimeCall, UncheckedExtrinsic, in_instructions};
use serai_messages::observation::Event;
use serai_messages::{Coin, Session, ValidatorSet};
use serai_sr25519::{SUBSTRATE_CONTEXT, Signer};
use subxt::ext::scale_value::{Composite, Value, value};
use subxt_signer::sr25519::Keypair;

use super::submission::{key_pair, members, signed};
use super::world::World;

/// A transfer to `to`.
pub fn transfer(to: [u8; 32], amount: u64) -> InInstructionWithBalance {
    InInstructionWithBalance {
        instruction: InInstruction::Transfer(to.into()),
        balance: ExternalBalance { coin: ExternalCoin::Bitcoin, amount: Amount(amount) },
    }
}

/// A batch of Bitcoin, signed by the vault.
pub fn signed_batch(
    vault: &Signer,
    id: u32,
    instructions: Vec<InInstructionWithBalance>,
) -> SignedBatch {
    let batch = Batch {
        network: ExternalNetworkId::Bitcoin,
        id,
        block: BlockHash([id as u8; 32]),
        instructions,
    };
    let mut rng = ChaCha20Rng::seed_from_u64(u64::from(id));
    let signature = vault.sign(SUBSTRATE_CONTEXT, &batch.message(), &mut rng);
    SignedBatch { batch, signature: signature.into() }
}

/// The extrinsic that executes a batch.
pub fn extrinsic(batch: SignedBatch) -> Vec<u8> {
    let call = RuntimeCall::InInstructions(in_instructions::Call::execute_batch { batch });
    parity_scale_codec::Encode::encode(&UncheckedExtrinsic::new_bare(call))
}

/// The extrinsic of a batch of one transfer to `to`.
pub fn batch(vault: &Signer, id: u32, to: [u8; 32], amount: u64) -> Vec<u8> {
    extrinsic(signed_batch(vault, id, vec![transfer(to, amount)]))
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_and_burns_are_recorded() {
    let world = World::new().await;
    let server = world.serve().await;
    let process = world.observe(&[server.url()]);
    let set = ValidatorSet { coin: Coin::Btc, session: Session(0) };
    let members = members(&process, set).await;
    let vault = Signer::from_seed(&[77; 32]).unwrap();
    world.publish(&process, &signed(&world, set, key_pair(vault.public()), &members));
    process.until("submitted", |_| !world.chain.pending_extrinsics().is_empty()).await;
    world.author(1);

    let alice = Keypair::from_secret_key([1; 32]).unwrap();
    for id in 0..2 {
        let authored = world.chain.author(vec![batch(&vault, id, alice.public_key().0, 500)]);
        authored.unwrap().results.into_iter().for_each(|result| {
            result.unwrap().unwrap();
        });
    }
    let status = process
        .until("two batches", |status| status.batches.iter().any(|batches| batches.executed == 2))
        .await;
    assert_eq!((status.batches[0].last, status.batches[0].gap.as_deref()), (1, None));

    let client = subxt::OnlineClient::<subxt::SubstrateConfig>::from_insecure_url(server.url())
        .await
        .unwrap();
    let burn = subxt::dynamic::tx(
        "Coins",
        "burn_with_instruction",
        Composite::named([("instruction", instruction())]),
    );
    client.tx().await.unwrap().sign_and_submit_default(&burn, &alice).await.unwrap();
    world.author(1);
    let status = process.until("a burn", |status| !status.burns.is_empty()).await;
    assert_eq!((status.burns[0].coin, status.burns[0].seen), (Coin::Btc, 1));
    let events = world.events().await;
    let burn = events.iter().find(|event| matches!(event, Event::Burn { .. })).unwrap();
    let Event::Burn { from, external_coin, amount, address, data, .. } = burn else {
        panic!("a burn")
    };
    assert_eq!(from.0, alice.public_key().0);
    assert_eq!((*external_coin, *amount), (4, 300));
    assert_eq!((address.as_slice(), data.as_deref()), (&[5; 20][..], Some(&[1, 2, 3][..])));
    process.stop().await;

    // What was handled is not handled again.
    let process = world.observe(&[server.url()]);
    world.author(1);
    let status = process.until_block(world.chain.progress().finalized).await;
    assert_eq!((status.batches[0].executed, status.burns[0].seen), (2, 1));
    process.stop().await;
}

fn instruction() -> Value {
    let address = Value::from_bytes([5; 20]);
    let data = Value::from_bytes([1, 2, 3]);
    value! {{
        instruction: { address: (address), data: Some(data) },
        balance: { coin: Bitcoin(), amount: 300u64 }
    }}
}
