//! Coins on Serai: batches, mints and burns, balances, and burns that are signed here.

use parity_scale_codec::Decode;
use serai_messages::{BlockHash, BlockNumber, Coin, ValidatorKey};
use subxt::SubstrateConfig;
use subxt::config::DefaultExtrinsicParamsBuilder;
use subxt::dynamic::{self, Value};
use subxt_signer::sr25519::Keypair;

use super::{Chain, ChainError, exact, network, unreadable};
use crate::payee::{coin_name, external_coin};

/// What happened to coins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MoneyEvent {
    /// A batch was executed.
    Batch {
        /// Its network's coin.
        coin: Coin,
        /// Its number.
        id: u32,
        /// External block that it acknowledges.
        external_block: [u8; 32],
        /// Blake2b-256 of its instructions.
        instructions_hash: [u8; 32],
    },
    /// An instruction of a batch failed.
    Failed {
        /// The batch's network's coin.
        coin: Coin,
        /// The batch.
        batch: u32,
        /// Position of the instruction.
        index: u32,
    },
    /// External coins came into being.
    Mint {
        /// Whose they are.
        to: ValidatorKey,
        /// The coin.
        coin: Coin,
        /// How much.
        amount: u64,
    },
    /// External coins ceased to be, to be paid out.
    Burn {
        /// Whose they were.
        from: ValidatorKey,
        /// The coin.
        coin: Coin,
        /// How much.
        amount: u64,
        /// External address as Serai writes it.
        address: Vec<u8>,
    },
}

/// A money event with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Money {
    /// Height of the block.
    pub block: BlockNumber,
    /// Its hash.
    pub hash: BlockHash,
    /// The block's own time in milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// Position among the block's events.
    pub index: u32,
    /// What happened.
    pub event: MoneyEvent,
}

impl Chain {
    /// What an account holds of a coin.
    ///
    /// # Errors
    /// When the chain does not answer or its answer does not decode.
    pub async fn balance(&self, account: ValidatorKey, coin: Coin) -> Result<u64, ChainError> {
        let key = vec![Value::from_bytes(account.0), own_coin(coin)];
        Ok(self.storage("Coins", "Balances", key).await?.unwrap_or_default())
    }

    /// How much of a coin there is on Serai, at the newest finalized block or at `block`.
    ///
    /// # Errors
    /// When the chain does not answer or its answer does not decode.
    pub async fn supply(&self, coin: Coin, block: Option<BlockNumber>) -> Result<u64, ChainError> {
        let at = match block {
            Some(block) => self.at(block).await?,
            None => self.now().await?,
        };
        let found = self.fetch(&at, "Coins", "Supply", vec![own_coin(coin)]).await?;
        Ok(found.unwrap_or_default())
    }

    /// Number of a network's last batch; `None` before the first.
    ///
    /// # Errors
    /// When the chain does not answer or its answer does not decode.
    pub async fn last_batch(&self, coin: Coin) -> Result<Option<u32>, ChainError> {
        self.storage("InInstructions", "LastBatch", vec![network(coin)]).await
    }

    /// The nonce of an account's next transaction.
    ///
    /// # Errors
    /// When the chain does not answer.
    pub async fn nonce(&self, account: &Keypair) -> Result<u64, ChainError> {
        let client = self.client.tx().await;
        let client = client.map_err(|error| unreadable(&self.url, "a block to build on", error))?;
        let id = account.public_key().to_account_id();
        client
            .account_nonce(&id)
            .await
            .map_err(|error| unreadable(&self.url, "an account's nonce", error))
    }

    /// Burns coins of `account` so that they are paid to an external address (as Serai writes it), in
    /// its `nonce`-th transaction. Returns when that is finalized.
    ///
    /// # Errors
    /// When the chain refuses it or does not answer. The burn may be there nevertheless: look for it
    /// before it is tried again, with the nonce that was read before looking.
    pub async fn burn(
        &self,
        account: &Keypair,
        nonce: u64,
        coin: Coin,
        amount: u64,
        address: &[u8],
    ) -> Result<(), ChainError> {
        let call = burn_call(coin, amount, address);
        let fault = |what: &str, error: &dyn std::fmt::Display| unreadable(&self.url, what, error);
        let mut client = self.client.tx().await.map_err(|error| fault("a block", &error))?;
        let params = DefaultExtrinsicParamsBuilder::<SubstrateConfig>::new().nonce(nonce).build();
        let submitted = client
            .sign_and_submit_then_watch(&call, account, params)
            .await
            .map_err(|error| fault("the answer to a burn", &error))?;
        let finalized = submitted.wait_for_finalized_success().await;
        finalized.map(drop).map_err(|error| fault("the finality of a burn", &error))
    }

    /// Hands over a burn to each of these addresses, in the `nonce`-th transaction of `account` and those
    /// that follow, and does not wait for them. Returns how many were taken.
    ///
    /// # Errors
    /// When the chain does not answer at all.
    pub async fn hand_over_burns(
        &self,
        account: &Keypair,
        nonce: u64,
        coin: Coin,
        amount: u64,
        addresses: &[Vec<u8>],
    ) -> Result<usize, ChainError> {
        let client = self.client.tx().await;
        let mut client = client.map_err(|error| unreadable(&self.url, "a block", error))?;
        for ((taken, nonce), address) in (0..).zip(nonce..).zip(addresses) {
            let params =
                DefaultExtrinsicParamsBuilder::<SubstrateConfig>::new().nonce(nonce).build();
            let call = burn_call(coin, amount, address);
            if let Err(error) = client.sign_and_submit(&call, account, params).await {
                tracing::debug!(%error, "a burn is not taken");
                return Ok(taken);
            }
        }
        Ok(addresses.len())
    }
}

fn burn_call(coin: Coin, amount: u64, address: &[u8]) -> impl subxt::transactions::Payload + use<> {
    let bytes = Value::from_bytes(address);
    let instruction = Value::named_composite([
        (
            "instruction",
            Value::named_composite([
                ("address", Value::unnamed_composite([bytes])),
                ("data", Value::unnamed_variant("None", [])),
            ]),
        ),
        (
            "balance",
            Value::named_composite([
                ("coin", own_coin(coin)),
                ("amount", Value::unnamed_composite([Value::u128(amount.into())])),
            ]),
        ),
    ]);
    dynamic::transaction(
        "Coins",
        "burn_with_instruction",
        Value::named_composite([("instruction", instruction)]),
    )
}

/// A network's own coin in Serai's types.
fn own_coin(coin: Coin) -> Value {
    Value::unnamed_variant(coin_name(coin), [])
}

fn coin_of(external: u8) -> Option<Coin> {
    Coin::ALL.into_iter().find(|coin| external_coin(*coin) == external)
}

/// Money events by pallet and name; others are `None`.
pub(super) fn money_event(
    pallet: &str,
    name: &str,
    fields: &[u8],
) -> Result<Option<MoneyEvent>, String> {
    fn parse<T: Decode>(name: &str, fields: &[u8]) -> Result<T, String> {
        exact(fields).ok_or_else(|| format!("event {name}"))
    }
    let parsed = match (pallet, name) {
        ("InInstructions", "Batch") => {
            let (network, id, external_block, instructions_hash): (u8, u32, [u8; 32], [u8; 32]) =
                parse(name, fields)?;
            Coin::from_network_id(network).map(|coin| MoneyEvent::Batch {
                coin,
                id,
                external_block,
                instructions_hash,
            })
        }
        ("InInstructions", "InstructionFailure") => {
            let (network, batch, index): (u8, u32, u32) = parse(name, fields)?;
            Coin::from_network_id(network).map(|coin| MoneyEvent::Failed { coin, batch, index })
        }
        ("Coins", "Mint") => {
            let (to, coin, amount): ([u8; 32], u8, u64) = parse(name, fields)?;
            coin_of(coin).map(|coin| MoneyEvent::Mint { to: ValidatorKey(to), coin, amount })
        }
        ("Coins", "BurnWithInstruction") => {
            type Fields = ([u8; 32], Vec<u8>, Option<Vec<u8>>, u8, u64);
            let (from, address, _, coin, amount): Fields = parse(name, fields)?;
            let from = ValidatorKey(from);
            coin_of(coin).map(|coin| MoneyEvent::Burn { from, coin, amount, address })
        }
        _ => None,
    };
    Ok(parsed)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod tests {
    use parity_scale_codec::Encode;

    use super::*;

    #[test]
    fn money_is_read_by_name() {
        let fields = ([1u8; 32], vec![4u8; 33], None::<Vec<u8>>, 4u8, 70u64).encode();
        let (from, coin) = (ValidatorKey([1; 32]), Coin::Btc);
        let burn = MoneyEvent::Burn { from, coin, amount: 70, address: vec![4; 33] };
        assert_eq!(money_event("Coins", "BurnWithInstruction", &fields), Ok(Some(burn)));
        assert!(money_event("Coins", "BurnWithInstruction", &fields[..60]).is_err());
        let fields = ([1u8; 32], 0u8, 70u64).encode();
        assert_eq!(money_event("Coins", "Mint", &fields), Ok(None), "SRI");
        let fields = (3u8, 9u32, [1u8; 32], [2u8; 32]).encode();
        let batch = MoneyEvent::Batch {
            coin: Coin::Xmr,
            id: 9,
            external_block: [1; 32],
            instructions_hash: [2; 32],
        };
        assert_eq!(money_event("InInstructions", "Batch", &fields), Ok(Some(batch)));
    }
}
