//! One validator's coordinator and processor are killed at every step at which they make something
//! last or let it go, at each once, while keys are generated and money goes in and out that no
//! signature can do without them. The end is compared with that of a run without kills.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serai_bus::{Database, connect, crash_point};
use serai_devnet::cluster::{Layout, Program, Settings};
use serai_devnet::report::{bus_settings, read_topic};
use serai_messages::{Coin, Name, Topic};
use serde_json::Value;

use crate::purse::Purse;
use crate::setup::{BLOCK_MS, Network, faulty, find, keys, name, report, set};

const COIN: Coin = Coin::Btc;
const PART: u64 = 1_000_000;

/// Rounds of money in and out.
const ROUNDS: u64 = 2;

/// More than a deposit costs.
const COSTS: u64 = 2_000;

/// An attempt lasts as long as alice needs for all her deaths.
const ATTEMPT_BLOCKS: u32 = 300;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_is_the_same_whatever_step_was_the_last() {
    let (undisturbed, none) = scenario(false).await;
    assert_eq!(none, BTreeSet::new());
    let (end, steps) = scenario(true).await;
    for step in &steps {
        println!("killed {step}");
    }
    println!("crash points: {}, killed once at each", steps.len());
    for wrapper in ["store before", "store after", "bus before", "bus after", "file before"]
        .into_iter()
        .chain(["file after", "network before", "network after"])
        .chain(["submission before", "submission after"])
    {
        assert!(steps.iter().any(|step| step.contains(wrapper)), "nobody died {wrapper} a step");
    }
    let differences: Vec<_> = undisturbed
        .keys()
        .chain(end.keys())
        .collect::<BTreeSet<_>>()
        .into_iter()
        .filter(|key| undisturbed.get(*key) != end.get(*key))
        .map(|key| format!("{key}: {:?}, with kills {:?}", undisturbed.get(key), end.get(key)))
        .collect();
    println!("differences: {}", differences.len());
    assert_eq!(differences, Vec::<String>::new());
}

/// What is compared, by its name.
type End = BTreeMap<String, Vec<String>>;

/// Keys, then money in and out, while dave is away, so that alice is needed for each signature.
/// Returns the end and the steps at which alice's programs have died.
async fn scenario(armed: bool) -> (End, BTreeSet<String>) {
    let (alice, dave) = (name("alice"), Program::Coordinator(name("dave")));
    let programs = faulty();
    let mut settings = Settings::new(4, &[COIN]).with_block_ms(BLOCK_MS);
    settings.attempt_blocks = ATTEMPT_BLOCKS;
    let path = |path: &Path| vec![path.to_str().unwrap().to_owned()];
    settings.odd_coordinators.insert(alice.clone(), path(&programs.coordinator));
    settings.odd_processors.insert(alice.clone(), path(&programs.processor));
    let network = Network::start_with(settings, |layout| {
        for notes in notes(layout, &alice).into_iter().filter(|_| armed) {
            std::fs::create_dir_all(notes).unwrap();
        }
    })
    .await;
    keys(&network, set(COIN, 0)).await;
    network.hold(&dave).await;
    let purse = Purse::new(&network);
    for round in 0..ROUNDS {
        purse.deposit(COIN, PART).await;
        // All of it, but for what a deposit costs, and what was burned before.
        purse.minted(COIN, (round + 1) * (PART - COSTS) - round * (PART / 4)).await;
        let to = purse.burn(COIN, PART / 4).await;
        purse.paid(COIN, &to).await;
    }
    network.release(&dave).await;
    let report = report(&network).await;
    settled(network.layout(), &alice).await;
    let mut end = public(&report);
    drop(purse);
    let folder = network.halt().await;
    // Another test's program that begins at this moment holds the lock until it has begun.
    let open = || async { Layout::open(folder.path(), false, Settings::new(4, &[COIN])).ok() };
    let layout = find("the folder of a network that has ended", open).await;
    end.extend(own(&layout, &alice).await);
    let steps = notes(&layout, &alice).iter().flat_map(|notes| read_notes(notes)).collect();
    (end, steps)
}

/// The folders that arm a validator's programs, and hold where they died.
fn notes(layout: &Layout, name: &Name) -> [PathBuf; 2] {
    [layout.data(name), layout.processor(name, COIN)]
        .map(|data_dir| data_dir.join(crash_point::FOLDER))
}

fn read_notes(folder: &Path) -> Vec<String> {
    let whose =
        if folder.to_string_lossy().contains("processors") { "processor" } else { "coordinator" };
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    entries
        .map(|entry| {
            format!("{whose}: {}", std::fs::read_to_string(entry.unwrap().path()).unwrap())
        })
        .collect()
}

/// Waits until nothing of a payment is under way at a validator.
async fn settled(layout: &Layout, name: &Name) {
    let completed = "SELECT count(*) FROM payments WHERE state = 'completed'";
    let planned = "SELECT count(*) FROM plans WHERE id LIKE '%payment%' AND state = 'completed'";
    let due = "SELECT count(*) FROM due WHERE id LIKE '%payment%'";
    let [coordinator, processor] = [layout.data(name), layout.processor(name, COIN)];
    for (folder, query, count) in
        [(&coordinator, completed, ROUNDS), (&processor, planned, ROUNDS), (&processor, due, 0)]
    {
        find(&format!("{count} of {query}"), || async {
            let database = Database::open(&folder.join("state.sqlite"), &[]).ok()?;
            (rows(&database, query) == [format!("Integer({count})")]).then_some(())
        })
        .await;
    }
    let told = format!("serai.payment.completed {ROUNDS}");
    find(&format!("{told} on the public topic"), || async {
        let bus = connect(&bus_settings(layout, name), false).ok()?;
        events(bus.as_ref(), name).await.contains(&told).then_some(())
    })
    .await;
}

/// What everybody can see.
fn public(report: &Value) -> End {
    let list = |name: &str| report[name].as_array().unwrap().clone();
    let text = |values: Vec<Value>| values.iter().map(Value::to_string).collect::<Vec<_>>();
    let mut end = End::new();
    let holders = |vault: &Value| vault["held_by"].as_array().unwrap().len().into();
    end.insert("holders of vaults".into(), text(list("vaults").iter().map(holders).collect()));
    let credited = list("batches").into_iter().flat_map(|batch| {
        let instructions = batch["instructions"].as_array().unwrap().clone();
        instructions
            .into_iter()
            .map(|one| serde_json::json!([one["kind"], one["amount"], one["failed"]]))
    });
    end.insert("instructions in".into(), text(credited.collect()));
    let paid = |payment: &Value| {
        let transaction = &payment["transaction"];
        serde_json::json!([payment["amount"], transaction["paid"], transaction["fee"]])
    };
    end.insert("payments".into(), text(list("payments").iter().map(paid).collect()));
    let balances = |balance: &Value| {
        ["holdings", "costs", "supply", "in_flight", "retained"]
            .map(|key| balance[key].clone())
            .to_vec()
            .into()
    };
    end.insert("balances".into(), text(list("balances").iter().map(balances).collect()));
    end
}

/// What a validator's programs have stored, without times, heights, and random bytes.
async fn own(layout: &Layout, name: &Name) -> End {
    const COORDINATOR: [&str; 13] = [
        "SELECT id, done FROM sessions ORDER BY id",
        "SELECT coin, session, state FROM vaults ORDER BY coin, session",
        "SELECT count(*) FROM removed",
        "SELECT count(*), state FROM signings WHERE id LIKE '%payment%' GROUP BY state",
        "SELECT count(*) FROM signings WHERE faults > 0",
        "SELECT amount, state FROM payments ORDER BY block, event",
        "SELECT coin, short FROM solvency",
        // Of its own set_keys there may be none: whoever misses a share lets the others finish.
        "SELECT count(*) FROM submissions WHERE state = 'failed'",
        "SELECT count(*) FROM refused_statements",
        "SELECT count(*) FROM early_statements",
        "SELECT count(*) FROM early_ready",
        "SELECT count(*) FROM relayed",
        "SELECT count(*) FROM halts",
    ];
    const PROCESSOR: [&str; 4] = [
        "SELECT session, confirmed FROM vaults ORDER BY session",
        "SELECT state, raw IS NOT NULL FROM plans WHERE id LIKE '%payment%' ORDER BY state",
        "SELECT count(*) FROM due WHERE id LIKE '%payment%'",
        "SELECT count(*) FROM (SELECT preprocess FROM preprocesses GROUP BY preprocess HAVING count(*) > 1)",
    ];
    let mut end = End::new();
    let folders = [
        (layout.data(name), COORDINATOR.as_slice()),
        (layout.processor(name, COIN), PROCESSOR.as_slice()),
    ];
    for (folder, queries) in folders {
        let database = Database::open(&folder.join("state.sqlite"), &[]).unwrap();
        for query in queries {
            end.insert((*query).to_owned(), rows(&database, query));
        }
    }
    let bus = connect(&bus_settings(layout, name), false).unwrap();
    let dead = read_topic(bus.as_ref(), &Topic::DeadLetter.full_name(name)).await.unwrap();
    end.insert("dead letters".into(), dead.iter().map(|one| format!("{:?}", one.record)).collect());
    end.insert("public events".into(), events(bus.as_ref(), name).await);
    end
}

fn rows(database: &Database, query: &str) -> Vec<String> {
    database
        .read(|connection| {
            let mut statement = connection.prepare(query)?;
            let columns = statement.column_count();
            let rows = statement.query_map((), |row| {
                let values = (0..columns)
                    .map(|column| row.get_ref(column).map(|value| format!("{value:?}")));
                values.collect::<Result<Vec<_>, _>>().map(|values| values.join(" "))
            })?;
            rows.collect()
        })
        .unwrap()
}

/// Events of the public feed that tell of something that happens once, by type; each with an id of
/// its own.
async fn events(bus: &dyn serai_bus::Bus, name: &Name) -> Vec<String> {
    let records = read_topic(bus, &Topic::Public.full_name(name)).await.unwrap();
    let mut by_id = BTreeMap::new();
    for delivered in records {
        let record = delivered.record.unwrap();
        let event: Value = serde_json::from_slice(&record.body).unwrap();
        let kind = event["type"].as_str().unwrap().to_owned();
        by_id.insert(event["id"].as_str().unwrap().to_owned(), kind);
    }
    let mut count = BTreeMap::<String, usize>::new();
    for kind in by_id.into_values() {
        *count.entry(kind).or_default() += 1;
    }
    // Of these there are as many as blocks, batches, connections, and attempts at keys were made in the time.
    let timely =
        ["block.finalized", "external.finalized", "batch", "validator", "signing", "vault.proven"];
    count.retain(|kind, _| !timely.iter().any(|word| kind.contains(word)));
    count.into_iter().map(|(kind, count)| format!("{kind} {count}")).collect()
}
