//! Topic names: the seed's `{name}-{chain}` and `{name}-serai`, and ours beside them.

use std::fmt;

use crate::{Coin, Name};

/// One of a validator's topics. Each has one partition and so one total order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// `{name}-{chain}`: the conversation between the coordinator and that chain's processor, both
    /// directions.
    Chain(Coin),
    /// `{name}-serai`: observations from all chains, and what is to be submitted to Serai.
    Serai,
    /// `{name}-public`: CloudEvents for frontends and data warehouses.
    Public,
    /// `{name}-dead-letter`: records that could not be handled, with the reason.
    DeadLetter,
}

impl Topic {
    /// The topic's full name for the validator `name`.
    pub fn full_name(self, name: &Name) -> String {
        format!("{name}-{self}")
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Topic::Chain(coin) => f.write_str(coin.name()),
            Topic::Serai => f.write_str("serai"),
            Topic::Public => f.write_str("public"),
            Topic::DeadLetter => f.write_str("dead-letter"),
        }
    }
}
