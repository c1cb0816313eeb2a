//! `author_*`: submission.

use jsonrpsee::{
    PendingSubscriptionSink, RpcModule, SubscriptionMessage, core::RegisterMethodError,
    types::ErrorObjectOwned,
};
use serde_json::{Value, value::to_raw_value};
use sp_core::H256;
use sp_runtime::transaction_validity::{
    InvalidTransaction, TransactionValidityError, UnknownTransaction,
};
use tokio::sync::mpsc;

use super::encoding::{HexBytes, bad_params};
use crate::{
    chain::Chain,
    pool::{Refusal, Status},
};

/// Adds the methods of this file.
pub fn register(module: &mut RpcModule<Chain>) -> Result<(), RegisterMethodError> {
    module.register_blocking_method("author_submitExtrinsic", |params, chain, _| {
        let bytes: HexBytes = params.one()?;
        chain.submit(bytes.0).map(|(hash, _)| hash).map_err(|refusal| refused(&refusal))
    })?;
    module.register_blocking_method("author_pendingExtrinsics", |_, chain, _| {
        chain.pending_extrinsics().into_iter().map(HexBytes).collect::<Vec<_>>()
    })?;
    module.register_subscription(
        "author_submitAndWatchExtrinsic",
        "author_extrinsicUpdate",
        "author_unwatchExtrinsic",
        |params, pending, chain, _| async move {
            match params.one::<HexBytes>() {
                Ok(bytes) => watch(pending, Chain::clone(&chain), bytes.0).await,
                Err(error) => pending.reject(error).await,
            }
        },
    )?;
    Ok(())
}

async fn watch(pending: PendingSubscriptionSink, chain: Chain, bytes: Vec<u8>) {
    let submitted = tokio::task::spawn_blocking(move || chain.submit(bytes)).await;
    let statuses: Result<(H256, mpsc::Receiver<Status>), ErrorObjectOwned> = match submitted {
        Ok(submitted) => submitted.map_err(|refusal| refused(&refusal)),
        Err(_) => Err(bad_params("submission was interrupted")),
    };
    let (_, mut statuses) = match statuses {
        Ok(statuses) => statuses,
        Err(error) => return pending.reject(error).await,
    };
    let Ok(sink) = pending.accept().await else { return };
    loop {
        let status = tokio::select! {
            () = sink.closed() => return,
            status = statuses.recv() => status,
        };
        let Some(status) = status else { return };
        let Ok(message) = to_raw_value(&status) else { return };
        if sink.send(SubscriptionMessage::from(message)).await.is_err() {
            return;
        }
    }
}

/// A refusal with the code, message and data that a Substrate node gives for it.
fn refused(refusal: &Refusal) -> ErrorObjectOwned {
    let (code, message, data) = match refusal {
        Refusal::BadFormat => (1001, "Extrinsic has invalid format".to_owned(), None),
        Refusal::Invalid(TransactionValidityError::Invalid(invalid)) => {
            let reason = match invalid {
                InvalidTransaction::Custom(code) => format!("Custom error: {code}"),
                invalid => <&'static str>::from(*invalid).to_owned(),
            };
            (1010, "Invalid Transaction".to_owned(), Some(reason))
        }
        Refusal::Invalid(TransactionValidityError::Unknown(unknown)) => {
            let reason = match unknown {
                UnknownTransaction::Custom(code) => format!("Custom error: {code}"),
                unknown => <&'static str>::from(*unknown).to_owned(),
            };
            (1011, "Unknown Transaction Validity".to_owned(), Some(reason))
        }
        Refusal::AlreadyThere(hash) => {
            (1013, "Transaction Already Imported".to_owned(), Some(format!("{hash:?}")))
        }
        Refusal::Replaced => (
            1014,
            "Priority is too low".to_owned(),
            Some("another transaction with the same effect is in the pool".to_owned()),
        ),
        Refusal::Full => (
            1016,
            "Immediately Dropped".to_owned(),
            Some("the transaction pool is full".to_owned()),
        ),
    };
    ErrorObjectOwned::owned(code, message, data.map(Value::String))
}
