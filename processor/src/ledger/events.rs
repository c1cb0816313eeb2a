//! Serai's events.

use serai_messages::observation::SeraiBlock;
use serai_messages::signing::{Content, SigningId, Thing};
use serai_messages::vault::CoordinatorMessage;
use serai_messages::{KeyPair, ValidatorSet};

use super::scale;
use super::state::{Burn, Draw, Effect, HoldingsAt, Stage, Status, Vault};
use super::{ANEW, CLOSING_BLOCKS, Ledger};
use crate::chain::{Output, Purpose, ToSign, VaultKey};

/// What Serai says of an executed batch.
pub(super) struct Executed {
    pub id: u32,
    pub block: SeraiBlock,
    pub external_block: [u8; 32],
    pub instructions_hash: [u8; 32],
    pub failed: Vec<u32>,
}

impl Ledger {
    pub(super) fn handle_event(&mut self, event: CoordinatorMessage) -> Vec<Effect> {
        match event {
            CoordinatorMessage::Activated { set, key_pair, block } => {
                self.activate(set, &key_pair, block);
                Vec::new()
            }
            CoordinatorMessage::Executed {
                id,
                block,
                external_block,
                instructions_hash,
                failed,
                ..
            } => self.execute(&Executed { id, block, external_block, instructions_hash, failed }),
            CoordinatorMessage::Burned { id, block, external_coin, amount, address, .. } => {
                self.state.burns.push_back(Burn {
                    id,
                    reference: block,
                    external_coin,
                    amount,
                    address,
                });
                self.pay()
            }
            CoordinatorMessage::HandedOver { set, .. } => self.hand_over(set),
            CoordinatorMessage::Retired { set, .. } => {
                self.retire(set);
                vec![Effect::Done(SigningId { set, thing: Thing::Slashes })]
            }
        }
    }

    fn activate(&mut self, set: ValidatorSet, keys: &KeyPair, block: SeraiBlock) {
        if self.state.vault(set).is_some() {
            return;
        }
        let first = self.state.vaults.is_empty();
        self.state.vaults.push(Vault {
            key: VaultKey { set, external: keys.external.clone() },
            // Serai hands over to no first vault.
            status: if first { Status::InUse } else { Status::Activated },
            watched: false,
            plans: 0,
            moved: None,
            reported: false,
        });
        if matches!(self.state.stage, Stage::Idle) {
            self.look_for_block(block);
        }
    }

    fn hand_over(&mut self, set: ValidatorSet) -> Vec<Effect> {
        if self.state.vault(set).is_none() {
            return self.halt(format!(
                "Serai has handed over to {set}, whose keys this processor was not told: {ANEW}"
            ));
        }
        let height = self.state.acknowledged.map_or(0, |block| block.height);
        for vault in &mut self.state.vaults {
            if vault.key.set == set {
                vault.status = Status::InUse;
            } else if vault.status == Status::InUse
                || (vault.status == Status::Activated && vault.key.set.session < set.session)
            {
                vault.status = Status::Replaced { height };
            }
        }
        self.pay()
    }

    fn retire(&mut self, set: ValidatorSet) {
        let retired = self.state.vaults.iter_mut().find(|vault| vault.key.set == set);
        if let Some(vault) = retired {
            vault.status = Status::Retired;
        }
        self.drop_retired();
    }

    /// Retired vaults are forgotten once their last transaction is in an acknowledged block. A set
    /// that was retired before its report was due, which only its own signatures can bring about,
    /// takes with it what it still holds: that is a shortfall.
    fn drop_retired(&mut self) {
        let open = &self.state.open;
        let gone = |vault: &Vault| {
            vault.status == Status::Retired && open.iter().all(|open| open.id.set != vault.key.set)
        };
        self.state.vaults.retain(|vault| !gone(vault));
        let vaults = &self.state.vaults;
        let held = |output: &Output| vaults.iter().any(|vault| vault.key.set == output.set);
        self.state.available.retain(held);
    }

    fn execute(&mut self, executed: &Executed) -> Vec<Effect> {
        let expected = self.state.next;
        if executed.id < expected {
            return Vec::new();
        }
        let (block, signer, instructions) = match &self.state.stage {
            Stage::Found(found) if executed.id == expected => {
                let part = found.parts.front();
                (found.block, found.signer, part.map(|part| scale::blake2_256(&part.instructions)))
            }
            _ => {
                return self.halt(format!(
                    "Serai has executed batch {}, but batch {expected} is the next here: the \
                     processor was not told all of Serai's events: {ANEW}",
                    executed.id
                ));
            }
        };
        if executed.external_block != block.hash || Some(executed.instructions_hash) != instructions
        {
            return self.halt(format!(
                "Serai has executed batch {} for external block {}, which is not what this processor \
                 works out (block {} at height {}): check its external node, then {ANEW}",
                executed.id,
                hex::encode(executed.external_block),
                hex::encode(block.hash),
                block.height
            ));
        }
        let mut effects = self.acknowledge();
        self.drop_retired();
        let mut addresses = Vec::new();
        let mut parts_left = false;
        let scanned: Vec<_> = self.state.scanned().map(|vault| vault.key.set).collect();
        if let Stage::Found(found) = &mut self.state.stage {
            if let Some(part) = found.parts.pop_front() {
                for (position, credit) in (0_u32..).zip(&part.credits) {
                    if !executed.failed.contains(&position) {
                        self.state.retained = self.state.retained.saturating_sub(*credit);
                    }
                }
            }
            parts_left = !found.parts.is_empty();
            for key in &found.vaults {
                if scanned.contains(&key.set) {
                    let all =
                        Purpose::ALL.iter().filter_map(|p| self.network.address(key, *p).ok());
                    addresses.extend(all);
                }
            }
        }
        addresses.sort_unstable();
        addresses.dedup();
        self.state.next = self.state.next.saturating_add(1);
        self.state.executed = Some(executed.block);
        effects.push(Effect::HoldingsAt(HoldingsAt {
            batch: executed.id,
            height: block.height,
            hash: block.hash,
            in_flight: self.state.in_flight(),
            retained: self.state.retained,
            costs: self.state.costs,
            addresses,
        }));
        effects.push(Effect::Done(SigningId { set: signer, thing: Thing::Batch(executed.id) }));
        let (forwarded, worthless) = self.forward(executed.id, executed.block);
        effects.extend(forwarded);
        effects.extend(self.pay());
        effects.extend(self.report_slashes(executed.block, &worthless));
        if parts_left {
            if let Some(signer) = self.state.signer() {
                effects.extend(self.batch(Draw { signer, reference: executed.block }));
            }
        } else {
            self.look_for_block(executed.block);
        }
        effects
    }

    /// Reports of replaced sets that have nothing left to do. What is not worth the fee of moving it is
    /// written off.
    fn report_slashes(&mut self, reference: SeraiBlock, worthless: &[ValidatorSet]) -> Vec<Effect> {
        let height = self.state.acknowledged.map_or(0, |block| block.height);
        let mut effects = Vec::new();
        for vault in &mut self.state.vaults {
            let set = vault.key.set;
            let Status::Replaced { height: since } = vault.status else { continue };
            let busy = self.state.open.iter().any(|open| open.id.set == set)
                || (self.state.available.iter().any(|output| output.set == set)
                    && !worthless.contains(&set));
            if vault.reported || busy || height.saturating_sub(since) < CLOSING_BLOCKS {
                continue;
            }
            vault.reported = true;
            for output in self.state.available.extract_if(.., |output| output.set == set) {
                self.state.costs = self.state.costs.saturating_add(output.amount);
            }
            // Nobody: a list of no items.
            let report = vec![0];
            effects.push(Effect::Due {
                id: SigningId { set, thing: Thing::Slashes },
                reference,
                messages: vec![ToSign {
                    offset: None,
                    bytes: scale::slashes_message(set, &report),
                }],
                content: Content::Slashes { report },
            });
        }
        effects
    }
}
