//! What keeps a coordinator and its processors acquainted: key announcements and heartbeats.

use std::io::{Error, ErrorKind, Read, Result, Write};

use borsh::{BorshDeserialize, BorshSerialize};

use crate::{Coin, Incarnation, ProcessorKey, Versions};

/// Version that the header of a key announcement names. Its bytes are the same in all versions: it says
/// which of them the writer speaks.
pub const ANNOUNCEMENT_VERSION: u16 = 1;

/// The only record in the clear on a `{name}-{chain}` topic: the writer's X25519 public key, and the
/// versions that it speaks. Type `control.key`. Written at each start by coordinator and processor
/// alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyAnnouncement {
    /// The coin whose conversation the key is for.
    pub coin: Coin,
    /// The public key.
    pub key: ProcessorKey,
    /// The writer's incarnation when it wrote this.
    pub incarnation: Incarnation,
    /// Versions of records that the writer reads and writes. [`Versions::FIRST`] is written as nothing,
    /// as programs did that knew no other.
    pub speaks: Versions,
}

impl BorshSerialize for KeyAnnouncement {
    fn serialize<W: Write>(&self, writer: &mut W) -> Result<()> {
        (self.coin, self.key, self.incarnation).serialize(writer)?;
        if self.speaks == Versions::FIRST {
            return Ok(());
        }
        self.speaks.serialize(writer)
    }
}

impl BorshDeserialize for KeyAnnouncement {
    fn deserialize_reader<R: Read>(reader: &mut R) -> Result<Self> {
        let (coin, key, incarnation) = BorshDeserialize::deserialize_reader(reader)?;
        let mut rest = Vec::new();
        // More than is read of an announcement are trailing bytes.
        reader.take(5).read_to_end(&mut rest)?;
        let speaks = match rest.as_slice() {
            [] => Versions::FIRST,
            bytes => match Versions::try_from_slice(bytes)? {
                Versions::FIRST => {
                    return Err(Error::new(
                        ErrorKind::InvalidData,
                        "version 1 is written as nothing",
                    ));
                }
                speaks => speaks,
            },
        };
        Ok(Self { coin, key, incarnation, speaks })
    }
}

/// From a processor: it is alive. Type `control.heartbeat`, sealed.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Heartbeat {
    /// Milliseconds since the Unix epoch by the processor's clock; for people, not for decisions.
    pub at_ms: u64,
    /// Operating-system process id.
    pub pid: u32,
    /// Version of the program.
    pub program: String,
}
