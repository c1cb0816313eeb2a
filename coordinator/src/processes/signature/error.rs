//! Why a session could not go on.

use serai_bus::DatabaseError;
use serai_messages::SessionId;
use serai_messages::signing::SigningId;
use serai_protocol::{keygen, signing};

use super::conversation::SendError;

/// Why a session could not go on. Each is a fault of this machine or program: nothing that a peer
/// or processor sends ends up here.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The database.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The database, within a transaction.
    #[error("state database: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// A message to a processor.
    #[error(transparent)]
    Send(#[from] SendError),
    /// A set that no keys can be generated for.
    #[error("session {id} cannot begin: {source}")]
    Parameters {
        /// The session.
        id: SessionId,
        /// What is wrong with it.
        source: keygen::InvalidParameters,
    },
    /// Stored parameters of which no machine can be made again.
    #[error("{id} cannot be resumed: {source}")]
    Signing {
        /// The thing.
        id: SigningId,
        /// What is wrong with it.
        source: signing::InvalidParameters,
    },
    /// A summary that does not encode.
    #[error("summary of a session: {0}")]
    Summary(#[from] serde_json::Error),
}

/// A stored value that this program did not write.
pub fn malformed(what: &'static str, error: impl std::fmt::Display) -> DatabaseError {
    DatabaseError::Malformed { what, reason: error.to_string() }
}
