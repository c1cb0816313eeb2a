//! The transports: QUIC, and TCP with Noise and yamux; names are resolved by the system's resolver.

use std::time::Duration;

use libp2p::identity::Keypair;
use libp2p::{PeerId, Swarm, SwarmBuilder, noise, tcp, yamux};

use super::Error;
use super::gate::Gate;
use super::wire::MAX_FRAME_BYTES;

/// For a connection's transport upgrade.
const UPGRADE: Duration = Duration::from_secs(10);

/// A connection without its stream is closed after this long.
const IDLE: Duration = Duration::from_secs(10);

/// Streams that a remote can have open: one is used.
const STREAMS: u32 = 4;

/// Makes the swarm. Needs a tokio runtime.
///
/// # Errors
/// [`Error::Transport`].
pub(super) fn build(identity: Keypair) -> Result<Swarm<Gate>, Error> {
    let transport = |error: &dyn std::fmt::Display| Error::Transport(error.to_string());
    let builder = |identity: Keypair| {
        SwarmBuilder::with_existing_identity(identity).with_tokio().with_tcp(
            tcp::Config::default(),
            noise::Config::new,
            || {
                let mut config = yamux::Config::default();
                config.set_max_num_streams(STREAMS as usize);
                config
            },
        )
    };
    let quic = |mut config: libp2p::quic::Config| {
        config.max_concurrent_stream_limit = STREAMS;
        // One frame of the largest size fits without waiting; no more is buffered.
        config.max_stream_data = 2 * MAX_FRAME_BYTES as u32;
        config.max_connection_data = 2 * MAX_FRAME_BYTES as u32;
        config
    };
    let tuned = |config: libp2p::swarm::Config| {
        config
            .with_idle_connection_timeout(IDLE)
            .with_smart_dial()
            .with_max_negotiating_inbound_streams(STREAMS as usize)
    };
    let gate = |_: &Keypair| Gate::default();
    let base = builder(identity.clone()).map_err(|error| transport(&error))?.with_quic_config(quic);
    match base.with_dns() {
        Ok(base) => Ok(base
            .with_behaviour(gate)
            .map_err(|error| transport(&error))?
            .with_swarm_config(tuned)
            .with_connection_timeout(UPGRADE)
            .build()),
        Err(error) => {
            tracing::warn!(%error, "no resolver configured: peers are reached by IP address only");
            Ok(builder(identity)
                .map_err(|error| transport(&error))?
                .with_quic_config(quic)
                .with_behaviour(gate)
                .map_err(|error| transport(&error))?
                .with_swarm_config(tuned)
                .with_connection_timeout(UPGRADE)
                .build())
        }
    }
}

/// The key pair of an identity seed.
///
/// # Errors
/// [`Error::Identity`].
pub(super) fn keypair(seed: &[u8; 32]) -> Result<Keypair, Error> {
    let mut seed = zeroize::Zeroizing::new(*seed);
    Keypair::ed25519_from_bytes(&mut seed[..]).map_err(|error| Error::Identity(error.to_string()))
}

/// The peer id of an identity seed, for configurations.
///
/// # Errors
/// [`Error::Identity`].
pub fn peer_id(seed: &[u8; 32]) -> Result<PeerId, Error> {
    Ok(keypair(seed)?.public().to_peer_id())
}
