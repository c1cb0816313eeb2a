//! Simulated Bitcoin, Ethereum and Monero networks for development.
