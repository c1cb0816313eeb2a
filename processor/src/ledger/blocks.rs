//! Which block is acknowledged next, and the batches that do it.

use std::collections::VecDeque;

use serai_messages::observation::SeraiBlock;
use serai_messages::signing::{Content, SigningId, Thing};
use serai_messages::vault::{KeptReason, ProcessorMessage};

use super::scale::{self, MAX_BATCH_BYTES};
use super::state::{At, Draw, Effect, Found, Part, Scanning, Seen, Stage};
use super::{ANEW, Ledger, QUIET_BLOCKS};
use crate::chain::{Block, Network, Output, Purpose, ToSign, VaultKey};

/// Bytes of an encoded batch without its instructions: network, number, block, a count of up to
/// 16,383.
const FRAME_BYTES: usize = 1 + 4 + 32 + 2;

/// What becomes of a deposit.
enum Judged {
    Credited { instruction: Vec<u8>, amount: u64 },
    Kept(KeptReason),
}

fn judge(network: &dyn Network, output: &Output) -> Judged {
    let data = match (output.purpose, &output.data) {
        (Purpose::External, Some(data)) if !data.is_empty() => data,
        _ => return Judged::Kept(KeptReason::NoInstruction),
    };
    let Some(instruction) = scale::instruction(data) else {
        return Judged::Kept(KeptReason::NotUnderstood);
    };
    let amount = output.amount.saturating_sub(network.collecting_cost());
    if amount == 0 {
        return Judged::Kept(KeptReason::TooSmall);
    }
    let instruction = scale::with_balance(network.coin(), instruction, amount);
    if FRAME_BYTES.saturating_add(instruction.len()) > MAX_BATCH_BYTES {
        return Judged::Kept(KeptReason::TooLarge);
    }
    Judged::Credited { instruction, amount }
}

/// The batches that credit these deposits; at least one.
fn parts(network: &dyn Network, outputs: &[Output]) -> VecDeque<Part> {
    let mut parts = VecDeque::new();
    let mut items: Vec<Vec<u8>> = Vec::new();
    let (mut credits, mut bytes) = (Vec::new(), FRAME_BYTES);
    let part = |items: &[Vec<u8>], credits| Part {
        instructions: scale::list(items.iter().map(Vec::as_slice)),
        credits,
    };
    for output in outputs {
        let Judged::Credited { instruction, amount } = judge(network, output) else { continue };
        if bytes.saturating_add(instruction.len()) > MAX_BATCH_BYTES {
            parts.push_back(part(&items, std::mem::take(&mut credits)));
            items.clear();
            bytes = FRAME_BYTES;
        }
        bytes = bytes.saturating_add(instruction.len());
        items.push(instruction);
        credits.push(amount);
    }
    parts.push_back(part(&items, credits));
    parts
}

impl Ledger {
    /// The height of the finalized block that is looked at next; none while nothing is to be looked
    /// for.
    pub fn wants(&self) -> Option<u64> {
        match &self.state.stage {
            Stage::Scanning(scanning) if self.state.halted.is_none() => {
                Some(scanning.cursor.map_or(0, |cursor| cursor.height.saturating_add(1)))
            }
            _ => None,
        }
    }

    /// Begins to look for the next block to acknowledge, for all vaults that are activated now.
    pub(super) fn look_for_block(&mut self, reference: SeraiBlock) {
        let Some(signer) = self.state.signer() else { return };
        // Before the first acknowledged block, nothing was passed.
        let passed = self.state.acknowledged.is_some();
        let late = self.state.vaults.iter().filter(|vault| passed && !vault.watched);
        let late: Vec<VaultKey> = late.map(|vault| vault.key.clone()).collect();
        for vault in &mut self.state.vaults {
            vault.watched = true;
        }
        for open in &mut self.state.open {
            open.watched = true;
        }
        let cursor = if late.is_empty() { self.state.acknowledged } else { self.state.before };
        self.state.stage = Stage::Scanning(Scanning {
            draw: Draw { signer, reference },
            vaults: self.state.scanned().map(|vault| vault.key.clone()).collect(),
            late,
            cursor,
            outputs: Vec::new(),
            seen: Vec::new(),
        });
    }

    pub(super) fn handle_block(&mut self, block: &Block) -> Vec<Effect> {
        if self.wants() != Some(block.height) {
            return Vec::new();
        }
        let acknowledged = self.state.acknowledged;
        let Stage::Scanning(scanning) = &mut self.state.stage else { return Vec::new() };
        let at = At { height: block.height, hash: block.hash };
        let follows = scanning.cursor.is_none_or(|cursor| cursor.hash == block.parent);
        let passed = acknowledged.is_some_and(|last| block.height <= last.height);
        let replaced = passed
            && acknowledged.is_some_and(|last| last.height == at.height && last.hash != at.hash);
        if !follows || replaced {
            return self.halt(format!(
                "external block {} ({}) does not follow the finalized blocks before it: the chain's \
                 node has replaced what it called final. Check the node; if it is right, {ANEW}",
                block.height,
                hex::encode(block.hash)
            ));
        }
        scanning.cursor = Some(at);
        if passed {
            let scan = self.network.scan(block, &scanning.late);
            scanning.outputs.extend(scan.outputs);
            return Vec::new();
        }
        let scan = self.network.scan(block, &scanning.vaults);
        let mut watched = self.state.open.iter().filter(|open| open.watched);
        let holds = !scan.outputs.is_empty()
            || !scanning.outputs.is_empty()
            || watched.any(|open| scan.transactions.contains(&open.hash));
        scanning.seen.push(Seen { height: block.height, transactions: scan.transactions });
        scanning.outputs.extend(scan.outputs);
        if !holds && scanning.seen.len() < QUIET_BLOCKS {
            return Vec::new();
        }
        let outputs = std::mem::take(&mut scanning.outputs);
        let draw = scanning.draw;
        self.state.stage = Stage::Found(Found {
            vaults: std::mem::take(&mut scanning.vaults),
            signer: draw.signer,
            block: at,
            fee: block.fee,
            parts: parts(self.network, &outputs),
            outputs,
            seen: std::mem::take(&mut scanning.seen),
            acknowledged: false,
        });
        self.batch(draw)
    }

    /// The next batch is due.
    pub(super) fn batch(&mut self, draw: Draw) -> Vec<Effect> {
        let Stage::Found(found) = &mut self.state.stage else { return Vec::new() };
        found.signer = draw.signer;
        let Some(part) = found.parts.front() else { return Vec::new() };
        let id = self.state.next;
        let batch = scale::batch(self.network.coin(), id, found.block.hash, &part.instructions);
        let messages = vec![ToSign { offset: None, bytes: scale::batch_message(&batch) }];
        vec![Effect::Due {
            id: SigningId { set: draw.signer, thing: Thing::Batch(id) },
            reference: draw.reference,
            content: Content::Batch { batch },
            messages,
        }]
    }

    /// The found block is acknowledged: what it holds counts from here on.
    pub(super) fn acknowledge(&mut self) -> Vec<Effect> {
        let Stage::Found(found) = &mut self.state.stage else { return Vec::new() };
        if std::mem::replace(&mut found.acknowledged, true) {
            return Vec::new();
        }
        self.state.before = self.state.acknowledged.replace(found.block);
        self.state.fee = found.fee;
        let (outputs, seen) = (std::mem::take(&mut found.outputs), std::mem::take(&mut found.seen));
        let mut effects = Vec::new();
        for mut output in outputs {
            // What own plans create was taken in when they were made.
            if self.state.open.iter().any(|open| open.created.contains(&output.id)) {
                continue;
            }
            if let Judged::Kept(reason) = judge(self.network, &output) {
                effects.push(Effect::Tell(ProcessorMessage::Kept {
                    coin: self.network.coin(),
                    transaction: output.id.transaction,
                    index: output.id.index,
                    amount: output.amount,
                    reason,
                }));
            }
            self.state.retained = self.state.retained.saturating_add(output.amount);
            output.data = None;
            self.state.available.push(output);
        }
        for Seen { height, transactions } in seen {
            effects.extend(self.complete(height, &transactions));
        }
        effects
    }

    /// Plans in a block that is acknowledged.
    fn complete(&mut self, height: u64, transactions: &[[u8; 32]]) -> Vec<Effect> {
        let mut effects = Vec::new();
        let (done, open) = std::mem::take(&mut self.state.open)
            .into_iter()
            .partition(|open| transactions.contains(&open.hash));
        self.state.open = open;
        for open in done {
            self.state.costs =
                self.state.costs.saturating_add(open.cost).saturating_sub(open.recovered);
            effects.push(Effect::Tell(ProcessorMessage::Completed {
                id: open.id,
                transaction: open.hash,
                height,
            }));
            effects.push(Effect::Done(open.id));
        }
        effects
    }
}
