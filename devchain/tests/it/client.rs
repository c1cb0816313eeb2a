//! An unmodified subxt client with its default backend and configuration.

use std::time::Duration;

use serai_devchain::{Chain, Producer, RpcServer};
use subxt::{
    OnlineClient, PolkadotConfig,
    dynamic::{self, Value},
    rpcs::{RpcClient, rpc_params},
};
use subxt_signer::sr25519::dev;

use crate::support::{BITCOIN_ORDER, TestChain, account, bitcoin, chain, key_pair, set_keys};

type Client = OnlineClient<PolkadotConfig>;

struct Served {
    chain: TestChain,
    _server: RpcServer,
    _producer: Producer,
    client: Client,
}

async fn serve() -> Served {
    let chain = chain();
    let server = start(&chain).await;
    let producer = Producer::start(chain.chain.clone(), Duration::from_millis(20));
    let client = Client::from_insecure_url(server.url()).await.unwrap();
    Served { chain, _server: server, _producer: producer, client }
}

async fn start(chain: &Chain) -> RpcServer {
    RpcServer::start(chain.clone(), ([127, 0, 0, 1], 0).into()).await.unwrap()
}

async fn within<F: Future>(what: &str, future: F) -> F::Output {
    match tokio::time::timeout(Duration::from_secs(60), future).await {
        Ok(output) => output,
        Err(_) => panic!("no {what} in time"),
    }
}

/// The events of a block, all decoded, as "Pallet.Event" and their fields.
async fn events(client: &Client, number: u64) -> Vec<(String, Value)> {
    let block = client.at_block(number).await.unwrap();
    let events = block.events().fetch().await.unwrap();
    events
        .iter()
        .map(|event| {
            let event = event.unwrap();
            let fields = event.decode_fields_unchecked_as::<Value>().unwrap();
            (format!("{}.{}", event.pallet_name(), event.event_name()), fields)
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn block_0_is_readable_and_its_networks_have_their_names() {
    let served = serve().await;
    assert_eq!(served.client.genesis_hash().0, served.chain.genesis_hash().0);
    let events = events(&served.client, 0).await;
    let text: Vec<_> = events.iter().map(|(name, fields)| format!("{name} {fields}")).collect();
    assert_eq!(text.len(), 3);
    for (text, network) in text.iter().zip(["Serai", "Bitcoin", "Monero"]) {
        assert!(text.starts_with("ValidatorSets.NewSet"), "{text}");
        assert!(text.contains(network), "{text} is not of {network}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn finalized_blocks_come_in_order_and_all_events_decode() {
    let served = serve().await;
    let mut blocks = served.client.stream_blocks().await.unwrap();
    let mut last = None;
    for _ in 0..20 {
        let block = within("block", blocks.next()).await.unwrap().unwrap();
        if let Some(last) = last {
            assert_eq!(block.number(), last + 1);
        }
        last = Some(block.number());
        let events = events(&served.client, block.number()).await;
        assert!(block.number() == 0 || events[0].0 == "System.ExtrinsicSuccess");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn set_keys_is_submitted_bare_and_seen_finalized() {
    let served = serve().await;
    let extrinsic = set_keys(bitcoin(0), &BITCOIN_ORDER, &[], &key_pair("//vault"));
    let tx = served.client.tx().await.unwrap();
    let submitted = tx.from_bytes(extrinsic.clone()).submit_and_watch().await.unwrap();
    let done = within("finality", submitted.wait_for_finalized()).await.unwrap();
    done.wait_for_success().await.unwrap();

    let block = served.client.at_block(done.block_hash()).await.unwrap();
    let names: Vec<_> =
        events(&served.client, block.block_number()).await.into_iter().map(|e| e.0).collect();
    assert!(names.contains(&"ValidatorSets.KeyGen".to_owned()), "{names:?}");

    // By dynamic address, with the network by its name.
    let address = dynamic::storage::<(Value,), Value>("ValidatorSets", "Keys");
    let set = Value::named_composite([
        ("session", Value::unnamed_composite([Value::u128(0)])),
        ("network", Value::unnamed_variant("Bitcoin", [])),
    ]);
    let keys = block.storage().fetch(address, (set,)).await.unwrap().decode().unwrap();
    let text = keys.to_string();
    assert!(text.contains(&AsRef::<[u8]>::as_ref(&account("//vault"))[0].to_string()), "{text}");

    let error = tx.from_bytes(extrinsic).submit_and_watch().await.err().unwrap();
    assert!(format!("{error:?}").contains("1010"), "{error:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signed_transfer_by_dynamic_call_is_finalized() {
    let served = serve().await;
    let balance = Value::named_composite([
        ("coin", Value::unnamed_variant("Serai", [])),
        ("amount", Value::unnamed_composite([Value::u128(12_345)])),
    ]);
    let to = Value::from_bytes(dev::eve().public_key().0);
    let call = dynamic::transaction(
        "Coins",
        "transfer",
        Value::named_composite([("to", to), ("balance", balance)]),
    );
    for _ in 0..2 {
        let mut tx = served.client.tx().await.unwrap();
        let submitted = tx.sign_and_submit_then_watch_default(&call, &dev::alice()).await.unwrap();
        within("finality", submitted.wait_for_finalized_success()).await.unwrap();
    }
    let at = served.client.at_current_block().await.unwrap();
    let address = dynamic::storage::<([u8; 32], Value), u64>("Coins", "Balances");
    let key = (dev::eve().public_key().0, Value::unnamed_variant("Serai", []));
    let held = at.storage().fetch(address, key).await.unwrap().decode().unwrap();
    assert_eq!(held, 24_690);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn storage_is_read_by_name_iterated_and_historic() {
    let served = serve().await;
    let genesis = served.client.at_block(0u64).await.unwrap();
    let participants =
        dynamic::storage::<(Value,), Vec<([u8; 32], u64)>>("ValidatorSets", "Participants");
    let bitcoin = || (Value::unnamed_variant("Bitcoin", []),);
    let list = genesis.storage().fetch(participants, bitcoin()).await.unwrap().decode().unwrap();
    let expected = BITCOIN_ORDER.map(|name| (*AsRef::<[u8; 32]>::as_ref(&account(name)), 1));
    assert_eq!(list, expected);

    let address = dynamic::storage::<(Value, [u8; 32]), u64>("ValidatorSets", "InSet");
    let mut entries = genesis.storage().iter(address, bitcoin()).await.unwrap();
    let mut count = 0;
    while let Some(entry) = entries.next().await {
        assert_eq!(entry.unwrap().value().decode().unwrap(), 1);
        count += 1;
    }
    assert_eq!(count, 4);

    let missing = dynamic::storage::<(Value,), u32>("InInstructions", "LastBatch");
    assert!(genesis.storage().try_fetch(missing, bitcoin()).await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_subscriber_is_told_every_head() {
    let chain = chain();
    let server = start(&chain).await;
    // Not through subxt's streams: those fill in gaps by themselves.
    let client = RpcClient::from_insecure_url(server.url()).await.unwrap();
    let (name, end) = ("chain_subscribeFinalizedHeads", "chain_unsubscribeFinalizedHeads");
    let mut heads = client.subscribe::<serde_json::Value>(name, rpc_params![], end).await.unwrap();
    for _ in 0..300 {
        chain.include(vec![]);
    }
    for expected in 0..=300 {
        let head = within("head", heads.next()).await.unwrap().unwrap();
        assert_eq!(head["number"], format!("{expected:#x}"));
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_dropped_gives_its_address_free() {
    let chain = chain();
    let server = start(&chain).await;
    let address = server.address();
    drop(server);
    within("free address", async {
        while RpcServer::start(chain.chain.clone(), address).await.is_err() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panicking_runtime_call_is_an_error_and_the_chain_goes_on() {
    let chain = chain();
    let error = chain.call(None, "AccountNonceApi_account_nonce", &[1, 2]).unwrap_err();
    assert!(error.to_string().contains("panicked"), "{error}");
    let error = chain.call(None, "Nothing_at_all", &[]).unwrap_err();
    assert!(error.to_string().contains("no function"), "{error}");
    chain.include(vec![]);
}
