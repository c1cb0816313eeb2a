//! One connection's stream: the proofs, then frames in both directions.
//!
//! ```text
//! both at once:  challenge (32)                                            → read exactly 32
//!                incarnation (8, little endian) oldest and newest message version (2 each, likewise)
//!                sr25519 signature (64)                                    → read exactly 76
//!                verdict (1): 1 = proven, 0 = refused, 2 = replaced, followed by a Proof,
//!                             3 = proven, as a former life did, followed by its Proof;
//!                             answered with 1 by a life that knows of a former one
//! then frames (module wire)
//! ```
//!
//! # Promises
//! Until the remote's proof holds, exactly 108 bytes of it are read, of fixed layout; nothing of
//! variable length is parsed or allocated, and what follows a refusal is discarded. No frame is written
//! before both sides are proven, and none is read. Two sides that have no message version in common know so from each other's proofs, and end.
//!
//! # Limits
//! The remote has [`Timing::proof`] for all of this. A frame that was begun has [`Timing::transfer`]
//! to arrive; a remote silent for [`Timing::silence`] is given up.

use std::sync::Arc;
use std::time::Duration;

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use libp2p::PeerId;
use libp2p::swarm::ConnectionId;
use rand_core::RngCore;
use serai_bus::crash_point;
use serai_messages::{
    BlockHash, Incarnation, SignatureBytes, ValidatorKey, Versions, decode, encode,
};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::proof::{Challenge, Claim, End, PROOF_BYTES, Proof};
use super::wire::{Ack, Batch, Frame, ReadError, WireError, read_frame, read_length, write};

const PROVEN: u8 = 1;
const REFUSED: u8 = 0;
const REPLACED: u8 = 2;
const FORMER: u8 = 3;

/// Time that a refused remote has to read so.
const FAREWELL: Duration = Duration::from_secs(1);

/// How long things may take, and how often they are tried.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// First pause before dialing a peer again; doubles up to `redial_max`.
    pub redial_min: Duration,
    /// Longest pause before dialing a peer again.
    pub redial_max: Duration,
    /// For both proofs of a connection.
    pub proof: Duration,
    /// After this long without a frame to send, a sign of life is sent.
    pub heartbeat: Duration,
    /// After this long without a frame the peer is given up. Several heartbeats.
    pub silence: Duration,
    /// For one frame to be read or written once begun.
    pub transfer: Duration,
    /// For a batch to be acknowledged; then the connection is made anew.
    pub acknowledgement: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            redial_min: Duration::from_millis(100),
            redial_max: Duration::from_secs(5),
            proof: Duration::from_secs(10),
            heartbeat: Duration::from_secs(10),
            silence: Duration::from_secs(35),
            transfer: Duration::from_secs(60),
            acknowledgement: Duration::from_secs(60),
        }
    }
}

/// This side, the same for all links.
#[derive(Clone)]
pub(super) struct Own {
    pub(super) genesis: BlockHash,
    pub(super) validator: ValidatorKey,
    pub(super) peer: PeerId,
    pub(super) signer: Arc<serai_sr25519::Signer>,
    pub(super) incarnation: Incarnation,
    /// Whether this instance knows of no life before it.
    pub(super) first_life: bool,
    /// Message versions that peers are told of.
    pub(super) announces: Versions,
    pub(super) timing: Timing,
}

/// The other side, as known when the stream was opened.
pub(super) struct Remote {
    pub(super) validator: ValidatorKey,
    pub(super) peer: PeerId,
    /// Highest incarnation that it has proven, and that proof.
    pub(super) newest: Option<(Incarnation, Option<Vec<u8>>)>,
}

/// What a link tells the actor.
pub(super) enum Event {
    /// Both sides have accepted each other's proof; this is the remote's.
    Proven(Box<Proof>),
    /// Statements.
    Batch(Batch),
    /// An acknowledgement.
    Ack(Ack),
    /// A sign of life.
    Alive,
}

/// Why a link ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum LinkEnd {
    #[error("connection lost: {0}")]
    Lost(#[from] std::io::Error),
    #[error("no proof within {0:?}")]
    ProofTimeout(Duration),
    #[error(
        "the peer does not prove the validator's key: check [network] and that it is on the same chain"
    )]
    BadProof,
    #[error("the peer refuses our proof: check its [network] and that it is on the same chain")]
    RefusedByPeer,
    #[error(
        "the peer is incarnation {proven} of its validator, which has been replaced by {newest}"
    )]
    PeerReplaced { proven: Incarnation, newest: Incarnation },
    #[error("{}", .own.apart("this coordinator", *.theirs, "the peer"))]
    Apart { own: Versions, theirs: Versions },
    #[error("this coordinator is replaced by incarnation {newest}")]
    Replaced { newest: Incarnation },
    #[error(
        "incarnation {former} of this coordinator has spoken before, which it does not know of"
    )]
    Forgotten { former: Incarnation },
    #[error(transparent)]
    Wire(#[from] WireError),
    #[error("nothing heard for {0:?}")]
    Silent(Duration),
    #[error("a frame took longer than {0:?}")]
    Slow(Duration),
    #[error("closed by us")]
    Closed,
}

impl From<ReadError> for LinkEnd {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Io(error) => LinkEnd::Lost(error),
            ReadError::Wire(error) => LinkEnd::Wire(error),
        }
    }
}

/// Runs a link to its end. `frames` are what to send; dropping their sender ends the link.
pub(super) async fn run<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    own: Arc<Own>,
    remote: Remote,
    mut frames: mpsc::Receiver<Frame>,
    events: mpsc::Sender<(ConnectionId, Event)>,
    connection: ConnectionId,
) -> LinkEnd {
    let timing = own.timing;
    let proof = match timeout(timing.proof, prove(&mut stream, &own, &remote)).await {
        Ok(Ok(proof)) => proof,
        Ok(Err(end)) => return end,
        Err(_) => return LinkEnd::ProofTimeout(timing.proof),
    };
    if events.send((connection, Event::Proven(Box::new(proof)))).await.is_err() {
        return LinkEnd::Closed;
    }
    let (mut reader, mut writer) = stream.split();
    let read = async {
        loop {
            let event = match next_frame(&mut reader, &timing).await {
                Ok(Frame::Alive) => Event::Alive,
                Ok(Frame::Batch(batch)) => Event::Batch(batch),
                Ok(Frame::Ack(ack)) => Event::Ack(ack),
                Err(end) => return end,
            };
            if events.send((connection, event)).await.is_err() {
                return LinkEnd::Closed;
            }
        }
    };
    let send = async {
        loop {
            let frame = match timeout(timing.heartbeat, frames.recv()).await {
                Ok(Some(frame)) => frame,
                Ok(None) => return LinkEnd::Closed,
                Err(_) => Frame::Alive,
            };
            crash_point::pass(|| format!("network before a {} is sent", frame.kind()));
            let written = timeout(timing.transfer, write(&mut writer, &frame)).await;
            crash_point::pass(|| format!("network after a {} is sent", frame.kind()));
            match written {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return LinkEnd::Lost(error),
                Err(_) => return LinkEnd::Slow(timing.transfer),
            }
        }
    };
    tokio::select! {
        end = read => end,
        end = send => end,
    }
}

async fn next_frame<R: AsyncRead + Unpin>(
    reader: &mut R,
    timing: &Timing,
) -> Result<Frame, LinkEnd> {
    let length = timeout(timing.silence, read_length(reader))
        .await
        .map_err(|_| LinkEnd::Silent(timing.silence))??;
    Ok(timeout(timing.transfer, read_frame(reader, length))
        .await
        .map_err(|_| LinkEnd::Slow(timing.transfer))??)
}

async fn prove<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    own: &Own,
    remote: &Remote,
) -> Result<Proof, LinkEnd> {
    let mut challenge: Challenge = [0; 32];
    rand_core::OsRng.fill_bytes(&mut challenge);
    stream.write_all(&challenge).await?;
    stream.flush().await?;
    let mut theirs: Challenge = [0; 32];
    stream.read_exact(&mut theirs).await?;

    let us = End::new(own.validator, &own.peer, challenge);
    let them = End::new(remote.validator, &remote.peer, theirs);
    let claim = Claim {
        genesis: own.genesis,
        prover: us,
        verifier: them,
        incarnation: own.incarnation,
        speaks: own.announces,
    };
    let proof = Proof::new(claim, &own.signer);
    stream.write_all(&own.incarnation.0.to_le_bytes()).await?;
    stream.write_all(&encode(&own.announces)).await?;
    stream.write_all(&proof.signature.0).await?;
    stream.flush().await?;

    let mut incarnation = [0; 8];
    stream.read_exact(&mut incarnation).await?;
    let [mut oldest, mut newest] = [[0; 2]; 2];
    stream.read_exact(&mut oldest).await?;
    stream.read_exact(&mut newest).await?;
    let speaks =
        Versions { oldest: u16::from_le_bytes(oldest), newest: u16::from_le_bytes(newest) };
    let mut signature = [0; 64];
    stream.read_exact(&mut signature).await?;
    let claim = Claim {
        genesis: own.genesis,
        prover: them,
        verifier: us,
        incarnation: Incarnation(u64::from_le_bytes(incarnation)),
        speaks,
    };
    let proof = Proof { claim, signature: SignatureBytes(signature) };
    if !proof.holds() {
        refuse(stream, &[REFUSED]).await;
        return Err(LinkEnd::BadProof);
    }
    if let Some((newest, evidence)) = &remote.newest
        && claim.incarnation < *newest
    {
        let mut verdict = vec![REFUSED];
        if let Some(evidence) = evidence.as_ref().filter(|bytes| bytes.len() == PROOF_BYTES) {
            verdict = vec![REPLACED];
            verdict.extend(evidence);
        }
        refuse(stream, &verdict).await;
        return Err(LinkEnd::PeerReplaced { proven: claim.incarnation, newest: *newest });
    }
    if own.announces.common(speaks).is_none() {
        refuse(stream, &[REFUSED]).await;
        return Err(LinkEnd::Apart { own: own.announces, theirs: speaks });
    }
    // An instance that does not know of its former life ends here, before it counts as the newest.
    let former = remote.newest.as_ref().filter(|(newest, _)| *newest < claim.incarnation);
    let former = former.and_then(|(_, evidence)| evidence.as_ref());
    let former = former.filter(|bytes| bytes.len() == PROOF_BYTES);
    match former {
        None => stream.write_all(&[PROVEN]).await?,
        Some(evidence) => stream.write_all(&[&[FORMER], evidence.as_slice()].concat()).await?,
    }
    stream.flush().await?;
    read_verdict(stream, own).await?;
    if former.is_some() {
        let mut known = [0; 1];
        stream.read_exact(&mut known).await?;
        if known != [PROVEN] {
            return Err(LinkEnd::RefusedByPeer);
        }
    }
    Ok(proof)
}

async fn read_verdict<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    own: &Own,
) -> Result<(), LinkEnd> {
    let mut verdict = [0; 1];
    stream.read_exact(&mut verdict).await?;
    match verdict {
        [PROVEN] => Ok(()),
        [FORMER] => {
            let mut evidence = [0; PROOF_BYTES];
            stream.read_exact(&mut evidence).await?;
            match decode::<Proof>(&evidence) {
                // The peer has just been given a proof of this very life: that shows no former one.
                Ok(proof)
                    if proof.is_of(own.genesis, own.validator)
                        && proof.claim.incarnation < own.incarnation =>
                {
                    if own.first_life {
                        return Err(LinkEnd::Forgotten { former: proof.claim.incarnation });
                    }
                }
                _ => return Err(LinkEnd::RefusedByPeer),
            }
            stream.write_all(&[PROVEN]).await?;
            stream.flush().await?;
            Ok(())
        }
        [REPLACED] => {
            let mut evidence = [0; PROOF_BYTES];
            stream.read_exact(&mut evidence).await?;
            match decode::<Proof>(&evidence) {
                Ok(proof) if proof.replaces(own.genesis, own.validator, own.incarnation) => {
                    Err(LinkEnd::Replaced { newest: proof.claim.incarnation })
                }
                _ => Err(LinkEnd::RefusedByPeer),
            }
        }
        _ => Err(LinkEnd::RefusedByPeer),
    }
}

/// Says no, and waits a moment until the remote has closed: a stream that is dropped at once is
/// reset, and what was on its way is lost. What still arrives is discarded unparsed.
async fn refuse<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, verdict: &[u8]) {
    let farewell = async {
        stream.write_all(verdict).await?;
        stream.close().await?;
        let mut discarded = [0; 64];
        while stream.read(&mut discarded).await? > 0 {}
        Ok::<(), std::io::Error>(())
    };
    // Ends either way: the remote is refused whether it heard so or not.
    let _ = timeout(FAREWELL, farewell).await;
}

/// The stored form of a proof.
pub(super) fn evidence(proof: &Proof) -> Vec<u8> {
    encode(proof)
}

#[cfg(test)]
#[path = "link_tests.rs"]
mod tests;
