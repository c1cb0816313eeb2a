//! What a person is told at the end.
//!
//! # Owns
//! The words for a report, and for where to look.

use crate::cluster::Cluster;
use crate::external::amount;
use crate::options::Options;
use crate::report::Report;

/// What there is: vaults, payments and balances, and where to look.
pub fn summary(cluster: &Cluster, report: &Report, options: &Options) -> Vec<String> {
    let mut lines = vec![String::new()];
    for vault in &report.vaults {
        lines.push(format!("{} vault, session {}", vault.coin, vault.session));
        lines.push(format!("  address        {} ({})", vault.address.text, vault.address.kind));
        lines.push(format!("  external key   {}", vault.external_key));
        lines.push(format!("  Ristretto key  {}", vault.ristretto_key));
        let verified: Vec<String> =
            vault.proven.iter().map(|one| format!("{} by {}", one.key, one.verified_by)).collect();
        lines.push(format!(
            "  held by {} processors; signatures verified: {}",
            vault.held_by.len(),
            verified.join(", ")
        ));
    }
    lines.extend(moved(report));
    lines.push(String::new());
    lines.push("Read back from the chain, the topics and the processors; all agree.".to_owned());
    if let Some(path) = &options.report {
        lines.push(format!("Report          {}", path.display()));
    }
    if options.until.is_some() {
        lines.push(format!("Data            {}", cluster.layout().root().display()));
        return lines;
    }
    lines.extend(where_to_look(cluster));
    lines
}

/// Addresses and commands of a network that stays up.
pub fn where_to_look(cluster: &Cluster) -> Vec<String> {
    let layout = cluster.layout();
    let mut lines = vec![format!("Chain RPC       {}", layout.rpc_url())];
    for coin in &layout.settings().coins {
        let url = layout.external_url(*coin).unwrap_or_default();
        lines.push(format!("{:<15} {url}", format!("{coin} network")));
    }
    for name in &layout.settings().validators {
        if let Some(url) = layout.http_url(name) {
            lines.push(format!("{:<15} {url}", name.as_str()));
        }
    }
    lines.push(format!("Data and logs   {}", layout.root().display()));
    if let Some(name) = layout.settings().validators.first() {
        lines.push(format!("Ask one         {}", cluster.status_command(name)));
    }
    lines.push("Ctrl-C stops everything; the same command resumes it.".to_owned());
    lines
}

/// What money did.
fn moved(report: &Report) -> Vec<String> {
    let mut lines = Vec::new();
    for payment in &report.payments {
        let Some(transaction) = &payment.transaction else { continue };
        lines.push(format!("{} payment {}", payment.coin, payment.id));
        lines.push(format!(
            "  {} to {} (burned {}, fee {})",
            amount(payment.coin, transaction.paid),
            payment.address,
            amount(payment.coin, payment.amount),
            amount(payment.coin, transaction.fee)
        ));
        lines.push(format!("  transaction    {}", transaction.hash));
        lines.push(format!("  verified by    {}", transaction.verified_by.join("; ")));
    }
    for balance in report.balances.iter().filter(|balance| balance.deposited > 0) {
        let coin = balance.coin;
        let [holdings, costs, supply, in_flight, retained] =
            [balance.holdings, balance.costs, balance.supply, balance.in_flight, balance.retained]
                .map(|part| amount(coin, part));
        lines.push(format!(
            "{coin} vaults hold {holdings}, costs {costs}; Serai owes {supply}, in flight \
             {in_flight}, retained {retained}"
        ));
    }
    lines
}
