//! Serai as far as a ledger sees it: executes what is due, mints, burns, hands over, retires. Checks
//! at every canonical height that the figures agree with the chain.

use serai_messages::observation::SeraiBlock;
use serai_messages::signing::{Content, PaymentId, SigningId, Thing};
use serai_messages::vault::{CoordinatorMessage, ProcessorMessage};
use serai_messages::{
    BlockHash, BlockNumber, Coin, KeyPair, Session, ValidatorSet, decode, encode,
};

use super::double::{COST, Chain, DOUBLE, Tx, address};
use crate::chain::{Plan, Purpose};
use crate::ledger::scale::blake2_256;
use crate::ledger::{Effect, HoldingsAt, Input, Ledger};

pub const ALICE: [u8; 32] = [0xa1; 32];

pub fn transfer() -> Vec<u8> {
    [&[0, 0, 0][..], &ALICE].concat()
}

pub fn set(session: u32) -> ValidatorSet {
    ValidatorSet { coin: Coin::Btc, session: Session(session) }
}

pub struct World {
    pub ledger: Ledger,
    pub chain: Chain,
    pub supply: u64,
    pub events: Vec<CoordinatorMessage>,
    pub effects: Vec<Effect>,
    pub holdings: Vec<HoldingsAt>,
    pub pool: Vec<Tx>,
    pub due: Option<(SigningId, SeraiBlock, Vec<u8>)>,
    pub plans: Vec<(SigningId, Plan)>,
    pub sessions: u32,
    pub in_use: u32,
    pub retired: u32,
    pub reported: Vec<ValidatorSet>,
    number: u64,
    salt: u64,
}

impl World {
    pub fn new() -> Self {
        let mut world = Self {
            ledger: Ledger::new(&DOUBLE),
            chain: Chain::default(),
            supply: 0,
            events: Vec::new(),
            effects: Vec::new(),
            holdings: Vec::new(),
            pool: Vec::new(),
            due: None,
            plans: Vec::new(),
            sessions: 0,
            in_use: 0,
            retired: 0,
            reported: Vec::new(),
            number: 0,
            salt: 0,
        };
        world.activate();
        world
    }

    pub fn block(&self) -> SeraiBlock {
        SeraiBlock { number: BlockNumber(self.number), hash: BlockHash([7; 32]) }
    }

    fn event(&mut self, event: CoordinatorMessage) {
        assert!(self.ledger.takes(&event), "{event:?}");
        self.events.push(event.clone());
        let effects = self.ledger.handle(Input::Event(event));
        self.note(effects);
        self.scan();
    }

    /// Gives the ledger all blocks that it wants.
    pub fn scan(&mut self) {
        while let Some(block) = self
            .ledger
            .wants()
            .and_then(|height| self.chain.blocks.get(usize::try_from(height).unwrap()).cloned())
        {
            let effects = self.ledger.handle(Input::Block(block));
            self.note(effects);
        }
    }

    fn note(&mut self, effects: Vec<Effect>) {
        for effect in &effects {
            match effect {
                Effect::Due { id, reference, content: Content::Batch { batch }, .. } => {
                    assert!(self.due.is_none());
                    self.due = Some((*id, *reference, batch.clone()));
                }
                Effect::Due { id, content: Content::Slashes { .. }, .. } => {
                    self.reported.push(id.set);
                }
                Effect::Due { id, .. } => {
                    let (planned, _) = self.plans.last().unwrap();
                    assert_eq!(planned, id);
                }
                Effect::Planned { id, plan } => {
                    self.pool.push(decode(&plan.unsigned).unwrap());
                    assert!(self.plans.iter().all(|(other, _)| other != id), "{id} twice");
                    for (other, earlier) in &self.plans {
                        let again = plan.spent.iter().find(|id| earlier.spent.contains(id));
                        assert_eq!(again, None, "{id} spends what {other} spends");
                    }
                    self.plans.push((*id, plan.clone()));
                }
                Effect::HoldingsAt(at) => {
                    let held = self.chain.holdings(&at.addresses, at.height);
                    let owed = self.supply + at.in_flight + at.retained;
                    assert_eq!(held + at.costs, owed, "at {at:?}");
                    self.holdings.push(at.clone());
                }
                Effect::Tell(ProcessorMessage::Halted { reason, .. }) => panic!("{reason}"),
                Effect::Tell(_) | Effect::Done(_) => {}
            }
        }
        self.effects.extend(effects);
    }

    pub fn deposit(&mut self, session: u32, purpose: Purpose, amount: u64, data: Option<Vec<u8>>) {
        self.salt += 1;
        let outputs = vec![(address(set(session), purpose), amount)];
        self.pool.push(Tx { inputs: Vec::new(), outputs, data, salt: self.salt });
    }

    /// The first `most` transactions that wait make a block.
    pub fn mine(&mut self, most: usize, fee: u64) {
        let rest = self.pool.split_off(most.min(self.pool.len()));
        let taken = std::mem::replace(&mut self.pool, rest);
        let left = self.chain.mine(fee, taken);
        self.pool.splice(0..0, left);
        self.scan();
    }

    pub fn activate(&mut self) {
        self.number += 1;
        let key_pair = KeyPair { ristretto: [3; 32], external: vec![2; 33] };
        let set = set(self.sessions);
        self.sessions += 1;
        self.event(CoordinatorMessage::Activated { set, key_pair, block: self.block() });
    }

    /// Serai executes the batch that is due. Of its instructions, those in `failing` fail.
    pub fn execute(&mut self, failing: u32) -> bool {
        let Some((id, _, batch)) = self.due.take() else { return false };
        let Thing::Batch(number) = id.thing else { panic!() };
        self.number += 1;
        let block = self.block();
        if id.set != set(self.in_use) {
            self.in_use = id.set.session.0;
            self.event(CoordinatorMessage::HandedOver { set: id.set, block });
        }
        assert!(batch.len() <= 25_000);
        assert_eq!(batch[1..5], number.to_le_bytes());
        let (external_block, instructions) = (batch[5..37].try_into().unwrap(), &batch[37..]);
        let amounts = amounts(instructions);
        let failed = |position: &u32| failing >> (position % 32) & 1 == 1;
        let positions = 0..u32::try_from(amounts.len()).unwrap();
        for (position, amount) in positions.clone().zip(&amounts) {
            if !failed(&position) {
                self.supply += amount;
            }
        }
        self.event(CoordinatorMessage::Executed {
            coin: Coin::Btc,
            id: number,
            block,
            external_block,
            instructions_hash: blake2_256(instructions),
            failed: positions.filter(failed).collect(),
        });
        true
    }

    pub fn burn(&mut self, amount: u64, address: Vec<u8>) -> Option<PaymentId> {
        if amount == 0 || amount > self.supply {
            return None;
        }
        self.number += 1;
        self.supply -= amount;
        let id = PaymentId { block: BlockNumber(self.number), index: 1 };
        self.event(CoordinatorMessage::Burned {
            id,
            block: self.block(),
            coin: Coin::Btc,
            external_coin: 4,
            amount,
            address,
            data: None,
        });
        Some(id)
    }

    /// Serai takes the oldest slash report that is due.
    pub fn retire(&mut self) {
        if self.retired < u32::try_from(self.reported.len()).unwrap() {
            self.number += 1;
            let set = self.reported[usize::try_from(self.retired).unwrap()];
            self.retired += 1;
            self.event(CoordinatorMessage::Retired { set, block: self.block() });
        }
    }

    /// The same events and blocks in another interleaving, restarting now and then.
    pub fn repeat(&self, mut choices: impl FnMut() -> u8) -> (Ledger, Vec<Effect>) {
        let mut ledger = Ledger::new(&DOUBLE);
        let (mut effects, mut events) = (Vec::new(), self.events.iter().peekable());
        loop {
            let choice = choices();
            if choice & 6 == 6 {
                ledger = Ledger::restore(&DOUBLE, &ledger.snapshot()).unwrap();
            }
            let event = events.peek().filter(|event| ledger.takes(event));
            let block = ledger
                .wants()
                .and_then(|height| self.chain.blocks.get(usize::try_from(height).unwrap()));
            let input = match (event, block) {
                (Some(event), None) => Input::Event((**event).clone()),
                (Some(event), Some(_)) if choice & 1 == 1 => Input::Event((**event).clone()),
                (_, Some(block)) => Input::Block(block.clone()),
                (None, None) => break,
            };
            if matches!(input, Input::Event(_)) {
                events.next();
            }
            effects.extend(ledger.handle(input));
        }
        assert_eq!(events.next(), None, "an event was not taken");
        (ledger, effects)
    }
}

/// Of the transfers to Alice in a list.
pub fn amounts(instructions: &[u8]) -> Vec<u64> {
    let count = instructions[0] & 3;
    let mut items = if count == 0 { &instructions[1..] } else { &instructions[2..] };
    let mut amounts = Vec::new();
    while !items.is_empty() {
        let (item, rest) = items.split_at(1 + 32 + 1 + 8);
        assert_eq!(item[..34], [&[0][..], &ALICE, &[4]].concat());
        amounts.push(u64::from_le_bytes(item[34..].try_into().unwrap()));
        items = rest;
    }
    amounts
}

/// Without their order: which of two inputs comes first is nobody's choice.
pub fn sorted(effects: &[Effect]) -> Vec<String> {
    let mut texts: Vec<String> = effects.iter().map(|effect| format!("{effect:?}")).collect();
    texts.sort();
    texts
}

#[test]
fn amounts_are_those_credited() {
    let mut world = World::new();
    world.deposit(0, Purpose::External, 100, Some(transfer()));
    world.mine(1, 2);
    let (_, _, batch) = world.due.clone().unwrap();
    assert_eq!(amounts(&batch[37..]), [100 - COST]);
    assert_ne!(encode(&world.block()), Vec::<u8>::new());
}
