//! Whether the vaults hold what Serai owes, against the chain's own supply.

use serai_coordinator::processes::core::config::ShortfallAction;
use serai_coordinator::processes::observation::{SolvencyStatus, tables};
use serai_messages::Coin;
use serai_messages::observation::Event;
use serai_messages::vault::Holdings;
use serai_sr25519::Signer;

use super::instructions::batch;
use super::rotation::{btc, give_keys};
use super::world::{Running, World};

const KIND: &str = "serai.solvency.state";

/// What each batch credits.
const CREDITED: u64 = 500;

fn holdings(batch: u32, missing: u64) -> Event {
    let (holdings, costs) = (u64::from(batch + 1) * CREDITED + 40 - 3 - missing, 3);
    let (in_flight, retained) = (30, 10);
    let height = u64::from(batch) * 10;
    let coin = Coin::Btc;
    Event::Holdings(Holdings {
        coin,
        batch,
        height,
        hash: [7; 32],
        holdings,
        in_flight,
        retained,
        costs,
    })
}

/// Executes so many further batches.
async fn execute(world: &World, process: &Running, vault: &Signer, ids: std::ops::Range<u32>) {
    for id in ids {
        let authored = world.chain.author(vec![batch(vault, id, [3; 32], CREDITED)]).unwrap();
        authored.results.into_iter().for_each(|result| result.unwrap().unwrap());
    }
    process.until_block(world.chain.progress().finalized).await;
}

async fn at_batch(process: &Running, batch: u32) -> SolvencyStatus {
    let status = process
        .until(&format!("at batch {batch}"), |status| {
            status.solvency.iter().any(|solvency| solvency.batch == batch)
        })
        .await;
    status.solvency.into_iter().find(|solvency| solvency.batch == batch).unwrap()
}

fn paused(world: &World) -> bool {
    world.database.read(|connection| tables::is_paused(connection, Coin::Btc)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_missing_unit_is_reported_at_the_second_height() {
    let mut world = World::new().await;
    world.chains = vec![Coin::Btc];
    world.on_shortfall = ShortfallAction::Pause;
    let server = world.serve().await;
    let process = world.observe(&[server.url()]);
    let vault = Signer::from_seed(&[70; 32]).unwrap();
    give_keys(&world, &process, btc(0), &vault).await;
    execute(&world, &process, &vault, 0..7).await;

    // Heights that come late, when Serai has long gone on, are compared with what Serai owed then.
    for batch in 0..2 {
        world.publish(&process, &holdings(batch, 0));
        let status = at_batch(&process, batch).await;
        assert_eq!((status.state, status.missing.as_str()), ("solvent", "0"), "{status:?}");
        assert_eq!(status.supply, (u64::from(batch + 1) * CREDITED).to_string());
    }
    // One height is none yet: what is missing may be on its way.
    world.publish(&process, &holdings(2, 1));
    let status = at_batch(&process, 2).await;
    assert_eq!((status.state, status.missing.as_str()), ("solvent", "1"));
    world.publish(&process, &holdings(3, 0));
    at_batch(&process, 3).await;
    world.publish(&process, &holdings(4, 1));
    at_batch(&process, 4).await;
    assert_eq!(world.told_ids(&[KIND]), Vec::<String>::new());
    assert_eq!((world.board.causes(), paused(&world)), (Vec::new(), false));

    world.publish(&process, &holdings(5, 1));
    let status = at_batch(&process, 5).await;
    assert_eq!((status.state, status.missing.as_str(), status.paused), ("short", "1", true));
    for part in [
        "the btc vaults are short of 1 base units",
        "hold has risen by 999 and",
        "owe has risen by 1000",
    ] {
        assert!(status.reason.contains(part), "{}", status.reason);
    }
    assert_eq!(world.told_ids(&[KIND]), ["public/solvency/btc/5"]);
    assert!(paused(&world));
    let causes = |world: &World| {
        let causes = world.board.causes();
        causes.into_iter().filter(|cause| cause.contains("short of 1")).count()
    };
    process.until("in health", |_| causes(&world) == 1).await;
    process.stop().await;

    // A restart forgets nothing; another setting counts at once.
    world.board = Default::default();
    world.on_shortfall = ShortfallAction::Report;
    let process = world.observe(&[server.url()]);
    process.until("in health again", |_| causes(&world) == 1).await;
    assert!(!paused(&world));

    // A height that was overtaken says nothing, and the end of it takes two heights as well.
    world.publish(&process, &holdings(4, 0));
    world.publish(&process, &holdings(6, 0));
    let status = at_batch(&process, 6).await;
    assert_eq!(status.state, "short", "{status:?}");
    execute(&world, &process, &vault, 7..8).await;
    world.publish(&process, &holdings(7, 0));
    let status = at_batch(&process, 7).await;
    assert_eq!(status.state, "solvent", "{status:?}");
    assert_eq!(world.told_ids(&[KIND]), ["public/solvency/btc/5", "public/solvency/btc/7"]);
    process.until("well", |_| causes(&world) == 0).await;
    process.stop().await;
}
