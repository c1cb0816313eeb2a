//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};
use serai_messages::Coin;

use crate::cluster::{BusChoice, Settings};
use crate::simulate::Simulate;

/// How far the devnet goes before it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Until {
    /// Until every coin's vault is active.
    Vaults,
    /// Until a deposit of every coin is minted and a payment of it is final on its chain.
    Payments,
}

/// What else there is.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Simulate clusters in one process, one for each seed, with faults; a seed that fails is printed
    /// and fails again.
    Simulate(Simulate),
}

/// A whole Serai validator network on this machine: a development chain, coordinators, processors.
///
/// Each coin's validators make their vault in a real threshold key generation. Then a deposit of each
/// coin comes in from its simulated network, is minted on Serai, and a part of it is burned and paid
/// out. The network stays up until Ctrl-C, or ends where --until says so.
#[derive(Clone, Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
pub struct Options {
    /// Something else than a network of programs.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Number of validators, 4 to 50 [default: 4].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(4..=50))]
    pub validators: Option<u16>,
    /// Coins, separated by commas [default: btc,eth,xmr].
    #[arg(long, value_name = "COINS", value_delimiter = ',')]
    pub coins: Option<Vec<Coin>>,
    /// End once this is reached: exit code 0, or another one and the reason.
    #[arg(long, value_name = "GOAL")]
    pub until: Option<Until>,
    /// Write a report in JSON to this file once that is done.
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// embedded, or kafka=HOST:PORT [default: embedded].
    #[arg(long, value_name = "BUS")]
    pub bus: Option<BusChoice>,
    /// Folder for everything that the network keeps.
    #[arg(long, value_name = "DIR", default_value = ".devnet")]
    pub data: PathBuf,
    /// Delete what the folder holds and start a new network.
    #[arg(long)]
    pub fresh: bool,
    /// Milliseconds between the chain's blocks [default: 1000].
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u64).range(50..=60_000))]
    pub block_ms: Option<u64>,
}

impl Options {
    /// Settings of a new network.
    pub fn settings(&self) -> Settings {
        let mut coins = self.coins.clone().unwrap_or_else(|| Coin::ALL.to_vec());
        coins.sort_unstable();
        coins.dedup();
        let count = self.validators.unwrap_or(4).into();
        let mut settings =
            Settings::new(count, &coins).with_block_ms(self.block_ms.unwrap_or(1_000));
        if let Some(bus) = &self.bus {
            settings.bus = bus.clone();
        }
        settings
    }

    /// What was asked for and is not what the folder holds; a sentence for a person.
    pub fn contradiction(&self, held: &Settings) -> Option<String> {
        let asked = self.settings();
        let differs = [
            (
                "--validators",
                self.validators.is_some() && asked.validators != held.validators,
                held.validators.len().to_string(),
            ),
            (
                "--coins",
                self.coins.is_some() && asked.coins != held.coins,
                held.coins.iter().map(|coin| coin.name()).collect::<Vec<_>>().join(","),
            ),
            ("--bus", self.bus.is_some() && asked.bus != held.bus, held.bus.to_string()),
            (
                "--block-ms",
                self.block_ms.is_some() && asked.block_ms != held.block_ms,
                held.block_ms.to_string(),
            ),
        ];
        let (option, _, value) = differs.into_iter().find(|(_, differs, _)| *differs)?;
        Some(format!(
            "{} holds a network with {option} {value}; leave the option out to resume it, start \
             anew with --fresh, or choose another folder with --data",
            self.data.display()
        ))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Options {
        Options::try_parse_from(line.split(' ')).unwrap()
    }

    #[test]
    fn what_the_readme_and_scripts_say() {
        let options = parse("serai-devnet");
        assert_eq!(options.settings(), Settings::new(4, &Coin::ALL));
        let options = parse(
            "serai-devnet --validators 7 --coins xmr,btc,btc --until vaults --report r.json \
             --bus kafka=127.0.0.1:9092 --data d --fresh --block-ms 300",
        );
        let settings = options.settings();
        assert_eq!(settings.coins, [Coin::Btc, Coin::Xmr]);
        assert_eq!((settings.validators.len(), settings.set_size), (7, 7));
        assert_eq!(settings.bus.to_string(), "kafka=127.0.0.1:9092");
        assert_eq!((settings.block_ms, options.until), (300, Some(Until::Vaults)));
        for wrong in ["--validators 3", "--coins doge", "--until never", "--bus mqtt"] {
            assert!(Options::try_parse_from(format!("x {wrong}").split(' ')).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_resumed_network_keeps_its_settings() {
        let held = Settings::new(4, &[Coin::Btc]);
        assert_eq!(parse("serai-devnet").contradiction(&held), None);
        assert_eq!(parse("serai-devnet --validators 4").contradiction(&held), None);
        let told = parse("serai-devnet --coins eth").contradiction(&held).unwrap();
        assert!(told.contains("--coins btc; leave the option out"), "{told}");
    }
}
