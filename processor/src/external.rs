//! The processor's side of its external chain: orders for the watcher, its reports.

use std::sync::Arc;

use rusqlite::Connection;
use serai_messages::Coin;
use tokio::sync::{mpsc, watch};

use crate::chain::{ExternalChain, Network};
use crate::ledger::{self, Book};
use crate::watcher::{self, Orders, Report, Want, Watcher};

/// The external chain that a processor is started with.
#[derive(Clone)]
pub struct External {
    /// The coin's rules.
    pub network: &'static dyn Network,
    /// Its node; none: no block is ever seen.
    pub chain: Option<Arc<dyn ExternalChain>>,
    /// How it is asked.
    pub watch: watcher::Settings,
}

impl External {
    /// The coin.
    pub fn coin(&self) -> Coin {
        self.network.coin()
    }
}

impl std::fmt::Debug for External {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("External")
            .field("coin", &self.coin())
            .field("chain", &self.chain.is_some())
            .field("watch", &self.watch)
            .finish_non_exhaustive()
    }
}

/// Where the watcher's orders go and its reports come from.
#[derive(Debug)]
pub struct Desk {
    orders: Option<watch::Sender<Orders>>,
    reports: Option<mpsc::Receiver<Report>>,
    round: u64,
    wanted: Option<u64>,
}

impl Desk {
    /// Gives also the watcher, where there is a chain. It has its orders from the first moment on: it
    /// must not take another chain for the known one.
    ///
    /// # Errors
    /// [`ledger::Error`]
    pub fn new(
        external: &External,
        connection: &Connection,
        book: &Book,
    ) -> Result<(Self, Option<Watcher>), ledger::Error> {
        let Some(chain) = external.chain.clone() else {
            let desk = Self { orders: None, reports: None, round: 0, wanted: None };
            return Ok((desk, None));
        };
        let (watcher, orders, reports) = Watcher::new(chain, external.watch);
        let mut desk =
            Self { orders: Some(orders), reports: Some(reports), round: 0, wanted: None };
        desk.order(connection, book)?;
        Ok((desk, Some(watcher)))
    }

    /// The next report; never one where there is no watcher.
    pub async fn next(&mut self) -> Report {
        if let Some(reports) = &mut self.reports
            && let Some(report) = reports.recv().await
        {
            return report;
        }
        std::future::pending().await
    }

    /// The watcher's blocks were handled: it may send others.
    pub fn next_round(&mut self) {
        self.round = self.round.wrapping_add(1);
    }

    /// Tells the watcher what is to be done now, of a committed database.
    ///
    /// # Errors
    /// [`ledger::Error`]
    pub fn order(&mut self, connection: &Connection, book: &Book) -> Result<(), ledger::Error> {
        let Some(sender) = &self.orders else { return Ok(()) };
        let wants = book.ledger().wants();
        if wants != self.wanted {
            self.wanted = wants;
            self.round = self.round.wrapping_add(1);
        }
        let orders = Orders {
            genesis: ledger::genesis(connection)?,
            wants: wants.map(|height| Want { height, round: self.round }),
            publications: Book::publications(connection)?,
            holdings: Book::holdings_due(connection)?,
        };
        sender.send_if_modified(|current| {
            let changed = *current != orders;
            if changed {
                *current = orders;
            }
            changed
        });
        Ok(())
    }
}
