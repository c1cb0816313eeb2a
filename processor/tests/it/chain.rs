//! Each coin's rules against its simulated network: what is planned here and signed by a known key,
//! the network accepts.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serai_messages::{Coin, Session, SignatureBytes, ValidatorSet};
use serai_processor::chain::{
    ChainError, ExternalChain, Network, Output, Plan, Purpose, Target, ToSign, TransactionStatus,
    VaultKey, connect, network,
};
use serai_simchain::{Options, Server};

const DEADLINE: Duration = Duration::from_secs(20);

fn simulated(coin: Coin) -> serai_simchain::Coin {
    match coin {
        Coin::Btc => serai_simchain::Coin::Btc,
        Coin::Eth => serai_simchain::Coin::Eth,
        Coin::Xmr => serai_simchain::Coin::Xmr,
    }
}

/// A vault whose secret key is known.
#[derive(Clone)]
enum Secret {
    Secp256k1(secp256k1::SecretKey, Coin),
    Ed25519(curve25519_dalek::Scalar),
}

impl Secret {
    fn new(coin: Coin, seed: u8) -> Self {
        if coin == Coin::Xmr {
            return Secret::Ed25519(curve25519_dalek::Scalar::from(1_000 + u64::from(seed)));
        }
        let key = secp256k1::SecretKey::from_slice(&[seed; 32]).unwrap();
        let even =
            key.public_key(secp256k1::SECP256K1).x_only_public_key().1 == secp256k1::Parity::Even;
        Secret::Secp256k1(if even { key } else { key.negate() }, coin)
    }

    fn public(&self) -> Vec<u8> {
        match self {
            Secret::Secp256k1(key, _) => key.public_key(secp256k1::SECP256K1).serialize().to_vec(),
            Secret::Ed25519(key) => {
                curve25519_dalek::EdwardsPoint::mul_base(key).compress().to_bytes().to_vec()
            }
        }
    }

    fn sign(&self, message: &ToSign) -> SignatureBytes {
        match self {
            Secret::Secp256k1(key, Coin::Btc) => {
                let key = match message.offset {
                    None => *key,
                    Some(offset) => {
                        key.add_tweak(&secp256k1::Scalar::from_be_bytes(offset).unwrap()).unwrap()
                    }
                };
                let digest: [u8; 32] = message.bytes.as_slice().try_into().unwrap();
                let message = secp256k1::Message::from_digest(digest);
                let pair = key.keypair(secp256k1::SECP256K1);
                let signature = secp256k1::SECP256K1.sign_schnorr_no_aux_rand(&message, &pair);
                SignatureBytes(signature.serialize())
            }
            Secret::Secp256k1(key, _) => SignatureBytes(router(key, &message.bytes)),
            Secret::Ed25519(key) => {
                let offset = message.offset.map(|offset| {
                    Option::from(curve25519_dalek::Scalar::from_canonical_bytes(offset)).unwrap()
                });
                let key = key + offset.unwrap_or(curve25519_dalek::Scalar::ZERO);
                SignatureBytes(ed25519(&key, &message.bytes))
            }
        }
    }
}

/// A signature as Serai's router checks it: c = keccak256(address of R, x, message), s = r + c k.
fn router(key: &secp256k1::SecretKey, message: &[u8]) -> [u8; 64] {
    use sha3::{Digest, Keccak256};
    let nonce = secp256k1::SecretKey::from_slice(&[77; 32]).unwrap();
    let commitment = nonce.public_key(secp256k1::SECP256K1).serialize_uncompressed();
    let x = key.public_key(secp256k1::SECP256K1).x_only_public_key().0.serialize();
    let challenge: [u8; 32] = Keccak256::new()
        .chain_update(&Keccak256::digest(&commitment[1..])[12..])
        .chain_update(x)
        .chain_update(message)
        .finalize()
        .into();
    let challenge_key = secp256k1::Scalar::from_be_bytes(challenge).unwrap();
    let product = key.mul_tweak(&challenge_key).unwrap();
    let response = nonce.add_tweak(&secp256k1::Scalar::from(product)).unwrap();
    let mut signature = [0; 64];
    signature[..32].copy_from_slice(&challenge);
    signature[32..].copy_from_slice(&response.secret_bytes());
    signature
}

fn ed25519(key: &curve25519_dalek::Scalar, message: &[u8]) -> [u8; 64] {
    use curve25519_dalek::{EdwardsPoint, Scalar};
    use sha2::{Digest, Sha512};
    let nonce = Scalar::from(424_242_u64);
    let commitment = EdwardsPoint::mul_base(&nonce).compress();
    let hash = Sha512::new()
        .chain_update(commitment.as_bytes())
        .chain_update(EdwardsPoint::mul_base(key).compress().as_bytes())
        .chain_update(message);
    let challenge = Scalar::from_bytes_mod_order_wide(&hash.finalize().into());
    let mut signature = [0; 64];
    signature[..32].copy_from_slice(commitment.as_bytes());
    signature[32..].copy_from_slice((nonce + challenge * key).as_bytes());
    signature
}

struct World {
    coin: Coin,
    chain: Arc<dyn ExternalChain>,
    rules: &'static dyn Network,
    server: Server,
    _folder: tempfile::TempDir,
    next: u64,
    outputs: Vec<Output>,
}

impl World {
    async fn new(coin: Coin) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut options = Options::new(simulated(coin), folder.path());
        options.block_time = Duration::from_millis(50);
        options.confirmations = 1;
        let server = Server::start(options).await.unwrap();
        let chain = connect(coin, &server.url()).unwrap();
        let rules = network(coin);
        Self { coin, chain, rules, server, _folder: folder, next: 0, outputs: Vec::new() }
    }

    fn key(&self, session: u32, secret: &Secret) -> VaultKey {
        let set = ValidatorSet { coin: self.coin, session: Session(session) };
        VaultKey { set, external: secret.public() }
    }

    async fn deposit(&self, address: &str, amount: u64, data: Option<&[u8]>) {
        use jsonrpsee_core::client::ClientT;
        let client =
            jsonrpsee_http_client::HttpClientBuilder::default().build(self.server.url()).unwrap();
        let mut params = jsonrpsee_core::params::ArrayParams::new();
        params.insert(address).unwrap();
        params.insert(amount).unwrap();
        params.insert(data.map(hex::encode)).unwrap();
        let _: String = client.request("dev_deposit", params).await.unwrap();
    }

    /// Scans until `vaults` have this many new outputs.
    async fn scan(&mut self, vaults: &[VaultKey], count: usize) -> Vec<Output> {
        let begun = Instant::now();
        let mut found = Vec::new();
        while found.len() < count {
            assert!(begun.elapsed() < DEADLINE, "{} of {count} outputs", found.len());
            match self.chain.block(self.next).await.unwrap() {
                Some(block) => {
                    let scan = self.rules.scan(&block, vaults);
                    self.outputs.retain(|output| !scan.spent.contains(&output.id));
                    found.extend(scan.outputs);
                    self.next += 1;
                }
                None => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
        self.outputs.extend(found.iter().cloned());
        found
    }

    async fn publish(&self, plan: &Plan, secret: &Secret) {
        let signatures: Vec<_> = plan.messages.iter().map(|m| secret.sign(m)).collect();
        let raw = self.rules.assemble(&plan.unsigned, &signatures).unwrap();
        assert_eq!(self.rules.hash(&raw), Some(plan.hash));
        assert_eq!(self.chain.publish(&raw).await.unwrap(), plan.hash);
        assert_eq!(self.chain.publish(&raw).await.unwrap(), plan.hash, "known again");
        let begun = Instant::now();
        while !matches!(
            self.chain.transaction(plan.hash).await.unwrap(),
            TransactionStatus::Included { finalized: true, .. }
        ) {
            assert!(begun.elapsed() < DEADLINE, "not included");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    async fn holdings(&self, key: &VaultKey) -> u64 {
        let addresses: Vec<_> =
            Purpose::ALL.iter().map(|purpose| self.rules.address(key, *purpose).unwrap()).collect();
        let height = self.chain.info().await.unwrap().height;
        self.chain.holdings(&addresses, height).await.unwrap()
    }
}

fn conserves(plan: &Plan, available: &[Output], payment: bool) {
    let spent: u64 =
        available.iter().filter(|o| plan.spent.contains(&o.id)).map(|o| o.amount).sum();
    let created: u64 = plan.created.iter().map(|output| output.amount).sum();
    assert_eq!(spent, plan.amount + plan.fee + if payment { created } else { 0 });
}

async fn money_goes_in_and_out(coin: Coin) {
    let mut world = World::new(coin).await;
    let (secret, successor) = (Secret::new(coin, 5), Secret::new(coin, 9));
    let (vault, next) = (world.key(0, &secret), world.key(1, &successor));
    let address = world.rules.address(&vault, Purpose::External).unwrap();
    world.deposit(&address, 5_000_000_000, Some(&[1, 2, 3])).await;
    world.deposit(&address, 4_000_000_000, None).await;
    let vaults = [vault.clone(), next.clone()];
    let found = world.scan(&vaults, 2).await;
    assert!(found.iter().any(|o| o.data == Some(vec![1, 2, 3])), "{found:?}");
    assert!(found.iter().all(|o| o.purpose == Purpose::External), "{found:?}");

    let fee = world.chain.info().await.unwrap().fee;
    let other = Secret::new(coin, 7);
    let payee = world.rules.address(&world.key(9, &other), Purpose::External).unwrap();
    let payee = serai_processor::chain::Payee::new(payee);
    let pay = |gross| Target::Pay { payee: &payee, gross, recover: 10 };
    let available = world.outputs.clone();
    let first = world.rules.plan(&vault, 1, &available, pay(6_000_000_000), fee).unwrap();
    let mut shuffled = available.clone();
    shuffled.reverse();
    let again = world.rules.plan(&vault, 1, &shuffled, pay(6_000_000_000), fee).unwrap();
    assert_eq!(first, again, "the order of outputs matters");
    conserves(&first, &available, true);
    assert_eq!(first.recovered, 10);
    let wrong: Vec<_> = first.messages.iter().map(|m| other.sign(m)).collect();
    let raw = world.rules.assemble(&first.unsigned, &wrong).unwrap();
    assert!(matches!(world.chain.publish(&raw).await, Err(ChainError::Refused(_))));
    world.publish(&first, &secret).await;

    // The change is spent by the next one, also where blocks do not tell of it.
    let change = first.created.clone();
    world.outputs.retain(|output| !first.spent.contains(&output.id));
    let second = world.rules.plan(&vault, 2, &change, pay(1_000_000_000), fee).unwrap();
    conserves(&second, &change, true);
    world.publish(&second, &secret).await;

    let rest = second.created.clone();
    let target = Target::Forward { to: &next };
    let moved = world.rules.plan(&vault, 3, &rest, target, fee).unwrap();
    conserves(&moved, &rest, false);
    world.publish(&moved, &secret).await;
    let found = world.scan(&vaults, 1).await;
    let mut found = found.into_iter().find(|output| output.set == next.set);
    while found.is_none() {
        found = world.scan(&vaults, 1).await.into_iter().find(|output| output.set == next.set);
    }
    assert_eq!(found.as_ref(), moved.created.first());
    assert_eq!(world.holdings(&vault).await, 0);
    assert_eq!(world.holdings(&next).await, moved.amount);
}

#[tokio::test]
async fn bitcoin() {
    money_goes_in_and_out(Coin::Btc).await;
}

#[tokio::test]
async fn ethereum() {
    money_goes_in_and_out(Coin::Eth).await;
}

#[tokio::test]
async fn monero() {
    money_goes_in_and_out(Coin::Xmr).await;
}

#[tokio::test]
async fn another_coins_network_is_refused() {
    let world = World::new(Coin::Btc).await;
    let chain = connect(Coin::Eth, &world.server.url()).unwrap();
    let error = chain.info().await.unwrap_err().to_string();
    assert!(error.contains("btc"), "{error}");
}
