//! What all networks have in common: blocks, finality, reorganisations, holdings, persistence.

use std::time::{Duration, Instant};

use serai_simchain::{Coin, HEIGHT_NOT_THERE, Options, REFUSED, Server};
use serde_json::json;

use crate::support::{COINS, Coins, FEE, Net, Node, address, pay, serve};

const AMOUNT: u64 = 1_000_000_000;

#[tokio::test]
async fn blocks_are_a_chain_and_become_final() {
    for coin in COINS {
        let net = Net::start(coin).await;
        let info = net.call("chain_info", json!([])).await;
        assert_eq!((&info["coin"], &info["height"]), (&json!(coin.name()), &json!(0)));
        assert!(info["finalized"].is_null());
        assert_eq!(info["genesis"], hex::encode(net.server.genesis()));
        let other = Net::start(coin).await;
        assert_ne!(net.server.genesis(), other.server.genesis());

        let deposit = net.deposit(&address(coin, 1), AMOUNT).await;
        assert_eq!(net.status(&deposit).await, "pending");
        assert_eq!(net.balance(&address(coin, 1)).await, 0, "not in a block yet");
        for (height, finalized) in [(1, None), (2, None), (3, Some(0)), (4, Some(1))] {
            let included = || net.call("chain_transaction", json!([hex::encode(deposit)]));
            assert_eq!(net.mine(1).await, height);
            let info = net.call("chain_info", json!([])).await;
            assert_eq!(info["finalized"].as_u64(), finalized);
            let answer = included().await;
            assert_eq!(answer["height"], 1);
            assert_eq!(answer["finalized"], finalized == Some(1));
            let block = net.call("chain_block", json!([height])).await;
            let parent = net.call("chain_block", json!([height - 1])).await;
            assert_eq!(block["parent"], parent["hash"]);
            assert_eq!(block["transactions"].as_array().unwrap().len(), usize::from(height == 1));
        }
        assert!(net.call("chain_block", json!([5])).await.is_null());
        assert_eq!(net.status(&[1; 32]).await, "unknown");
    }
}

#[tokio::test]
async fn replaced_blocks_give_their_transactions_back() {
    for coin in COINS {
        let net = Net::start(coin).await;
        let (a, b) = (address(coin, 1), address(coin, 2));
        let deposit = net.deposit(&a, AMOUNT).await;
        net.mine(4).await;
        let spend = pay(coin, Coins::of(1, deposit, AMOUNT), 1, &b);
        let spent = net.publish(&spend).await;
        assert_eq!(net.mine(1).await, 5);
        assert_eq!(net.balance(&b).await, AMOUNT - FEE);
        let before = net.call("chain_block", json!([5])).await;

        // Finalized are blocks up to 2.
        for depth in [0, 4, u64::MAX] {
            let refused = net.try_call("dev_reorg", json!([depth, false])).await.unwrap_err();
            assert_eq!(refused.0, REFUSED, "{}", refused.1);
        }
        assert_eq!(net.call("chain_block", json!([5])).await, before);
        assert_eq!(net.call("dev_reorg", json!([1, false])).await, 6);
        let after = net.call("chain_block", json!([5])).await;
        assert_ne!(after["hash"], before["hash"]);
        assert_eq!(after["parent"], before["parent"]);
        assert_eq!(net.status(&spent).await, "pending");
        assert_eq!([net.balance(&a).await, net.balance(&b).await], [AMOUNT, 0]);
        assert_eq!(net.holdings(&b, 5).await, 0);
        net.mine(1).await;
        assert_eq!(net.status(&spent).await, "included");
        assert_eq!([net.balance(&a).await, net.balance(&b).await], [0, AMOUNT - FEE]);

        // Forgotten, and published again.
        assert_eq!(net.call("dev_reorg", json!([1, true])).await, 8);
        assert_eq!(net.status(&spent).await, "unknown");
        net.mine(1).await;
        assert_eq!([net.balance(&a).await, net.balance(&b).await], [AMOUNT, 0]);
        assert_eq!(net.publish(&spend).await, spent);
        net.mine(1).await;
        assert_eq!(net.balance(&b).await, AMOUNT - FEE);
    }
}

#[tokio::test]
async fn what_spends_something_forgotten_is_forgotten() {
    for coin in COINS {
        let net = Net::start(coin).await;
        let (a, b) = (address(coin, 1), address(coin, 2));
        let deposit = net.deposit(&a, AMOUNT).await;
        net.mine(1).await;
        let spend = pay(coin, Coins::of(1, deposit, AMOUNT), 1, &b);
        let spent = net.publish(&spend).await;
        let other = net.deposit(&b, AMOUNT).await;
        net.call("dev_reorg", json!([1, true])).await;
        assert_eq!(net.status(&deposit).await, "unknown");
        assert_eq!(net.status(&spent).await, "unknown");
        assert_eq!(net.status(&other).await, "pending");
        net.refused(&spend).await;
        net.mine(1).await;
        assert_eq!([net.balance(&a).await, net.balance(&b).await], [0, AMOUNT]);
    }
}

#[tokio::test]
async fn holdings_at_each_height() {
    for coin in COINS {
        let net = Net::start(coin).await;
        let (a, b) = (address(coin, 1), address(coin, 2));
        let deposit = net.deposit(&a, AMOUNT).await;
        net.mine(2).await;
        net.publish(&pay(coin, Coins::of(1, deposit, AMOUNT), 1, &b)).await;
        net.deposit(&b, 1000).await;
        net.mine(1).await;
        let held = AMOUNT - FEE + 1000;
        let both = |height| net.try_call("chain_holdings", json!([[a, b, a], height]));
        for (height, sum) in [(0, 0), (1, AMOUNT), (2, AMOUNT), (3, held)] {
            assert_eq!(both(height).await.unwrap(), sum, "an address counts once, {height}");
        }
        assert_eq!(both(4).await.unwrap_err().0, HEIGHT_NOT_THERE);
        let wrong = net.try_call("chain_holdings", json!([["nowhere"], 1])).await;
        assert!(wrong.unwrap_err().1.contains("is no address"));

        net.call("dev_seize", json!([b, 400])).await;
        assert_eq!(net.balance(&b).await, held, "from the next block on");
        net.mine(1).await;
        assert_eq!(net.balance(&b).await, held - 400);
        assert_eq!([net.holdings(&b, 3).await, net.holdings(&b, 4).await], [held, held - 400]);
        net.call("dev_seize", json!([b, u64::MAX])).await;
        net.mine(1).await;
        assert_eq!(net.balance(&b).await, 0);
        let last = net.try_call("dev_deposit", json!([a, u64::MAX, null])).await;
        assert!(last.unwrap_err().1.contains("64 bits"));
    }
}

#[tokio::test]
async fn a_stopped_network_goes_on_where_it_was() {
    for coin in COINS {
        let Net { node, server, folder } = Net::start(coin).await;
        let (a, b) = (address(coin, 1), address(coin, 2));
        let first = node.deposit(&a, AMOUNT).await;
        node.mine(5).await;
        node.call("dev_reorg", json!([2, false])).await;
        node.call("dev_seize", json!([b, 7])).await;
        node.mine(1).await;
        let spent = node.publish(&pay(coin, Coins::of(1, first, AMOUNT), 1, &b)).await;
        node.call("dev_set_fee", json!([3])).await;
        let mut before = vec![node.call("chain_info", json!([])).await];
        for height in 0..=7 {
            before.push(node.call("chain_block", json!([height])).await);
        }
        server.stop().await;

        let other = COINS.into_iter().find(|other| *other != coin).unwrap();
        let refused = Server::start(Options::new(other, folder.path())).await.err().unwrap();
        assert!(refused.to_string().contains("another coin"), "{refused}");

        let server = serve(coin, folder.path()).await;
        let second = Server::start(Options::new(coin, folder.path())).await.err().unwrap();
        assert!(second.to_string().contains("another process"), "{second}");
        let node = Node::new(&server.url());
        let mut after = vec![node.call("chain_info", json!([])).await];
        for height in 0..=7 {
            after.push(node.call("chain_block", json!([height])).await);
        }
        assert_eq!(after, before);
        assert_eq!(node.status(&spent).await, "pending");
        node.mine(1).await;
        assert_eq!([node.balance(&a).await, node.balance(&b).await], [0, AMOUNT - FEE - 7]);
        let evidence = node.call("dev_transaction", json!([hex::encode(spent)])).await;
        assert_eq!(evidence["inputs_verified"], 1);
    }
}

#[tokio::test]
async fn the_clock_can_be_paused() {
    let folder = tempfile::tempdir().unwrap();
    let block_time = Duration::from_millis(5);
    let options = Options { block_time, ..Options::new(Coin::Btc, folder.path()) };
    let server = Server::start(options).await.unwrap();
    let node = Node::new(&server.url());
    let height = || async { node.call("chain_info", json!([])).await["height"].as_u64().unwrap() };
    let grown = |from: u64| async move {
        let deadline = Instant::now() + Duration::from_secs(30);
        while height().await <= from {
            assert!(Instant::now() < deadline, "no block");
        }
    };
    grown(3).await;
    node.call("dev_pause", json!([])).await;
    let paused = height().await;
    let until = Instant::now() + Duration::from_millis(100);
    while Instant::now() < until {
        assert_eq!(height().await, paused);
    }
    assert_eq!(node.mine(2).await, paused + 2, "by command also while paused");
    node.call("dev_resume", json!([])).await;
    grown(paused + 2).await;
}

#[tokio::test]
async fn only_loopback_and_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let listen = "0.0.0.0:0".parse().unwrap();
    let options = Options { listen, ..Options::new(Coin::Btc, folder.path()) };
    assert!(Server::start(options).await.is_err());

    let net = Net::start(Coin::Xmr).await;
    assert!(net.refused(&vec![0; 100_001]).await.contains("over 100000"));
    let refused = net.try_call("dev_mine", json!([10_001])).await.unwrap_err();
    assert_eq!(refused.0, REFUSED);
    for params in [json!([]), json!(["zz"]), json!([5])] {
        assert!(net.try_call("chain_publish", params).await.is_err());
    }
}
