//! The start: conversations, sessions from their logs, and what a restart must tell them.

use std::collections::BTreeMap;
use std::sync::Arc;

use serai_messages::{BlockHash, BlockNumber, Topic, ValidatorSet};
use serai_protocol::keygen::Input;

use super::actor::{Actor, Error, READER};
use super::check::SetCheck;
use super::clock::Alarms;
use super::conversation::Conversation;
use super::error::SessionError;
use super::intake::Intake;
use super::keygens::Keygens;
use super::public::Feed;
use super::relay::show_halt;
use super::running::Running;
use super::signings::Signings;
use super::speaker::Speaker;
use super::tables;
use super::versions::Spoken;
use crate::processes::core::keys::{self, Keys};
use crate::processes::core::status::{State, Step};
use crate::processes::core::store;

impl Running {
    /// Makes the process from what is stored.
    pub(super) async fn start(actor: Actor, genesis: BlockHash) -> Result<Self, Error> {
        let Actor { settings, keys, incarnation, surroundings } = actor;
        let Keys { validator, processors, .. } = keys;
        let serai_topic = Topic::Serai.full_name(&settings.name);
        let mut conversations = BTreeMap::new();
        for (coin, own) in processors {
            if settings.coins.contains(&coin) {
                let speaks = settings.speaks;
                let mut conversation =
                    Conversation::new(&settings.name, coin, own, incarnation, speaks);
                let processor = tables::processor_versions;
                if let Some(speaks) = surroundings.database.read(|c| processor(c, coin))? {
                    conversation.processor_speaks = speaks;
                }
                conversation.processor = match settings.pinned.get(&coin) {
                    Some(pinned) => Some(*pinned),
                    None => surroundings.database.read(|c| keys::trusted(c, coin))?,
                };
                conversations.insert(coin, conversation);
            }
        }
        let spoken = Spoken { program: settings.speaks, coins: settings.coins.clone() };
        let speaker = Speaker::new(genesis, validator, incarnation, serai_topic.clone(), spoken);
        let speaker = Arc::new(speaker);
        let feed = Feed::new(&settings.name, incarnation);
        let restored = surroundings.database.read(store::restored)?.and_then(|it| it.block);
        let first_life = surroundings.database.read(store::is_first_life)?;
        let mut keygens = Keygens::new(Arc::clone(&speaker), settings.attempt_blocks, restored);
        let losses = keygens.resume(&surroundings.database)?;
        let mut signings = Signings::new(Arc::clone(&speaker), feed.clone(), restored);
        let mut alarms = Alarms::default();
        for (id, delay_ms, timer) in signings.resume(&surroundings.database)? {
            alarms.arm(id, delay_ms, timer);
        }
        let (height, parked) = (BlockNumber::default(), BTreeMap::new());
        let mut running = Self {
            settings,
            surroundings,
            conversations,
            speaker,
            keygens,
            signings,
            alarms,
            incarnation,
            first_life,
            feed,
            serai_topic,
            height,
            parked,
        };
        running.announce(losses).await?;
        Ok(running)
    }

    /// Begins to read the topics, from where this process stands on each.
    pub(super) fn read(&self) -> Intake {
        let surroundings = &self.surroundings;
        let check = SetCheck {
            observation: surroundings.observation.clone(),
            board: surroundings.board.clone(),
            coins: self.conversations.keys().copied().collect(),
            topic: self.serai_topic.clone(),
        };
        let topics = self.conversations.values().map(|conversation| conversation.topic.clone());
        Intake::new(
            Arc::clone(&surroundings.bus),
            surroundings.database.clone(),
            topics.chain([self.serai_topic.clone()]),
            READER,
            self.settings.offset_reset,
            &check,
        )
    }

    /// SEED, signature process start-up: publish the public keys; and what a restart must tell the
    /// sessions.
    async fn announce(&mut self, losses: Vec<(ValidatorSet, Input)>) -> Result<(), Error> {
        let database = self.surroundings.database.clone();
        let known = database.read(|c| Ok(tables::sets(c)))??;
        let members: Vec<_> = known.iter().flat_map(|known| known.members.clone()).collect();
        self.commit(|this, transaction, wake| {
            let coins: Vec<_> = this.conversations.keys().copied().collect();
            for conversation in this.conversations.values() {
                conversation.announce(transaction).map_err(SessionError::from)?;
                wake.conversations.insert(conversation.coin);
            }
            for (set, input) in losses {
                this.apply(transaction, set, input, wake)?;
            }
            // The key may have become known while this program was down.
            for coin in coins {
                this.relay_kept(transaction, coin, wake)?;
            }
            wake.members.extend(members);
            wake.versions = true;
            Ok(())
        })
        .await?;
        let board = self.surroundings.board.clone();
        for known in known {
            board.set(Step::ReadValidators(known.set.coin), State::Ok);
            board.set(Step::GenesisVault(known.set.coin), generating(known.set));
        }
        for vault in database.read(|c| Ok(tables::vaults(c)))?? {
            board.set(Step::GenesisVault(vault.set.coin), State::Ok);
        }
        for conversation in self.conversations.values() {
            let coin = conversation.coin;
            board.set(Step::PublishKeys(coin), State::Ok);
            if let Some(reason) = database.read(|c| tables::halt(c, coin))? {
                show_halt(&board, coin, Some(&reason));
            }
            board.set(
                Step::LearnProcessorKey(coin),
                match (conversation.processor, conversation.apart()) {
                    (Some(_), None) => State::Ok,
                    (Some(_), Some(apart)) => State::Failed(apart),
                    (None, _) => State::Waiting(format!(
                        "the {coin} processor has not announced its key on {}",
                        conversation.topic
                    )),
                },
            );
        }
        Ok(())
    }
}

/// State of a coin's vault while its keys are made.
pub(super) fn generating(set: ValidatorSet) -> State {
    State::Waiting(format!("keys of {set} are being generated; see `explain keygen/{set}`"))
}
