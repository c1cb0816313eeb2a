//! A network with a client, and wallets that spend on it.

use std::path::Path;

use ::bitcoin::{
    Address, Amount, KnownHrp, OutPoint, ScriptBuf, Sequence, TapSighashType, Transaction, TxIn,
    TxOut, Txid, Witness, absolute, consensus,
    hashes::Hash as _,
    key::TweakedPublicKey,
    sighash::{Prevouts, SighashCache},
    transaction::Version,
};
use curve25519_dalek::{EdwardsPoint, Scalar};
use ed25519_dalek::{Signer as _, SigningKey};
use jsonrpsee::core::{ClientError, client::ClientT as _, params::ArrayParams};
use jsonrpsee_http_client::{HttpClient, HttpClientBuilder};
use secp256k1::{Keypair, Message, Parity, PublicKey, SECP256K1, SecretKey};
use serai_simchain::{Coin, Options, Server, ethereum, monero};
use serde_json::{Value, json};
use sha3::{Digest as _, Keccak256};
use std::{str::FromStr as _, time::Duration};

pub const COINS: [Coin; 3] = [Coin::Btc, Coin::Eth, Coin::Xmr];

/// A client of a network.
pub struct Node(HttpClient);

impl Node {
    pub fn new(url: &str) -> Self {
        Self(HttpClientBuilder::default().build(url).unwrap())
    }

    pub async fn try_call(&self, method: &str, params: Value) -> Result<Value, (i32, String)> {
        let mut list = ArrayParams::new();
        for param in params.as_array().unwrap() {
            list.insert(param).unwrap();
        }
        match self.0.request(method, list).await {
            Ok(answer) => Ok(answer),
            Err(ClientError::Call(error)) => Err((error.code(), error.message().to_owned())),
            Err(error) => panic!("{method}: {error}"),
        }
    }

    pub async fn call(&self, method: &str, params: Value) -> Value {
        self.try_call(method, params).await.unwrap_or_else(|error| panic!("{method}: {error:?}"))
    }

    /// The hash of a deposit.
    pub async fn deposit(&self, address: &str, amount: u64) -> [u8; 32] {
        hash(&self.call("dev_deposit", json!([address, amount, null])).await)
    }

    pub async fn publish(&self, raw: &[u8]) -> [u8; 32] {
        hash(&self.call("chain_publish", json!([hex::encode(raw)])).await)
    }

    /// Why a transaction is refused.
    pub async fn refused(&self, raw: &[u8]) -> String {
        let answer = self.try_call("chain_publish", json!([hex::encode(raw)])).await;
        let (code, message) = answer.expect_err("it was taken");
        assert_eq!(code, serai_simchain::REFUSED, "{message}");
        message
    }

    pub async fn mine(&self, count: u64) -> u64 {
        self.call("dev_mine", json!([count])).await.as_u64().unwrap()
    }

    pub async fn balance(&self, address: &str) -> u64 {
        self.call("dev_balance", json!([address])).await.as_u64().unwrap()
    }

    pub async fn holdings(&self, address: &str, height: u64) -> u64 {
        self.call("chain_holdings", json!([[address], height])).await.as_u64().unwrap()
    }

    pub async fn status(&self, transaction: &[u8; 32]) -> String {
        let answer = self.call("chain_transaction", json!([hex::encode(transaction)])).await;
        answer["status"].as_str().unwrap().to_owned()
    }
}

pub fn hash(value: &Value) -> [u8; 32] {
    hex::decode(value.as_str().unwrap()).unwrap().try_into().unwrap()
}

/// A network whose blocks come by command, with three confirmations.
pub struct Net {
    pub node: Node,
    pub server: Server,
    pub folder: tempfile::TempDir,
}

impl Net {
    pub async fn start(coin: Coin) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = serve(coin, folder.path()).await;
        Self { node: Node::new(&server.url()), server, folder }
    }
}

impl std::ops::Deref for Net {
    type Target = Node;
    fn deref(&self) -> &Node {
        &self.node
    }
}

pub async fn serve(coin: Coin, folder: &Path) -> Server {
    let options = Options { block_time: Duration::ZERO, ..Options::new(coin, folder) };
    Server::start(options).await.unwrap()
}

/// Secret number `n`, whose point has an even y.
pub fn secp(n: u8) -> SecretKey {
    let secret = SecretKey::from_slice(&[n; 32]).unwrap();
    match secret.x_only_public_key(SECP256K1).1 {
        Parity::Even => secret,
        Parity::Odd => secret.negate(),
    }
}

pub fn key_x(secret: &SecretKey) -> [u8; 32] {
    secret.x_only_public_key(SECP256K1).0.serialize()
}

pub fn ed25519(n: u8) -> SigningKey {
    SigningKey::from_bytes(&[n; 32])
}

/// The address of wallet `n`.
pub fn address(coin: Coin, n: u8) -> String {
    match coin {
        Coin::Btc => {
            let key = secp(n).x_only_public_key(SECP256K1).0;
            let key = TweakedPublicKey::dangerous_assume_tweaked(key);
            Address::p2tr_tweaked(key, KnownHrp::Mainnet).to_string()
        }
        Coin::Eth => format!("0x{}", hex::encode(ethereum::account(&key_x(&secp(n))).unwrap())),
        Coin::Xmr => {
            let view = EdwardsPoint::mul_base(&Scalar::from(7u8)).compress();
            let spend = ed25519(n).verifying_key().to_bytes();
            monero::address::encode(monero::address::FEATURED, &spend, view.as_bytes(), &[4])
        }
    }
}

/// An output of a deposit to wallet `n`.
#[derive(Clone, Copy)]
pub struct Coins {
    pub n: u8,
    pub transaction: [u8; 32],
    pub index: u32,
    pub amount: u64,
}

impl Coins {
    /// The first output of a transaction.
    pub fn of(n: u8, transaction: [u8; 32], amount: u64) -> Self {
        Self { n, transaction, index: 0, amount }
    }
}

fn script(address: &str) -> ScriptBuf {
    Address::from_str(address).unwrap().assume_checked().script_pubkey()
}

/// A Bitcoin transaction without signatures.
pub fn bitcoin_unsigned(inputs: &[Coins], outputs: &[(&str, u64)]) -> Transaction {
    let input = |coins: &Coins| {
        let mut txid = coins.transaction;
        txid.reverse();
        TxIn {
            previous_output: OutPoint { txid: Txid::from_byte_array(txid), vout: coins.index },
            script_sig: ScriptBuf::new(),
            sequence: Sequence::MAX,
            witness: Witness::new(),
        }
    };
    Transaction {
        version: Version::TWO,
        lock_time: absolute::LockTime::ZERO,
        input: inputs.iter().map(input).collect(),
        output: outputs
            .iter()
            .map(|(to, amount)| TxOut {
                value: Amount::from_sat(*amount),
                script_pubkey: script(to),
            })
            .collect(),
    }
}

/// Signs all inputs.
pub fn bitcoin_sign(mut transaction: Transaction, inputs: &[Coins]) -> Vec<u8> {
    let prevouts: Vec<TxOut> = inputs
        .iter()
        .map(|coins| TxOut {
            value: Amount::from_sat(coins.amount),
            script_pubkey: script(&address(Coin::Btc, coins.n)),
        })
        .collect();
    for (at, coins) in inputs.iter().enumerate() {
        let sighash = SighashCache::new(&transaction)
            .taproot_key_spend_signature_hash(
                at,
                &Prevouts::All(&prevouts),
                TapSighashType::Default,
            )
            .unwrap();
        let pair = Keypair::from_secret_key(SECP256K1, &secp(coins.n));
        let message = Message::from_digest(sighash.to_byte_array());
        let signature = SECP256K1.sign_schnorr_no_aux_rand(&message, &pair);
        transaction.input[at].witness = Witness::from_slice(&[signature.serialize()]);
    }
    consensus::serialize(&transaction)
}

/// Signs as Serai's contract wants it: c is over the address of R, x and the message.
pub fn schnorr(secret: &SecretKey, message: &[u8]) -> [u8; 64] {
    let nonce = SecretKey::from_slice(&[11; 32]).unwrap();
    let point = PublicKey::from_secret_key(SECP256K1, &nonce).serialize_uncompressed();
    let c: [u8; 32] = Keccak256::new()
        .chain_update(&Keccak256::digest(&point[1..])[12..])
        .chain_update(key_x(secret))
        .chain_update(message)
        .finalize()
        .into();
    let product = secret.mul_tweak(&secp256k1::Scalar::from_be_bytes(c).unwrap()).unwrap();
    let s = nonce.add_tweak(&secp256k1::Scalar::from(product)).unwrap();
    let mut signature = [0; 64];
    signature[..32].copy_from_slice(&c);
    signature[32..].copy_from_slice(&s.secret_bytes());
    signature
}

pub fn account(address: &str) -> [u8; 20] {
    hex::decode(&address[2..]).unwrap().try_into().unwrap()
}

/// A signed Ethereum transaction of wallet `n`.
pub fn execute(n: u8, nonce: u64, outs: &[(&str, u64)], fee: u64) -> Vec<u8> {
    let outs: Vec<_> = outs.iter().map(|(to, value)| (account(to), *value)).collect();
    let signature = schnorr(&secp(n), &ethereum::message(nonce, &outs, fee));
    let key_x = key_x(&secp(n));
    ethereum::Transaction::Execute { key_x, nonce, outs, fee, signature }.bytes()
}

/// A Monero transaction without signatures.
pub fn monero_unsigned(inputs: &[Coins], outputs: &[(&str, u64)], fee: u64) -> monero::Transaction {
    monero::Transaction {
        inputs: inputs.iter().map(|coins| (coins.transaction, coins.index)).collect(),
        outputs: outputs.iter().map(|(to, amount)| ((*to).to_owned(), *amount)).collect(),
        fee,
        data: None,
        salt: [0; 32],
        signatures: Vec::new(),
    }
}

/// Signs all inputs.
pub fn monero_sign(mut transaction: monero::Transaction, inputs: &[Coins]) -> Vec<u8> {
    let message = transaction.message();
    let sign = |coins: &Coins| ed25519(coins.n).sign(&message).to_bytes();
    transaction.signatures = inputs.iter().map(sign).collect();
    transaction.bytes()
}

/// The fee that [`pay`] leaves.
pub const FEE: u64 = 100_000_000;

/// Pays all of `coins` but [`FEE`] to `to`; `nonce` counts for Ethereum.
pub fn pay(coin: Coin, coins: Coins, nonce: u64, to: &str) -> Vec<u8> {
    let value = coins.amount - FEE;
    match coin {
        Coin::Btc => bitcoin_sign(bitcoin_unsigned(&[coins], &[(to, value)]), &[coins]),
        Coin::Eth => execute(coins.n, nonce, &[(to, value)], FEE),
        Coin::Xmr => monero_sign(monero_unsigned(&[coins], &[(to, value)], FEE), &[coins]),
    }
}
