//! Keys, signatures, extrinsics and events for the scenarios.

use curve25519_dalek::scalar::Scalar;
use parity_scale_codec::Encode as _;
use serai_devchain::{
    Authored, Chain, Finality, Genesis,
    runtime::{
        RuntimeCall, RuntimeEvent, System, UncheckedExtrinsic, in_instructions,
        musig::{musig_context, musig_key, report_slashes_message, set_keys_message},
        types::{
            AccountId, Amount, Batch, BlockHash, ExternalBalance, ExternalCoin, ExternalKey,
            ExternalNetworkId, ExternalValidatorSet, InInstruction, InInstructionWithBalance,
            KeyPair, Session, SignedBatch,
        },
        validator_sets,
    },
};
use sha2::{Digest as _, Sha512};
use sp_core::{Pair as _, sr25519};
use sp_runtime::{MultiAddress, MultiSignature, generic::Era};
use tempfile::TempDir;

pub const NAMES: [&str; 4] = ["//Alice", "//Bob", "//Charlie", "//Dave"];

/// The order in which the four sign for Bitcoin with equal stakes.
pub const BITCOIN_ORDER: [&str; 4] = ["//Bob", "//Charlie", "//Dave", "//Alice"];

/// A chain in a folder of its own.
pub struct TestChain {
    pub chain: Chain,
    pub folder: TempDir,
}

impl std::ops::Deref for TestChain {
    type Target = Chain;
    fn deref(&self) -> &Chain {
        &self.chain
    }
}

pub fn chain() -> TestChain {
    chain_with(&Genesis::development(&NAMES, &["Serai", "Bitcoin", "Monero"]))
}

pub fn chain_with(genesis: &Genesis) -> TestChain {
    let folder = tempfile::tempdir().unwrap();
    let chain = Chain::open(folder.path(), genesis, Finality::Lag(0)).unwrap();
    TestChain { chain, folder }
}

impl TestChain {
    /// Authors a block with these extrinsics, all of which must be included.
    pub fn include(&self, extrinsics: Vec<Vec<u8>>) -> Authored {
        let block = self.author(extrinsics).unwrap();
        for result in &block.results {
            result.unwrap().unwrap();
        }
        block
    }

    /// The events of the latest block, without those of the system and of fees.
    pub fn events(&self) -> Vec<RuntimeEvent> {
        let read = || System::read_events_no_consensus().map(|record| record.event).collect();
        let events: Vec<RuntimeEvent> = self.query(None, read).unwrap();
        events
            .into_iter()
            .filter(|event| {
                !matches!(event, RuntimeEvent::System(_) | RuntimeEvent::TransactionPayment(_))
            })
            .collect()
    }

    /// Gives set `session` of Bitcoin the keys of `vault`, signed by all of [`BITCOIN_ORDER`].
    pub fn give_keys(&self, session: u32, vault: &str) {
        let keys = key_pair(vault);
        self.include(vec![set_keys(bitcoin(session), &BITCOIN_ORDER, &[], &keys)]);
    }
}

pub fn pair(name: &str) -> sr25519::Pair {
    sr25519::Pair::from_string(name, None).unwrap()
}

pub fn account(name: &str) -> AccountId {
    AccountId::new(pair(name).public().0)
}

pub fn accounts(names: &[&str]) -> Vec<AccountId> {
    names.iter().map(|name| account(name)).collect()
}

pub fn bitcoin(session: u32) -> ExternalValidatorSet {
    ExternalValidatorSet { session: Session(session), network: ExternalNetworkId::Bitcoin }
}

/// A vault's keys whose sr25519 part is that of `name`.
pub fn key_pair(name: &str) -> KeyPair {
    KeyPair(account(name), ExternalKey(vec![2; 33].try_into().unwrap()))
}

/// The aggregate's secret key, which nobody has outside a test that knows all the secrets.
pub fn musig_pair(set: ExternalValidatorSet, names: &[&str]) -> schnorrkel::Keypair {
    let context = musig_context(set);
    let mut prefix = b"musig".to_vec();
    prefix.push(u8::try_from(context.len()).unwrap());
    prefix.extend_from_slice(&context);
    prefix.extend_from_slice(&u16::try_from(names.len()).unwrap().to_le_bytes());
    for name in names {
        prefix.extend_from_slice(&pair(name).public().0);
    }
    let mut secret = Scalar::ZERO;
    for (i, name) in names.iter().enumerate() {
        let index = u16::try_from(i + 1).unwrap().to_le_bytes();
        let digest = Sha512::new_with_prefix(&prefix).chain_update(index).finalize();
        let share = AsRef::<schnorrkel::Keypair>::as_ref(&pair(name)).secret.to_bytes();
        let share = Scalar::from_bytes_mod_order(share[..32].try_into().unwrap());
        secret += Scalar::from_bytes_mod_order_wide(&digest.into()) * share;
    }
    let mut bytes = [7; 64];
    bytes[..32].copy_from_slice(secret.as_bytes());
    let pair = schnorrkel::SecretKey::from_bytes(&bytes).unwrap().to_keypair();
    assert_eq!(Some(pair.public.to_bytes()), musig_key(set, &accounts(names)));
    pair
}

pub fn bare(call: impl Into<RuntimeCall>) -> Vec<u8> {
    UncheckedExtrinsic::new_bare(call.into()).encode()
}

pub fn set_keys(
    set: ExternalValidatorSet,
    signers: &[&str],
    removed: &[&str],
    keys: &KeyPair,
) -> Vec<u8> {
    let removed = accounts(removed);
    let message = set_keys_message(set, &removed, keys);
    let signature = musig_pair(set, signers).sign_simple(b"substrate", &message);
    bare(validator_sets::Call::set_keys {
        network: set.network,
        removed_participants: removed.try_into().unwrap(),
        key_pair: keys.clone(),
        signature: signature.to_bytes().into(),
    })
}

pub fn report_slashes(set: ExternalValidatorSet, vault: &str) -> Vec<u8> {
    let slashes = vec![(account("//Bob"), 3)];
    let signature = pair(vault).sign(&report_slashes_message(set, &slashes));
    bare(validator_sets::Call::report_slashes {
        network: set.network,
        slashes: slashes.try_into().unwrap(),
        signature,
    })
}

/// A batch of transfers of bitcoin.
pub fn batch(id: u32, transfers: &[(&str, u64)]) -> Batch {
    let instructions = transfers
        .iter()
        .map(|(to, amount)| InInstructionWithBalance {
            instruction: InInstruction::Transfer(account(to)),
            balance: ExternalBalance { coin: ExternalCoin::Bitcoin, amount: Amount(*amount) },
        })
        .collect();
    Batch { network: ExternalNetworkId::Bitcoin, id, block: BlockHash([0xaa; 32]), instructions }
}

pub fn execute_batch(batch: Batch, vault: &str) -> Vec<u8> {
    let signature = pair(vault).sign(&batch.message());
    bare(in_instructions::Call::execute_batch { batch: SignedBatch { batch, signature } })
}

/// A signed transaction as subxt would make it.
pub fn signed(chain: &Chain, name: &str, nonce: u32, call: impl Into<RuntimeCall>) -> Vec<u8> {
    signed_in_era(chain, name, nonce, call, Era::Immortal)
}

/// The same, valid only for some blocks.
pub fn signed_in_era(
    chain: &Chain,
    name: &str,
    nonce: u32,
    call: impl Into<RuntimeCall>,
    era: Era,
) -> Vec<u8> {
    let extension: serai_devchain::runtime::TxExtension = (
        frame_system::CheckNonZeroSender::new(),
        frame_system::CheckSpecVersion::new(),
        frame_system::CheckTxVersion::new(),
        frame_system::CheckGenesis::new(),
        frame_system::CheckMortality::from(era),
        frame_system::CheckNonce::from(nonce),
        frame_system::CheckWeight::new(),
        pallet_transaction_payment::ChargeTransactionPayment::from(0),
    );
    let call = call.into();
    let genesis = chain.genesis_hash();
    let birth = chain.block_hash(Some(era.birth(chain.progress().best))).unwrap();
    let payload = (&call, &extension, 1u32, 1u32, genesis, birth).encode();
    let signature = if payload.len() > 256 {
        pair(name).sign(&sp_io::hashing::blake2_256(&payload))
    } else {
        pair(name).sign(&payload)
    };
    UncheckedExtrinsic::new_signed(
        call,
        MultiAddress::Id(account(name)),
        MultiSignature::Sr25519(signature),
        extension,
    )
    .encode()
}

/// The beginning of the storage keys of an item.
pub fn prefix(pallet: &str, item: &str) -> Vec<u8> {
    [sp_io::hashing::twox_128(pallet.as_bytes()), sp_io::hashing::twox_128(item.as_bytes())]
        .concat()
}
