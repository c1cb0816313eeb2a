//! `ValidatorSets.report_slashes`: the slash report of a set that handed over.

use serai_messages::{SignatureBytes, ValidatorSet};
use serai_sr25519::{SUBSTRATE_CONTEXT, verify};

use super::super::error::EndpointError;
use super::super::{chain, wire};
use super::call::{Look, View, index};

/// The parts of `Event::SlashReport`.
#[derive(Clone, Copy)]
pub(super) struct SlashReport<'a> {
    pub(super) set: ValidatorSet,
    pub(super) report: &'a [u8],
    pub(super) signature: SignatureBytes,
}

/// Whether the chain still waits for the report of this set; if so, the call.
pub(super) async fn look(view: &View<'_>, signed: SlashReport<'_>) -> Result<Look, EndpointError> {
    let SlashReport { set, report, signature } = signed;
    if let Err(reason) = wire::slashes(report) {
        return Ok(Look::failed(format!("{set}'s slash report is not submitted: {reason}")));
    }
    let current = view.keys(set).await?;
    let Some(keys) = view.observed_keys(set)?.or(current.clone()) else {
        return Ok(Look::retry(format!("the chain has no keys of {set} yet")));
    };
    let pending = chain::pending_slash_report(view.connection, &view.at, set.coin).await?;
    if pending != Some(keys.ristretto) {
        return Ok(match current {
            Some(_) => Look::retry(format!("{set} has not handed over yet")),
            None => Look::done(format!("{set} is retired")),
        });
    }
    let message = wire::slashes_message(set, report);
    if verify(&keys.ristretto, SUBSTRATE_CONTEXT, &message, &signature.0).is_err() {
        return Ok(Look::failed(format!(
            "the signature of {set}'s slash report is not of its key {}; it is not submitted",
            hex::encode(keys.ristretto)
        )));
    }
    let fields = ["network", "slashes", "signature"];
    Ok(match index(view.at.metadata_ref(), "ValidatorSets", "report_slashes", &fields) {
        Ok(index) => {
            Look::Submit([&index[..], &[set.coin.network_id()], report, &signature.0].concat())
        }
        Err(reason) => Look::retry(reason),
    })
}
