//! A processor that runs in this process on its bus and its simulated network; the test plays its
//! coordinator.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jsonrpsee_core::client::ClientT;
use jsonrpsee_core::traits::ToRpcParams;
use jsonrpsee_http_client::HttpClientBuilder;
use rand_core::OsRng;
use serai_bus::{Bus, SecretKey, Settings as BusSettings, Start, sealing};
use serai_messages::signing::{Content, Shares, SigningId};
use serai_messages::{
    Coin, Endpoint, Incarnation, IntentId, Name, Record, Sequence, Topic, VERSION, ValidatorKey,
    Versions, decode, encode, keygen, observation::SeraiBlock, signing, vault,
};
use serai_processor::chain::{connect, network};
use serai_processor::keystore::Cipher;
use serai_processor::{Actor, Error, External, Settings, watcher};
use serai_simchain::{Options, Server};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

const DEADLINE: Duration = Duration::from_secs(60);

/// A simulated network whose blocks come when the test says so.
pub struct Net {
    coin: Coin,
    folder: TempDir,
    server: Option<Server>,
    pub url: String,
}

impl Net {
    /// Blocks that follow one before it is finalized.
    pub const CONFIRMATIONS: u64 = 2;

    pub async fn new(coin: Coin) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut net = Self { coin, folder, server: None, url: String::new() };
        net.start().await;
        net
    }

    /// With the same blocks at the same address, if it ran before.
    pub async fn start(&mut self) {
        let coin = match self.coin {
            Coin::Btc => serai_simchain::Coin::Btc,
            Coin::Eth => serai_simchain::Coin::Eth,
            Coin::Xmr => serai_simchain::Coin::Xmr,
        };
        let mut options = Options::new(coin, self.folder.path());
        options.block_time = Duration::ZERO;
        options.confirmations = Self::CONFIRMATIONS;
        if let Some(address) = self.url.strip_prefix("http://") {
            options.listen = address.parse().unwrap();
        }
        let server = Server::start(options).await.unwrap();
        self.url = server.url();
        self.server = Some(server);
    }

    pub async fn stop(&mut self) {
        self.server.take().expect("it does not run").stop().await;
    }

    pub async fn ask<T: serde::de::DeserializeOwned>(
        &self,
        method: &str,
        params: impl ToRpcParams + Send,
    ) -> T {
        let client = HttpClientBuilder::default().build(&self.url).unwrap();
        client.request(method, params).await.unwrap_or_else(|error| panic!("{method}: {error}"))
    }
}

/// What a processor has said.
#[derive(Clone, Debug, PartialEq)]
pub enum Said {
    Signing(signing::ProcessorMessage),
    Vault(vault::ProcessorMessage),
}

/// A processor and the hand that drives it.
pub struct Driven {
    pub validator: ValidatorKey,
    pub said: Vec<Said>,
    coin: Coin,
    folder: TempDir,
    secret: SecretKey,
    hand: SecretKey,
    bus: Arc<dyn Bus>,
    reader: Box<dyn serai_bus::Reader>,
    sequence: u64,
    running: Option<(CancellationToken, JoinHandle<Result<(), Error>>)>,
}

fn name() -> Name {
    "alice".parse().unwrap()
}

fn bus(folder: &Path) -> Arc<dyn Bus> {
    serai_bus::connect(&BusSettings::embedded(folder.join("bus.sqlite")), false).unwrap()
}

impl Driven {
    /// On this folder; it does not run yet.
    pub async fn new(
        coin: Coin,
        validator: ValidatorKey,
        (folder, secret): (TempDir, SecretKey),
    ) -> Self {
        let bus = bus(folder.path());
        let topic = Topic::Chain(coin).full_name(&name());
        bus.create_topics(std::slice::from_ref(&topic)).await.unwrap();
        let reader = bus.read(&topic, Start::Earliest).await.unwrap();
        let hand = SecretKey::generate(&mut OsRng);
        let (said, sequence, running) = (Vec::new(), 0, None);
        Self { validator, said, coin, folder, secret, hand, bus, reader, sequence, running }
    }

    /// One that holds no share of anything.
    pub async fn stranger(coin: Coin) -> Self {
        let parts = (tempfile::tempdir().unwrap(), SecretKey::generate(&mut OsRng));
        Self::new(coin, ValidatorKey([0; 32]), parts).await
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Needs a `LocalSet`.
    pub fn start(&mut self, url: &str) {
        let coin = self.coin;
        let external = External {
            network: network(coin),
            chain: Some(connect(coin, url).unwrap()),
            watch: watcher::Settings {
                poll: Duration::from_millis(20),
                check: Duration::from_millis(50),
            },
        };
        let settings = Settings {
            name: name(),
            external,
            folder: self.path().to_owned(),
            backups: self.path().join("backup"),
            speaks: Versions::SPOKEN,
            secret: self.secret.clone(),
            cipher: Cipher::new(Zeroizing::new([9; 32])),
            coordinator: Some(self.hand.public()),
            accept: None,
            heartbeat: Duration::from_millis(500),
        };
        let actor = Actor::new(settings, bus(self.path())).unwrap();
        let shutdown = CancellationToken::new();
        let task = tokio::task::spawn_local(actor.run(shutdown.clone()));
        assert!(self.running.replace((shutdown, task)).is_none(), "it runs already");
    }

    /// In order: what it has to say is on the bus.
    pub async fn stop(&mut self) {
        let (shutdown, task) = self.running.take().expect("it does not run");
        shutdown.cancel();
        task.await.unwrap().unwrap();
    }

    /// Where it stands.
    pub async fn kill(&mut self) {
        let (_, task) = self.running.take().expect("it does not run");
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
    }

    async fn send(&mut self, kind: &str, body: Vec<u8>) {
        self.sequence += 1;
        let mut record = Record {
            id: IntentId::new(format!("hand/{kind}/{}", self.sequence)).unwrap(),
            kind: kind.to_owned(),
            from: Endpoint::Coordinator,
            to: Endpoint::Processor(self.coin),
            session: String::new(),
            incarnation: Incarnation(1),
            sequence: Sequence(self.sequence),
            version: VERSION,
            sealed: false,
            body,
        };
        sealing::seal(&mut record, &self.hand, &self.secret.public(), &mut OsRng).unwrap();
        let topic = Topic::Chain(self.coin).full_name(&name());
        self.bus.append(&topic, &[record]).await.unwrap();
    }

    pub async fn confirm(&mut self, message: &keygen::CoordinatorMessage) {
        self.send(message.kind(), encode(message)).await;
    }

    pub async fn event(&mut self, message: &vault::CoordinatorMessage) {
        self.send(message.kind(), encode(message)).await;
    }

    pub async fn sign(&mut self, message: &signing::CoordinatorMessage) {
        self.send(message.kind(), encode(message)).await;
    }

    /// Waits for a heartbeat of now or later.
    pub async fn alive(&mut self) {
        let now = std::time::SystemTime::now();
        let now = now.duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
        let waiting = async {
            loop {
                let record = self.reader.next().await.unwrap().record.unwrap();
                if record.kind != "control.heartbeat" {
                    continue;
                }
                let body = sealing::open(&record, &self.hand, &self.secret.public()).unwrap();
                let heartbeat: serai_messages::control::Heartbeat = decode(&body).unwrap();
                if u128::from(heartbeat.at_ms) >= now {
                    return;
                }
            }
        };
        tokio::time::timeout(DEADLINE, waiting).await.expect("no heartbeat");
    }

    /// The first thing said, from the beginning on, that is what is looked for.
    pub async fn until<T>(&mut self, what: &str, mut find: impl FnMut(&Said) -> Option<T>) -> T {
        if let Some(found) = self.said.iter().find_map(&mut find) {
            return found;
        }
        let waiting = async {
            loop {
                let record = self.reader.next().await.unwrap().record.unwrap();
                if record.from == Endpoint::Coordinator || record.kind.starts_with("control.") {
                    continue;
                }
                let body = sealing::open(&record, &self.hand, &self.secret.public()).unwrap();
                let said = match record.kind.split_once('.').unwrap().0 {
                    "signing" => Said::Signing(decode(&body).unwrap()),
                    "vault" => Said::Vault(decode(&body).unwrap()),
                    other => panic!("said {other}"),
                };
                self.said.push(said.clone());
                if let Some(found) = find(&said) {
                    return found;
                }
            }
        };
        match tokio::time::timeout(DEADLINE, waiting).await {
            Ok(found) => found,
            Err(_) => panic!("no {what} among {:#?}", self.said),
        }
    }

    pub async fn ready(&mut self, id: SigningId) -> (SeraiBlock, Content, Shares) {
        self.until(&format!("readiness for {id}"), |said| match said {
            Said::Signing(signing::ProcessorMessage::Ready {
                id: due,
                reference,
                content,
                preprocess,
            }) if *due == id => Some((*reference, content.clone(), preprocess.clone())),
            _ => None,
        })
        .await
    }

    pub async fn holdings(&mut self, batch: u32) -> vault::Holdings {
        self.until(&format!("holdings at batch {batch}"), |said| match said {
            Said::Vault(vault::ProcessorMessage::Holdings(at)) if at.batch == batch => {
                Some(at.clone())
            }
            _ => None,
        })
        .await
    }

    /// Until this was said of vaults.
    pub async fn says(&mut self, message: &vault::ProcessorMessage) {
        self.until(&format!("{message:?}"), |said| {
            matches!(said, Said::Vault(other) if other == message).then_some(())
        })
        .await;
    }

    /// How many records it could not handle.
    pub async fn dead_letters(&self) -> u64 {
        self.bus.info(&Topic::DeadLetter.full_name(&name())).await.unwrap().next
    }
}
