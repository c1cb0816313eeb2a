//! Openers that open sessions to do harm.

use std::collections::BTreeMap;

use serai_messages::{
    Body, Enclosed, SignedStatement, ValidatorKey,
    signing::{PeerMessage, Shares},
};
use serai_protocol::signing::Effect;

use super::processor::{preprocess, signatures};
use super::world::{ID, Puppet, World};

const CASES: [(usize, u64); 4] = [(4, 1), (4, 2), (7, 3), (20, 4)];

/// What an evil opener knows.
struct Opener {
    own: usize,
    keys: Vec<ValidatorKey>,
    threshold: usize,
    content: [u8; 32],
    /// Unused preprocesses of others, and shares of its sessions.
    preprocesses: BTreeMap<usize, SignedStatement>,
    number: u32,
    asked: bool,
    others: Vec<SignedStatement>,
}

impl Opener {
    fn new(world: &World, own: usize) -> Self {
        Self {
            own,
            keys: (0..world.count()).map(|index| world.key(index)).collect(),
            threshold: world.threshold,
            content: world.content,
            preprocesses: BTreeMap::new(),
            number: 0,
            asked: false,
            others: Vec::new(),
        }
    }

    fn learn(&mut self, statement: &SignedStatement) {
        let Body::Signing(message) = &statement.statement.body else { return };
        match message {
            PeerMessage::Preprocess { opener, .. } if *opener == self.keys[self.own] => {
                let from = self.keys.iter().position(|key| *key == statement.signer).unwrap();
                self.preprocesses.insert(from, statement.clone());
            }
            _ => self.others.push(statement.clone()),
        }
    }

    fn request(&mut self) -> Vec<(usize, PeerMessage)> {
        if std::mem::replace(&mut self.asked, true) {
            return Vec::new();
        }
        let request = PeerMessage::Request { id: ID, digest: self.content };
        (0..self.keys.len()).map(|to| (to, request.clone())).collect()
    }

    fn own_preprocess(&self, number: u32) -> PeerMessage {
        let key = self.keys[self.own];
        let preprocess = preprocess(key, key, u64::from(number) + 1_000_000);
        PeerMessage::Preprocess { id: ID, digest: self.content, opener: key, preprocess }
    }
}

/// Signs outside of the world, for puppets.
fn sign(index_key: &serai_sr25519::Signer, message: PeerMessage) -> SignedStatement {
    use rand_core::SeedableRng;
    let statement = serai_messages::Statement {
        version: serai_messages::Versions::KNOWN.newest,
        genesis: serai_messages::BlockHash([9; 32]),
        body: Body::Signing(message),
    };
    let mut rng = rand_chacha::ChaCha20Rng::seed_from_u64(1);
    let bytes = statement.signing_bytes();
    let signature = index_key.sign(serai_messages::STATEMENT_CONTEXT, &bytes, &mut rng);
    SignedStatement {
        signer: ValidatorKey(index_key.public()),
        statement,
        signature: serai_messages::SignatureBytes(signature),
    }
}

/// Replaces a validator by an evil opener that says of each session what `evil` makes of it: from the
/// members in order, to (recipient, message).
fn replace(
    world: &mut World,
    own: usize,
    mut evil: impl FnMut(&mut Opener, Vec<SignedStatement>) -> Vec<(usize, PeerMessage)> + 'static,
) {
    let mut opener = Opener::new(world, own);
    let signer = find_signer(world.key(own));
    let puppet: Puppet = Box::new(move |statement| {
        let Some(statement) = statement else { return opener.request() };
        opener.learn(statement);
        let others = opener.preprocesses.keys().filter(|index| **index != opener.own);
        let chosen: Vec<_> = others.take(opener.threshold - 1).copied().collect();
        if chosen.len() + 1 < opener.threshold {
            return Vec::new();
        }
        let mut members: Vec<_> = chosen
            .iter()
            .map(|index| (*index, opener.preprocesses.remove(index).unwrap()))
            .collect();
        members.push((opener.own, sign(&signer, opener.own_preprocess(opener.number))));
        members.sort_by_key(|(index, _)| *index);
        let says = evil(&mut opener, members.into_iter().map(|(_, member)| member).collect());
        opener.number += 1;
        says
    });
    world.puppets.insert(own, puppet);
}

fn find_signer(key: ValidatorKey) -> serai_sr25519::Signer {
    (0..=255)
        .map(|index| {
            let mut bytes = [7; 32];
            bytes[0] = index;
            serai_sr25519::Signer::from_seed(&bytes).unwrap()
        })
        .find(|signer| signer.public() == key.0)
        .unwrap()
}

fn open(opener: &Opener, number: u32, members: &[SignedStatement]) -> PeerMessage {
    let members = members.iter().map(Enclosed::new).collect();
    PeerMessage::Open { id: ID, digest: opener.content, session: number, members }
}

fn to_all(opener: &Opener, message: &PeerMessage) -> Vec<(usize, PeerMessage)> {
    (0..opener.keys.len()).map(|to| (to, message.clone())).collect()
}

fn signs(world: &World, index: usize) -> usize {
    use serai_messages::signing::CoordinatorMessage;
    let sign =
        |effect: &&Effect| matches!(effect, Effect::ToProcessor(CoordinatorMessage::Sign { .. }));
    world.effects(index).iter().filter(sign).count()
}

/// Sessions of an opener in which a validator was put to sign.
fn of_opener(world: &World, index: usize, opener: usize) -> usize {
    use serai_protocol::signing::Input;
    let evil = world.key(opener);
    let opens = world.validators[index].log.iter().filter_map(|input| match input {
        Input::Statement(statement) if statement.signer == evil => Some(statement.digest()),
        _ => None,
    });
    let opens: Vec<_> = opens.collect();
    let sign = |effect: &&Effect| {
        let sign = |open: &[u8; 32]| opens.contains(open);
        matches!(effect, Effect::ToProcessor(
            serai_messages::signing::CoordinatorMessage::Sign { open, .. }
        ) if sign(open))
    };
    world.effects(index).iter().filter(sign).count()
}

/// As many sessions as anybody would sign in, and no signature.
#[test]
fn sessions_without_end_end() {
    for (count, seed) in CASES {
        let mut world = World::new(count, seed);
        let spare = world.spare();
        for own in 0..spare {
            replace(&mut world, own, |opener, members| {
                let message = open(opener, opener.number, &members);
                to_all(opener, &message)
            });
        }
        world.assert_signed();
        for index in world.honest() {
            let most = spare * 2 * count + (spare + 1) * count;
            assert!(signs(&world, index) <= most, "{}", signs(&world, index));
        }
    }
}

type Change = fn(&Opener, Vec<SignedStatement>) -> Vec<SignedStatement>;

#[test]
fn sessions_that_no_honest_opener_opens_are_named_and_not_signed_in() {
    let changes: [(&str, Change); 6] = [
        ("too few", |_, mut members| {
            members.pop();
            members
        }),
        ("one twice", |_, mut members| {
            members[1] = members[0].clone();
            members
        }),
        ("another order", |_, mut members| {
            members.swap(0, 1);
            members
        }),
        ("without itself", |opener, mut members| {
            let own = opener.keys[opener.own];
            members.retain(|member| member.signer != own);
            members.insert(0, members[0].clone());
            members
        }),
        ("a forged preprocess", |opener, mut members| {
            let other = members.iter_mut().find(|m| m.signer != opener.keys[opener.own]).unwrap();
            if let Body::Signing(PeerMessage::Preprocess { preprocess, .. }) =
                &mut other.statement.body
            {
                preprocess[0][5] ^= 1;
            }
            members
        }),
        ("another opener's preprocess", |opener, mut members| {
            let own = opener.keys[opener.own];
            let signer = find_signer(own);
            let place = members.iter().position(|member| member.signer == own).unwrap();
            if let Body::Signing(PeerMessage::Preprocess { preprocess, .. }) =
                &members[place].statement.body
            {
                members[place] = sign(
                    &signer,
                    PeerMessage::Preprocess {
                        id: ID,
                        digest: opener.content,
                        opener: opener.keys[1],
                        preprocess: preprocess.clone(),
                    },
                );
            }
            members
        }),
    ];
    for (what, change) in changes {
        for (count, seed) in [(4, 1), (7, 2)] {
            let mut world = World::new(count, seed);
            replace(&mut world, 0, move |opener, members| {
                let members = change(opener, members);
                let message = open(opener, opener.number, &members);
                to_all(opener, &message)
            });
            world.assert_signed();
            for by in world.honest() {
                assert_eq!(world.named(by, 0), ["malformed"], "{by}: {what}");
                assert_eq!(of_opener(&world, by, 0), 0, "{by} signs: {what}");
            }
        }
    }
}

/// The same preprocesses again, under another number and under the same.
#[test]
fn a_preprocess_meets_one_session() {
    for same in [false, true] {
        for (count, seed) in CASES {
            let mut world = World::new(count, seed);
            replace(&mut world, 0, move |opener, members| {
                let first = open(opener, opener.number * 2, &members);
                let mut others = members;
                let own = opener.keys[opener.own];
                let place = others.iter().position(|member| member.signer == own).unwrap();
                let signer = find_signer(own);
                others[place] = sign(&signer, opener.own_preprocess(opener.number + 1_000));
                let second = open(opener, opener.number * 2 + u32::from(!same), &others);
                let mut says = to_all(opener, &first);
                says.extend(to_all(opener, &second));
                says
            });
            world.assert_signed();
            let kind = if same { "equivocation" } else { "reused-preprocess" };
            let named = |by: &usize| world.named(*by, 0).contains(&kind);
            assert!(world.honest().iter().filter(|by| named(by)).count() >= world.threshold - 1);
        }
    }
}

/// It has the signatures made, and tells one other.
#[test]
fn signatures_kept_from_most() {
    for (count, seed) in CASES {
        let mut world = World::new(count, seed);
        let told = count - 1;
        replace(&mut world, 0, move |opener, members| {
            let bytes = |member: &SignedStatement| -> (ValidatorKey, Shares) {
                let Body::Signing(PeerMessage::Preprocess { preprocess, .. }) =
                    &member.statement.body
                else {
                    panic!("no preprocess")
                };
                (member.signer, preprocess.clone())
            };
            let set: Vec<_> = members.iter().map(bytes).collect();
            // In the test anybody can compute them.
            let signatures = signatures(opener.content, &set);
            let signed = PeerMessage::Signed { id: ID, digest: opener.content, signatures };
            vec![(told, signed)]
        });
        world.assert_signed();
        assert_eq!(world.validators[told].machine.summary().opened, 0);
    }
}

/// The same wishes again and again: they may have been answered in vain, but not for ever.
#[test]
fn requests_without_end_are_answered_a_few_times() {
    let mut world = World::new(4, 1);
    let content = world.content;
    world.puppets.insert(
        0,
        Box::new(move |_| {
            let request = PeerMessage::Request { id: ID, digest: content };
            (1..4).map(|to| (to, request.clone())).collect()
        }),
    );
    world.assert_signed();
    let evil = world.key(0);
    for index in world.honest() {
        let preprocess = |effect: &&Effect| matches!(effect, Effect::Tell(to, PeerMessage::Preprocess { .. }) if *to == evil);
        assert_eq!(world.effects(index).iter().filter(preprocess).count(), 1 + 8);
    }
}
