//! Kafka and an embedded log behind one promise, with sealed messages and the bookkeeping that
//! makes an effect happen once.
//!
//! ```text
//!  handler ── one transaction: state, position, outbox ──▶ Database
//!     ▲                                                      │
//!  Reader ◀── topic ◀── Bus::append ◀── publish loop ◀───────┘
//! ```
//!
//! # Owns
//! The [`Bus`] trait and its two implementations, sealing, and the tables in a program's own
//! [`Database`] that hold reading positions, what was received, and what is still to be sent.
//!
//! # Promises
//! At least once, in order per topic, acknowledged after handling: a record returned by
//! [`Reader::next`] counts as handled once its [`Position`] is committed in the reader's own
//! database, and until then comes again after a restart. What [`exchange::enqueue`] stores is
//! appended in order until confirmed, byte for byte the same each time.
//!
//! # Limits
//! One partition per topic. One record is at most [`serai_messages::Record::MAX_BODY_BYTES`].

mod bus;
pub mod crash_point;
#[cfg(feature = "faults")]
mod crashing;
mod database;
mod dead_letter;
mod detached;
pub mod durable_file;
mod embedded;
pub mod exchange;
mod kafka;
mod publisher;
#[cfg(feature = "memo")]
mod sealed_here;
pub mod sealing;
mod settings;
mod snapshot;
mod subscription;
pub mod wall_clock;

pub use bus::{Bus, BusError, Delivered, Position, Reader, Start, TopicInfo, Undecodable};
pub use database::{Database, DatabaseError, Migration};
pub use dead_letter::DeadLetter;
pub use detached::Detached;
pub use publisher::{PublishError, Publisher, Waker};
pub use sealing::{SealError, SecretKey};
pub use settings::{Kind, OffsetReset, SaslMechanism, SecurityProtocol, Settings, connect};
pub use snapshot::snapshot;
pub use subscription::{SubscribeError, Subscription};
