//! Pure state machines of key generation, agreement, MuSig and the signing party.
