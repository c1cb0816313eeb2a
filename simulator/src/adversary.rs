//! Members that lie. Each runs the honest programs; what they say is changed on its way out, and signed
//! with the member's key.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serai_messages::keygen::{KeyKind, KeygenId, PeerMessage as Keygen, PerKey};
use serai_messages::observation::SeraiBlock;
use serai_messages::signing::{PeerMessage as Signing, SigningId};
use serai_messages::{
    Attempt, BlockHash, BlockNumber, Body, Enclosed, Participant, ProcessorKey, STATEMENT_CONTEXT,
    SignatureBytes, SignedStatement, ValidatorKey, decode, encode,
};
use serai_protocol::party;
use serai_sr25519::Signer;

use crate::draw::Draw;
use crate::options::Fault;
use crate::stalling::Stalling;

/// How often what can be changed is changed, in a thousand.
const CHANGED: u64 = 350;

/// How many of a thousand members vote for numbers far ahead.
const FAR_AHEAD: u64 = 300;

/// By how much, and for how many of these at a time.
const AHEAD: u32 = 1_000_000;
const FAR_VOTES: u32 = 4;

/// A member that breaks the rules.
pub struct Adversary {
    signer: Arc<Signer>,
    draw: Draw,
    stalling: Stalling,
    votes_far_ahead: bool,
    /// In which ways.
    pub roles: BTreeSet<Fault>,
    /// From when on it is silent, in milliseconds.
    pub silent_from: u64,
    /// Who is told the other version, or nothing.
    pub victims: BTreeSet<usize>,
    /// What was made of each of its statements.
    made: BTreeMap<[u8; 32], Option<Vec<Vec<u8>>>>,
    /// Processors' keys that others announced.
    processors: Vec<ProcessorKey>,
    /// Shares of key generation that others sent it.
    shares: Vec<SignedStatement>,
    /// Preprocesses that others gave it, by thing.
    preprocesses: BTreeMap<SigningId, BTreeMap<ValidatorKey, Enclosed>>,
    /// Sessions' shares that others gave it.
    signed: Vec<SignedStatement>,
    opened: Vec<SignedStatement>,
    /// In the order of Serai's storage.
    validators: Vec<ValidatorKey>,
    /// What is to be signed.
    pub things: BTreeMap<SigningId, SeraiBlock>,
}

impl Adversary {
    /// Of the member with this signer, among all `validators`.
    pub fn new(
        signer: Arc<Signer>,
        validators: Vec<ValidatorKey>,
        roles: BTreeSet<Fault>,
        seed: u64,
    ) -> Self {
        let mut draw = Draw::new(seed);
        let silent_from = draw.below(180_000);
        let victims = (0..validators.len()).filter(|_| draw.chance(500)).collect();
        let stalling = Stalling::new(validators.len(), &mut draw);
        let votes_far_ahead = Draw::new(!seed).chance(FAR_AHEAD);
        Self {
            signer,
            draw,
            stalling,
            votes_far_ahead,
            roles,
            silent_from,
            victims,
            made: BTreeMap::new(),
            processors: Vec::new(),
            shares: Vec::new(),
            preprocesses: BTreeMap::new(),
            signed: Vec::new(),
            opened: Vec::new(),
            validators,
            things: BTreeMap::new(),
        }
    }

    /// Whether the receiver hears nothing of it now.
    pub fn is_silent(&self, to: usize, now: u64) -> bool {
        self.roles.contains(&Fault::Silence)
            && now >= self.silent_from
            // Few victims: silent to all of them that it draws; most: to everybody.
            && (self.victims.len() * 2 > self.validators.len() || self.victims.contains(&to))
    }

    /// Keeps what can be used against others.
    pub fn hears(&mut self, body: &[u8]) {
        let Ok(statement) = decode::<SignedStatement>(body) else { return };
        match &statement.statement.body {
            Body::Keygen(Keygen::Announcement { processor, .. }) => {
                self.processors.push(*processor);
            }
            Body::Keygen(Keygen::Share { .. }) => self.shares.push(statement),
            Body::Signing(Signing::Preprocess { id, .. }) => {
                let enclosed = Enclosed::new(&statement);
                self.preprocesses.entry(*id).or_default().insert(statement.signer, enclosed);
            }
            Body::Signing(Signing::Share { .. }) => self.signed.push(statement),
            _ => {}
        }
    }

    /// What is said to `to` in place of the statement, at least one.
    pub fn says(&mut self, body: Vec<u8>, to: usize) -> Vec<Vec<u8>> {
        let Ok(statement) = decode::<SignedStatement>(&body) else { return vec![body] };
        let digest = statement.digest();
        if let Body::Signing(Signing::Open { .. }) = &statement.statement.body
            && !self.made.contains_key(&digest)
        {
            self.opened.push(statement.clone());
        }
        if !self.made.contains_key(&digest) {
            let made = self.make(&statement);
            self.made.insert(digest, made);
        }
        let to_all = self.roles.contains(&Fault::Lies);
        match self.made.get(&digest) {
            Some(Some(other)) if to_all || self.victims.contains(&to) => other.clone(),
            _ => vec![body],
        }
    }

    fn make(&mut self, statement: &SignedStatement) -> Option<Vec<Vec<u8>>> {
        let opens = matches!(&statement.statement.body, Body::Signing(Signing::Open { .. }));
        if opens && self.roles.contains(&Fault::Openers) {
            return self.open_otherwise(statement);
        }
        let lies = [Fault::Lies, Fault::Equivocation].iter().any(|role| self.roles.contains(role));
        if !lies {
            return None;
        }
        if let Body::Keygen(Keygen::AttemptVote { id, removed, height }) = &statement.statement.body
            && self.votes_far_ahead
        {
            return Some(self.vote_far_ahead(statement, *id, removed, *height));
        }
        if let Body::Keygen(message) = &statement.statement.body
            && let Some(other) = self.stalling.says(message, self.validators.len(), &mut self.draw)
        {
            return (other != *message).then(|| vec![self.sign(statement, Body::Keygen(other))]);
        }
        if !self.draw.chance(CHANGED) {
            return None;
        }
        if self.roles.contains(&Fault::Lies) && self.draw.chance(250) {
            let accusation = self.accuse(statement)?;
            return Some(vec![encode(statement), accusation]);
        }
        let mut body = statement.statement.body.clone();
        self.change(&mut body).then(|| vec![self.sign(statement, body)])
    }

    fn sign(&mut self, like: &SignedStatement, body: Body) -> Vec<u8> {
        let mut statement = like.statement.clone();
        statement.body = body;
        let signature =
            self.signer.sign(STATEMENT_CONTEXT, &statement.signing_bytes(), self.draw.rng());
        encode(&SignedStatement {
            signer: like.signer,
            statement,
            signature: SignatureBytes(signature),
        })
    }

    /// Votes for numbers far ahead, which fill what is kept of its votes; the true one may follow.
    fn vote_far_ahead(
        &mut self,
        statement: &SignedStatement,
        id: KeygenId,
        removed: &[ValidatorKey],
        height: BlockNumber,
    ) -> Vec<Vec<u8>> {
        let first = AHEAD.saturating_add(id.attempt.0.saturating_mul(FAR_VOTES));
        let ahead = (first..).take(FAR_VOTES as usize);
        let mut votes: Vec<_> = ahead
            .map(|number| {
                let id = KeygenId { attempt: Attempt(number), ..id };
                let vote = Keygen::AttemptVote { id, removed: removed.to_vec(), height };
                self.sign(statement, Body::Keygen(vote))
            })
            .collect();
        if self.draw.chance(500) {
            votes.push(encode(statement));
        }
        votes
    }

    /// Accuses somebody whose share was right.
    fn accuse(&mut self, statement: &SignedStatement) -> Option<Vec<u8>> {
        let body = match &statement.statement.body {
            Body::Keygen(message) => {
                let id = message.id();
                let of_attempt = |share: &&SignedStatement| matches!(&share.statement.body, Body::Keygen(message) if message.id() == id);
                let shares: Vec<_> = self.shares.iter().filter(of_attempt).collect();
                let share = Enclosed::new(self.draw.one_of(&shares)?);
                let blame = self.draw.chance(500).then(|| vec![7; 64]);
                Body::Keygen(Keygen::Accusation { id, share, key: KeyKind::External, blame })
            }
            Body::Signing(message) => {
                let id = message.id();
                let share = self.signed.iter().find(|share| {
                    matches!(&share.statement.body, Body::Signing(message) if message.id() == id)
                })?;
                let Body::Signing(Signing::Share { open, .. }) = &share.statement.body else {
                    return None;
                };
                let opened = self.opened.iter().find(|opened| opened.digest() == *open)?;
                let (open, share) = (Enclosed::new(opened), Enclosed::new(share));
                Body::Signing(Signing::Accusation { id, open, share })
            }
        };
        Some(self.sign(statement, body))
    }

    /// Another session with the same preprocesses, another one of the same number, or one that is none.
    fn open_otherwise(&mut self, statement: &SignedStatement) -> Option<Vec<Vec<u8>>> {
        let Body::Signing(Signing::Open { id, digest, session, members }) =
            statement.statement.body.clone()
        else {
            return None;
        };
        let given = self.preprocesses.get(&id).cloned().unwrap_or_default();
        let mut others = members.clone();
        let variant = self.draw.below(4);
        // Somebody who is not in it takes a place.
        if let Some(other) = given.values().find(|other| !members.contains(other))
            && let Some(last) = others.last_mut()
            && variant < 3
        {
            *last = other.clone();
            let rank = self.ranks(id);
            others.sort_by_key(|member| {
                member.open().ok().and_then(|it| rank.get(&it.signer).copied())
            });
        }
        let (session, members) = match variant {
            0 => (session, others),
            1 | 2 => (session + 100, others),
            _ => (session + 100, members.get(1..).unwrap_or_default().to_vec()),
        };
        let other = Body::Signing(Signing::Open { id, digest, session, members });
        let other = self.sign(statement, other);
        Some(match variant {
            0 => vec![other],
            _ => vec![encode(statement), other],
        })
    }

    /// Places in the draw, without which a session is none.
    fn ranks(&self, id: SigningId) -> BTreeMap<ValidatorKey, usize> {
        let reference = self.things.get(&id).map_or(BlockHash([0; 32]), |reference| reference.hash);
        let drawn = party::order(reference, self.validators.len() as u16).unwrap_or_default();
        let key = |place: u16| self.validators.get(usize::from(place).checked_sub(1)?).copied();
        drawn.into_iter().filter_map(key).enumerate().map(|(rank, key)| (key, rank)).collect()
    }

    /// Changes what is said; false where nothing is to be changed.
    fn change(&mut self, body: &mut Body) -> bool {
        match body {
            Body::Keygen(message) => self.change_keygen(message),
            Body::Signing(message) => self.change_signing(message),
        }
    }

    fn change_keygen(&mut self, message: &mut Keygen) -> bool {
        match message {
            Keygen::Announcement { processor, .. } => match self.draw.one_of(&self.processors) {
                Some(of_another) => {
                    *processor = *of_another;
                    true
                }
                None => self.spoil(&mut processor.0),
            },
            Keygen::PartySignature { digest, signature, .. } => {
                if self.draw.chance(500) {
                    self.spoil(digest)
                } else {
                    self.spoil(&mut signature.0)
                }
            }
            Keygen::Commitments { commitments, .. } => self.spoil_one(commitments, blot),
            Keygen::Agreement { digests, .. } => {
                let place = self.draw.below(digests.len() as u64) as usize;
                digests.get_mut(place).is_some_and(|digest| self.spoil(digest))
            }
            Keygen::Share { share, .. } | Keygen::ProofShare { share, .. } => {
                self.spoil_one(share, blot)
            }
            Keygen::ProofPreprocess { key_pair, preprocess, .. } => {
                if self.draw.chance(300) {
                    self.spoil(&mut key_pair.ristretto)
                } else {
                    {
                        let spoil = self.spoil_points();
                        self.spoil_one(preprocess, spoil)
                    }
                }
            }
            Keygen::Proof { signatures, .. } => self.spoil_one(signatures, blot),
            Keygen::MusigPreprocess { preprocess, .. } => self.spoil_points()(preprocess),
            Keygen::MusigShare { share, .. } => blot(share),
            Keygen::Waiting { from, .. } => {
                from.push(Participant(1));
                true
            }
            Keygen::AttemptVote { removed, .. } => {
                let other = self.draw.one_of(&self.validators).copied();
                removed.extend(other);
                other.is_some()
            }
            Keygen::Disclosure { .. } | Keygen::Evidence { .. } | Keygen::Accusation { .. } => {
                false
            }
        }
    }

    fn change_signing(&mut self, message: &mut Signing) -> bool {
        match message {
            Signing::Request { digest, .. } | Signing::Differs { digest, .. } => self.spoil(digest),
            Signing::Preprocess { preprocess, digest, .. } => {
                if self.draw.chance(200) {
                    self.spoil(digest)
                } else {
                    let spoil = self.spoil_points();
                    preprocess.first_mut().is_some_and(|value| spoil(value))
                }
            }
            Signing::Share { share, .. } => share.first_mut().is_some_and(|value| blot(value)),
            Signing::Signed { signatures, .. } => {
                signatures.first_mut().is_some_and(|signature| self.spoil(&mut signature.0))
            }
            Signing::Open { .. } | Signing::Accusation { .. } | Signing::Decline { .. } => false,
        }
    }

    fn spoil_one(&mut self, values: &mut PerKey, spoil: fn(&mut [u8]) -> bool) -> bool {
        if self.draw.chance(500) {
            spoil(&mut values.ristretto)
        } else {
            spoil(&mut values.external)
        }
    }

    /// Of two points: something that is none, or the one in the place of the other.
    fn spoil_points(&mut self) -> fn(&mut [u8]) -> bool {
        if self.draw.chance(500) { blot } else { exchange }
    }

    /// One bit: of what is compared or verified as a whole.
    fn spoil(&mut self, bytes: &mut [u8]) -> bool {
        let place = self.draw.below(bytes.len() as u64) as usize;
        match bytes.get_mut(place) {
            Some(byte) => {
                *byte ^= 1 << self.draw.below(8);
                true
            }
            None => false,
        }
    }
}

/// What no point or scalar looks like: a changed bit would make one of it or not, as the bytes are, and
/// those are not of the seed.
fn blot(bytes: &mut [u8]) -> bool {
    bytes.fill(0xff);
    !bytes.is_empty()
}

/// The halves in each other's place.
fn exchange(bytes: &mut [u8]) -> bool {
    bytes.rotate_left(bytes.len() / 2);
    !bytes.is_empty()
}
