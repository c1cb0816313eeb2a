//! A record of a topic: named headers and a body.

use crate::{Endpoint, Incarnation, IntentId, MAX_BODY_BYTES, Sequence};

/// Header names, as they stand on the bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header {
    /// Intent id.
    Id,
    /// Kind of body, for example `keygen.commitments`.
    Type,
    /// Writer.
    From,
    /// Intended reader.
    To,
    /// Session that the record belongs to, if any.
    Session,
    /// Writer's incarnation.
    Incarnation,
    /// Writer's sequence towards the reader, within the incarnation.
    Sequence,
    /// Encoding version of the body.
    Version,
    /// `1` when the body is sealed, else `0`.
    Sealed,
}

impl Header {
    /// All headers, in the order in which they are written and bound as associated data.
    pub const ALL: [Header; 9] = [
        Header::Id,
        Header::Type,
        Header::From,
        Header::To,
        Header::Session,
        Header::Incarnation,
        Header::Sequence,
        Header::Version,
        Header::Sealed,
    ];

    /// The header's name.
    pub const fn name(self) -> &'static str {
        match self {
            Header::Id => "id",
            Header::Type => "type",
            Header::From => "from",
            Header::To => "to",
            Header::Session => "session",
            Header::Incarnation => "incarnation",
            Header::Sequence => "sequence",
            Header::Version => "version",
            Header::Sealed => "sealed",
        }
    }
}

/// What is wrong with a record's headers or size.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRecord {
    /// A header is absent.
    #[error("record has no header {0:?}")]
    Missing(&'static str),
    /// A header does not parse.
    #[error("record header {name:?} is malformed: {reason}")]
    Malformed {
        /// The header's name.
        name: &'static str,
        /// Why.
        reason: String,
    },
    /// The body is over the cap.
    #[error("record body of {actual} bytes is over the cap of {cap} bytes")]
    TooLarge {
        /// Length found.
        actual: usize,
        /// Length allowed.
        cap: usize,
    },
}

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Id of the effect that this record is; a repeat carries the same.
    pub id: IntentId,
    /// Kind of the body; readers choose the decoder by it.
    pub kind: String,
    /// Writer.
    pub from: Endpoint,
    /// Intended reader.
    pub to: Endpoint,
    /// Session, as text; empty where none.
    pub session: String,
    /// Writer's incarnation.
    pub incarnation: Incarnation,
    /// Writer's sequence towards `to`, from 1.
    pub sequence: Sequence,
    /// Encoding version of the body; of a key announcement always
    /// [`ANNOUNCEMENT_VERSION`](crate::control::ANNOUNCEMENT_VERSION).
    pub version: u16,
    /// Whether the body is sealed.
    pub sealed: bool,
    /// The body: an encoded message, its sealed form, or JSON on the public topic.
    pub body: Vec<u8>,
}

impl Record {
    /// Longest value of one header, in bytes.
    pub const MAX_HEADER_BYTES: usize = 256;

    /// Room that a record's body has, sealing included.
    pub const MAX_BODY_BYTES: usize = MAX_BODY_BYTES + 256;

    /// Headers with their values, in the order of [`Header::ALL`].
    pub fn headers(&self) -> [(Header, String); 9] {
        [
            (Header::Id, self.id.to_string()),
            (Header::Type, self.kind.clone()),
            (Header::From, self.from.to_string()),
            (Header::To, self.to.to_string()),
            (Header::Session, self.session.clone()),
            (Header::Incarnation, self.incarnation.to_string()),
            (Header::Sequence, self.sequence.to_string()),
            (Header::Version, self.version.to_string()),
            (Header::Sealed, u8::from(self.sealed).to_string()),
        ]
    }

    /// The headers as one unambiguous byte string: the associated data of a sealed body.
    pub fn associated_data(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (header, value) in self.headers() {
            for part in [header.name(), value.as_str()] {
                bytes.extend_from_slice(&(part.len() as u32).to_le_bytes());
                bytes.extend_from_slice(part.as_bytes());
            }
        }
        bytes
    }

    /// Reads a record from what `header` finds and the body.
    ///
    /// # Errors
    /// [`InvalidRecord`] names the header that is absent or malformed, or the size that is over.
    pub fn from_parts<'a>(
        header: impl Fn(&str) -> Option<&'a [u8]>,
        body: Vec<u8>,
    ) -> Result<Record, InvalidRecord> {
        if body.len() > Self::MAX_BODY_BYTES {
            return Err(InvalidRecord::TooLarge { actual: body.len(), cap: Self::MAX_BODY_BYTES });
        }
        let malformed = |header: Header, reason: String| InvalidRecord::Malformed {
            name: header.name(),
            reason,
        };
        let text = |name: Header| {
            let bytes = header(name.name()).ok_or(InvalidRecord::Missing(name.name()))?;
            if bytes.len() > Self::MAX_HEADER_BYTES {
                return Err(malformed(name, format!("{} bytes long", bytes.len())));
            }
            std::str::from_utf8(bytes)
                .map(ToOwned::to_owned)
                .map_err(|_| malformed(name, "not UTF-8".to_owned()))
        };
        let number = |name: Header| {
            text(name)?.parse::<u64>().map_err(|error| malformed(name, error.to_string()))
        };
        let endpoint = |name: Header| {
            text(name)?.parse::<Endpoint>().map_err(|error| malformed(name, error.to_string()))
        };
        Ok(Record {
            id: IntentId::new(text(Header::Id)?)
                .map_err(|error| malformed(Header::Id, error.to_string()))?,
            kind: text(Header::Type)?,
            from: endpoint(Header::From)?,
            to: endpoint(Header::To)?,
            session: text(Header::Session)?,
            incarnation: Incarnation(number(Header::Incarnation)?),
            sequence: Sequence(number(Header::Sequence)?),
            version: u16::try_from(number(Header::Version)?)
                .map_err(|error| malformed(Header::Version, error.to_string()))?,
            sealed: match number(Header::Sealed)? {
                0 => false,
                1 => true,
                other => {
                    return Err(malformed(Header::Sealed, format!("{other} is neither 0 nor 1")));
                }
            },
            body,
        })
    }
}
