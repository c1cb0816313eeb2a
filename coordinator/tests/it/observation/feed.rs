//! What becomes of payments, and what the public is told.

use serai_coordinator::processes::observation::list_payments;
use serai_messages::observation::{Event, SeraiBlock};
use serai_messages::signing::{PaymentId, SigningId, Thing};
use serai_messages::vault::KeptReason;
use serai_messages::{BlockHash, BlockNumber, Coin, ValidatorKey};

use super::rotation::btc;
use super::world::World;

fn payment(index: u32) -> PaymentId {
    PaymentId { block: BlockNumber(3), index }
}

fn events() -> Vec<Event> {
    let paid = SigningId { set: btc(0), thing: Thing::Payment(payment(1)) };
    let burn = |index| Event::Burn {
        block: SeraiBlock { number: BlockNumber(3), hash: BlockHash([3; 32]) },
        index,
        from: ValidatorKey([1; 32]),
        external_coin: 4,
        amount: 900,
        address: vec![5; 20],
        data: None,
    };
    let published = Event::Published { id: paid, transaction: [8; 32] };
    let (coin, transaction) = (Coin::Btc, [9; 32]);
    vec![
        burn(1),
        burn(2),
        published.clone(),
        Event::Completed { id: paid, transaction: [8; 32], height: 44 },
        // The chain was told again: the payment stays completed.
        published,
        Event::Unpayable { coin, payment: payment(2), amount: 900, reason: "too small".into() },
        Event::Kept { coin, transaction, index: 0, amount: 5, reason: KeptReason::NoInstruction },
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn payments_are_followed_and_told_once() {
    let world = World::new().await;
    let server = world.serve().await;
    let process = world.observe(&[server.url()]);
    for event in events() {
        world.publish(&process, &event);
    }
    let kinds = [
        "serai.burn.finalized",
        "serai.payment.published",
        "serai.payment.completed",
        "serai.payment.unpayable",
        "serai.deposit.kept",
    ];
    let expected = [
        "public/txout/3/1",
        "public/txout/3/2",
        "public/external/published/sign/btc-0/payment/3-1",
        "public/external/completed/sign/btc-0/payment/3-1",
        "public/external/published/sign/btc-0/payment/3-1",
        "public/external/unpayable/btc/3-2",
        &format!("public/external/kept/btc/{}/0", "09".repeat(32)),
    ];
    process.until("told", |_| world.told_ids(&kinds).len() >= expected.len()).await;
    assert_eq!(world.told_ids(&kinds), expected);
    process.stop().await;

    // After a restart nothing is told again, and the next thing is.
    let process = world.observe(&[server.url()]);
    world.author(1);
    process.until_block(1).await;
    let told = || world.told_ids(&["serai.block.finalized"]).contains(&"public/serai/1".to_owned());
    process.until("block 1 told", |_| told()).await;
    assert_eq!(world.told_ids(&kinds), expected);
    let payments = world.database.read(list_payments).unwrap();
    let [second, first] = payments.as_slice() else { panic!("two payments: {payments:#?}") };
    assert_eq!((first.id.as_str(), first.state.as_str()), ("3-1", "completed"));
    assert_eq!((first.height, first.amount.as_deref()), (Some(44), Some("900")));
    assert_eq!(first.transaction, Some("08".repeat(32)));
    assert_eq!((second.id.as_str(), second.state.as_str()), ("3-2", "unpayable"));
    assert_eq!(second.reason.as_deref(), Some("too small"));
    let members = world.told().into_iter().filter(|event| event["type"] == "serai.set.new");
    assert_eq!(members.count(), 3);
    process.stop().await;
}
