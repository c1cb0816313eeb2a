//! Ports for the network's programs.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

/// The ports of one validator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ports {
    /// Between coordinators: TCP and, by the same number, QUIC over UDP.
    pub peers: u16,
    /// HTTP pages.
    pub http: u16,
}

/// Ports are looked for below the range from which Linux gives out those of outgoing connections:
/// a port that is kept over a restart is then not taken by a connection in between, and a client
/// that dials a stopped program cannot be connected to itself.
const RANGE: std::ops::Range<u16> = 20_000..32_000;

/// Tries before giving up; more than enough unless the range is full.
const TRIES: u16 = 2_000;

/// All that were given out: a program that is down for a moment finds its port free again.
static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());

/// A port of the loopback interface that nothing uses, for TCP and UDP, and that this program has not given
/// out before; `None` where there is none.
pub(super) fn free() -> Option<u16> {
    let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    (0..TRIES).find_map(|_| {
        let span = u32::from(RANGE.end - RANGE.start);
        let random = rand_core::RngCore::next_u32(&mut rand_core::OsRng) % span;
        let port = RANGE.start + u16::try_from(random).ok()?;
        (!given.contains(&port) && is_free(port) && given.insert(port)).then_some(port)
    })
}

/// Whether the port can be listened on, TCP and UDP.
pub(super) fn is_free(port: u16) -> bool {
    let address = (Ipv4Addr::LOCALHOST, port);
    TcpListener::bind(address).is_ok() && UdpSocket::bind(address).is_ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod tests {
    use super::*;

    #[test]
    fn a_port_in_use_is_not_free() {
        let port = free().unwrap();
        assert!(RANGE.contains(&port));
        let _held = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
        assert!(!is_free(port));
    }
}
