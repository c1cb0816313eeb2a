//! Whole validator sets in one process: real signatures and MuSig, a processor double that judges
//! honestly, deliveries in random order from a seed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod absence;
mod apart;
mod bounds;
mod honest;
mod processor;
mod restart;
mod schemes;
mod signing;
mod tampering;
mod world;
