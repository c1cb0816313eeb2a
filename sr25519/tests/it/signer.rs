use proptest::prelude::*;
use schnorrkel::{PublicKey, Signature};
use serai_sr25519::{InvalidSignature, Signer, verify};

const ALICE_SEED: &str = "e5be9a5092b81bca64be81d212e7f2f9eba183bb7a90954f7b76361f6edb5c0a";
const ALICE: &str = "d43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d";

#[test]
fn seed_expands_as_substrate_does() {
    let signer = Signer::from_bytes(&hex::decode(ALICE_SEED).unwrap()).unwrap();
    assert_eq!(hex::encode(signer.public()), ALICE);
}

#[test]
fn debug_shows_the_public_key_alone() {
    let seed: [u8; 32] = hex::decode(ALICE_SEED).unwrap().try_into().unwrap();
    let text = format!("{:?}", Signer::from_seed(&seed).unwrap());
    assert_eq!(text, format!("Signer({ALICE}, secret redacted)"));
}

#[test]
fn secrets_of_other_lengths_or_scalars_are_refused() {
    assert_eq!(Signer::from_bytes(&[1; 33]).unwrap_err().length, 33);
    assert!(Signer::from_secret(&[0; 64]).is_err());
    assert!(Signer::from_secret(&[0xff; 64]).is_err());
    let mut secret = [7; 64];
    secret[31] = 0;
    assert!(Signer::from_bytes(&secret).is_ok());
}

proptest! {
    #[test]
    fn signatures_verify_with_schnorrkel_and_only_as_made(
        seed in any::<[u8; 32]>(),
        context in proptest::collection::vec(any::<u8>(), 0..40),
        message in proptest::collection::vec(any::<u8>(), 1..200),
        byte in 0_usize..64,
        bit in 0_u8..8,
    ) {
        let signer = Signer::from_seed(&seed).unwrap();
        let signature = signer.sign(&context, &message, &mut super::rng(1));
        let public = signer.public();
        PublicKey::from_bytes(&public)
            .unwrap()
            .verify_simple(&context, &message, &Signature::from_bytes(&signature).unwrap())
            .unwrap();
        prop_assert_eq!(verify(&public, &context, &message, &signature), Ok(()));
        let mut other = signature;
        other[byte] ^= 1 << bit;
        prop_assert_eq!(verify(&public, &context, &message, &other), Err(InvalidSignature));
        let other_context = [context.as_slice(), b"x"].concat();
        prop_assert!(verify(&public, &other_context, &message, &signature).is_err());
        prop_assert!(verify(&public, &context, &message[1..], &signature).is_err());
    }
}
