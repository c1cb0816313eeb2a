//! The client's burn, against the development chain alone: it destroys what the account has, asks for
//! the payment, and cannot be there twice under one nonce.

use std::time::Duration;

use serai_devchain::{BalanceSpec, Chain as Development, Finality, Genesis, Producer, RpcServer};
use serai_devnet::chain::{Chain, Money, MoneyEvent};
use serai_devnet::payee;
use serai_messages::{BlockNumber, Coin, ValidatorKey};
use subxt_signer::sr25519::dev;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burn_asks_for_one_payment() {
    let mut genesis = Genesis::development(&["//Alice", "//Bob"], &["Bitcoin", "Monero"]);
    for coin in ["Bitcoin", "Monero"] {
        let (account, coin) = ("//Alice".to_owned(), coin.to_owned());
        genesis.balances.push(BalanceSpec { account, coin, amount: 1_000 });
    }
    let folder = tempfile::tempdir().unwrap();
    let development = Development::open(folder.path(), &genesis, Finality::Lag(1)).unwrap();
    let server = RpcServer::start(development.clone(), ([127, 0, 0, 1], 0).into()).await.unwrap();
    let _producer = Producer::start(development.clone(), Duration::from_millis(20));
    let chain = Chain::connect(&server.url()).await.unwrap();

    let (alice, key) = (dev::alice(), ValidatorKey(dev::alice().public_key().0));
    let mut expected = Vec::new();
    for (coin, amount) in [(Coin::Btc, 400), (Coin::Xmr, 150)] {
        let to = payee::fresh(coin);
        let nonce = chain.nonce(&alice).await.unwrap();
        chain.burn(&alice, nonce, coin, amount, &to.bytes).await.unwrap();
        assert!(
            chain.burn(&alice, nonce, coin, amount, &to.bytes).await.is_err(),
            "the same nonce"
        );
        assert_eq!(chain.balance(key, coin).await.unwrap(), 1_000 - amount);
        assert_eq!(chain.supply(coin, None).await.unwrap(), 1_000 - amount);
        expected.push(MoneyEvent::Burn { from: key, coin, amount, address: to.bytes });
    }
    let mut found: Vec<Money> = Vec::new();
    for block in 0..=chain.finalized().await.unwrap().0 {
        found.extend(chain.block(BlockNumber(block)).await.unwrap().money);
    }
    let events: Vec<_> = found.iter().map(|money| money.event.clone()).collect();
    assert_eq!(events, expected);
    assert_eq!(chain.block(found[1].block).await.unwrap().hash, found[1].hash);
    assert!(found[0].at_ms > 0 && found[0].index > 0);
    assert_eq!(chain.last_batch(Coin::Btc).await.unwrap(), None);
}
