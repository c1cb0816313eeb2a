//! N processors' key generation in one process. The test plays their coordinators: it signs and
//! carries what they say.

use std::path::{Path, PathBuf};

use rand_core::OsRng;
use rusqlite::Connection;
use serai_bus::{Database, SecretKey};
use serai_messages::keygen::{
    CoordinatorMessage, KeyKind, KeygenId, Member as PartyMember, Party, PeerMessage, PerKey,
    ProcessorMessage, SignedParty,
};
use serai_messages::{
    Attempt, BlockHash, Body, Coin, KeyPair, Name, Participant, STATEMENT_CONTEXT, Session,
    SignatureBytes, SignedStatement, Statement, VERSION, ValidatorKey, ValidatorSet, signing,
    threshold,
};
use serai_processor::keygen::{Keygen, Outcome};
use serai_processor::keystore::Cipher;
use serai_processor::signing::{
    Due, Error as SigningError, Outcome as SigningOutcome, Signing, UsedPreprocess,
};
use serai_processor::state;
use serai_sr25519::Signer;
use tempfile::TempDir;
use zeroize::Zeroizing;

pub const GENESIS: BlockHash = BlockHash([7; 32]);

/// A validator's signing key, from its number.
pub fn signer(number: u8) -> Signer {
    Signer::from_seed(&[number; 32]).unwrap()
}

/// Signs a statement as a coordinator does.
pub fn sign(signer: &Signer, message: PeerMessage) -> SignedStatement {
    let statement = Statement { version: VERSION, genesis: GENESIS, body: Body::Keygen(message) };
    let signature = signer.sign(STATEMENT_CONTEXT, &statement.signing_bytes(), &mut OsRng);
    SignedStatement {
        signer: ValidatorKey(signer.public()),
        statement,
        signature: SignatureBytes(signature),
    }
}

/// Signs a party as its members do.
pub fn sign_party(party: Party, signers: &[&Signer]) -> SignedParty {
    let digest = party.digest();
    let sign = |signer: &&Signer| {
        SignatureBytes(signer.sign(Party::SIGNATURE_CONTEXT, &digest, &mut OsRng))
    };
    SignedParty { signatures: signers.iter().map(sign).collect(), party }
}

/// One processor's core with its database.
pub struct Member {
    number: u8,
    pub signer: Signer,
    pub secret: SecretKey,
    folder: TempDir,
    coin: Coin,
    database: Database,
    keygen: Keygen,
    signing: Signing,
}

impl Member {
    fn new(number: u8, coin: Coin) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let secret = SecretKey::generate(&mut OsRng);
        let (database, keygen, signing) = open(folder.path(), coin, &secret);
        Self { number, signer: signer(number), secret, folder, coin, database, keygen, signing }
    }

    /// All that was in memory is gone.
    pub fn restart(&mut self) {
        (self.database, self.keygen, self.signing) =
            open(self.folder.path(), self.coin, &self.secret);
    }

    #[cfg(feature = "faults")]
    pub fn misbehave(&mut self, misbehaviour: serai_processor::faults::Misbehaviour) {
        self.keygen.misbehave(misbehaviour);
        self.signing.misbehave(misbehaviour);
    }

    /// Another instance with the same database, as of now: to ask "what if" once more.
    pub fn fork(&self) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Checkpointed, so that one file is all.
        self.database
            .read(|connection| {
                connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", (), |_| Ok(()))
            })
            .unwrap();
        let file = "state.sqlite";
        std::fs::copy(self.folder.path().join(file), folder.path().join(file)).unwrap();
        let (database, keygen, signing) = open(folder.path(), self.coin, &self.secret);
        let secret = self.secret.clone();
        let signer = Signer::from_seed(&[self.number; 32]).unwrap();
        Self {
            number: self.number,
            signer,
            secret,
            folder,
            coin: self.coin,
            database,
            keygen,
            signing,
        }
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What it leaves to a processor that takes over: its folder, and its sealing key.
    pub fn into_folder(self) -> (TempDir, SecretKey) {
        (self.folder, self.secret)
    }

    pub fn backups(&self) -> PathBuf {
        self.folder.path().join("backup")
    }

    pub fn handle(&mut self, message: &CoordinatorMessage) -> Outcome {
        let keygen = &mut self.keygen;
        self.database
            .transaction(|transaction| keygen.handle(transaction, message))
            .expect("storage fails")
    }

    /// The ledger finds something due.
    pub fn due(&mut self, due: Due) -> Option<signing::ProcessorMessage> {
        let signing = &mut self.signing;
        self.database
            .transaction(|transaction| signing.due(transaction, due))
            .expect("storage fails")
    }

    /// Handles a message about signing.
    pub fn sign(&mut self, message: &signing::CoordinatorMessage) -> SigningOutcome {
        let signing = &mut self.signing;
        self.database
            .transaction(|transaction| signing.handle(transaction, message))
            .expect("storage fails")
    }

    /// Handles a message about signing, and stops before anything of it is kept.
    pub fn sign_and_stop(&mut self, message: &signing::CoordinatorMessage) -> SigningOutcome {
        let (signing, mut outcome) = (&mut self.signing, None);
        let stopped = self.database.transaction(|transaction| {
            outcome = Some(signing.handle(transaction, message)?);
            Err::<(), _>(SigningError::Query(rusqlite::Error::QueryReturnedNoRows))
        });
        assert!(stopped.is_err());
        outcome.expect("storage fails")
    }

    /// Reads the database.
    pub fn read<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> T {
        self.database.read(work).unwrap()
    }

    /// The thing's outcome is final.
    pub fn forget(&mut self, id: signing::SigningId) {
        let signing = &mut self.signing;
        self.database
            .transaction(|transaction| signing.forget(transaction, id))
            .expect("storage fails");
    }

    /// What preprocesses were used for.
    pub fn used(&self) -> Vec<UsedPreprocess> {
        self.database.read(serai_processor::signing::used).unwrap()
    }

    /// Handles a message that leads to one answer and no complaint.
    pub fn answer(&mut self, message: &CoordinatorMessage) -> ProcessorMessage {
        let outcome = self.handle(message);
        assert_eq!(outcome.rejected, None, "{}", message.intent());
        let [answer] = outcome.answers.try_into().expect("not one answer");
        answer
    }

    /// Handles a message that is refused; returns the reason.
    pub fn refusal(&mut self, message: &CoordinatorMessage) -> String {
        match self.answer_to_refused(message) {
            Some(ProcessorMessage::Refused { reason, .. }) => reason,
            other => panic!("not refused: {other:?}"),
        }
    }

    /// Handles a message that is neither obeyed nor answered; returns the reason.
    pub fn ignored(&mut self, message: &CoordinatorMessage) -> String {
        let outcome = self.handle(message);
        assert_eq!(outcome.answers, Vec::new());
        outcome.rejected.expect("obeyed")
    }

    fn answer_to_refused(&mut self, message: &CoordinatorMessage) -> Option<ProcessorMessage> {
        self.handle(message).answers.pop()
    }

    pub fn nonces_stored(&self, id: KeygenId) -> bool {
        self.database
            .read(|connection| serai_processor::keystore::nonce(connection, id))
            .unwrap()
            .is_some()
    }

    pub fn vaults(&self) -> Vec<serai_processor::VaultReport> {
        serai_processor::vaults(self.folder.path()).unwrap()
    }
}

fn open(folder: &Path, coin: Coin, secret: &SecretKey) -> (Database, Keygen, Signing) {
    let cipher = Cipher::new(Zeroizing::new([9; 32]));
    let name: Name = "alice".parse().unwrap();
    let (database, _) = state::open(folder, &name, coin, &cipher).unwrap();
    let signing = Signing::new(coin, cipher.clone());
    (database, Keygen::new(coin, secret.public(), cipher, folder.join("backup")), signing)
}

/// The members of a set's attempts.
pub struct Members {
    pub all: Vec<Member>,
    pub id: KeygenId,
    pub signed: SignedParty,
}

pub const KINDS: [KeyKind; 2] = [KeyKind::Ristretto, KeyKind::External];

impl Members {
    pub fn new(coin: Coin, count: u8) -> Self {
        let set = ValidatorSet { coin, session: Session(0) };
        let all: Vec<_> = (1..=count).map(|number| Member::new(number, coin)).collect();
        let id = KeygenId { set, attempt: Attempt(1) };
        let signed = party(&all, id, Vec::new());
        Self { all, id, signed }
    }

    /// Another attempt, by all.
    pub fn again(&mut self, attempt: u32) {
        self.id.attempt = Attempt(attempt);
        self.signed = party(&self.all, self.id, Vec::new());
    }

    pub fn party(&self) -> &Party {
        &self.signed.party
    }

    pub fn participants(&self) -> impl Iterator<Item = (usize, Participant)> + use<> {
        (0..self.all.len()).map(|at| (at, Participant(at as u16 + 1)))
    }

    /// To the processor of the member at this place.
    pub fn start_message(&self, at: usize) -> CoordinatorMessage {
        let own = ValidatorKey(self.all[at].signer.public());
        CoordinatorMessage::Start { party: self.signed.clone(), own }
    }

    /// Starts all; the signed commitments.
    pub fn start(&mut self) -> Vec<SignedStatement> {
        let id = self.id;
        let starts: Vec<_> = (0..self.all.len()).map(|at| self.start_message(at)).collect();
        self.all
            .iter_mut()
            .zip(starts)
            .map(|(member, start)| match member.answer(&start) {
                ProcessorMessage::Commitments { commitments, .. } => {
                    sign(&member.signer, PeerMessage::Commitments { id, commitments })
                }
                other => panic!("{other:?}"),
            })
            .collect()
    }

    pub fn commitments_message(&self, statements: &[SignedStatement]) -> CoordinatorMessage {
        CoordinatorMessage::Commitments { id: self.id, statements: statements.to_vec() }
    }

    /// Gives all the commitments; the signed shares, by sender and recipient.
    pub fn share(&mut self, statements: &[SignedStatement]) -> Vec<SignedStatement> {
        let (id, message) = (self.id, self.commitments_message(statements));
        let mut signed = Vec::new();
        for member in &mut self.all {
            match member.answer(&message) {
                ProcessorMessage::Shares { shares, .. } => {
                    for (to, share) in shares {
                        signed.push(sign(&member.signer, PeerMessage::Share { id, to, share }));
                    }
                }
                other => panic!("{other:?}"),
            }
        }
        signed
    }

    /// The message with one member's shares.
    pub fn shares_message(
        &self,
        recipient: Participant,
        shares: &[SignedStatement],
    ) -> CoordinatorMessage {
        let due = |statement: &&SignedStatement| {
            matches!(&statement.statement.body,
                Body::Keygen(PeerMessage::Share { to, .. }) if *to == recipient)
        };
        let statements = shares.iter().filter(due).cloned().collect();
        CoordinatorMessage::Shares { id: self.id, statements }
    }

    /// Gives all their shares; the key pair, and the signed preprocesses.
    pub fn keys(&mut self, shares: &[SignedStatement]) -> (KeyPair, Vec<SignedStatement>) {
        let id = self.id;
        let mut pairs = Vec::new();
        let mut statements = Vec::new();
        for (at, participant) in self.participants() {
            let message = self.shares_message(participant, shares);
            match self.all[at].answer(&message) {
                ProcessorMessage::KeyPair { key_pair, preprocess, .. } => {
                    pairs.push(key_pair.clone());
                    let message = PeerMessage::ProofPreprocess { id, key_pair, preprocess };
                    statements.push(sign(&self.all[at].signer, message));
                }
                other => panic!("{other:?}"),
            }
        }
        assert!(pairs.windows(2).all(|two| two[0] == two[1]), "{pairs:?}");
        (pairs.swap_remove(0), statements)
    }

    pub fn preprocesses_message(&self, statements: &[SignedStatement]) -> CoordinatorMessage {
        CoordinatorMessage::ProofPreprocesses { id: self.id, statements: statements.to_vec() }
    }

    /// Gives all the preprocesses; the signed proof shares.
    pub fn prove(&mut self, preprocesses: &[SignedStatement]) -> Vec<SignedStatement> {
        let (id, message) = (self.id, self.preprocesses_message(preprocesses));
        let digests: Vec<_> = preprocesses.iter().map(SignedStatement::digest).collect();
        self.all
            .iter_mut()
            .map(|member| match member.answer(&message) {
                ProcessorMessage::ProofShare { share, .. } => {
                    let digests = digests.clone();
                    sign(&member.signer, PeerMessage::ProofShare { id, digests, share })
                }
                other => panic!("{other:?}"),
            })
            .collect()
    }

    pub fn proof_shares_message(&self, statements: &[SignedStatement]) -> CoordinatorMessage {
        CoordinatorMessage::ProofShares { id: self.id, statements: statements.to_vec() }
    }

    /// Gives all the proof shares; the signatures.
    pub fn proven(&mut self, shares: &[SignedStatement]) -> PerKey {
        let message = self.proof_shares_message(shares);
        let mut signatures: Vec<_> = self
            .all
            .iter_mut()
            .map(|member| match member.answer(&message) {
                ProcessorMessage::Proven { signatures, .. } => signatures,
                other => panic!("{other:?}"),
            })
            .collect();
        assert!(signatures.windows(2).all(|two| two[0] == two[1]));
        signatures.swap_remove(0)
    }

    /// The whole attempt.
    pub fn run(&mut self) -> (KeyPair, PerKey) {
        let commitments = self.start();
        let shares = self.share(&commitments);
        let (key_pair, preprocesses) = self.keys(&shares);
        let proof_shares = self.prove(&preprocesses);
        (key_pair, self.proven(&proof_shares))
    }
}

/// A signed party of these members.
pub fn party(members: &[Member], id: KeygenId, removed: Vec<ValidatorKey>) -> SignedParty {
    let total = u16::try_from(members.len() + removed.len()).unwrap();
    let party = Party {
        genesis: GENESIS,
        id,
        threshold: threshold(total),
        members: members
            .iter()
            .map(|member| PartyMember {
                validator: ValidatorKey(member.signer.public()),
                processor: member.secret.public(),
            })
            .collect(),
        removed,
    };
    sign_party(party, &members.iter().map(|member| &member.signer).collect::<Vec<_>>())
}
