//! The runtime: Serai's pallets, calls, events and storage, compiled natively.
//!
//! # Owns
//! The state transition and the metadata that describes it.
//!
//! # Promises
//! Pallet names and indices, call and event names, fields and their order, storage names and
//! hashers are those of Serai's ABI as far as they are here. Accounts, signatures and transaction
//! extensions are Substrate's usual ones, so that an unmodified subxt client works.
//!
//! # Limits
//! Call indices follow the pallets' (real Serai has an outer numbering of its own); clients encode
//! calls by name. No consensus, no upgrades (`System` calls are refused), no exchange, no
//! emissions, no signals, no economics.

mod assembly;
pub mod coins;
pub mod in_instructions;
pub mod musig;
pub mod types;
pub mod validator_addresses;
pub mod validator_sets;

pub use assembly::{
    Block, Coins, Header, InInstructions, Runtime, RuntimeCall, RuntimeEvent, RuntimeGenesisConfig,
    System, Timestamp, TransactionPayment, TxExtension, UncheckedExtrinsic, VERSION,
    ValidatorAddresses, ValidatorSets,
    apis::{api, metadata, metadata_versions},
};
