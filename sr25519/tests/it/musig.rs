use std::collections::BTreeMap;

use serai_sr25519::{MusigError, MusigMachine, SUBSTRATE_CONTEXT, Signer, musig, verify};

const CONTEXT: &[u8] = b"some context";

fn signers(count: u8) -> Vec<Signer> {
    (1..=count).map(|seed| Signer::from_seed(&[seed; 32]).unwrap()).collect()
}

fn keys(signers: &[Signer]) -> Vec<[u8; 32]> {
    signers.iter().map(Signer::public).collect()
}

fn sign(
    signers: &[Signer],
    message: &[u8],
    tamper: impl Fn(&mut BTreeMap<u16, Vec<u8>>),
) -> Result<[u8; 64], MusigError> {
    let keys = keys(signers);
    let mut rng = super::rng(7);
    let (machines, preprocesses): (Vec<_>, Vec<_>) = signers
        .iter()
        .map(|signer| MusigMachine::new(signer, CONTEXT, SUBSTRATE_CONTEXT, &keys).unwrap())
        .map(|machine| machine.preprocess(&mut rng))
        .unzip();
    let preprocesses: BTreeMap<u16, Vec<u8>> = (1..).zip(preprocesses).collect();
    let (mut machines, shares): (Vec<_>, Vec<_>) =
        machines.into_iter().map(|machine| machine.sign(&preprocesses, message).unwrap()).unzip();
    let mut shares: BTreeMap<u16, Vec<u8>> = (1..).zip(shares).collect();
    tamper(&mut shares);
    machines.swap_remove(0).complete(&shares)
}

#[test]
fn aggregate_signature_verifies() {
    for count in [1, 2, 4, 9] {
        let signers = signers(count);
        let key = musig::aggregate(CONTEXT, &keys(&signers)).unwrap();
        let signature = sign(&signers, b"message", |_| ()).unwrap();
        assert_eq!(verify(&key, SUBSTRATE_CONTEXT, b"message", &signature), Ok(()));
        let other = musig::aggregate(b"other context", &keys(&signers)).unwrap();
        assert!(verify(&other, SUBSTRATE_CONTEXT, b"message", &signature).is_err());
    }
}

#[test]
fn bad_share_names_its_sender() {
    let wrong = |shares: &mut BTreeMap<u16, Vec<u8>>| shares.get_mut(&3).unwrap()[0] ^= 1;
    assert_eq!(sign(&signers(4), b"m", wrong), Err(MusigError::InvalidShare(3)));
    let long = |shares: &mut BTreeMap<u16, Vec<u8>>| shares.get_mut(&2).unwrap().push(0);
    assert_eq!(sign(&signers(4), b"m", long), Err(MusigError::InvalidShare(2)));
    let missing = |shares: &mut BTreeMap<u16, Vec<u8>>| drop(shares.remove(&4));
    assert_eq!(
        sign(&signers(4), b"m", missing),
        Err(MusigError::Participants { expected: 4, actual: 3 })
    );
}

#[test]
fn preprocesses_are_checked() {
    let signers = signers(3);
    let keys = keys(&signers);
    let start = |signer| {
        MusigMachine::new(signer, CONTEXT, SUBSTRATE_CONTEXT, &keys)
            .unwrap()
            .preprocess(&mut super::rng(3))
    };
    let good: BTreeMap<u16, Vec<u8>> = (1..).zip(signers.iter().map(|s| start(s).1)).collect();

    let mut foreign = good.clone();
    foreign.insert(1, good[&2].clone());
    let result = start(&signers[0]).0.sign(&foreign, b"m").map(|_| ());
    assert_eq!(result, Err(MusigError::ForeignPreprocess));

    for bad in [vec![], vec![0; 64], [good[&2].as_slice(), &[0]].concat()] {
        let mut tampered = good.clone();
        tampered.insert(2, bad);
        let result = start(&signers[0]).0.sign(&tampered, b"m").map(|_| ());
        assert_eq!(result, Err(MusigError::InvalidPreprocess(2)));
    }
}

#[test]
fn bad_key_lists_are_refused() {
    let signers = signers(2);
    let [one, two] = [signers[0].public(), signers[1].public()];
    let aggregate = |keys: &[[u8; 32]]| musig::aggregate(CONTEXT, keys);
    assert_eq!(aggregate(&[]), Err(MusigError::KeyCount(0)));
    assert_eq!(aggregate(&[one, two, one]), Err(MusigError::DuplicateKey(3)));
    assert_eq!(aggregate(&[one, [0; 32]]), Err(MusigError::InvalidKey(2)));
    assert_eq!(aggregate(&[[0xff; 32], one]), Err(MusigError::InvalidKey(1)));
    assert_eq!(musig::aggregate(&[0; 256], &[one]), Err(MusigError::ContextTooLong(256)));
    let outsider = MusigMachine::new(&signers[0], CONTEXT, SUBSTRATE_CONTEXT, &[two]).err();
    assert_eq!(outsider, Some(MusigError::NotParticipating));
}
