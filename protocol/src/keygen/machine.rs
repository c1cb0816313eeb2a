//! The machine's state and its two doors.

use serai_messages::{Attempt, BlockNumber, MAX_VALIDATORS};

use super::{Effect, Input, InvalidParameters, Parameters, Summary};

/// Key generation of one set.
#[derive(Debug)]
pub struct Keygen {
    parameters: Parameters,
    height: Option<BlockNumber>,
}

impl Keygen {
    /// Begins with attempt 0.
    ///
    /// # Errors
    /// [`InvalidParameters`].
    pub fn new(parameters: Parameters) -> Result<(Self, Vec<Effect>), InvalidParameters> {
        let count = parameters.validators.len();
        if count == 0 || count > MAX_VALIDATORS {
            return Err(InvalidParameters::ValidatorCount(count));
        }
        Ok((Self { parameters, height: None }, Vec::new()))
    }

    /// Learns `input`; what is to be done about it. Irrelevant input has no effects.
    pub fn handle(&mut self, input: &Input) -> Vec<Effect> {
        if let Input::Height(height) = input {
            self.height = self.height.max(Some(*height));
        }
        Vec::new()
    }

    /// State for a person.
    pub fn summary(&self) -> Summary {
        Summary {
            set: self.parameters.set,
            attempt: Attempt(0),
            stage: "announce",
            members: self.parameters.validators.clone(),
            removed: Vec::new(),
            waiting_for: Vec::new(),
            faults: Vec::new(),
            start: self.parameters.start,
            height: self.height,
            began: None,
            deadline: self.parameters.start,
            key_pair: None,
            confirmed: None,
            refused: None,
            rejected: 0,
        }
    }
}
