//! Reference processor: holds the vault's key shares.
