//! The process: its parts, put together and run.

use std::convert::Infallible;
use std::sync::Arc;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use rusqlite::Transaction;
use serai_bus::{Bus, Database, DatabaseError, Waker};
use serai_messages::observation::{Event, SeraiBlock, SetMember};
use serai_messages::{BlockHash, KeyPair, Name, Topic, ValidatorSet};
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use super::chain;
use super::client::{AtBlock, Connection};
use super::consumer::TopicConsumer;
use super::error::{Error, ReadError};
use super::follower::Follower;
use super::mailbox::{CAPACITY, Mailbox, Request};
use super::status::Live;
use super::submission::Submitter;
use super::{Settings, Status, clock, feed, instructions, solvency, tables};
use crate::processes::core::public::Feed;
use crate::processes::core::status::Board;

/// Requests that wait for a node at the same time; while so many wait, none is taken up.
const WAITING_REQUESTS: usize = 32;

/// The process, not yet running.
#[must_use = "the process does nothing until run"]
pub struct Actor {
    follower: Follower,
    submitter: Submitter,
    submission: TopicConsumer,
    txin: TopicConsumer,
    txout: TopicConsumer,
    public: TopicConsumer,
    feed: Feed,
    /// Wakes the public feed's publisher.
    public_waker: Waker,
    settings: Arc<Settings>,
    desk: Desk,
    requests: mpsc::Receiver<Request>,
}

/// The publishers of the topics that the process writes to.
#[derive(Clone, Debug, Default)]
pub struct Wakers {
    /// `{name}-serai`.
    pub serai: Waker,
    /// `{name}-public`.
    pub public: Waker,
}

/// Makes the process of the validator `name`: its cursor and submissions live in `database`, its
/// records go to `{name}-serai` and `{name}-public`. What `[solvency]` says holds from here on.
///
/// # Errors
/// The database's.
pub fn new(
    settings: Settings,
    name: &Name,
    bus: Arc<dyn Bus>,
    database: Database,
    wakers: Wakers,
) -> Result<(Actor, Mailbox), DatabaseError> {
    database.transaction(|transaction| {
        tables::set_on_shortfall(transaction, settings.on_shortfall)
            .map_err(|source| database.error(source))
    })?;
    let settings = Arc::new(settings);
    let topic = Topic::Serai.full_name(name);
    let feed = Feed::new(name, settings.incarnation);
    let (live, watched) = watch::channel(Live::default());
    let (connection, connected) = watch::channel(None);
    let wake = Arc::new(Notify::new());
    let (sender, requests) = mpsc::channel(CAPACITY);
    let consumer = |reader, wanted: fn(&str) -> bool| TopicConsumer {
        bus: bus.clone(),
        database: database.clone(),
        topic: topic.clone(),
        reader,
        wanted,
        reset: settings.reset,
        live: live.clone(),
        board: settings.board.clone(),
    };
    let actor = Actor {
        submission: consumer("submission", |kind| kind.starts_with("submit.")),
        txin: consumer("txin", |kind| kind == "txin.batch-executed"),
        txout: consumer("txout", |kind| kind == "txout.burn"),
        public: consumer("public", |_| true),
        submitter: Submitter {
            settings: settings.clone(),
            database: database.clone(),
            connection: connected.clone(),
            wake: wake.clone(),
            feed: feed.clone(),
            waker: wakers.public.clone(),
        },
        feed,
        public_waker: wakers.public,
        settings: settings.clone(),
        desk: Desk { database: database.clone(), connection: connected, live: watched },
        follower: Follower {
            settings,
            topic,
            database,
            waker: wakers.serai,
            live,
            connection,
            chain_changed: wake,
        },
        requests,
    };
    Ok((actor, Mailbox(sender)))
}

impl Actor {
    /// Runs until `shutdown` is cancelled.
    ///
    /// # Errors
    /// [`Error`]: the database or the bus failed for good, or all nodes serve another chain.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), Error> {
        let Self { follower, submitter, submission, txin, txout, public, .. } = self;
        let Self { feed, public_waker, settings, desk, mut requests, .. } = self;
        let show = || desk.database.read(|connection| solvency::show(connection, &settings.board));
        show()?;
        let wake = submitter.wake.clone();
        let mut follower = std::pin::pin!(follower.run());
        let mut submitter = std::pin::pin!(submitter.run());
        let mut submission =
            std::pin::pin!(submission.run(tables::add_submission, |()| wake.notify_one()));
        let mut txin = std::pin::pin!(txin.run(instructions::txin, |()| {}));
        let mut txout = std::pin::pin!(txout.run(instructions::txout, |()| {}));
        let told = |event: Told| {
            public_waker.wake();
            if event == Told::Holdings
                && let Err(error) = show()
            {
                tracing::error!(%error, "cannot show how solvent the vaults are");
            }
        };
        let mut public =
            std::pin::pin!(public.run(|transaction, event| tell(transaction, &feed, event), told));
        let mut clock = std::pin::pin!(desk.watch_clock(&settings.board));
        let mut answers = FuturesUnordered::new();
        loop {
            let ended = tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                never = &mut clock => match never {},
                ended = &mut follower => ended,
                ended = &mut submitter => ended,
                ended = &mut submission => ended,
                ended = &mut txin => ended,
                ended = &mut txout => ended,
                ended = &mut public => ended,
                Some(request) = requests.recv(), if answers.len() < WAITING_REQUESTS => {
                    answers.push(desk.handle(request));
                    continue;
                }
                Some(()) = answers.next(), if !answers.is_empty() => continue,
            };
            match ended? {}
        }
    }
}

/// What the public feed's consumer has handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Holdings,
    Other,
}

/// Keeps what a record says of payments and of solvency, and tells the public of it.
fn tell(transaction: &Transaction<'_>, feed: &Feed, event: &Event) -> rusqlite::Result<Told> {
    tables::note_payment(transaction, event)?;
    let (told, kind) = match event {
        Event::Holdings(holdings) => (solvency::take(transaction, holdings)?, Told::Holdings),
        event => (feed::told(event), Told::Other),
    };
    if let Some(told) = told {
        feed.publish(transaction, &told)?;
    }
    Ok(kind)
}

/// Answers the mailbox.
struct Desk {
    database: Database,
    connection: watch::Receiver<Option<Connection>>,
    live: watch::Receiver<Live>,
}

impl Desk {
    async fn handle(&self, request: Request) {
        // A caller that went away no longer wants the answer.
        match request {
            Request::Genesis(answer) => reply(answer, self.genesis()).await,
            Request::SetMembers(set, answer) => reply(answer, self.set_members(set)).await,
            Request::KeysOf(set, answer) => reply(answer, self.keys_of(set)).await,
            Request::Head(answer) => reply(answer, self.head()).await,
            Request::Status(answer) => reply(answer, async { self.status() }).await,
        }
    }

    async fn genesis(&self) -> Result<BlockHash, ReadError> {
        if let Some(chain) = self.database.read(tables::chain)? {
            return Ok(chain.genesis);
        }
        Ok(self.connected().await?.genesis())
    }

    async fn set_members(&self, set: ValidatorSet) -> Result<Vec<SetMember>, ReadError> {
        let (connection, at) = self.at_head().await?;
        let current = chain::current_session(&connection, &at, set.coin).await?;
        if current != Some(set.session) {
            return Err(ReadError::NotLatest { set, current });
        }
        Ok(chain::members(&connection, &at, set.coin).await?)
    }

    async fn keys_of(&self, set: ValidatorSet) -> Result<Option<KeyPair>, ReadError> {
        let (connection, at) = self.at_head().await?;
        Ok(chain::keys(&connection, &at, set).await?)
    }

    /// Compares the clock with Serai's, again and again.
    async fn watch_clock(&self, board: &Board) -> Infallible {
        let mut looks = clock::Looks::default();
        loop {
            // A node that does not answer is shown by the follower.
            if let Ok((head, stated_ms)) = self.head().await {
                looks.show(board, head.number, stated_ms);
            }
            tokio::time::sleep(clock::LOOK).await;
        }
    }

    async fn head(&self) -> Result<(SeraiBlock, u64), ReadError> {
        let connection = self.connected().await?;
        let head = connection.head().await?;
        let at = connection.at(head).await?;
        Ok((head, chain::timestamp(&connection, &at).await?))
    }

    fn status(&self) -> Result<Status, ReadError> {
        let live = self.live.borrow().clone();
        let mut status = self.database.read(|connection| live.status(connection))?;
        if status.cursor.is_none() {
            let chain = self.database.read(tables::chain)?;
            status.cursor = chain.and_then(|chain| chain.cursor).map(Into::into);
        }
        Ok(status)
    }

    async fn at_head(&self) -> Result<(Connection, AtBlock), ReadError> {
        let connection = self.connected().await?;
        let at = connection.at(connection.head().await?).await?;
        Ok((connection, at))
    }

    async fn connected(&self) -> Result<Connection, ReadError> {
        let mut connection = self.connection.clone();
        let connected = connection.wait_for(Option::is_some).await;
        connected.ok().and_then(|current| current.clone()).ok_or(ReadError::Stopped)
    }
}

/// Works out an answer unless its caller goes away before.
async fn reply<T>(
    mut answer: oneshot::Sender<Result<T, ReadError>>,
    work: impl Future<Output = Result<T, ReadError>>,
) {
    tokio::select! {
        result = work => drop(answer.send(result)),
        () = answer.closed() => {}
    }
}
