//! What a record of the processor's topic is, before anything is done with it.

use serai_bus::{SecretKey, sealing};
use serai_messages::control::KeyAnnouncement;
use serai_messages::{Coin, Endpoint, Incarnation, ProcessorKey, Record, Versions, decode};

use crate::conversation::Request;
use crate::outbox::ANNOUNCEMENT;
use crate::state::Birth;

/// What a record asks for.
#[derive(Debug, PartialEq, Eq)]
pub enum Input {
    /// Of this processor's own writing, or of an earlier life's that this one replaces.
    Own,
    /// Of an earlier life of this processor, before this folder's birth.
    EarlierLife,
    /// For an earlier life: what was begun with that one is not taken up.
    ForEarlierLife,
    /// The coordinator's public key. Not authenticated.
    Announcement(KeyAnnouncement),
    /// A message that the coordinator sealed.
    Message(Request),
}

/// Why a record is not handled.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Another instance has taken this one's place.
    #[error(
        "a newer instance of this processor (incarnation {newer}) writes to the topic; this one \
         stops: two instances with the same key shares must not sign. If no other runs, this \
         machine's clock was behind when this folder was made: set it and make the folder anew"
    )]
    Replaced {
        /// The other's incarnation.
        newer: Incarnation,
    },
    /// One of Serai's events, in a version that this program does not speak: a ledger must not miss it.
    #[error(
        "the coordinator tells an event of Serai ({kind}) in message version {version}, this processor \
         speaks {speaks}; it stops, for its ledger must not miss one: upgrade it"
    )]
    Newer {
        /// The record's type.
        kind: String,
        /// Its version.
        version: u16,
        /// Ours.
        speaks: Versions,
    },
    /// For the dead letters.
    #[error("{0}")]
    Unusable(String),
}

/// Who reads.
#[derive(Debug)]
pub struct Reader<'a> {
    /// The processor's coin.
    pub coin: Coin,
    /// Its incarnation.
    pub incarnation: Incarnation,
    /// Its key.
    pub secret: &'a SecretKey,
    /// Its coordinator's key, if known.
    pub coordinator: Option<&'a ProcessorKey>,
    /// Message versions that it speaks.
    pub speaks: Versions,
    /// Its folder's birth.
    pub birth: Birth,
}

impl Reader<'_> {
    /// Says what the record at `offset` asks for. A [`Input::Message`] is authentic; whether it is
    /// new is for the caller to find out.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn open(&self, offset: u64, record: &Record) -> Result<Input, Refusal> {
        let own = Endpoint::Processor(self.coin);
        if record.from == own {
            return match record.incarnation {
                newer if newer > self.incarnation => Err(Refusal::Replaced { newer }),
                older if older < self.incarnation && offset < self.birth.next => {
                    Ok(Input::EarlierLife)
                }
                _ => Ok(Input::Own),
            };
        }
        if record.from != Endpoint::Coordinator || record.to != own {
            return Err(unusable(format!(
                "a record from {} to {} has no place on this topic",
                record.from, record.to
            )));
        }
        // It says which versions are spoken, so it is the same in all of them.
        if !record.sealed {
            return self.announcement(record);
        }
        if record.version > self.speaks.newest
            && Request::outlives_folder(&record.kind)
            && self.coordinator.is_some_and(|key| sealing::open(record, self.secret, key).is_ok())
        {
            let (version, speaks) = (record.version, self.speaks);
            return Err(Refusal::Newer { kind: record.kind.clone(), version, speaks });
        }
        if !self.speaks.contains(record.version) {
            let older = if record.version > self.speaks.newest { "it" } else { "the coordinator" };
            return Err(unusable(format!(
                "message version {}, this processor speaks {}; upgrade {older}",
                record.version, self.speaks
            )));
        }
        let earlier = self.birth.superseding && offset < self.birth.next;
        if earlier && !Request::outlives_folder(&record.kind) {
            return Ok(Input::ForEarlierLife);
        }
        let coordinator = self.coordinator.ok_or_else(|| {
            unusable("it is sealed, and the coordinator's key is not known yet".to_owned())
        })?;
        let body = sealing::open(record, self.secret, coordinator)
            .map_err(|error| unusable(error.to_string()))?;
        Request::read(record.version, &record.kind, &body).map(Input::Message).map_err(unusable)
    }

    fn announcement(&self, record: &Record) -> Result<Input, Refusal> {
        if record.kind != ANNOUNCEMENT {
            return Err(unusable(format!("a {:?} must be sealed", record.kind)));
        }
        let announcement: KeyAnnouncement =
            decode(&record.body).map_err(|error| unusable(error.to_string()))?;
        if announcement.coin != self.coin {
            return Err(unusable(format!(
                "the key announced is for {}, this processor is for {}",
                announcement.coin, self.coin
            )));
        }
        Ok(Input::Announcement(announcement))
    }
}

fn unusable(reason: String) -> Refusal {
    Refusal::Unusable(reason)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod tests {
    use rand_core::OsRng;
    use serai_messages::{IntentId, Sequence};

    use super::*;

    #[test]
    fn an_event_of_serai_in_a_newer_version_is_not_gone_past() {
        let [own, hand, stranger] = [1, 2, 3].map(|byte| SecretKey::from_bytes(&[byte; 32]));
        let coordinator = hand.public();
        let reader = Reader {
            coin: Coin::Btc,
            incarnation: Incarnation(1),
            secret: &own,
            coordinator: Some(&coordinator),
            speaks: Versions::only(1),
            birth: Birth { next: 0, superseding: false },
        };
        let read = |kind: &str, by: &SecretKey| {
            let mut record = Record {
                id: IntentId::new("one").unwrap(),
                kind: kind.to_owned(),
                from: Endpoint::Coordinator,
                to: Endpoint::Processor(Coin::Btc),
                session: String::new(),
                incarnation: Incarnation(1),
                sequence: Sequence(1),
                version: 2,
                sealed: false,
                body: vec![1],
            };
            sealing::seal(&mut record, by, &own.public(), &mut OsRng).unwrap();
            reader.open(5, &record).unwrap_err()
        };
        let newer = read("vault.burned", &hand);
        assert!(matches!(newer, Refusal::Newer { version: 2, .. }), "{newer}");
        assert!(matches!(read("signing.sign", &hand), Refusal::Unusable(_)));
        assert!(matches!(read("vault.burned", &stranger), Refusal::Unusable(_)));
    }
}
