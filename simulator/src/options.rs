//! What is simulated.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

/// Which cryptography the processors use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cryptography {
    /// PedPoP and FROST, as shipped.
    Real,
    /// [`crate::stand_in`]: the sizes and rules of the real one, and its speed not at all.
    StandIn,
}

impl FromStr for Cryptography {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "real" => Ok(Self::Real),
            "stand-in" => Ok(Self::StandIn),
            other => Err(format!("{other:?} is no cryptography; there are real and stand-in")),
        }
    }
}

impl fmt::Display for Cryptography {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Real => "real",
            Self::StandIn => "stand-in",
        })
    }
}

macro_rules! faults {
    ($($(#[$doc:meta])* $fault:ident $name:literal,)*) => {
        /// What may go wrong.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Fault {
            $($(#[$doc])* $fault,)*
        }

        impl Fault {
            /// All of them.
            pub const ALL: &[Fault] = &[$(Fault::$fault,)*];

            /// As it stands on a command line.
            pub fn name(self) -> &'static str {
                match self {
                    $(Fault::$fault => $name,)*
                }
            }
        }
    };
}

faults! {
    /// What goes to a peer, or its acknowledgement, is lost, and sent again after a while.
    Loss "loss",
    /// It takes seconds.
    Delay "delay",
    /// It arrives twice; records stand on a topic twice.
    Duplication "duplication",
    /// A copy of it arrives long after what was sent later.
    Reordering "reordering",
    /// For a while, two halves of the validators do not reach each other.
    Partition "partition",
    /// Coordinators and processors end, also within a transaction, and start again.
    Crash "crash",
    /// A coordinator's state is lost, and an older backup of it restored.
    Restore "restore",
    /// A member says nothing, from some moment on.
    Silence "silence",
    /// A member says one thing to some and another to others.
    Equivocation "equivocation",
    /// A member says what is not so, and accuses who is not at fault.
    Lies "lies",
    /// A member opens signing sessions against the rules.
    Openers "openers",
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.iter().copied().find(|fault| fault.name() == text).ok_or_else(|| {
            let known: Vec<_> = Self::ALL.iter().map(|fault| fault.name()).collect();
            format!("{text:?} is no fault; there are {}", known.join(", "))
        })
    }
}

/// Faults that may happen in a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults(BTreeSet<Fault>);

impl Faults {
    /// All.
    pub fn all() -> Self {
        Self(Fault::ALL.iter().copied().collect())
    }

    /// None.
    pub fn none() -> Self {
        Self::default()
    }

    /// Whether it may happen.
    pub fn has(&self, fault: Fault) -> bool {
        self.0.contains(&fault)
    }
}

/// `all`, `none`, or names with commas between.
impl FromStr for Faults {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "all" => Ok(Self::all()),
            "none" => Ok(Self::none()),
            list => list.split(',').map(str::parse).collect::<Result<_, _>>().map(Self),
        }
    }
}

/// A run, but for its seed.
#[derive(Clone, Debug)]
pub struct Options {
    /// How many validators; 4 to [`serai_messages::MAX_VALIDATORS`].
    pub validators: usize,
    /// Which cryptography.
    pub cryptography: Cryptography,
    /// What may go wrong.
    pub faults: Faults,
    /// How many things are to be signed after the key generation.
    pub things: u32,
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_named() {
        let faults: Faults = "loss,crash".parse().unwrap();
        assert!(faults.has(Fault::Loss) && faults.has(Fault::Crash) && !faults.has(Fault::Lies));
        assert_eq!("all".parse(), Ok(Faults::all()));
        let refused = "loss,nonsense".parse::<Faults>().unwrap_err();
        assert!(refused.contains("nonsense") && refused.contains("partition"), "{refused}");
    }
}
