//! One message is wrong: who is named?

use serai_messages::keygen::{CoordinatorMessage, KeyKind, PeerMessage, ProcessorMessage};
use serai_messages::{Body, Coin, Participant, SignedStatement};

use crate::members::{KINDS, Members, sign, signer};

/// Changes what a member says, under its own signature.
fn change(
    statement: &SignedStatement,
    number: u8,
    change: impl FnOnce(&mut PeerMessage),
) -> SignedStatement {
    let Body::Keygen(mut message) = statement.statement.body.clone() else {
        panic!("not of key generation")
    };
    change(&mut message);
    sign(&signer(number), message)
}

fn per_key(message: &mut PeerMessage, key: KeyKind) -> &mut Vec<u8> {
    let value = match message {
        PeerMessage::Commitments { commitments, .. } => commitments,
        PeerMessage::Share { share, .. } | PeerMessage::ProofShare { share, .. } => share,
        PeerMessage::ProofPreprocess { preprocess, .. } => preprocess,
        other => panic!("{other:?}"),
    };
    match key {
        KeyKind::Ristretto => &mut value.ristretto,
        KeyKind::External => &mut value.external,
    }
}

#[test]
fn commitments_that_do_not_verify_name_their_sender() {
    type Change = fn(&mut Vec<u8>);
    let changes: [(&str, Change); 4] = [
        ("a byte left over", |bytes| bytes.push(0)),
        ("cut", |bytes| bytes.truncate(bytes.len() - 1)),
        ("no point", |bytes| bytes[..33].fill(0xff)),
        // The response of the proof of knowledge stands before the encryption key's 32 or 33 bytes.
        ("proof of knowledge", |bytes| {
            let at = bytes.len() - 50;
            bytes[at] ^= 1;
        }),
    ];
    for coin in Coin::ALL {
        for key in KINDS {
            for (what, spoil) in &changes {
                let mut members = Members::new(coin, 4);
                let mut commitments = members.start();
                commitments[2] = change(&commitments[2], 3, |message| spoil(per_key(message, key)));
                let message = members.commitments_message(&commitments);
                match members.all[0].answer(&message) {
                    ProcessorMessage::InvalidCommitments { accused, key: found, .. } => {
                        assert_eq!((accused, found), (Participant(3), key), "{what}");
                    }
                    other => panic!("{coin} {what}: {other:?}"),
                }
            }
        }
    }
}

/// A share whose ciphertext was changed: its own proof of possession fails, which anyone can see.
#[test]
fn a_share_that_was_not_made_so_names_its_sender() {
    type Change = fn(&mut Vec<u8>);
    let changes: [(&str, Change); 3] = [
        ("a byte left over", |bytes| bytes.push(0)),
        ("no share", |bytes| bytes.clear()),
        ("another ciphertext", |bytes| {
            let last = bytes.len() - 1;
            bytes[last] ^= 1;
        }),
    ];
    for coin in Coin::ALL {
        for key in KINDS {
            for (what, spoil) in &changes {
                let mut members = Members::new(coin, 4);
                let commitments = members.start();
                let mut shares = members.share(&commitments);
                // Member 4 sends to 1, 2, 3: its share for member 1.
                let at = shares.len() - 3;
                shares[at] = change(&shares[at], 4, |message| spoil(per_key(message, key)));
                let message = members.shares_message(Participant(1), &shares);
                let ProcessorMessage::InvalidShare { accused, key: found, blame, .. } =
                    members.all[0].answer(&message)
                else {
                    panic!("{coin} {what}: accepted")
                };
                assert_eq!((accused, found), (Participant(4), key), "{what}");
                let judge = CoordinatorMessage::Judge {
                    id: members.id,
                    accuser: Participant(1),
                    share: shares[at].clone(),
                    key,
                    blame,
                };
                assert_verdict(&mut members, &judge, Participant(4));
            }
        }
    }
}

fn assert_verdict(members: &mut Members, judge: &CoordinatorMessage, expected: Participant) {
    for member in &mut members.all {
        for _ in 0..2 {
            match member.answer(judge) {
                ProcessorMessage::Verdict { guilty, .. } => assert_eq!(guilty, expected),
                other => panic!("{other:?}"),
            }
            member.restart();
        }
    }
}

/// A share of another polynomial, well encrypted: only its recipient can see that it is wrong, and
/// the blame shows it to the others.
#[test]
fn a_share_that_does_not_verify_names_its_sender() {
    for coin in Coin::ALL {
        for key in KINDS {
            let mut wrong = wrong_share(coin, key);
            let judge = wrong.accusation();
            assert_verdict(&mut wrong.members, &judge, Participant(4));
        }
    }
}

/// Members of whom the fourth sent the first a well encrypted share of another polynomial.
struct WrongShare {
    members: Members,
    share: SignedStatement,
    shares: Vec<SignedStatement>,
    key: KeyKind,
}

fn wrong_share(coin: Coin, key: KeyKind) -> WrongShare {
    let mut members = Members::new(coin, 4);
    let mut commitments = members.start();
    // The fourth member has a second life with other randomness: it commits with the one, shares
    // with the other.
    let mut other = Members::new(coin, 4);
    other.all[3].secret = members.all[3].secret.clone();
    other.all[3].restart();
    let start = members.start_message(3);
    let ProcessorMessage::Commitments { commitments: second, .. } = other.all[3].answer(&start)
    else {
        panic!("no commitments")
    };
    let shares = members.share(&commitments);
    let id = members.id;
    commitments[3] = sign(&signer(4), PeerMessage::Commitments { id, commitments: second });
    let message = members.commitments_message(&commitments);
    let ProcessorMessage::Shares { shares: wrong, .. } = other.all[3].answer(&message) else {
        panic!("no shares")
    };
    let at = shares.len() - 3;
    let mut shares = shares;
    let (to, wrong) = wrong[0].clone();
    assert_eq!(to, Participant(1));
    shares[at] = change(&shares[at], 4, |message| {
        per_key(message, key).clone_from(match key {
            KeyKind::Ristretto => &wrong.ristretto,
            KeyKind::External => &wrong.external,
        });
    });
    WrongShare { members, share: shares[at].clone(), shares, key }
}

impl WrongShare {
    fn accusation(&mut self) -> CoordinatorMessage {
        let message = self.members.shares_message(Participant(1), &self.shares);
        let ProcessorMessage::InvalidShare { accused, key, blame, .. } =
            self.members.all[0].answer(&message)
        else {
            panic!("accepted")
        };
        assert_eq!((accused, key), (Participant(4), self.key));
        assert!(blame.is_some());
        CoordinatorMessage::Judge {
            id: self.members.id,
            accuser: Participant(1),
            share: self.share.clone(),
            key,
            blame,
        }
    }
}

#[test]
fn a_false_accusation_names_the_accuser() {
    for key in KINDS {
        // The proof is real, but of another share: the second member's own accusation with it.
        let mut wrong = wrong_share(Coin::Btc, key);
        let CoordinatorMessage::Judge { blame, id, .. } = wrong.accusation() else {
            panic!("no accusation")
        };
        let honest = wrong
            .shares
            .iter()
            .find(|statement| {
                statement.signer == wrong.share.signer
                    && matches!(&statement.statement.body,
                        Body::Keygen(PeerMessage::Share { to, .. }) if *to == Participant(2))
            })
            .unwrap()
            .clone();
        for blame in [blame, Some(vec![1, 2, 3]), None] {
            let accuser = Participant(2);
            let share = honest.clone();
            let judge = CoordinatorMessage::Judge { id, accuser, share, key, blame };
            // A judge hears one accusation per accuser, accused and key: each time another one.
            match wrong.members.all[2].fork().answer(&judge) {
                ProcessorMessage::Verdict { guilty, .. } => assert_eq!(guilty, accuser),
                other => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn evidence_that_the_accused_did_not_sign_names_the_accuser() {
    let mut wrong = wrong_share(Coin::Xmr, KeyKind::External);
    let CoordinatorMessage::Judge { id, accuser, share, key, blame } = wrong.accusation() else {
        panic!("no accusation")
    };
    let mut forged = share.clone();
    let Body::Keygen(message) = &mut forged.statement.body else { panic!("not of key generation") };
    per_key(message, key)[100] ^= 1;
    let judge = CoordinatorMessage::Judge { id, accuser, share: forged, key, blame: blame.clone() };
    assert_verdict(&mut wrong.members, &judge, accuser);

    // A share for somebody else is no evidence either.
    let accuser = Participant(3);
    let judge = CoordinatorMessage::Judge { id, accuser, share, key, blame };
    assert_verdict(&mut wrong.members, &judge, accuser);
}

#[test]
fn proof_preprocesses_and_shares_that_do_not_verify_name_their_sender() {
    for coin in Coin::ALL {
        for key in KINDS {
            let mut members = Members::new(coin, 4);
            let commitments = members.start();
            let shares = members.share(&commitments);
            let (_, preprocesses) = members.keys(&shares);

            let mut wrong = preprocesses.clone();
            wrong[1] = change(&wrong[1], 2, |message| per_key(message, key).push(0));
            let message = members.preprocesses_message(&wrong);
            let invalid = ProcessorMessage::InvalidProofShare {
                id: members.id,
                accused: Participant(2),
                key,
            };
            assert_eq!(members.all[3].fork().answer(&message), invalid, "{coin} preprocess");

            let mut wrong = preprocesses.clone();
            wrong[1] = change(&wrong[1], 2, |message| {
                let PeerMessage::ProofPreprocess { key_pair, .. } = message else { panic!() };
                match key {
                    KeyKind::Ristretto => key_pair.ristretto[3] ^= 1,
                    KeyKind::External => key_pair.external[3] ^= 1,
                }
            });
            let message = members.preprocesses_message(&wrong);
            assert_eq!(members.all[3].fork().answer(&message), invalid, "{coin} key pair");

            let mut proof_shares = members.prove(&preprocesses);
            proof_shares[1] = change(&proof_shares[1], 2, |message| {
                per_key(message, key)[16] ^= 1;
            });
            let message = members.proof_shares_message(&proof_shares);
            assert_eq!(members.all[0].answer(&message), invalid, "{coin} share");
            assert_eq!(members.all[3].answer(&message), invalid, "{coin} share");
        }
    }
}

/// The statements come from the own coordinator: what no member signed names nobody.
#[test]
fn statements_that_nobody_signed_are_refused() {
    let mut members = Members::new(Coin::Btc, 4);
    let mut commitments = members.start();
    let honest = commitments.clone();
    let Body::Keygen(message) = &mut commitments[2].statement.body else {
        panic!("not of key generation")
    };
    per_key(message, KeyKind::External)[40] ^= 1;
    let message = members.commitments_message(&commitments);
    assert!(members.all[0].refusal(&message).contains("no valid signature"));

    let mut swapped = honest.clone();
    swapped.swap(1, 2);
    let message = members.commitments_message(&swapped);
    assert!(members.all[0].refusal(&message).contains("expected a statement of"));

    let message = members.commitments_message(&honest[..3]);
    assert!(members.all[0].refusal(&message).contains("expected 4 statements"));

    // Under its own name: what it did not say.
    let mut foreign = honest.clone();
    foreign[0] = change(&honest[1], 1, |_| {});
    let message = members.commitments_message(&foreign);
    assert!(members.all[0].refusal(&message).contains("not those that it made"));

    // None of it keeps the right ones out.
    members.share(&honest);
}
