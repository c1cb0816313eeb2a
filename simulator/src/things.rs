//! What is to be signed.

use serai_messages::observation::SeraiBlock;
use serai_messages::signing::{Content, PaymentId, SigningId, Thing};
use serai_messages::{BlockHash, BlockNumber};
use serai_processor::chain::ToSign;
use serai_processor::signing::Due;

use crate::chain::Chain;
use crate::draw::Draw;
use crate::world::SET;

/// A thing, as every processor works it out.
#[derive(Clone, Debug)]
pub struct Item {
    /// For processors.
    pub due: Due,
}

impl Item {
    /// Its number, of a batch.
    pub fn batch(&self) -> Option<u32> {
        match self.due.id.thing {
            Thing::Batch(number) => Some(number),
            _ => None,
        }
    }
}

/// So many things, batches and payments by turns; batches are known to the chain from then on.
pub fn of(chain: &mut Chain, draw: &mut Draw, count: u32) -> Vec<Item> {
    let newest = chain.newest();
    (0..count).map(|number| item(chain, draw, newest, number)).collect()
}

fn item(chain: &mut Chain, draw: &mut Draw, newest: BlockNumber, number: u32) -> Item {
    let reference = SeraiBlock { number: newest, hash: BlockHash(draw.bytes()) };
    if number.is_multiple_of(2) {
        let (batch, message) = (draw.bytes().to_vec(), draw.bytes().to_vec());
        chain.batches.insert((SET, number), (batch.clone(), message.clone()));
        let id = SigningId { set: SET, thing: Thing::Batch(number) };
        let messages = vec![ToSign { offset: None, bytes: message }];
        return Item { due: Due { id, reference, content: Content::Batch { batch }, messages } };
    }
    let thing = Thing::Payment(PaymentId { block: newest, index: number });
    let content = Content::Transaction {
        hash: draw.bytes(),
        unsigned: draw.bytes().to_vec(),
        amount: 1_000,
        fee: 10,
    };
    let messages = (0..draw.within(1..=3))
        .map(|_| ToSign { offset: None, bytes: draw.bytes().to_vec() })
        .collect();
    Item { due: Due { id: SigningId { set: SET, thing }, reference, content, messages } }
}
