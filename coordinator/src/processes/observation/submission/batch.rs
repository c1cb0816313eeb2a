//! `InInstructions.execute_batch`: a batch that a vault's Ristretto key has signed.

use serai_messages::{SignatureBytes, ValidatorSet};
use serai_sr25519::{SUBSTRATE_CONTEXT, verify};

use super::super::error::EndpointError;
use super::super::tables::{self, Executed};
use super::super::{chain, wire};
use super::call::{Look, View, index};

/// The parts of `Event::Batch`.
#[derive(Clone, Copy)]
pub(super) struct SignedBatch<'a> {
    pub(super) set: ValidatorSet,
    pub(super) id: u32,
    pub(super) batch: &'a [u8],
    pub(super) signature: SignatureBytes,
}

/// Whether the chain has executed the batch, and as it is; else whether it would; else the call.
pub(super) async fn look(view: &View<'_>, signed: SignedBatch<'_>) -> Result<Look, EndpointError> {
    let SignedBatch { set, id, batch, signature } = signed;
    let coin = set.coin;
    let own = match wire::batch(batch) {
        Ok(own) if (own.coin, own.id) == (coin, id) => own,
        Ok(own) => {
            return Ok(Look::failed(format!(
                "{coin} batch {id} holds {} batch {}; it is not submitted",
                own.coin, own.id
            )));
        }
        Err(reason) => {
            return Ok(Look::failed(format!("{coin} batch {id} is not submitted: {reason}")));
        }
    };
    let executed =
        view.observed("executed batches", |connection| tables::executed(connection, coin, id))?;
    if let Some(executed) = executed {
        return Ok(compared(set, &own, &executed));
    }
    let last = chain::last_batch(view.connection, &view.at, coin).await?;
    if last.is_some_and(|last| last >= id) {
        return Ok(Look::retry(format!("{coin} batch {id} is executed; reading up to it")));
    }
    let Some(keys) = view.keys(set).await? else {
        return Ok(match view.observed_keys(set)? {
            Some(_) => Look::failed(format!(
                "{coin} batch {id} is signed by {set}, which has handed over: Serai takes it no more"
            )),
            None => Look::retry(format!("the chain has no keys of {set} yet")),
        });
    };
    let message = wire::batch_message(batch);
    if verify(&keys.ristretto, SUBSTRATE_CONTEXT, &message, &signature.0).is_err() {
        return Ok(Look::failed(format!(
            "the signature of {coin} batch {id} is not of {set}'s key {}; it is not submitted",
            hex::encode(keys.ristretto)
        )));
    }
    let next = last.map_or(0, |last| last.saturating_add(1));
    if id > next {
        return Ok(Look::retry(format!("{coin} batch {id} waits until batch {next} is executed")));
    }
    if chain::halted(view.connection, &view.at, coin).await? {
        return Ok(Look::retry(format!("Serai has halted {}", coin.network_name())));
    }
    Ok(match index(view.at.metadata_ref(), "InInstructions", "execute_batch", &["batch"]) {
        Ok(index) => Look::Submit([&index[..], batch, &signature.0].concat()),
        Err(reason) => Look::retry(reason),
    })
}

/// Whether what was executed is the own batch: whoever submitted it.
fn compared(set: ValidatorSet, own: &wire::Batch, executed: &Executed) -> Look {
    let (coin, id, block) = (set.coin, own.id, executed.block.number);
    if own.instructions_hash != executed.instructions_hash {
        return Look::failed(format!(
            "{coin} batch {id} was executed in block {block} with other instructions: their hash is \
             {}, that of this validator's is {}",
            hex::encode(executed.instructions_hash),
            hex::encode(own.instructions_hash)
        ));
    }
    if own.external_block != executed.external_block {
        return Look::failed(format!(
            "{coin} batch {id} was executed in block {block} for the external block {}, this \
             validator's is {}",
            hex::encode(executed.external_block),
            hex::encode(own.external_block)
        ));
    }
    Look::done(format!("executed in block {block}"))
}
