//! SEED, start-up: the validators read from `{name}-serai` are checked against the node.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serai_bus::Delivered;
use serai_messages::observation::{Event, SetMember};
use serai_messages::{Coin, ValidatorSet, decode};

use crate::processes::core::status::{Board, State, Step};
use crate::processes::observation::{Mailbox, ReadError};

/// Longest that a node may lag behind the one from which a set was read, before the set counts as
/// none of Serai's.
const NODE_PATIENCE: Duration = Duration::from_secs(600);

/// Pause before the node is asked again.
const NODE_RETRY: Duration = Duration::from_millis(500);

/// Compares the sets on `{name}-serai` with the node, before they are handled.
#[derive(Clone)]
pub(super) struct SetCheck {
    pub(super) observation: Mailbox,
    pub(super) board: Board,
    /// Coins whose sets concern this coordinator.
    pub(super) coins: BTreeSet<Coin>,
    /// The topic.
    pub(super) topic: String,
}

impl SetCheck {
    /// Why a record is to be put aside, if it is to be. Waits for the node where that is away: nothing
    /// of this topic goes on without it, and all else does.
    pub(super) async fn refusal(&self, topic: &str, delivered: &Delivered) -> Option<String> {
        if topic != self.topic {
            return None;
        }
        match decode::<Event>(&delivered.record.as_ref().ok()?.body) {
            Ok(Event::NewSet { set, members, .. }) if self.coins.contains(&set.coin) => {
                self.compare(set, &members).await
            }
            _ => None,
        }
    }

    async fn compare(&self, set: ValidatorSet, members: &[SetMember]) -> Option<String> {
        let step = Step::ReadValidators(set.coin);
        let begun = Instant::now();
        let waits = format!("the Serai node is asked for the validators of {set}");
        self.board.set(step, State::Waiting(waits));
        let refused = loop {
            match self.observation.set_members(set).await {
                Ok(on_node) if !same_members(&on_node, members) => {
                    break Some(format!(
                        "the validators of {set} on {} are not those that the Serai node gives; \
                         check who else writes to the topic",
                        self.topic
                    ));
                }
                Ok(_) => break None,
                // The node keeps the members of the latest set only.
                Err(ReadError::NotLatest { current: Some(current), .. })
                    if current > set.session =>
                {
                    break None;
                }
                Err(error @ ReadError::NotLatest { .. }) if begun.elapsed() > NODE_PATIENCE => {
                    break Some(format!("{set} on {} is not on Serai: {error}", self.topic));
                }
                // Also where observation has ended: then all of the coordinator ends.
                Err(error) => {
                    self.board.set(step, State::Waiting(error.to_string()));
                    tokio::time::sleep(NODE_RETRY).await;
                }
            }
        };
        self.board.set(step, refused.clone().map_or(State::Ok, State::Failed));
        refused
    }
}

/// Whether these are the same validators with the same shares, in the same order. Their addresses are
/// theirs to change at any time.
fn same_members(some: &[SetMember], others: &[SetMember]) -> bool {
    let held = |member: &SetMember| (member.validator, member.shares);
    some.iter().map(held).eq(others.iter().map(held))
}
