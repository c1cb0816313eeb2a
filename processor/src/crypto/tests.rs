//! Signatures as everybody can make them, against the library's own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::collections::HashMap;

use ciphersuite::Ciphersuite;
use ciphersuite::group::ff::{Field, PrimeField};
use modular_frost::sign::{SignMachine, SignatureMachine, Writable};
use modular_frost::{ThresholdKeys, ThresholdParams, dkg::Interpolation};
use rand_core::OsRng;
use serai_messages::Participant;
use zeroize::Zeroizing;

use super::bitcoin::Bitcoin;
use super::dkg::index;
use super::ethereum::Ethereum;
use super::monero::Monero;
use super::substrate::Substrate;
use super::vault_keys::open;
use super::*;

const THRESHOLD: u16 = 3;
const MEMBERS: u16 = 5;

type F<S> = <<S as Scheme>::Curve as Ciphersuite>::F;

/// A random key's shares, dealt.
fn deal<S: Scheme>() -> Vec<ThresholdKeys<S::Curve>> {
    let coefficients: Vec<_> = (0..THRESHOLD).map(|_| F::<S>::random(&mut OsRng)).collect();
    let share = |member: u16| {
        let at = F::<S>::from(u64::from(member));
        coefficients.iter().rev().fold(F::<S>::ZERO, |sum, next| sum * at + *next)
    };
    let public: HashMap<_, _> = (1..=MEMBERS)
        .map(|member| (index(Participant(member)).unwrap(), S::Curve::generator() * share(member)))
        .collect();
    (1..=MEMBERS)
        .map(|member| {
            let own = index(Participant(member)).unwrap();
            ThresholdKeys::new(
                ThresholdParams::new(THRESHOLD, MEMBERS, own).unwrap(),
                Interpolation::Lagrange,
                Zeroizing::new(share(member)),
                public.clone(),
            )
            .unwrap()
        })
        .collect()
}

/// A random offset with which the key can sign, as Bitcoin's addresses have.
fn offset<S: Scheme>(key: <S::Curve as Ciphersuite>::G) -> Offset {
    let mut offset = F::<S>::random(&mut OsRng);
    // Chains take signatures of keys with even y alone, where keys have a parity.
    while odd(S::public_key(&(key + S::Curve::generator() * offset)).as_slice()) {
        offset += F::<S>::ONE;
    }
    Some(offset.to_repr().as_ref().try_into().unwrap())
}

fn odd(key: &[u8]) -> bool {
    key.len() == 33 && key[0] == 3
}

fn subsets() -> impl Iterator<Item = Vec<Participant>> {
    (0u32..1 << MEMBERS).filter(|bits| bits.count_ones() == u32::from(THRESHOLD)).map(|bits| {
        (1..=MEMBERS).filter(|member| bits >> (member - 1) & 1 == 1).map(Participant).collect()
    })
}

fn accused<T: std::fmt::Debug>(result: Result<T, Fault>) -> Participant {
    match result {
        Err(Fault::InvalidSignatureShare { accused }) => accused,
        other => panic!("nobody is accused: {other:?}"),
    }
}

/// The library's own completion.
type Machine = Box<dyn FnOnce(&Messages) -> Result<[u8; 64], Fault>>;

type Spoil<'a> = &'a dyn Fn(&mut Vec<u8>);

/// A session, and what the library makes of it.
struct Made {
    seeds: Vec<Seed>,
    preprocesses: Messages,
    shares: Messages,
    machine: Machine,
}

fn make<S: Scheme>(
    all: &[Box<dyn VaultKeys>],
    raw: &[ThresholdKeys<S::Curve>],
    signers: &[Participant],
    offset: Offset,
    message: &[u8],
) -> Made {
    let at = |signer: &Participant| usize::from(signer.0) - 1;
    let seeds: Vec<_> = signers.iter().map(|_| Seed::generate(&mut OsRng)).collect();
    let preprocesses: Messages = signers
        .iter()
        .zip(&seeds)
        .map(|(signer, seed)| (*signer, all[at(signer)].preprocess(seed)))
        .collect();
    let mut shares = Messages::new();
    let mut machine = None;
    for (signer, seed) in signers.iter().zip(seeds.clone()) {
        let keys = S::adjust(raw[at(signer)].clone());
        let keys = match offset {
            None => keys,
            Some(offset) => keys.offset(S::Curve::read_F(&mut offset.as_slice()).unwrap()),
        };
        let key = keys.group_key();
        let (next, _) = signing::machine::<S>(keys, &seed);
        let others =
            preprocesses.iter().filter(|(other, _)| *other != signer).map(|(other, bytes)| {
                let read = next.read_preprocess(&mut bytes.as_slice());
                (index(*other).unwrap(), read.unwrap())
            });
        let others: HashMap<_, _> = others.collect();
        let (next, share) = next.sign(others, message).unwrap();
        let share = share.serialize();
        // The same nonce for the same message and set: the same share.
        assert_eq!(all[at(signer)].sign(&offset, seed, &preprocesses, message).unwrap(), share);
        shares.insert(*signer, share);
        let (own, message) = (*signer, message.to_vec());
        machine = Some(Box::new(move |shares: &Messages| {
            let others = shares.iter().filter(|(other, _)| **other != own).map(|(other, bytes)| {
                let read = next.read_share(&mut bytes.as_slice());
                (index(*other).unwrap(), read.unwrap())
            });
            let others: HashMap<_, _> = others.collect();
            let signature = next.complete(others).map_err(signing::fault)?;
            Ok(S::signature(&signature, &key, &message))
        }) as Machine);
    }
    Made { seeds, preprocesses, shares, machine: machine.unwrap() }
}

fn equals_the_library<S: Scheme>() {
    let raw = deal::<S>();
    let all: Vec<_> = raw.iter().map(|keys| open::<S>(&keys.serialize()).unwrap()).collect();
    let key = S::adjust(raw[0].clone()).group_key();
    for (round, signers) in subsets().enumerate() {
        let offset = if round % 2 == 0 { None } else { offset::<S>(key) };
        let message = [u8::try_from(round).unwrap(); 32];
        let made = make::<S>(&all, &raw, &signers, offset, &message);
        let expected = (made.machine)(&made.shares).unwrap();
        // Whether it signs or not.
        for keys in &all {
            let (preprocesses, shares) = (&made.preprocesses, &made.shares);
            let signature = keys.aggregate(&offset, preprocesses, shares, &message).unwrap();
            assert_eq!(signature, expected);
            assert!(keys.verify(&offset, &message, &signature));
            for signer in &signers {
                let share = &shares[signer];
                assert!(keys.judge(&offset, preprocesses, *signer, share, &message).unwrap());
            }
            assert!(!keys.verify(&offset, b"another", &signature));
        }
    }
}

fn names_who_is_wrong<S: Scheme>() {
    let raw = deal::<S>();
    let all: Vec<_> = raw.iter().map(|keys| open::<S>(&keys.serialize()).unwrap()).collect();
    let offset = offset::<S>(S::adjust(raw[0].clone()).group_key());
    let signers = [1, 3, 4].map(Participant);
    let message = [7; 32];
    for (round, wrong) in signers.into_iter().enumerate() {
        let made = make::<S>(&all, &raw, &signers, offset, &message);
        let keys = &all[1 + round % 2];
        let (preprocesses, shares) = (&made.preprocesses, &made.shares);
        let aggregate = |preprocesses: &Messages, shares: &Messages| {
            keys.aggregate(&offset, preprocesses, shares, &message)
        };
        let judge =
            |share: &[u8]| keys.judge(&offset, preprocesses, wrong, share, &message).unwrap();

        let spoilt: [fn(&mut Vec<u8>); 5] = [
            |share| share[0] ^= 1,
            |share| share[31] ^= 1,
            |share| share.push(0),
            |share| share.truncate(31),
            |share| share.fill(0),
        ];
        for spoil in spoilt {
            let mut shares = shares.clone();
            spoil(shares.get_mut(&wrong).unwrap());
            assert_eq!(accused(aggregate(preprocesses, &shares)), wrong);
            assert!(!judge(&shares[&wrong]));
        }
        // The library's own verdict, of one who is not the wrong one.
        if Some(wrong) != signers.last().copied() {
            let mut shares = shares.clone();
            shares.get_mut(&wrong).unwrap()[16] ^= 1;
            assert_eq!(accused((made.machine)(&shares)), wrong);
            assert_eq!(accused(aggregate(preprocesses, &shares)), wrong);
        }

        let point = preprocesses[&wrong].len() / 2;
        let spoilt: [Spoil<'_>; 4] = [
            &|preprocess| preprocess.push(0),
            &|preprocess| preprocess.truncate(2 * point - 1),
            &|preprocess| preprocess[..point].fill(0xff),
            // The identity, where the curve has bytes for it.
            &|preprocess| preprocess[point..].fill(0),
        ];
        for spoil in spoilt {
            let mut preprocesses = preprocesses.clone();
            spoil(preprocesses.get_mut(&wrong).unwrap());
            assert_eq!(accused(aggregate(&preprocesses, shares)), wrong);
            let at = signers.iter().position(|signer| *signer != wrong).unwrap();
            let keys = &all[usize::from(signers[at].0) - 1];
            let sign = keys.sign(&offset, made.seeds[at].clone(), &preprocesses, &message);
            assert_eq!(accused(sign), wrong);
            let judge = |signer| keys.judge(&offset, &preprocesses, signer, &[1; 32], &message);
            assert!(!judge(wrong).unwrap(), "no share belongs to that preprocess");
            assert_eq!(accused(judge(signers[at])), wrong);
        }
        let (own, seed) = (usize::from(wrong.0) - 1, Seed::generate(&mut OsRng));
        let sign = all[own].sign(&offset, seed, preprocesses, &message);
        assert!(matches!(sign, Err(Fault::Internal(_))), "signed with another nonce");

        let mut stranger = preprocesses.clone();
        let preprocess = stranger.remove(&wrong).unwrap();
        stranger.insert(Participant(MEMBERS + 1), preprocess);
        assert!(matches!(aggregate(&stranger, shares), Err(Fault::Internal(_))));
    }
}

macro_rules! schemes {
    ($($name:ident: $scheme:ty,)*) => { $(
        mod $name {
            use super::*;

            #[test]
            fn equals_the_library() {
                super::equals_the_library::<$scheme>();
            }

            #[test]
            fn names_who_is_wrong() {
                super::names_who_is_wrong::<$scheme>();
            }
        }
    )* };
}

schemes! {
    substrate: Substrate,
    bitcoin: Bitcoin,
    ethereum: Ethereum,
    monero: Monero,
}

#[test]
fn an_offset_that_is_no_scalar_is_refused() {
    let raw = deal::<Bitcoin>();
    let keys = open::<Bitcoin>(&raw[0].serialize()).unwrap();
    let (offset, seed) = (Some([0xff; 32]), Seed::generate(&mut OsRng));
    assert!(!keys.verify(&offset, b"message", &[1; 64]));
    assert!(keys.aggregate(&offset, &Messages::new(), &Messages::new(), b"message").is_err());
    assert!(keys.sign(&offset, seed, &Messages::new(), b"message").is_err());
}
