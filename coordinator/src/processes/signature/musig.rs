//! MuSig machines while they run. Their nonces are in memory and nowhere else: a restart loses them,
//! and the protocol is told so.

use std::collections::BTreeMap;

use rand_core::OsRng;
use serai_messages::ValidatorSet;
use serai_messages::keygen::KeygenId;
use serai_protocol::keygen::{Input, MusigRequest};
use serai_protocol::musig::{MusigComplete, MusigError, MusigMachine, MusigSign};
use serai_sr25519::Signer;

enum Machine {
    Sign(Box<MusigSign>),
    Complete(Box<MusigComplete>),
}

/// All running machines, at most one per set and attempt.
#[derive(Default)]
pub struct Musigs(BTreeMap<KeygenId, Machine>);

impl Musigs {
    /// Takes the step asked for and returns what the protocol is to be told.
    pub fn handle(&mut self, request: MusigRequest, signer: &Signer) -> Input {
        match request {
            MusigRequest::Preprocess { id, members } => {
                match MusigMachine::new(signer, id.set, &members) {
                    Ok(machine) => {
                        let (machine, preprocess) = machine.preprocess(&mut OsRng);
                        self.0.insert(id, Machine::Sign(Box::new(machine)));
                        Input::MusigPreprocess { id, preprocess }
                    }
                    Err(error) => failed(id, error),
                }
            }
            MusigRequest::Sign { id, preprocesses, message } => match self.0.remove(&id) {
                Some(Machine::Sign(machine)) => match machine.sign(&preprocesses, &message) {
                    Ok((machine, share)) => {
                        self.0.insert(id, Machine::Complete(Box::new(machine)));
                        Input::MusigShare { id, share }
                    }
                    Err(error) => failed(id, error),
                },
                _ => Input::MusigLost { id },
            },
            MusigRequest::Complete { id, shares } => match self.0.remove(&id) {
                Some(Machine::Complete(machine)) => match machine.complete(&shares) {
                    Ok(signature) => Input::MusigSignature { id, signature },
                    Err(error) => failed(id, error),
                },
                _ => Input::MusigLost { id },
            },
        }
    }

    /// Drops what is left of a set's machines.
    pub fn forget(&mut self, set: ValidatorSet) {
        self.0.retain(|id, _| id.set != set);
    }
}

fn failed(id: KeygenId, error: MusigError) -> Input {
    match error {
        MusigError::Invalid(accused) => Input::MusigInvalidShare { id, accused },
        MusigError::Other(reason) => {
            tracing::warn!(attempt = %id, %reason, "the MuSig of set_keys is given up here");
            Input::MusigLost { id }
        }
    }
}
