//! The producers: one loop per topic, each run by the process that owns the topic.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::future::Future;
use std::sync::Arc;

use futures::future::{Either, select, select_all};
use serai_bus::{Bus, Database, Publisher, Waker};
use serai_messages::{Name, Topic};
use tokio_util::sync::CancellationToken;

/// The producers of all topics, until the processes have taken theirs.
pub struct Publishers {
    waiting: BTreeMap<Topic, Publisher>,
    wakers: BTreeMap<Topic, Waker>,
}

impl Publishers {
    /// One producer per topic.
    pub fn new(bus: &Arc<dyn Bus>, database: &Database, name: &Name, topics: &[Topic]) -> Self {
        let (mut waiting, mut wakers) = (BTreeMap::new(), BTreeMap::new());
        for topic in topics {
            let (publisher, waker) =
                Publisher::new(Arc::clone(bus), database.clone(), topic.full_name(name));
            waiting.insert(*topic, publisher);
            wakers.insert(*topic, waker);
        }
        Self { waiting, wakers }
    }

    /// The producers of `topics`, for the process that owns them.
    pub fn take(&mut self, topics: impl IntoIterator<Item = Topic>) -> Producers {
        Producers(topics.into_iter().filter_map(|topic| self.waiting.remove(&topic)).collect())
    }

    /// Wakers of all topics.
    pub fn wakers(&self) -> BTreeMap<Topic, Waker> {
        self.wakers.clone()
    }

    /// Waker of one topic; wakes nobody where there is no such producer.
    pub fn waker(&self, topic: Topic) -> Waker {
        self.wakers.get(&topic).cloned().unwrap_or_default()
    }
}

/// One process' producers.
pub struct Producers(Vec<Publisher>);

impl Producers {
    /// Publishes until `shutdown` is cancelled or a producer fails.
    ///
    /// # Errors
    /// The failed producer's reason.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), String> {
        self.beside(async move {
            shutdown.cancelled().await;
            Ok::<_, String>(())
        })
        .await
    }

    /// Publishes beside `process` until that ends or a producer fails.
    ///
    /// # Errors
    /// The reason of whichever failed.
    pub async fn beside<E: Display>(
        self,
        process: impl Future<Output = Result<(), E>>,
    ) -> Result<(), String> {
        let process = std::pin::pin!(process);
        if self.0.is_empty() {
            return process.await.map_err(|error| error.to_string());
        }
        let publishing = select_all(self.0.into_iter().map(|publisher| Box::pin(publisher.run())));
        match select(process, publishing).await {
            Either::Left((ended, _)) => ended.map_err(|error| error.to_string()),
            Either::Right(((ended, _, _), _)) => ended.map_err(|error| error.to_string()),
        }
    }
}
