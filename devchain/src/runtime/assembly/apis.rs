//! What can be asked of the runtime, and how blocks are made with it.
#![allow(
    missing_docs,
    clippy::expect_used,
    clippy::let_unit_value,
    reason = "the macros' own code"
)]

use sp_api::impl_runtime_apis;
use sp_core::OpaqueMetadata;
use sp_inherents::{CheckInherentsResult, InherentData};
use sp_runtime::{
    ApplyExtrinsicResult, ExtrinsicInclusionMode,
    traits::Block as BlockT,
    transaction_validity::{TransactionSource, TransactionValidity},
};
use sp_version::RuntimeVersion;

use super::{Block, Executive, Header, InherentDataExt as _, Runtime, System, VERSION};
use crate::runtime::{
    types::{AccountId, NetworkId},
    validator_sets,
};

sp_api::decl_runtime_apis! {
    /// The nonce of an account.
    pub trait AccountNonceApi {
        /// The number of transactions the account has had included.
        fn account_nonce(account: AccountId) -> u32;
    }

    /// Serai's own.
    pub trait SeraiRuntimeApi {
        /// The participants of a network's latest decided set, in their order.
        fn validators(network: NetworkId) -> Vec<AccountId>;
    }
}

impl_runtime_apis! {
    impl sp_api::Core<Block> for Runtime {
        fn version() -> RuntimeVersion {
            VERSION
        }

        fn execute_block(block: <Block as BlockT>::LazyBlock) {
            Executive::execute_block(block);
        }

        fn initialize_block(header: &Header) -> ExtrinsicInclusionMode {
            Executive::initialize_block(header)
        }
    }

    impl sp_api::Metadata<Block> for Runtime {
        fn metadata() -> OpaqueMetadata {
            OpaqueMetadata::new(Runtime::metadata().into())
        }

        fn metadata_at_version(version: u32) -> Option<OpaqueMetadata> {
            Runtime::metadata_at_version(version)
        }

        fn metadata_versions() -> Vec<u32> {
            Runtime::metadata_versions()
        }
    }

    impl sp_block_builder::BlockBuilder<Block> for Runtime {
        fn apply_extrinsic(extrinsic: <Block as BlockT>::Extrinsic) -> ApplyExtrinsicResult {
            Executive::apply_extrinsic(extrinsic)
        }

        fn finalize_block() -> Header {
            Executive::finalize_block()
        }

        fn inherent_extrinsics(data: InherentData) -> Vec<<Block as BlockT>::Extrinsic> {
            data.create_extrinsics()
        }

        fn check_inherents(
            block: <Block as BlockT>::LazyBlock,
            data: InherentData,
        ) -> CheckInherentsResult {
            data.check_extrinsics(&block)
        }
    }

    impl sp_transaction_pool::runtime_api::TaggedTransactionQueue<Block> for Runtime {
        fn validate_transaction(
            source: TransactionSource,
            tx: <Block as BlockT>::Extrinsic,
            block_hash: <Block as BlockT>::Hash,
        ) -> TransactionValidity {
            Executive::validate_transaction(source, tx, block_hash)
        }
    }

    impl self::AccountNonceApi<Block> for Runtime {
        fn account_nonce(account: AccountId) -> u32 {
            System::account_nonce(account)
        }
    }

    impl self::SeraiRuntimeApi<Block> for Runtime {
        fn validators(network: NetworkId) -> Vec<AccountId> {
            validator_sets::Participants::<Runtime>::get(network)
                .unwrap_or_default()
                .into_iter()
                .map(|(validator, _)| validator)
                .collect()
        }
    }
}

/// The runtime's metadata in the given version.
#[must_use]
pub fn metadata(version: u32) -> Option<Vec<u8>> {
    Runtime::metadata_at_version(version).map(|metadata| metadata.to_vec())
}

/// The versions of metadata that [`metadata`] gives.
#[must_use]
pub fn metadata_versions() -> Vec<u32> {
    Runtime::metadata_versions()
}
