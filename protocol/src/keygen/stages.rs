//! The stages of an attempt.

use serai_messages::keygen::Awaited;

/// Where an attempt is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Processors' keys are announced.
    Announce,
    /// The party is signed.
    Party,
    /// PedPoP commitments are broadcast.
    Commitments,
    /// Members compare the commitments that they received.
    Agreement,
    /// Encrypted shares go to each member.
    Shares,
    /// Key pairs, and preprocesses of the proving signatures.
    ProofPreprocesses,
    /// Shares of the proving signatures.
    ProofShares,
    /// The own processor verifies the proving signatures.
    Proof,
    /// Preprocesses of the MuSig signature.
    MusigPreprocesses,
    /// Shares of the MuSig signature.
    MusigShares,
    /// The MuSig signature is completed.
    MusigSignature,
    /// `set_keys` is on its way.
    Confirming,
    /// The keys are final.
    Done,
    /// This validator has no part in the attempt.
    LeftOut,
}

impl Stage {
    /// Name in kebab-case.
    pub const fn name(self) -> &'static str {
        match self {
            Stage::Announce => "announce",
            Stage::Party => "party",
            Stage::Commitments => "commitments",
            Stage::Agreement => "agreement",
            Stage::Shares => "shares",
            Stage::ProofPreprocesses => "proof-preprocesses",
            Stage::ProofShares => "proof-shares",
            Stage::Proof => "proof",
            Stage::MusigPreprocesses => "musig-preprocesses",
            Stage::MusigShares => "musig-shares",
            Stage::MusigSignature => "musig-signature",
            Stage::Confirming => "confirming",
            Stage::Done => "done",
            Stage::LeftOut => "left-out",
        }
    }

    /// What it needs of every member.
    pub const fn awaited(self) -> Option<Awaited> {
        Some(match self {
            Stage::Announce => Awaited::Announcement,
            Stage::Party => Awaited::PartySignature,
            Stage::Commitments => Awaited::Commitments,
            Stage::Agreement => Awaited::Agreement,
            Stage::Shares => Awaited::Share,
            Stage::ProofPreprocesses => Awaited::ProofPreprocess,
            Stage::ProofShares => Awaited::ProofShare,
            Stage::MusigPreprocesses => Awaited::MusigPreprocess,
            Stage::MusigShares => Awaited::MusigShare,
            Stage::Proof
            | Stage::MusigSignature
            | Stage::Confirming
            | Stage::Done
            | Stage::LeftOut => return None,
        })
    }

    /// The one after it.
    pub(super) const fn next(self) -> Stage {
        match self {
            Stage::Announce => Stage::Party,
            Stage::Party => Stage::Commitments,
            Stage::Commitments => Stage::Agreement,
            Stage::Agreement => Stage::Shares,
            Stage::Shares => Stage::ProofPreprocesses,
            Stage::ProofPreprocesses => Stage::ProofShares,
            Stage::ProofShares => Stage::Proof,
            Stage::Proof => Stage::MusigPreprocesses,
            Stage::MusigPreprocesses => Stage::MusigShares,
            Stage::MusigShares => Stage::MusigSignature,
            Stage::MusigSignature => Stage::Confirming,
            Stage::Confirming | Stage::Done => Stage::Done,
            Stage::LeftOut => Stage::LeftOut,
        }
    }
}
