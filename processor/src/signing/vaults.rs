//! The vaults whose keys sign, read once.

use rusqlite::Transaction;
use serai_messages::ValidatorKey;
use serai_messages::keygen::KeyKind;
use serai_messages::signing::Content;

use super::handler::{Error, Signing, Stop};
use super::tables::Stored;
use crate::crypto::VaultKeys;
use crate::keygen::half;
use crate::keystore::{self, DamagedSecret};

/// A vault as far as signing needs it.
pub(super) struct Vault {
    pub members: Vec<ValidatorKey>,
    pub keys: Box<dyn VaultKeys>,
}

impl Signing {
    pub(super) fn held(
        &mut self,
        transaction: &Transaction<'_>,
        stored: &Stored,
    ) -> Result<&Vault, Stop> {
        self.vault(transaction, stored)?
            .ok_or_else(|| Stop::Refused("no share of it is held here".to_owned()))
    }

    /// The vault whose key signs the thing, if a share of it is held here and it is confirmed.
    pub(super) fn vault(
        &mut self,
        transaction: &Transaction<'_>,
        stored: &Stored,
    ) -> Result<Option<&Vault>, Error> {
        let set = stored.id.set;
        let kind = match stored.content {
            Content::Transaction { .. } => KeyKind::External,
            Content::Batch { .. } | Content::Slashes { .. } => KeyKind::Ristretto,
        };
        let place = (set.session, kind as u8);
        if !self.vaults.contains_key(&place) {
            let Some(found) = keystore::confirmed(transaction, set)? else { return Ok(None) };
            if found.members.is_empty() {
                tracing::warn!(%set, "who holds this vault's shares is not stored: it was made by a \
                    version that could not sign, and this processor cannot sign with it");
                return Ok(None);
            }
            let label = keystore::vault_label(found.id);
            let both = self.cipher.open(&label, &keystore::keys(transaction, found.id)?)?;
            let bytes = half(&both, kind).ok_or(DamagedSecret { label })?;
            let keys = (self.engines)(self.coin, kind)
                .open(bytes)
                .map_err(|fault| Error::Keys { set, fault })?;
            self.vaults.insert(place, Vault { members: found.members, keys });
        }
        Ok(self.vaults.get(&place))
    }
}
