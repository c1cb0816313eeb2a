//! A shared key, dealt here in the clear (Shamir), signs by FROST.

use std::collections::HashMap;

use ciphersuite::Ciphersuite;
use dalek_ff_group::{Ristretto, Scalar};
use modular_frost::{
    FrostError, Participant, ThresholdKeys, ThresholdParams,
    dkg::Interpolation,
    sign::{AlgorithmMachine, PreprocessMachine, SignMachine, SignatureMachine, Writable},
};
use serai_sr25519::{Schnorrkel, verify};
use zeroize::Zeroizing;

fn deal(t: u16, n: u16) -> Vec<ThresholdKeys<Ristretto>> {
    let mut rng = super::rng(u64::from(t) * 1000 + u64::from(n));
    let polynomial: Vec<Scalar> = (0..t).map(|_| Scalar::random(&mut rng)).collect();
    let share = |i: u16| {
        polynomial.iter().rev().fold(Scalar::ZERO, |sum, c| sum * Scalar::from(u64::from(i)) + c)
    };
    let public: HashMap<_, _> = (1..=n)
        .map(|i| (Participant::new(i).unwrap(), Ristretto::generator() * share(i)))
        .collect();
    (1..=n)
        .map(|i| {
            ThresholdKeys::new(
                ThresholdParams::new(t, n, Participant::new(i).unwrap()).unwrap(),
                Interpolation::Lagrange,
                Zeroizing::new(share(i)),
                public.clone(),
            )
            .unwrap()
        })
        .collect()
}

fn sign(keys: &[ThresholdKeys<Ristretto>], tamper: bool) -> Result<[u8; 64], FrostError> {
    let mut rng = super::rng(5);
    let mut machines = Vec::new();
    let mut preprocesses = HashMap::new();
    for key in keys {
        let machine = AlgorithmMachine::new(Schnorrkel::new(b"ctx"), key.clone());
        let (machine, preprocess) = machine.preprocess(&mut rng);
        preprocesses.insert(key.params().i(), preprocess);
        machines.push((key.params().i(), machine));
    }
    let mut first = None;
    let mut shares = HashMap::new();
    for (i, machine) in machines {
        let mut others = preprocesses.clone();
        others.remove(&i);
        let (machine, share) = machine.sign(others, b"message").unwrap();
        match first {
            None => first = Some(machine),
            Some(_) => drop(shares.insert(i, share)),
        }
    }
    let first = first.unwrap();
    if tamper {
        let (_, share) = shares.iter_mut().min_by_key(|(i, _)| **i).unwrap();
        let mut bytes = share.serialize();
        bytes[0] ^= 1;
        *share = first.read_share(&mut bytes.as_slice()).unwrap();
    }
    first.complete(shares)
}

#[test]
fn shared_key_signs_what_schnorrkel_verifies() {
    for (t, n) in [(1, 1), (3, 4), (5, 7)] {
        let keys = deal(t, n);
        let public = keys[0].group_key().compress().to_bytes();
        let signature = sign(&keys[usize::from(n - t)..], false).unwrap();
        assert_eq!(verify(&public, b"ctx", b"message", &signature), Ok(()));
        assert!(verify(&public, b"substrate", b"message", &signature).is_err());
    }
}

#[test]
fn scaled_and_offset_keys_sign() {
    let keys: Vec<_> = deal(3, 4)
        .into_iter()
        .map(|key| key.scale(Scalar::from(3_u64)).unwrap().offset(Scalar::from(5_u64)))
        .collect();
    let public = keys[0].group_key().compress().to_bytes();
    let signature = sign(&keys[..3], false).unwrap();
    assert_eq!(verify(&public, b"ctx", b"message", &signature), Ok(()));
}

#[test]
fn bad_share_names_its_sender() {
    let keys = deal(3, 4);
    let error = sign(&keys[..3], true).unwrap_err();
    assert_eq!(error, FrostError::InvalidShare(Participant::new(2).unwrap()));
}
