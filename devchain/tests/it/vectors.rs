//! Values that real Serai's crates gave.

use parity_scale_codec::Encode as _;
use serai_devchain::runtime::{
    musig::{musig_context, musig_key, report_slashes_message, set_keys_message},
    types::{
        Amount, Data, ExternalAddress, ExternalBalance, ExternalCoin, ExternalKey,
        InInstructionWithBalance, KeyPair, OutInstruction, OutInstructionWithBalance,
    },
};

use crate::support::{NAMES, account, accounts, batch, bitcoin, chain};

const ALICE: &str = "d43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d";
const BOB: &str = "8eaf04151687736326c9fea17e25fc5287613693c912909cb226aa4794f26a48";

#[test]
fn musig_context_and_keys() {
    assert_eq!(
        hex::encode(musig_context(bitcoin(0))),
        "56616c696461746f72536574732d6d757369675f6b65790000000001"
    );
    let key = |names: &[&str]| hex::encode(musig_key(bitcoin(0), &accounts(names)).unwrap());
    assert_eq!(key(&NAMES), "d6c7ff328d1ac399b3ae98d56c64f5d77cfa6ea6473a4341307f8fe54fed6766");
    assert_eq!(
        key(&["//Bob", "//Charlie", "//Dave"]),
        "f226a400acaa9e11217d1eee4fd91b7f709707435de21517382961fb5dd0f54a"
    );
}

#[test]
fn no_musig_key_of_nobody_of_doubles_or_of_no_point() {
    assert_eq!(musig_key(bitcoin(0), &[]), None);
    assert_eq!(musig_key(bitcoin(0), &accounts(&["//Alice", "//Bob", "//Alice"])), None);
    let no_point = sp_runtime::AccountId32::new([0xff; 32]);
    assert_eq!(musig_key(bitcoin(0), &[account("//Alice"), no_point]), None);
}

#[test]
fn set_keys_message_of_bitcoin() {
    let keys = KeyPair(account("//Alice"), ExternalKey(vec![2; 33].try_into().unwrap()));
    let expected = format!(
        "56616c696461746f72536574732d7365745f6b657973000000000100{ALICE}84{}",
        "02".repeat(33)
    );
    assert_eq!(hex::encode(set_keys_message(bitcoin(0), &[], &keys)), expected);
}

#[test]
fn slash_message_of_bitcoin() {
    let expected = format!(
        "56616c696461746f72536574732d7265706f72745f736c617368657300000000010 4{BOB}03000000"
    )
    .replace(' ', "");
    let message = report_slashes_message(bitcoin(0), &[(account("//Bob"), 3)]);
    assert_eq!(hex::encode(message), expected);
}

#[test]
fn batch_bytes_and_instructions_hash() {
    let batch = batch(3, &[("//Alice", 70_000)]);
    let expected = format!("0103000000{}0400{ALICE}047011010000000000", "aa".repeat(32));
    assert_eq!(hex::encode(batch.encode()), expected);
    assert_eq!(
        hex::encode(batch.message()),
        format!("{}{expected}", hex::encode("InInstructions-batch"))
    );
    assert_eq!(
        hex::encode(batch.instructions_hash()),
        "2e28b46cac24194be29baa3e5a7288fc93bc039769a1dccd835ca4ce8f0defa8"
    );
    let empty = Vec::<InInstructionWithBalance>::new();
    assert_eq!(
        hex::encode(sp_io::hashing::blake2_256(&empty.encode())),
        "03170a2e7597b7b7e3d84c05391d139a62b157e78786d8c082f29dcf4c111314"
    );
}

#[test]
fn out_instruction_bytes() {
    let instruction = OutInstructionWithBalance {
        instruction: OutInstruction {
            address: ExternalAddress(vec![5; 20].try_into().unwrap()),
            data: Some(Data(vec![1, 2, 3].try_into().unwrap())),
        },
        balance: ExternalBalance { coin: ExternalCoin::Dai, amount: Amount(9) },
    };
    let expected = format!("50{}010c010203060900000000000000", "05".repeat(20));
    assert_eq!(hex::encode(instruction.encode()), expected);
}

#[test]
fn storage_key_of_bitcoins_current_session() {
    let key = hex::decode("91414b51fb24a73654f23de268c3757de364355265357291b2f50b872214452901");
    let value = chain().storage(None, &key.unwrap()).unwrap();
    assert_eq!(value, Some(0u32.encode()));
}
