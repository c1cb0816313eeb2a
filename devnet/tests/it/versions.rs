//! Validators of two releases make a vault and sign; then the others are upgraded; one that shares no
//! version with the others is left out, and everybody says so.

use std::path::Path;

use serai_devnet::cluster::{Program, Settings};
use serai_messages::{Coin, Name};
use serde_json::{Value, json};

use crate::purse::Purse;
use crate::setup::{BLOCK_MS, Network, binaries, faulty, find, keys, name, nobody_accused, set};

const COIN: Coin = Coin::Btc;
const PART: u64 = 1_000_000;

/// Programs of the present release; once `mark` is there, the next one's, which speak what it says.
fn upgraded_when_marked(settings: &mut Settings, validator: &Name, mark: &Path) {
    let command = |before: &Path, after: &Path, called: &str| {
        let script = format!(
            "if [ -e '{0}' ]; then export SERAI_MESSAGES_SPEAKS=$(cat '{0}'); exec '{1}' \"$@\"; fi; \
             exec '{2}' \"$@\"",
            mark.display(),
            after.display(),
            before.display()
        );
        ["/bin/sh", "-c", &script, called].map(str::to_owned).to_vec()
    };
    let (now, next) = (binaries(), faulty());
    let coordinator = command(&now.coordinator, &next.coordinator, "serai-coordinator");
    let processor = command(&now.processor, &next.processor, "serai-processor");
    settings.odd_coordinators.insert(validator.clone(), coordinator);
    settings.odd_processors.insert(validator.clone(), processor);
}

async fn status(network: &Network, validator: &Name) -> Option<Value> {
    network.ask(validator, &["status"]).await.ok()
}

/// Waits until a coordinator speaks to the set in a version.
async fn speaks(network: &Network, validator: &Name, version: u16) {
    find(&format!("{validator} speaks version {version}"), || async {
        let status = status(network, validator).await?;
        (status.pointer("/messages/sets/0/version")? == &json!(version)).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn validators_are_upgraded_one_by_one() {
    let marks = tempfile::tempdir().unwrap();
    let mut settings = Settings::new(4, &[COIN]).with_block_ms(BLOCK_MS);
    let validators = settings.validators.clone();
    let mark = |validator: &Name| marks.path().join(validator.as_str());
    for validator in &validators {
        upgraded_when_marked(&mut settings, validator, &mark(validator));
    }
    for validator in &validators[..2] {
        std::fs::write(mark(validator), "1..2").unwrap();
    }
    let network = Network::start_with(settings, |_| {}).await;
    keys(&network, set(COIN, 0)).await;
    let purse = Purse::new(&network);
    purse.deposit(COIN, 4 * PART).await;
    purse.minted(COIN, 3 * PART).await;
    let first = purse.burn(COIN, PART).await;
    purse.paid(COIN, &first).await;
    for validator in &validators {
        speaks(&network, validator, 1).await;
    }
    let held_back = status(&network, &validators[0]).await.unwrap();
    let held_back = held_back.pointer("/messages/sets/0/held_back_by").and_then(Value::as_array);
    assert_eq!(held_back.map(Vec::len), Some(2), "both that are not upgraded");

    for validator in &validators[2..] {
        let program = Program::Coordinator(validator.clone());
        network.hold(&program).await;
        std::fs::write(mark(validator), "1..2").unwrap();
        network.release(&program).await;
    }
    for validator in &validators {
        speaks(&network, validator, 2).await;
    }
    let second = purse.burn(COIN, PART).await;
    purse.paid(COIN, &second).await;
    nobody_accused(&network).await;
    network.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_shares_no_version_is_left_out_and_all_say_so() {
    let marks = tempfile::tempdir().unwrap();
    let mut settings = Settings::new(4, &[COIN]).with_block_ms(BLOCK_MS);
    let dave = name("dave");
    let mark = marks.path().join("dave");
    upgraded_when_marked(&mut settings, &dave, &mark);
    let network = Network::start_with(settings, |_| {}).await;
    keys(&network, set(COIN, 0)).await;
    let purse = Purse::new(&network);
    purse.deposit(COIN, 4 * PART).await;
    purse.minted(COIN, 3 * PART).await;

    let program = Program::Coordinator(dave.clone());
    network.hold(&program).await;
    std::fs::write(&mark, "2..2").unwrap();
    network.release(&program).await;
    for validator in &network.layout().settings().validators {
        let remedy =
            if *validator == dave { "upgrade validator" } else { "upgrade this validator" };
        find(&format!("{validator} says who is to be upgraded"), || async {
            let causes = status(&network, validator).await?["causes"].clone();
            let said = |cause: &Value| {
                let text = cause.as_str().unwrap_or_default();
                text.contains("message versions:") && text.contains(remedy)
            };
            causes.as_array()?.iter().any(said).then_some(())
        })
        .await;
    }
    let paid = purse.burn(COIN, PART).await;
    purse.paid(COIN, &paid).await;
    network.stop().await;
}
