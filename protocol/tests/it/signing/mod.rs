//! A thing is signed by whole sets: a stand-in for processors that keeps the rules of nonces, a
//! network that delays, reorders and repeats, restarts anywhere, and up to `n - t` validators that are
//! silent, lie, or open sessions to do harm.

mod honest;
mod liars;
mod lost;
mod openers;
mod processor;
mod refusals;
mod restart;
mod silent;
mod world;
