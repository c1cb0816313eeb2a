//! The process: one loop, whose arms call `handle_*`.

use std::sync::Arc;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use libp2p::core::ConnectedPoint;
use libp2p::identity::Keypair;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{ConnectionId, SwarmEvent};
use libp2p::{Multiaddr, Swarm};
use serai_bus::Database;
use serai_messages::{BlockHash, Incarnation, ValidatorKey, Versions};
use serai_sr25519::Signer;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use super::connections::Ended;
use super::delivery::Delivering;
use super::gate::{Gate, Opened};
use super::link::{Event, Own, Timing};
use super::mailbox::{Apart, Command, QUEUE, Reach};
use super::peers::{Peers, State};
use super::{Error, Inbound, Mailbox, Peer, PeerStatus, Status, swarm, tables};

/// Events of links that wait for the loop; a link waits when there are more.
const LINK_EVENTS: usize = 64;

/// What the process needs to know.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where to listen, for example `/ip4/0.0.0.0/udp/4001/quic-v1` and `/ip4/0.0.0.0/tcp/4001`;
    /// port 0 lets the system choose. Without any, peers are only dialed.
    pub listen: Vec<Multiaddr>,
    /// Pauses and time limits.
    pub timing: Timing,
    /// Whether the state knows of no life before this one: it then stops where a peer has met another.
    pub first_life: bool,
    /// Message versions that this program reads.
    pub reads: Versions,
    /// Message versions that peers are told of, until [`Mailbox::announce`].
    pub announces: Versions,
}

/// The process, not yet running.
pub struct Actor {
    settings: Settings,
    signer: Arc<Signer>,
    incarnation: Incarnation,
    identity: Keypair,
    database: Database,
    commands: mpsc::Receiver<Command>,
    wake: Arc<Notify>,
    inbound: mpsc::Sender<Inbound>,
    reach: watch::Sender<Reach>,
}

/// Makes the process and its mailbox, and the receiver of what peers say. `identity` is the seed of
/// the libp2p identity (ed25519), `signer` the validator's key. Forgets statements that wait in the
/// outbox of an older incarnation.
///
/// # Errors
/// [`Error::Identity`], [`Error::Database`].
pub fn new(
    settings: Settings,
    identity: &Zeroizing<[u8; 32]>,
    signer: Arc<Signer>,
    incarnation: Incarnation,
    database: Database,
) -> Result<(Actor, Mailbox, mpsc::Receiver<Inbound>), Error> {
    let identity = swarm::keypair(identity)?;
    let forgotten = tables::begin(&database, incarnation)?;
    if forgotten > 0 {
        tracing::warn!(statements = forgotten, "forgot statements queued by a former incarnation");
    }
    let (sender, commands) = mpsc::channel(QUEUE);
    let (inbound, receiver) = mpsc::channel(1);
    let wake = Arc::new(Notify::new());
    let (reach, reached) = watch::channel(Reach::default());
    let mailbox = Mailbox { commands: sender, wake: Arc::clone(&wake), reach: reached };
    let actor =
        Actor { settings, signer, incarnation, identity, database, commands, wake, inbound, reach };
    Ok((actor, mailbox, receiver))
}

impl Actor {
    /// Runs until `shutdown`, for the Serai chain with this genesis hash. Connections are cut then;
    /// what is not acknowledged is sent again after the next start.
    ///
    /// # Errors
    /// [`Error`]: cannot start, the database fails, replaced, or nobody takes what peers say.
    pub async fn run(self, genesis: BlockHash, shutdown: CancellationToken) -> Result<(), Error> {
        let own = Arc::new(Own {
            genesis,
            validator: ValidatorKey(self.signer.public()),
            peer: self.identity.public().to_peer_id(),
            signer: self.signer,
            incarnation: self.incarnation,
            first_life: self.settings.first_life,
            announces: self.settings.announces,
            timing: self.settings.timing,
        });
        let mut swarm = swarm::build(self.identity)?;
        for address in self.settings.listen {
            swarm.listen_on(address.clone()).map_err(|error| Error::Listen {
                address: address.to_string(),
                reason: error.to_string(),
            })?;
        }
        let (events_sender, events) = mpsc::channel(LINK_EVENTS);
        let running = Running {
            own,
            reads: self.settings.reads,
            database: self.database,
            swarm,
            peers: Peers::default(),
            links: JoinSet::new(),
            events_sender,
            events,
            inbound: self.inbound,
            deliveries: FuturesUnordered::new(),
            to_pump: Vec::new(),
            reach: self.reach,
        };
        running.run(self.commands, self.wake, shutdown).await
    }
}

/// The process at work. Its other handlers are in `connections` and `delivery`.
pub(super) struct Running {
    pub(super) own: Arc<Own>,
    pub(super) reads: Versions,
    pub(super) database: Database,
    pub(super) swarm: Swarm<Gate>,
    pub(super) peers: Peers,
    pub(super) links: JoinSet<Ended>,
    pub(super) events_sender: mpsc::Sender<(ConnectionId, Event)>,
    events: mpsc::Receiver<(ConnectionId, Event)>,
    pub(super) inbound: mpsc::Sender<Inbound>,
    pub(super) deliveries: FuturesUnordered<Delivering>,
    /// Peers that lost a connection: what waits for them may have another to go out on.
    pub(super) to_pump: Vec<ValidatorKey>,
    reach: watch::Sender<Reach>,
}

impl Running {
    async fn run(
        mut self,
        mut commands: mpsc::Receiver<Command>,
        wake: Arc<Notify>,
        shutdown: CancellationToken,
    ) -> Result<(), Error> {
        loop {
            let deadline = self.peers.next_deadline();
            tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                Some(command) = commands.recv() => self.handle_command(command)?,
                () = wake.notified() => self.handle_wake()?,
                event = self.swarm.select_next_some() => self.handle_swarm(event)?,
                Some((connection, event)) = self.events.recv() => {
                    self.handle_link_event(connection, event)?;
                }
                Some(ended) = self.links.join_next() => self.handle_link_end(ended)?,
                Some(delivered) = self.deliveries.next() => self.handle_delivered(delivered)?,
                () = sleep_until(deadline) => self.handle_deadlines(),
            }
            while let Some(validator) = self.to_pump.pop() {
                self.pump(validator)?;
            }
            self.tell_reach();
        }
    }

    /// Tells who is reachable, where that has changed.
    fn tell_reach(&self) {
        let mut reach = Reach::default();
        for state in self.peers.iter() {
            reach.peers += 1;
            let side = match state.active() {
                Some(_) => &mut reach.online,
                None => &mut reach.missing,
            };
            side.push(state.peer.validator);
            let (validator, own) = (state.peer.validator, self.own.announces);
            if let Some(theirs) = state.speaks.filter(|theirs| own.common(*theirs).is_none()) {
                reach.apart.push(Apart { validator, theirs, own });
            }
        }
        self.reach.send_if_modified(|told| {
            let changed = *told != reach;
            *told = reach;
            changed
        });
    }

    fn handle_command(&mut self, command: Command) -> Result<(), Error> {
        // A caller that has gone away needs no answer.
        match command {
            Command::Connect(peers, answer) => {
                let _ = answer.send(self.connect(peers));
            }
            Command::Disconnect(validators, done) => {
                for validator in validators {
                    if let Some(state) = self.peers.remove(&validator) {
                        self.forget(&state);
                    }
                }
                let _ = done.send(());
            }
            Command::Announce(versions, done) => {
                self.announce(versions);
                let _ = done.send(());
            }
            Command::Status(answer) => {
                let _ = answer.send(self.status()?);
            }
        }
        Ok(())
    }

    fn connect(&mut self, mut peers: Vec<Peer>) -> Result<(), super::ConnectError> {
        peers.retain(|peer| peer.validator != self.own.validator);
        let former = self.peers.update(peers, &self.own.timing, Instant::now())?;
        for state in former {
            self.forget(&state);
        }
        let ids: Vec<_> = self.peers.iter().map(|state| state.id).collect();
        for id in ids {
            self.swarm.behaviour_mut().allow(id);
        }
        Ok(())
    }

    /// A proof says which versions are spoken: peers that were told others need a new one.
    fn announce(&mut self, versions: Versions) {
        if self.own.announces == versions {
            return;
        }
        tracing::info!(%versions, "peers are told which message versions are spoken here");
        self.own = Arc::new(Own { announces: versions, ..Own::clone(&self.own) });
        let links = self.peers.iter().flat_map(|state| &state.links);
        let told: Vec<_> = links.map(|link| link.connection).collect();
        for connection in told {
            self.close(connection);
        }
    }

    fn forget(&mut self, state: &State) {
        self.swarm.behaviour_mut().disallow(&state.id);
        for link in &state.links {
            self.swarm.close_connection(link.connection);
        }
    }

    fn handle_swarm(&mut self, event: SwarmEvent<Opened>) -> Result<(), Error> {
        match event {
            SwarmEvent::Behaviour(opened) => self.handle_opened(opened),
            SwarmEvent::ConnectionEstablished { peer_id, connection_id, endpoint, .. } => {
                let dialer = matches!(endpoint, ConnectedPoint::Dialer { .. });
                self.handle_established(peer_id, connection_id, dialer);
                Ok(())
            }
            SwarmEvent::ConnectionClosed { connection_id, cause, .. } => {
                self.handle_closed(connection_id, cause.map(|cause| cause.to_string()));
                Ok(())
            }
            SwarmEvent::OutgoingConnectionError { peer_id: Some(peer), error, .. } => {
                self.handle_dial_failed(peer, &error);
                Ok(())
            }
            SwarmEvent::NewListenAddr { address, .. } => {
                tracing::info!(%address, "listening for peers");
                Ok(())
            }
            SwarmEvent::ListenerClosed { addresses, reason: Err(error), .. } => {
                let listed: Vec<_> = addresses.iter().map(Multiaddr::to_string).collect();
                Err(Error::Listen { address: listed.join(", "), reason: error.to_string() })
            }
            SwarmEvent::ListenerError { error, .. } => {
                tracing::warn!(%error, "listener");
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn handle_deadlines(&mut self) {
        let now = Instant::now();
        let mut overdue = Vec::new();
        let mut dials = Vec::new();
        for state in self.peers.iter_mut() {
            if let Some(batch) = state.in_flight.take_if(|batch| batch.deadline <= now) {
                state.last_error = Some("an acknowledgement did not come in time".to_owned());
                overdue.push(batch.connection);
            }
            if state.redial.take_if(|at| *at <= now).is_some()
                && !state.dialing
                && state.active().is_none()
            {
                state.dialing = true;
                dials.push((state.id, state.dialable()));
            }
        }
        for connection in overdue {
            self.close(connection);
        }
        for (id, addresses) in dials {
            // A port of its own: the listening one may still hold a former connection to the same
            // address.
            let options = DialOpts::peer_id(id)
                .condition(PeerCondition::Always)
                .addresses(addresses)
                .allocate_new_port()
                .build();
            if let Err(error) = self.swarm.dial(options) {
                self.handle_dial_failed(id, &error);
            }
        }
    }

    fn status(&self) -> Result<Status, Error> {
        let own = Protocol::P2p(self.own.peer);
        let listening = self
            .swarm
            .listeners()
            .map(|address| address.clone().with(own.clone()).to_string())
            .collect();
        let mut peers = Vec::new();
        let versions = self.database.read(tables::versions)?;
        for state in self.peers.iter() {
            let validator = state.peer.validator;
            let queue = self.database.read(|connection| tables::queue(connection, validator))?;
            let active = state.active();
            peers.push(PeerStatus {
                validator,
                name: state.peer.name.clone(),
                peer_id: state.id.to_string(),
                addresses: state.peer.addresses.iter().map(Multiaddr::to_string).collect(),
                connected: !state.links.is_empty(),
                proven: active.is_some(),
                incarnation: active.and_then(|link| link.proven),
                speaks: versions.get(&validator).copied(),
                queued: queue.rows,
                queued_bytes: queue.bytes,
                last_seen_ms: state.last_seen_ms,
                last_error: state.last_error.clone(),
                counts: super::Counts { dropped: queue.dropped, ..state.counts },
            });
        }
        let denied = self.swarm.behaviour().denials();
        let (peer_id, announces) = (self.own.peer.to_string(), self.own.announces);
        Ok(Status { peer_id, listening, announces, denied, peers })
    }
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
