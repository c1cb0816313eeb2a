//! A second encoding, for tests of upgrades: what is said is the same, the bytes are not. Compiled with
//! the feature `next-version` alone, which no program that is shipped turns on.
//!
//! ```text
//! statement = version, subject, session and attempt, kind, fields, genesis, extension
//! body      = extension (u16), fields, kind
//! ```
//!
//! The extensions are what a version adds: absent from the first one, and empty by default. Since
//! nothing is said by them yet, nothing else is read.

use std::io::{Error, ErrorKind, Read, Result, Write};

use borsh::{BorshDeserialize, BorshSerialize};

use crate::{BlockHash, Body, Statement, encode, keygen, signing};

/// Its number.
pub(crate) const VERSION: u16 = 2;

const KEYGEN: u8 = 0;
const SIGNING: u8 = 1;

fn malformed(what: &str) -> Error {
    Error::new(ErrorKind::InvalidData, what.to_owned())
}

/// Writes a statement, its version left out.
pub(crate) fn write<W: Write>(statement: &Statement, writer: &mut W) -> Result<()> {
    let (subject, id, message) = match &statement.body {
        Body::Keygen(message) => (KEYGEN, encode(&message.id()), encode(message)),
        Body::Signing(message) => (SIGNING, encode(&message.id()), encode(message)),
    };
    let fields =
        message.split_first().map(|(kind, rest)| (*kind, rest.strip_prefix(id.as_slice())));
    let Some((kind, Some(fields))) = fields else {
        return Err(malformed("a message that does not begin with its session"));
    };
    writer.write_all(&[subject])?;
    writer.write_all(&id)?;
    writer.write_all(&[kind])?;
    writer.write_all(fields)?;
    statement.genesis.serialize(writer)?;
    Vec::<u8>::new().serialize(writer)
}

/// Reads a statement, after its version.
pub(crate) fn read<R: Read>(reader: &mut R) -> Result<Statement> {
    let body = match u8::deserialize_reader(reader)? {
        KEYGEN => Body::Keygen(message::<keygen::KeygenId, keygen::PeerMessage, R>(reader)?),
        SIGNING => Body::Signing(message::<signing::SigningId, signing::PeerMessage, R>(reader)?),
        _ => return Err(malformed("unknown subject")),
    };
    let genesis = BlockHash::deserialize_reader(reader)?;
    if !Vec::<u8>::deserialize_reader(reader)?.is_empty() {
        return Err(malformed("an extension that nothing is said by"));
    }
    Ok(Statement { version: VERSION, genesis, body })
}

fn message<Id, Message, R>(reader: &mut R) -> Result<Message>
where
    Id: BorshDeserialize + BorshSerialize,
    Message: BorshDeserialize,
    R: Read,
{
    let id = encode(&Id::deserialize_reader(reader)?);
    let kind = u8::deserialize_reader(reader)?;
    let head = [&[kind], id.as_slice()].concat();
    Message::deserialize_reader(&mut head.as_slice().chain(reader))
}

/// A body, of its first form.
pub(crate) fn body(mut first: Vec<u8>) -> Vec<u8> {
    let one = first.len().min(1);
    first.rotate_left(one);
    [vec![0; 2], first].concat()
}

/// A body's first form; `None` where the extension is not the default.
pub(crate) fn first_form(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut first = bytes.strip_prefix(&[0, 0])?.to_vec();
    let one = first.len().min(1);
    first.rotate_right(one);
    Some(first)
}
