//! The real program over an embedded bus. The test plays the coordinators.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand_core::OsRng;
use serai_bus::{Bus, DeadLetter, SecretKey, Settings, Start, sealing};
use serai_messages::control::{Heartbeat, KeyAnnouncement};
use serai_messages::keygen::{
    CoordinatorMessage, KeygenId, Member, Party, PeerMessage, ProcessorMessage,
};
use serai_messages::{
    Attempt, Coin, Endpoint, Incarnation, IntentId, Participant, ProcessorKey, Record, Sequence,
    Session, SignedStatement, VERSION, ValidatorKey, ValidatorSet, Versions, decode, encode,
    threshold,
};
use tempfile::TempDir;

use crate::members::{GENESIS, sign, sign_party, signer};
use crate::verifiers::assert_proven;

const DEADLINE: Duration = Duration::from_secs(60);
const COIN: Coin = Coin::Btc;

/// A running program; killed when dropped.
struct Program {
    child: Child,
    stdin: Option<ChildStdin>,
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(folder: &Path, bus: &Path) -> Command {
    logging(folder, bus, "warn")
}

fn logging(folder: &Path, bus: &Path, level: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_serai-processor"));
    command
        .args(["--name", "alice", "--coin", "btc", "--exit-with-parent", "--log-level", level])
        .args(["--heartbeat-ms", "50"])
        .arg("--data")
        .arg(folder)
        .arg("--bus")
        .arg(format!("embedded:{}", bus.display()))
        .stdin(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

impl Program {
    fn start(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let stdin = child.stdin.take();
        Self { child, stdin }
    }

    /// Waits for the end; returns exit code and standard error.
    fn end(&mut self) -> (Option<i32>, String) {
        let since = Instant::now();
        while self.child.try_wait().unwrap().is_none() {
            assert!(since.elapsed() < DEADLINE, "the program does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
        let mut text = String::new();
        if let Some(mut stderr) = self.child.stderr.take() {
            stderr.read_to_string(&mut text).unwrap();
        }
        (self.child.wait().unwrap().code(), text)
    }

    fn terminate(&self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    }
}

/// The coordinator's end of one validator's topic.
struct Coordinator {
    number: u8,
    topic: &'static str,
    secret: SecretKey,
    bus: Arc<dyn Bus>,
    reader: Box<dyn serai_bus::Reader>,
    incarnation: Incarnation,
    sequence: u64,
    processor: Option<ProcessorKey>,
    /// The newest of the processor's that has announced its key.
    newest: Incarnation,
    heartbeats: usize,
}

impl Coordinator {
    async fn new(number: u8, path: &Path) -> Self {
        let bus = serai_bus::connect(&Settings::embedded(path), false).unwrap();
        let topic = "alice-btc";
        bus.create_topics(&[topic.to_owned()]).await.unwrap();
        let reader = bus.read(topic, Start::Earliest).await.unwrap();
        Self {
            number,
            topic,
            secret: SecretKey::generate(&mut OsRng),
            bus,
            reader,
            incarnation: Incarnation(1),
            sequence: 0,
            processor: None,
            newest: Incarnation(0),
            heartbeats: 0,
        }
    }

    fn record(&mut self, id: &str, kind: &str, body: Vec<u8>) -> Record {
        self.sequence += 1;
        Record {
            id: IntentId::new(id).unwrap(),
            kind: kind.to_owned(),
            from: Endpoint::Coordinator,
            to: Endpoint::Processor(COIN),
            session: String::new(),
            incarnation: self.incarnation,
            sequence: Sequence(self.sequence),
            version: VERSION,
            sealed: false,
            body,
        }
    }

    async fn append(&self, record: Record) {
        self.bus.append(self.topic, &[record]).await.unwrap();
    }

    async fn announce(&mut self) {
        let announcement = KeyAnnouncement {
            coin: COIN,
            key: self.secret.public(),
            incarnation: self.incarnation,
            speaks: Versions::SPOKEN,
        };
        let record = self.record("announcement", "control.key", encode(&announcement));
        self.append(record).await;
    }

    fn sealed(&mut self, message: &CoordinatorMessage) -> Record {
        let mut record = self.record(&message.intent(), message.kind(), encode(message));
        let processor = self.processor.expect("the processor's key is not known");
        sealing::seal(&mut record, &self.secret, &processor, &mut OsRng).unwrap();
        record
    }

    async fn send(&mut self, message: &CoordinatorMessage) {
        let record = self.sealed(message);
        self.append(record).await;
    }

    /// The processor's next record that is no heartbeat: its key, or an answer.
    async fn receive(&mut self) -> Option<ProcessorMessage> {
        tokio::time::timeout(DEADLINE, async {
            loop {
                let record = self.reader.next().await.unwrap().record.unwrap();
                if record.from == Endpoint::Coordinator {
                    continue;
                }
                assert_eq!(record.from, Endpoint::Processor(COIN));
                if record.incarnation < self.newest {
                    // An instance that has been replaced, in its last moments.
                    continue;
                }
                if record.kind == "control.key" {
                    let announcement: KeyAnnouncement = decode(&record.body).unwrap();
                    assert_eq!(announcement.incarnation, record.incarnation);
                    self.processor = Some(announcement.key);
                    self.newest = announcement.incarnation;
                    return None;
                }
                let processor = self.processor.expect("sealed before the announcement");
                let body = sealing::open(&record, &self.secret, &processor).unwrap();
                if record.kind == "control.heartbeat" {
                    let heartbeat: Heartbeat = decode(&body).unwrap();
                    assert!(heartbeat.pid > 0);
                    self.heartbeats += 1;
                    continue;
                }
                let message: ProcessorMessage = decode(&body).unwrap();
                assert_eq!(message.kind(), record.kind);
                return Some(message);
            }
        })
        .await
        .unwrap_or_else(|_| panic!("processor {} does not answer", self.number))
    }

    async fn answer(&mut self, message: &CoordinatorMessage) -> ProcessorMessage {
        self.send(message).await;
        self.receive().await.expect("a key announcement instead of an answer")
    }
}

struct Place {
    _folder: TempDir,
    data: PathBuf,
    bus: PathBuf,
}

fn place() -> Place {
    let folder = tempfile::tempdir().unwrap();
    let (data, bus) = (folder.path().join("data"), folder.path().join("bus.sqlite"));
    Place { _folder: folder, data, bus }
}

fn id() -> KeygenId {
    KeygenId { set: ValidatorSet { coin: COIN, session: Session(0) }, attempt: Attempt(1) }
}

fn party(coordinators: &[Coordinator]) -> Party {
    Party {
        genesis: GENESIS,
        id: id(),
        threshold: threshold(coordinators.len() as u16),
        members: coordinators
            .iter()
            .map(|coordinator| Member {
                validator: ValidatorKey(signer(coordinator.number).public()),
                processor: coordinator.processor.unwrap(),
            })
            .collect(),
        removed: Vec::new(),
    }
}

fn start_message(party: &Party, number: u8) -> CoordinatorMessage {
    let signers: Vec<_> = (1..=party.members.len() as u8).map(signer).collect();
    CoordinatorMessage::Start {
        party: sign_party(party.clone(), &signers.iter().collect::<Vec<_>>()),
        own: ValidatorKey(signer(number).public()),
    }
}

/// Sends all the same and signs what each answers.
async fn round(
    coordinators: &mut [Coordinator],
    message: impl Fn(u8) -> CoordinatorMessage,
    mut say: impl FnMut(ProcessorMessage) -> PeerMessage,
) -> Vec<SignedStatement> {
    let mut statements = Vec::new();
    for coordinator in coordinators {
        let answer = coordinator.answer(&message(coordinator.number)).await;
        statements.push(sign(&signer(coordinator.number), say(answer)));
    }
    statements
}

#[tokio::test]
async fn four_programs_make_a_vault() {
    let places: Vec<_> = (0..4).map(|_| place()).collect();
    let mut coordinators = Vec::new();
    let mut programs = Vec::new();
    for (place, number) in places.iter().zip(1..) {
        let mut coordinator = Coordinator::new(number, &place.bus).await;
        coordinator.announce().await;
        programs.push(Program::start(command(&place.data, &place.bus)));
        assert_eq!(coordinator.receive().await, None, "the first record is the key");
        coordinators.push(coordinator);
    }
    let (party, id) = (party(&coordinators), id());

    let commitments = round(
        &mut coordinators,
        |number| start_message(&party, number),
        |answer| match answer {
            ProcessorMessage::Commitments { commitments, .. } => {
                PeerMessage::Commitments { id, commitments }
            }
            other => panic!("{other:?}"),
        },
    )
    .await;

    // One of them starts again between two steps, on the same folder.
    programs[2].terminate();
    assert_eq!(programs[2].end(), (Some(0), String::new()));
    programs[2] = Program::start(command(&places[2].data, &places[2].bus));
    assert_eq!(coordinators[2].receive().await, None, "the key is announced at each start");
    let message = CoordinatorMessage::Commitments { id, statements: commitments };
    let mut shares = Vec::new();
    for coordinator in &mut coordinators {
        match coordinator.answer(&message).await {
            ProcessorMessage::Shares { shares: of_one, .. } => {
                let signer = signer(coordinator.number);
                shares.extend(
                    of_one.into_iter().map(|(to, share)| {
                        (to, sign(&signer, PeerMessage::Share { id, to, share }))
                    }),
                );
            }
            other => panic!("{other:?}"),
        }
    }
    let mut preprocesses = Vec::new();
    let mut key_pairs = Vec::new();
    for coordinator in &mut coordinators {
        let own = Participant(coordinator.number.into());
        let due = shares.iter().filter(|(to, _)| *to == own);
        let statements = due.map(|(_, statement)| statement.clone()).collect();
        match coordinator.answer(&CoordinatorMessage::Shares { id, statements }).await {
            ProcessorMessage::KeyPair { key_pair, preprocess, .. } => {
                key_pairs.push(key_pair.clone());
                let message = PeerMessage::ProofPreprocess { id, key_pair, preprocess };
                preprocesses.push(sign(&signer(coordinator.number), message));
            }
            other => panic!("{other:?}"),
        }
    }
    let digests: Vec<_> = preprocesses.iter().map(SignedStatement::digest).collect();
    let message = CoordinatorMessage::ProofPreprocesses { id, statements: preprocesses };
    let proof_shares = round(
        &mut coordinators,
        |_| message.clone(),
        |answer| match answer {
            ProcessorMessage::ProofShare { share, .. } => {
                PeerMessage::ProofShare { id, digests: digests.clone(), share }
            }
            other => panic!("{other:?}"),
        },
    )
    .await;
    let message = CoordinatorMessage::ProofShares { id, statements: proof_shares };
    for coordinator in &mut coordinators {
        match coordinator.answer(&message).await {
            ProcessorMessage::Proven { key_pair, signatures, .. } => {
                assert_eq!(key_pair, key_pairs[0]);
                assert_proven(COIN, &party, &key_pair, &signatures);
            }
            other => panic!("{other:?}"),
        }
        assert!(coordinator.heartbeats > 0);
        let key_pair = key_pairs[0].clone();
        coordinator.send(&CoordinatorMessage::Confirmed { set: id.set, key_pair }).await;
    }

    // Read beside the running programs, and again when they are gone with their parent.
    for (program, place) in programs.iter_mut().zip(&places) {
        wait_for_vault(&place.data, &hex::encode(&key_pairs[0].external));
        drop(program.stdin.take());
        assert_eq!(program.end(), (Some(0), String::new()));
        wait_for_vault(&place.data, &hex::encode(&key_pairs[0].external));
    }
}

fn wait_for_vault(folder: &Path, external: &str) {
    let since = Instant::now();
    loop {
        let output = Command::new(env!("CARGO_BIN_EXE_serai-processor"))
            .args(["vaults", "--json", "--data"])
            .arg(folder)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        let vaults: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(vaults[0]["external_key"], external);
        if vaults[0]["state"] == "confirmed" {
            return;
        }
        assert!(since.elapsed() < DEADLINE, "not confirmed: {vaults}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[tokio::test]
async fn what_cannot_be_handled_is_a_dead_letter_and_blocks_nothing() {
    let place = place();
    let mut coordinator = Coordinator::new(1, &place.bus).await;
    coordinator.announce().await;
    let _program = Program::start(command(&place.data, &place.bus));
    assert_eq!(coordinator.receive().await, None);
    let party = party(std::slice::from_ref(&coordinator));
    let start = start_message(&party, 1);

    let clear = coordinator.record("clear", "keygen.start", encode(&start));
    coordinator.append(clear).await;
    let mut changed = coordinator.sealed(&start);
    changed.body[60] ^= 1;
    coordinator.append(changed).await;
    let own = std::mem::replace(&mut coordinator.secret, SecretKey::generate(&mut OsRng));
    let stranger = coordinator.sealed(&start);
    coordinator.append(stranger).await;
    coordinator.announce().await;
    coordinator.secret = own;
    let Some(ProcessorMessage::Commitments { commitments, .. }) = ({
        let record = coordinator.sealed(&start);
        // Twice on the topic, handled once.
        coordinator.append(record.clone()).await;
        coordinator.append(record).await;
        coordinator.receive().await
    }) else {
        panic!("no commitments")
    };
    // What comes next is the answer to what was sent next.
    let signed = sign(&signer(1), PeerMessage::Commitments { id: id(), commitments });
    let message = CoordinatorMessage::Commitments { id: id(), statements: vec![signed] };
    assert!(matches!(
        coordinator.answer(&message).await,
        ProcessorMessage::Shares { shares, .. } if shares.is_empty()
    ));

    let mut letters = coordinator.bus.read("alice-dead-letter", Start::Earliest).await.unwrap();
    for expected in ["must be sealed", "does not open", "does not open", "--accept-coordinator-key"]
    {
        let letter = tokio::time::timeout(DEADLINE, letters.next()).await.unwrap().unwrap();
        let letter = DeadLetter::read(&letter.record.unwrap()).unwrap();
        assert!(letter.reason.contains(expected), "{}", letter.reason);
        assert_eq!(letter.topic, "alice-btc");
    }
}

#[tokio::test]
async fn a_second_program_on_a_folder_is_refused() {
    let place = place();
    let mut coordinator = Coordinator::new(1, &place.bus).await;
    let mut first = Program::start(command(&place.data, &place.bus));
    assert_eq!(coordinator.receive().await, None);
    let (code, text) = Program::start(command(&place.data, &place.bus)).end();
    assert_eq!(code, Some(1));
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.contains("in use by another processor"), "{text}");
    first.terminate();
    assert_eq!(first.end(), (Some(0), String::new()));
}

/// A parent that is killed takes both ends with it: the one that says so and the one that reads the
/// log.
#[tokio::test]
async fn it_ends_with_its_parent_though_nobody_reads_its_log() {
    let place = place();
    let mut coordinator = Coordinator::new(1, &place.bus).await;
    let mut program = Program::start(logging(&place.data, &place.bus, "info"));
    assert_eq!(coordinator.receive().await, None);
    drop(program.child.stderr.take());
    drop(program.stdin.take());
    assert_eq!(program.end().0, Some(0));
}

/// A new folder for the same processor: it takes a higher incarnation, does not take up what the
/// earlier one began, and the earlier one stops.
#[tokio::test]
async fn a_newer_instance_stops_the_older_one() {
    let place = place();
    let mut coordinator = Coordinator::new(1, &place.bus).await;
    coordinator.announce().await;
    let mut older = Program::start(command(&place.data, &place.bus));
    assert_eq!(coordinator.receive().await, None);
    let party_of_older = party(std::slice::from_ref(&coordinator));
    coordinator.answer(&start_message(&party_of_older, 1)).await;

    let data = place.data.with_file_name("other");
    let _newer = Program::start(command(&data, &place.bus));
    let (code, text) = older.end();
    assert_eq!(code, Some(1));
    assert!(text.contains("newer instance"), "{text}");
    assert_eq!(coordinator.receive().await, None);

    // What the newer one answers first is what it is asked first.
    let mut party = party(std::slice::from_ref(&coordinator));
    party.id.attempt = Attempt(2);
    match coordinator.answer(&start_message(&party, 1)).await {
        ProcessorMessage::Commitments { id, .. } => assert_eq!(id.attempt, Attempt(2)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_wrong_command_line_is_refused_with_64() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_serai-processor"));
    let output = command.args(["--name", "Alice!", "--coin", "btc"]).output().unwrap();
    assert_eq!(output.status.code(), Some(64));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("validator name"), "{text}");
}
