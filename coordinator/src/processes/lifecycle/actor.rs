//! The lifecycle process: one supervisor per coin.

use std::path::PathBuf;

use futures::FutureExt;
use futures::future::{BoxFuture, select_all};
use serai_bus::durable_file;
use serai_messages::Coin;
use tokio_util::sync::CancellationToken;

use super::super::core::config::Config;
use super::super::core::status::Board;
use super::mailbox::Mailbox;
use super::plan::{Plan, bus_settings_path};
use super::supervisor::Supervisor;

/// Why the lifecycle process ended.
#[derive(Debug, thiserror::Error)]
pub enum LifecycleError {
    /// The processors' copy of the bus settings can't be written.
    #[error("cannot write {path}: {reason}")]
    BusSettings {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A supervisor ended though nobody stopped it.
    #[error("the supervisor of the {coin} processor ended: {reason}")]
    Supervisor {
        /// The processor's coin.
        coin: Coin,
        /// How.
        reason: String,
    },
}

/// The lifecycle process.
#[derive(Debug)]
pub struct Actor {
    plans: Vec<Plan>,
    mailbox: Mailbox,
    board: Board,
}

/// Makes the process for these plans and its handle. Nothing is started yet.
pub fn new(plans: Vec<Plan>, board: Board) -> (Actor, Mailbox) {
    let mailbox = Mailbox::new(plans.iter().map(|plan| (plan.coin, plan.managed)));
    (Actor { plans, mailbox: mailbox.clone(), board }, mailbox)
}

impl Actor {
    /// Writes the `[kafka]` section where processors look for it; call before [`Actor::run`].
    ///
    /// # Errors
    /// [`LifecycleError::BusSettings`].
    pub fn write_bus_settings(config: &Config) -> Result<(), LifecycleError> {
        let path = bus_settings_path(&config.general.data_dir);
        let error = |reason: String| LifecycleError::BusSettings { path: path.clone(), reason };
        let text = toml::to_string(&config.kafka).map_err(|e| error(e.to_string()))?;
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|e| error(e.to_string()))?;
        }
        durable_file::replace(&path, text.as_bytes()).map_err(|e| error(e.to_string()))
    }

    /// Runs the processors until `shutdown`, then stops them, the last coin first.
    ///
    /// # Errors
    /// [`LifecycleError::Supervisor`]; processors still running are killed then.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), LifecycleError> {
        let mut running: Vec<(Coin, CancellationToken, BoxFuture<'static, String>)> = Vec::new();
        for plan in self.plans {
            let stop = CancellationToken::new();
            let coin = plan.coin;
            let supervisor =
                Supervisor::new(plan, self.mailbox.clone(), self.board.clone(), stop.clone());
            let task = tokio::spawn(supervisor.run());
            let done = async move {
                task.await.map_or_else(|error| error.to_string(), |()| "of itself".to_owned())
            };
            running.push((coin, stop, done.boxed()));
        }
        if running.is_empty() {
            shutdown.cancelled().await;
            return Ok(());
        }
        let ended = tokio::select! {
            () = shutdown.cancelled() => None,
            (reason, index, _) = select_all(running.iter_mut().map(|(_, _, done)| done)) => {
                Some((index, reason))
            }
        };
        if let Some((index, reason)) = ended {
            let (coin, _, _) = running.swap_remove(index);
            for (_, stop, done) in running.into_iter().rev() {
                stop.cancel();
                done.await;
            }
            return Err(LifecycleError::Supervisor { coin, reason });
        }
        for (coin, stop, done) in running.into_iter().rev() {
            stop.cancel();
            done.await;
            tracing::info!(%coin, "processor stopped");
        }
        Ok(())
    }
}
