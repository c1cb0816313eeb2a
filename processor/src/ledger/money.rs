//! Payments and forwardings.

use serai_messages::ValidatorSet;
use serai_messages::observation::SeraiBlock;
use serai_messages::signing::{Content, SigningId, Thing};
use serai_messages::vault::ProcessorMessage;

use super::Ledger;
use super::state::{Burn, Effect, Open, Status};
use crate::chain::{NoPlan, Plan, Target, VaultKey};

impl Ledger {
    /// Plans the burns that wait, in their order, as far as the vault in use has the funds. One that is
    /// too large for now lets those after it go first.
    pub(super) fn pay(&mut self) -> Vec<Effect> {
        let mut effects = Vec::new();
        let mut place = 0;
        while self.state.halted.is_none() {
            let Some(vault) = self.state.in_use() else { break };
            let (key, nonce) = (vault.key.clone(), vault.plans.saturating_add(1));
            let Some(burn) = self.state.burns.get(place).cloned() else { break };
            match self.plan_payment(&key, nonce, &burn) {
                Ok(plan) => {
                    self.state.burns.remove(place);
                    let id = SigningId { set: key.set, thing: Thing::Payment(burn.id) };
                    effects.extend(self.take_plan(id, plan, burn.reference, burn.amount));
                }
                Err(NoPlan::Unpayable(reason)) => {
                    self.state.burns.remove(place);
                    self.state.retained = self.state.retained.saturating_add(burn.amount);
                    effects.push(Effect::Tell(ProcessorMessage::Unpayable {
                        coin: self.network.coin(),
                        payment: burn.id,
                        amount: burn.amount,
                        reason,
                    }));
                }
                Err(NoPlan::NotEnough { .. }) => place = place.saturating_add(1),
                Err(NoPlan::Scattered { .. }) => {
                    let joined = self.join(&key);
                    if joined.is_empty() {
                        break;
                    }
                    effects.extend(joined);
                }
                Err(NoPlan::InvalidKey(error)) => effects.extend(self.halt(error.to_string())),
            }
        }
        effects
    }

    fn plan_payment(&self, key: &VaultKey, nonce: u64, burn: &Burn) -> Result<Plan, NoPlan> {
        let payee =
            self.network.payee(burn.external_coin, &burn.address).map_err(NoPlan::Unpayable)?;
        let recover = self.state.recoverable();
        let target = Target::Pay { payee: &payee, gross: burn.amount, recover };
        self.network.plan(key, nonce, &self.state.available, target, self.state.fee)
    }

    /// Joins outputs of the vault in use, so that they fit a payment; at most once per executed
    /// batch, by which it is known.
    fn join(&mut self, key: &VaultKey) -> Vec<Effect> {
        let (Some(block), Some(batch)) = (self.state.executed, self.state.next.checked_sub(1))
        else {
            return Vec::new();
        };
        self.move_all(key, key, batch, block).unwrap_or_default()
    }

    /// Moves what replaced vaults hold to the one in use. Returns also the sets whose holdings are
    /// not worth the fee.
    pub(super) fn forward(
        &mut self,
        batch: u32,
        block: SeraiBlock,
    ) -> (Vec<Effect>, Vec<ValidatorSet>) {
        let (mut effects, mut worthless) = (Vec::new(), Vec::new());
        let Some(to) = self.state.in_use().map(|vault| vault.key.clone()) else {
            return (effects, worthless);
        };
        // Once its report is due, a set may be retired at any time, and signs no more.
        let vaults = self
            .state
            .vaults
            .iter()
            .filter(|vault| matches!(vault.status, Status::Replaced { .. }) && !vault.reported);
        let vaults: Vec<VaultKey> = vaults.map(|vault| vault.key.clone()).collect();
        for key in vaults {
            match self.move_all(&key, &to, batch, block) {
                Ok(planned) => effects.extend(planned),
                Err(NoPlan::Unpayable(_) | NoPlan::NotEnough { .. }) => worthless.push(key.set),
                Err(NoPlan::Scattered { .. }) => {}
                Err(NoPlan::InvalidKey(error)) => effects.extend(self.halt(error.to_string())),
            }
        }
        (effects, worthless)
    }

    fn move_all(
        &mut self,
        from: &VaultKey,
        to: &VaultKey,
        batch: u32,
        block: SeraiBlock,
    ) -> Result<Vec<Effect>, NoPlan> {
        let id = SigningId { set: from.set, thing: Thing::Forward(batch) };
        let holds = self.state.available.iter().any(|output| output.set == from.set);
        let moved = self.state.vault(from.set).is_none_or(|vault| vault.moved == Some(batch));
        if !holds || moved {
            return Ok(Vec::new());
        }
        let nonce = self.state.vault(from.set).map_or(0, |vault| vault.plans).saturating_add(1);
        let target = Target::Forward { to };
        let plan = self.network.plan(from, nonce, &self.state.available, target, self.state.fee)?;
        if let Some(vault) = self.state.vaults.iter_mut().find(|vault| vault.key.set == from.set) {
            vault.moved = Some(batch);
        }
        Ok(self.take_plan(id, plan, block, 0))
    }

    fn take_plan(
        &mut self,
        id: SigningId,
        plan: Plan,
        reference: SeraiBlock,
        gross: u64,
    ) -> Vec<Effect> {
        self.state.available.retain(|output| !plan.spent.contains(&output.id));
        self.state.available.extend(plan.created.iter().cloned());
        if let Some(vault) = self.state.vaults.iter_mut().find(|vault| vault.key.set == id.set) {
            vault.plans = vault.plans.saturating_add(1);
        }
        self.state.open.push(Open {
            id,
            hash: plan.hash,
            created: plan.created.iter().map(|output| output.id).collect(),
            gross,
            cost: plan.cost,
            recovered: plan.recovered,
            watched: false,
        });
        let content = Content::Transaction {
            hash: plan.hash,
            unsigned: plan.unsigned.clone(),
            amount: plan.amount,
            fee: plan.fee,
        };
        let messages = plan.messages.clone();
        vec![Effect::Planned { id, plan }, Effect::Due { id, reference, content, messages }]
    }
}
