//! What the own processor still owes an answer.
//!
//! A refusal does not say what it refuses. It is laid to a request only when nothing else can be
//! meant: when as many refusals have come as answers are owed.

use std::collections::BTreeSet;

/// A request to the own processor. Validators are positions in the draw.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Request {
    Preprocess { opener: usize },
    Sign { open: [u8; 32] },
    Aggregate { open: [u8; 32] },
    Judge { open: [u8; 32], accused: usize },
    Signature { sender: usize },
}

/// Requests without an answer.
#[derive(Debug, Default)]
pub(super) struct Asked {
    owed: BTreeSet<Request>,
    refusals: usize,
}

impl Asked {
    /// False: this is asked already.
    pub(super) fn ask(&mut self, request: Request) -> bool {
        self.owed.insert(request)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.owed.is_empty()
    }

    /// A refusal may be the answer to any request that is owed one.
    pub(super) fn has_refusals(&self) -> bool {
        self.refusals > 0
    }

    /// Answered otherwise than by a refusal. Gives what is refused beyond doubt.
    pub(super) fn answered(&mut self, request: Request) -> Vec<Request> {
        self.owed.remove(&request);
        self.certain()
    }

    /// All requests are answered of which this holds.
    pub(super) fn settled(&mut self, settled: impl Fn(&Request) -> bool) {
        self.owed.retain(|request| !settled(request));
        self.refusals = self.refusals.min(self.owed.len());
    }

    /// Refused. Gives what is refused beyond doubt.
    pub(super) fn refused(&mut self) -> Vec<Request> {
        if !self.owed.is_empty() {
            self.refusals += 1;
        }
        self.certain()
    }

    fn certain(&mut self) -> Vec<Request> {
        if self.refusals < self.owed.len() {
            return Vec::new();
        }
        self.refusals = 0;
        std::mem::take(&mut self.owed).into_iter().collect()
    }
}
