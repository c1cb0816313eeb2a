//! Where real Serai differs from the development chain.
//!
//! # Owns
//! The extrinsic envelope, the runtime version, and the correction of real Serai's metadata: the
//! only place that knows which of the two a node is.
//!
//! # Limits
//! Nothing here signs an extrinsic, so the format of signed ones (and of accounts in them) does not
//! appear. In events and storage an account is 32 raw bytes on both.

use parity_scale_codec::{Compact, Encode};
use scale_info::form::PortableForm;
use scale_info::{PortableRegistry, TypeDef, TypeDefVariant, Variant};
use subxt::SubstrateConfig;
use subxt::config::substrate::SpecVersionForRange;
use subxt::metadata::Metadata;

pub use crate::processes::core::config::Profile;

/// Why a node is not what its profile says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProfileError {
    /// A type that the profile corrects is absent.
    #[error("the metadata has no type {name:?}; is [observation] profile right for this node?")]
    NoType {
        /// Its name.
        name: &'static str,
    },
    /// A type that the profile corrects has a shape that it doesn't know.
    #[error("type {name:?} has the variants {found:?}, which this version does not know")]
    UnknownShape {
        /// Its name.
        name: &'static str,
        /// Names of its variants.
        found: Vec<String>,
    },
    /// The chain takes no bare extrinsics of a known version.
    #[error("the chain supports extrinsic versions {versions:?}; known are 4 and 5")]
    NoEnvelope {
        /// What its metadata says.
        versions: Vec<u8>,
    },
}

/// Version of real Serai's metadata that is corrected: the newest it has.
const SERAI_METADATA_VERSION: u32 = 15;

/// Serai's networks with their wire numbers; external ones from the second on.
const NETWORKS: [(&str, u8); 4] = [("Serai", 0), ("Bitcoin", 1), ("Ethereum", 2), ("Monero", 3)];

/// Serai's coins with their wire numbers; external ones from the second on.
const COINS: [(&str, u8); 5] =
    [("Serai", 0), ("Bitcoin", 4), ("Ether", 5), ("Dai", 6), ("Monero", 7)];

impl Profile {
    /// The metadata version to fetch and correct before anything is decoded, if any.
    pub(super) fn corrected_metadata_version(self) -> Option<u32> {
        match self {
            Self::Development => None,
            Self::Serai => Some(SERAI_METADATA_VERSION),
        }
    }

    /// subxt's configuration; `metadata` is the corrected metadata, where the profile has one.
    pub(super) fn config(self, metadata: Option<Metadata>) -> SubstrateConfig {
        let mut builder = SubstrateConfig::builder();
        if self == Self::Serai {
            // `Core_version` of real Serai lacks a field that subxt decodes: the versions are given.
            builder = builder.set_spec_version_for_block_ranges([SpecVersionForRange {
                block_range: 0..u64::MAX,
                spec_version: 1,
                transaction_version: 1,
            }]);
            if let Some(metadata) = metadata {
                builder = builder.set_metadata_for_spec_versions([(1, metadata.arc())]);
            }
        }
        builder.build()
    }

    /// The bytes of an unsigned extrinsic with this call. `versions` are the extrinsic versions
    /// that the chain's metadata names.
    pub(super) fn bare_extrinsic(
        self,
        call: &[u8],
        versions: &[u8],
    ) -> Result<Vec<u8>, ProfileError> {
        match self {
            Self::Serai => Ok([call, &[0]].concat()),
            Self::Development => {
                let version = [4, 5]
                    .into_iter()
                    .find(|version| versions.contains(version))
                    .ok_or_else(|| ProfileError::NoEnvelope { versions: versions.to_owned() })?;
                let length = u32::try_from(call.len() + 1).unwrap_or(u32::MAX);
                Ok([Compact(length).encode().as_slice(), &[version], call].concat())
            }
        }
    }
}

/// Corrects the four enums whose codecs real Serai writes by hand, but whose type information it
/// derives: without this a Bitcoin batch decodes as Ethereum's, without an error.
pub(super) fn correct(types: &mut PortableRegistry) -> Result<(), ProfileError> {
    for (name, variants, nested) in [
        ("NetworkId", &NETWORKS[..], Some("External")),
        ("ExternalNetworkId", &NETWORKS[1..], None),
        ("Coin", &COINS[..], Some("External")),
        ("ExternalCoin", &COINS[1..], None),
    ] {
        correct_enum(types, name, variants, nested)?;
    }
    Ok(())
}

fn correct_enum(
    types: &mut PortableRegistry,
    name: &'static str,
    variants: &[(&str, u8)],
    nested: Option<&str>,
) -> Result<(), ProfileError> {
    let mut found = false;
    for entry in &mut types.types {
        let path = &entry.ty.path.segments;
        let ours = path.first().is_some_and(|first| first.starts_with("serai"));
        if !ours || path.last().is_none_or(|last| last != name) {
            continue;
        }
        let names: Vec<String> = match &entry.ty.type_def {
            TypeDef::Variant(definition) => {
                definition.variants.iter().map(|variant| variant.name.clone()).collect()
            }
            _ => Vec::new(),
        };
        let plain = names.iter().eq(variants.iter().map(|(name, _)| name));
        let wrapped = nested.is_some_and(|nested| names == ["Serai", nested]);
        if !plain && !wrapped {
            return Err(ProfileError::UnknownShape { name, found: names });
        }
        entry.ty.type_def = TypeDef::Variant(TypeDefVariant {
            variants: variants
                .iter()
                .map(|(name, index)| Variant::<PortableForm> {
                    name: (*name).to_owned(),
                    fields: Vec::new(),
                    index: *index,
                    docs: Vec::new(),
                })
                .collect(),
        });
        found = true;
    }
    if found { Ok(()) } else { Err(ProfileError::NoType { name }) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod tests {
    use scale_info::{MetaType, Registry, TypeInfo};
    use serai_messages::Coin as External;
    use subxt::ext::scale_decode::DecodeAsType;

    use super::super::decode::Network;
    use super::*;

    // Types with the shape that real Serai's metadata claims, whose indices are wrong.
    #[derive(TypeInfo)]
    #[allow(dead_code, reason = "only the type information is used")]
    enum ExternalNetworkId {
        Bitcoin,
        Ethereum,
        Monero,
    }
    #[derive(TypeInfo)]
    #[allow(dead_code, reason = "only the type information is used")]
    enum NetworkId {
        Serai,
        External(ExternalNetworkId),
    }
    #[derive(TypeInfo)]
    #[allow(dead_code, reason = "only the type information is used")]
    enum ExternalCoin {
        Bitcoin,
        Ether,
        Dai,
        Monero,
    }
    #[derive(TypeInfo)]
    #[allow(dead_code, reason = "only the type information is used")]
    enum Coin {
        Serai,
        External(ExternalCoin),
    }

    /// The claimed types, and the ids of both network types.
    fn claimed() -> (PortableRegistry, u32, u32) {
        let mut registry = Registry::new();
        let network = registry.register_type(&MetaType::new::<NetworkId>()).id;
        let external = registry.register_type(&MetaType::new::<ExternalNetworkId>()).id;
        registry.register_type(&MetaType::new::<Coin>());
        (registry.into(), network, external)
    }

    fn network(types: &PortableRegistry, id: u32, bytes: &[u8]) -> Option<Network> {
        let input = &mut &bytes[..];
        Network::decode_as_type(input, id, types).ok().filter(|_| input.is_empty())
    }

    #[test]
    fn claimed_types_decode_wrong_and_corrected_ones_right() {
        let (mut types, any, external) = claimed();
        assert_eq!(network(&types, external, &[1]), Some(Network::Ethereum));
        correct(&mut types).unwrap();
        for coin in External::ALL {
            let byte = [coin.network_id()];
            assert_eq!(network(&types, external, &byte).unwrap().coin(), Some(coin));
            assert_eq!(network(&types, any, &byte).unwrap().coin(), Some(coin));
        }
        assert_eq!(network(&types, any, &[0]), Some(Network::Serai));
        assert_eq!(network(&types, external, &[0]), None);
        assert_eq!(network(&types, any, &[4]), None);
        // Right types stay right.
        correct(&mut types).unwrap();
        assert_eq!(network(&types, external, &[3]), Some(Network::Monero));
    }

    #[test]
    fn unknown_types_are_refused() {
        let (mut types, _, external) = claimed();
        let TypeDef::Variant(definition) =
            &mut types.types.get_mut(external as usize).unwrap().ty.type_def
        else {
            panic!("an enum");
        };
        definition.variants[1].name = "Litecoin".to_owned();
        let found = ["Bitcoin", "Litecoin", "Monero"].map(str::to_owned).to_vec();
        let expected = ProfileError::UnknownShape { name: "ExternalNetworkId", found };
        assert_eq!(correct(&mut types), Err(expected));
        let none = &mut PortableRegistry { types: Vec::new() };
        assert_eq!(correct(none), Err(ProfileError::NoType { name: "NetworkId" }));
    }

    #[test]
    fn envelopes() {
        // Timestamp.set(1000000) as real Serai takes it.
        let call = hex::decode("000002093d00").unwrap();
        let serai = Profile::Serai.bare_extrinsic(&call, &[4]).unwrap();
        assert_eq!(hex::encode(serai), "000002093d0000");
        let development = |versions| Profile::Development.bare_extrinsic(&call, versions);
        assert_eq!(hex::encode(development(&[4, 5]).unwrap()), "1c04000002093d00");
        assert_eq!(hex::encode(development(&[5]).unwrap()), "1c05000002093d00");
        assert_eq!(development(&[6]), Err(ProfileError::NoEnvelope { versions: vec![6] }));
    }
}
