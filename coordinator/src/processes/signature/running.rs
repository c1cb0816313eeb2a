//! The process while it runs: what it holds, and how what it decides is committed.

use std::collections::BTreeMap;
use std::sync::Arc;

use rusqlite::Transaction;
use serai_messages::observation::SetMember;
use serai_messages::{BlockNumber, Coin, Incarnation, Topic, ValidatorKey};

use super::actor::{Error, READER, Settings, Surroundings};
use super::clock::Alarms;
use super::conversation::Conversation;
use super::keygens::Keygens;
use super::outlet::Wake;
use super::public::Feed;
use super::signings::Signings;
use super::speaker::Speaker;
use crate::processes::core::status::State;
use crate::processes::network;

/// The process while it runs; what it does with each kind of input is in the files beside.
pub(super) struct Running {
    pub(super) settings: Settings,
    pub(super) surroundings: Surroundings,
    pub(super) conversations: BTreeMap<Coin, Conversation>,
    pub(super) speaker: Arc<Speaker>,
    pub(super) keygens: Keygens,
    pub(super) signings: Signings,
    pub(super) alarms: Alarms,
    pub(super) incarnation: Incarnation,
    /// Whether the state knows of no life before this one.
    pub(super) first_life: bool,
    pub(super) feed: Feed,
    pub(super) serai_topic: String,
    /// Highest finalized Serai block seen since the start.
    pub(super) height: BlockNumber,
    /// One batch per peer that speaks of a session not read from Serai yet.
    pub(super) parked: BTreeMap<ValidatorKey, network::Inbound>,
}

impl Running {
    /// One transaction: inputs, what they changed, the effects that they cause. Then what it stored
    /// goes out.
    pub(super) async fn commit<T>(
        &mut self,
        work: impl FnOnce(&mut Self, &Transaction<'_>, &mut Wake) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let database = self.surroundings.database.clone();
        let mut wake = Wake::default();
        let done = database.transaction(|transaction| {
            let done = work(self, transaction, &mut wake)?;
            self.signings.store(transaction)?;
            Ok::<_, Error>(done)
        })?;
        self.wake(wake).await?;
        Ok(done)
    }

    /// After the commit: what it stored goes out.
    async fn wake(&mut self, wake: Wake) -> Result<(), Error> {
        for (id, delay_ms, timer) in wake.alarms {
            self.alarms.arm(id, delay_ms, timer);
        }
        let topics = wake
            .conversations
            .iter()
            .map(|coin| Topic::Chain(*coin))
            .chain(wake.serai.then_some(Topic::Serai))
            .chain(wake.public.then_some(Topic::Public))
            .chain(wake.dead_letter.then_some(Topic::DeadLetter));
        for topic in topics {
            if let Some(waker) = self.surroundings.wakers.get(&topic) {
                waker.wake();
            }
        }
        if wake.versions {
            let spoken = self.speaker.spoken();
            let announced = self.surroundings.database.read(|c| spoken.announced(c))?;
            self.surroundings.network.announce(announced).await;
        }
        if wake.network {
            self.surroundings.network.wake();
        }
        if !wake.members.is_empty() {
            self.meet(&wake.members).await?;
        }
        // The publishers run beside this process on its thread: what is ready goes out before more is
        // handled.
        tokio::task::yield_now().await;
        Ok(())
    }

    /// Asks the network to connect to the members of a set (SEED, "Retrieve/Test Connect
    /// Validators"). Addresses in `[network]` come before the chain's.
    async fn meet(&self, members: &[SetMember]) -> Result<(), Error> {
        let configured = &self.settings.members;
        let peers = members.iter().map(|member| {
            let known = configured.iter().find(|peer| peer.validator == member.validator);
            known.cloned().unwrap_or_else(|| network::Peer {
                validator: member.validator,
                name: None,
                addresses: member.addresses.iter().filter_map(|text| text.parse().ok()).collect(),
            })
        });
        // One unusable entry must not keep the others away.
        for peer in peers {
            let validator = peer.validator;
            match self.surroundings.network.connect(vec![peer]).await {
                Ok(()) => {}
                Err(network::ConnectError::Stopped) => return Err(Error::Ended("network")),
                Err(error) => {
                    let reason = error.to_string();
                    tracing::warn!(%validator, reason, "validator cannot be connected with");
                    let name = format!("address of {validator}");
                    self.surroundings.board.report(READER, name, State::Failed(reason));
                }
            }
        }
        Ok(())
    }
}
