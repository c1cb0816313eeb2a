//! What is kept and what is deleted once Serai has a set's keys; backups and their restoring.

use serai_messages::keygen::CoordinatorMessage;
use serai_messages::{Coin, KeyPair};
use serai_processor::keystore::{Backup, Cipher};
use serai_processor::{Folder, restore};
use zeroize::Zeroizing;

use crate::members::Members;

fn backups(members: &Members) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(members.all[0].backups())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn the_confirmed_attempt_stays_alone() {
    let mut members = Members::new(Coin::Btc, 4);
    let (first, _) = members.run();
    members.again(2);
    let (second, _) = members.run();
    assert_ne!(first, second);
    let set = members.id.set;
    let states = |members: &Members| {
        let vaults = members.all[0].vaults();
        vaults.iter().map(|vault| (vault.attempt, vault.state)).collect::<Vec<_>>()
    };
    assert_eq!(states(&members), [(1, "pending"), (2, "pending")]);
    assert_eq!(backups(&members), ["btc-0-1.vault", "btc-0-2.vault"]);

    // Keys of which there is no share: nothing is deleted.
    let key_pair = KeyPair { ristretto: [3; 32], ..first.clone() };
    let reason = members.all[0].ignored(&CoordinatorMessage::Confirmed { set, key_pair });
    assert!(reason.contains("holds no share"), "{reason}");
    assert_eq!(states(&members), [(1, "pending"), (2, "pending")]);

    let confirmed = CoordinatorMessage::Confirmed { set, key_pair: first };
    for _ in 0..2 {
        let outcome = members.all[0].handle(&confirmed);
        assert_eq!((outcome.answers, outcome.rejected), (Vec::new(), None));
        assert_eq!(states(&members), [(1, "confirmed")]);
        assert_eq!(backups(&members), ["btc-0-1.vault"]);
    }

    members.again(3);
    let start = members.start_message(0);
    let reason = members.all[0].refusal(&start);
    assert!(reason.contains("made and in use"), "{reason}");
}

#[test]
fn a_backup_is_written_before_the_keys_are_announced_and_restores_the_vault() {
    let mut members = Members::new(Coin::Xmr, 4);
    let commitments = members.start();
    let shares = members.share(&commitments);
    let (key_pair, _) = members.keys(&shares);
    let path = members.all[0].backups().join("xmr-0-1.vault");
    let backup = Backup::read(&path).unwrap();
    assert_eq!((backup.id, &backup.key_pair), (members.id, &key_pair));

    let parent = tempfile::tempdir().unwrap();
    let folder = Folder::lock(&parent.path().join("new")).unwrap();
    let name = "alice".parse().unwrap();
    let other = Cipher::new(Zeroizing::new([1; 32]));
    let error = restore(&folder, &name, Coin::Xmr, &other, &path).unwrap_err().to_string();
    assert!(error.contains("keystore key"), "{error}");
    let cipher = Cipher::new(Zeroizing::new([9; 32]));
    let error = restore(&folder, &name, Coin::Btc, &cipher, &path).unwrap_err().to_string();
    assert!(error.contains("vault of xmr"), "{error}");

    let vault = restore(&folder, &name, Coin::Xmr, &cipher, &path).unwrap();
    assert_eq!(vault.key_pair, key_pair);
    // Whoever restores several, and begins again after one that failed, gives this one once more.
    assert_eq!(restore(&folder, &name, Coin::Xmr, &cipher, &path).unwrap(), vault);
    let [report] = serai_processor::vaults(folder.path()).unwrap().try_into().unwrap();
    assert_eq!((report.external_key, report.state), (hex::encode(key_pair.external), "pending"));
}
